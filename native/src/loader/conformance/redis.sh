# SPDX-License-Identifier: Apache-2.0
# redis-server with a fork for BGSAVE. Run as `redis.sh <folder to write in> <free port>`.
folder=$1
port=$2
redis-server --port "$port" --bind 127.0.0.1 --dir "$folder" --save '' --appendonly no >"$folder/redis.log" 2>&1 &
server=$!
until redis-cli -p "$port" ping 2>/dev/null | grep -q PONG; do :; done
redis-cli -p "$port" set key value
redis-cli -p "$port" get key
for i in 1 2 3 4 5; do redis-cli -p "$port" incr counter; done
redis-benchmark -p "$port" -q -n 2000 -c 8 -t set,get >/dev/null && echo benchmarked
redis-cli -p "$port" bgsave
until redis-cli -p "$port" info persistence | grep -q 'rdb_bgsave_in_progress:0'; do :; done
redis-cli -p "$port" info persistence | tr -d '\r' | grep rdb_last_bgsave_status
ls "$folder/dump.rdb" >/dev/null && echo dumped
redis-cli -p "$port" shutdown nosave
wait $server
echo "ended $?"
