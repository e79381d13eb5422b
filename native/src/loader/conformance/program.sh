# SPDX-License-Identifier: Apache-2.0
# Pipelines, substitutions, jobs, traps and here documents of a shell.
echo one two three | tr ' ' '\n' | sort -r | head -n 2
echo "$(echo sub $(echo nested))"
(exit 3); echo "status $?"
false | true; echo "pipe $?"
for i in 1 2 3 4 5; do echo $i & done | sort
wait
trap 'echo trapped' USR1
kill -USR1 $$
cat <<END | wc -l
a
b
END
sleep 60 & pid=$!
kill $pid; wait $pid 2>/dev/null; echo "killed $?"
ls /proc/self/exe >/dev/null && echo proc
seq 1 2000 | while read n; do echo $((n * 2)); done | tail -n 1
exec sh -c 'exit 9'
