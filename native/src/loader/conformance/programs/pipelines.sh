# SPDX-License-Identifier: Apache-2.0
# What bash adds to pipelines: process substitution, coprocesses, job control, pipefail, wait -n, traps, large volumes.
set -o pipefail
diff <(seq 1 1000) <(seq 1 1000 | sort -R | sort -n) && echo same
coproc doubler { while read -r n; do echo $((n * 2)); done; }
for i in 1 20 300; do echo $i >&"${doubler[1]}"; read -r answer <&"${doubler[0]}"; echo "$answer"; done
eval "exec ${doubler[1]}>&-"; wait "$doubler_PID"
head -c 3000000 /dev/zero | tr '\0' 'x' | tee >(wc -c >&2) | md5sum
yes | head -n 100000 | sort | uniq -c
echo "pipefail $(false | true; echo $?) ${PIPESTATUS[*]}"
for i in {1..30}; do (exit $((i % 5))) & done
failed=0; for i in {1..30}; do wait -n || failed=$((failed + 1)); done; echo "failed $failed"
set -m
exec 3>&2 2>/dev/null  # the message of the job's end has its pid
sleep 100 & kill -STOP %1; wait %1; jobs -s | wc -l; kill -KILL %1; while kill -0 $!; do :; done; jobs >/dev/null
set +m; exec 2>&3 3>&-
trap 'echo "trapped $?"' ERR; false; trap - ERR
trap 'echo usr1' USR1; for i in 1 2 3; do kill -USR1 $BASHPID; done
mapfile -t lines < <(for i in {1..2000}; do echo "$i"; done); echo "${#lines[@]} ${lines[1999]}"
(ulimit -n 40; for i in {1..10}; do cat <(echo "$i"); done | paste -sd+)
timeout -s INT 0.05 sleep 60; echo "timeout $?"
time_out=$( { for i in {1..60}; do /bin/true; done; } 2>&1 ); echo "trues $?$time_out"
printf 'x%.0s' {1..70000} | (read -r -n 65000 text; echo "${#text}"; cat | wc -c)
