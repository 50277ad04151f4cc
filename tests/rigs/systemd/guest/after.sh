#!/bin/bash
# after.sh OUT: keeps what the journal has of a scenario; the next one begins by putting everything
# back, so the machine can go on unless a file system is frozen or a unit cannot be stopped.
out=$1
from=$(cat "$out/cursor" 2>/dev/null)
journalctl --no-pager -o json ${from:+"--after-cursor=$from"} -u callreeld >"$out/journal.json"
journalctl --no-pager -o short-monotonic ${from:+"--after-cursor=$from"} >"$out/journal.txt"
systemctl stop callreeld.service 'callreel*.socket' callreel-check.timer || exit 1
