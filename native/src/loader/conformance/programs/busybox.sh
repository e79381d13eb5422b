# SPDX-License-Identifier: Apache-2.0
# Run by busybox' shell, which forks where others execute: its applets run in the forked shell.
seq 1 3000 | awk '{ sum += $1 } END { print sum }'
seq 1 500 | sed 's/$/ x/' | grep -v 1 | sort -rn | head -n 3 | tr x y
for i in 1 2 3 4 5 6 7 8; do (for j in 1 2 3; do echo "$i $j"; done | sort -r | tail -n 1) & done | sort
wait
echo text | tee copy | md5sum
gzip -c copy | gunzip -c | cmp - copy && echo same
tar cf - copy | tar tf -
find . -name copy | xargs cat
yes | head -n 1000 | wc -l
i=0; while [ $i -lt 40 ]; do echo $(expr $i \* 2) $(basename "/a/b$i"); i=$((i + 1)); done | tail -n 2
trap 'echo ended by exit' EXIT
trap 'echo got a signal' TERM
(kill -TERM $$); trap - TERM
sh -c 'kill -KILL $$'; echo "status $?"
sleep 60 & kill $!; wait $!; echo "status $?"
printf '%s\n' one two | while read -r word; do echo "<$word>"; done
timeout 1 true && dd if=/dev/zero bs=1000 count=50 2>/dev/null | wc -c
