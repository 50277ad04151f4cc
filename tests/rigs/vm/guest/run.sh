#!/bin/bash
# Runs in the guest: the scenarios that /share/list names, one after the other, each in a shell of
# its own and bounded in time. Leaves out/NAME/{rc,log} and whatever the scenario kept. Its exit
# code is 0 when all of them were run, however they ended; 10 when what follows needs a new machine,
# since after.sh says that this one is not as it was.
set -u
out=/share/out
# The share keeps no pages in memory: programs run from a copy.
if [ -d /share/bin ]; then cp -r /share/bin /tmp/bin; fi

while read -r name; do
    mkdir -p "$out/$name"
    limit=$(sed -n 's/^limit=\([0-9]*\)$/\1/p' "/share/scenarios/$name.sh")
    printf 'CALLREEL-VM scenario %s\n' "$name"
    timeout -k 5 "${limit:-60}" bash /share/guest/scenario.sh "$name" >>"$out/$name/log" 2>&1 </dev/null
    rc=$?
    if [ $rc -eq 124 ]; then printf 'took longer than %s s\n' "${limit:-60}" >>"$out/$name/log"; fi
    dmesg -c >"$out/$name/kernel.log"
    printf '%s\n' $rc >"$out/$name/rc"
    bash /share/guest/after.sh "$out/$name" || exit 10
done </share/list
