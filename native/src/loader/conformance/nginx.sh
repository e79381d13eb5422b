# SPDX-License-Identifier: Apache-2.0
# nginx with a master and two workers, reloaded while it serves. Run as `nginx.sh <folder to write in> <free port>`.
folder=$1
port=$2
cat >"$folder/nginx.conf" <<END
daemon off;
user root;
worker_processes 2;
pid $folder/nginx.pid;
error_log $folder/error.log;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  server {
    listen 127.0.0.1:$port reuseport;
    root $folder;
  }
}
END
echo 'hello from nginx' >"$folder/index.html"
nginx -p "$folder" -c "$folder/nginx.conf" &
server=$!
until curl -s -o /dev/null "http://127.0.0.1:$port/"; do :; done
curl -s "http://127.0.0.1:$port/"
for i in $(seq 1 20); do curl -s -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$port/$([ $((i % 2)) = 0 ] && echo missing)"; done | sort | uniq -c
kill -HUP $server
until curl -s "http://127.0.0.1:$port/"; do :; done
kill -QUIT $server
wait $server
echo "ended $?"
