# SPDX-License-Identifier: Apache-2.0
# gunicorn: a master that forks workers which share its listener; workers added, removed, killed and replaced while it serves.
# Run as `gunicorn.sh <folder to write in> <free port>`.
cd "$1" || exit 1
url=http://127.0.0.1:$2
cat >wsgi.py <<'END'
import hashlib, os, threading

def application(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/pid":
        return [str(os.getpid()).encode()]
    return [hashlib.sha256(body).hexdigest().encode()]
END
export HOME=$1 PYTHONDONTWRITEBYTECODE=1
/usr/bin/gunicorn --workers 2 --threads 2 --bind "127.0.0.1:$2" --pid pid wsgi:application >log 2>&1 &
server=$!
until curl -s -o /dev/null "$url/"; do :; done
for i in $(seq 1 12); do curl -s --data "request $i" "$url/" && echo; done
first=$(curl -s "$url/pid")
kill -KILL "$first"
while [ "$(curl -s "$url/pid")" = "$first" ]; do :; done
curl -s --data 'after a killed worker' "$url/" && echo
kill -TTIN $server
kill -HUP $server
until grep -q 'Hang up' log; do :; done
until curl -s --data 'after a reload' "$url/" && echo; do :; done
seq 1 40 | xargs -P 4 -I{} curl -s -o /dev/null -w '%{http_code}\n' --data '{}' "$url/" | sort | uniq -c
kill -TERM $server
wait $server
echo "ended $?"
