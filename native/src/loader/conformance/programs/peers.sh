# SPDX-License-Identifier: Apache-2.0
# The project's own provider and gateway, peers on TCP with the token, with a Redis on a unix socket, all in one instance.
# Run as `peers.sh <folder> <free port, and ten more behind it> <repository root> <addon> <node>`.
trap 'kill -KILL $redis $provider $gateway 2>/dev/null' EXIT # only if something went wrong are they still there
folder=$1 base=$2 root=$3 addon=$4 node=$5
mkdir -p "$folder/run" "$folder/state"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$folder/token"
chmod 600 "$folder/token"
export JUNCTION_STACK=conformance JUNCTION_RUN_DIR=$folder/run JUNCTION_STATE_DIR=$folder/state
export JUNCTION_PORT_BASE=$base JUNCTION_RPC_TOKEN_FILE=$folder/token JUNCTION_PROVIDER_ADDRESS=127.0.0.1:$((base + 10))
export JUNCTION_REDIS_URL=unix:$folder/redis.sock JUNCTION_ADDON=$addon
redis-server --port 0 --unixsocket "$folder/redis.sock" --dir "$folder" --save '' >"$folder/redis.log" 2>&1 &
redis=$!
until redis-cli -s "$folder/redis.sock" ping 2>/dev/null | grep -q PONG; do :; done
"$node" "$root/apps/provider/dist/main.js" >"$folder/provider.log" 2>&1 &
provider=$!
"$node" "$root/apps/gateway/dist/main.js" >"$folder/gateway.log" 2>&1 &
gateway=$!
await() { # url: until it answers 200
  until [ "$(curl -s -o /dev/null -w '%{http_code}' "$1")" = 200 ]; do
    kill -0 $provider 2>/dev/null && kill -0 $gateway 2>/dev/null || { cat "$folder"/*.log; exit 1; }
    sleep 0.1
  done
}
await "http://127.0.0.1:$base/healthz" && echo "gateway is healthy"
await "http://127.0.0.1:$((base + 1))/healthz" && echo "provider is healthy"
user=$(cat "$folder/state/auth/basic-auth-user"):$(cat "$folder/state/auth/basic-auth-password")
curl -s -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$base/system/functions"
until [ "$(curl -s -u "$user" -o "$folder/list" -w '%{http_code}' "http://127.0.0.1:$base/system/functions")" = 200 ]; do sleep 0.1; done
cat "$folder/list" && echo
curl -s -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$base/function/missing"
for i in $(seq 1 20); do curl -s -u "$user" "http://127.0.0.1:$base/system/functions" && echo; done | sort | uniq -c
kill -TERM $gateway; wait $gateway; echo "gateway $?"
kill -TERM $provider; wait $provider; echo "provider $?"
kill -TERM $redis; wait $redis; echo "redis $?"
