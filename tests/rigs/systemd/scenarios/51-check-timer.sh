# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The timer that has the recordings checked is on; its service is content with a sound store and
# fails with a damaged one, while recording goes on.
limit=60

drive() {
    local file
    appliance < <(line front-desk 0)
    wait_lines front-desk
    count 0
    wait_counted 0 2000
    systemctl restart callreeld.service
    wait_lines front-desk
    systemctl start callreel-check.timer
    systemctl list-timers --no-pager --no-legend callreel-check.timer >"$out/timers.txt"
    systemctl start callreel-check.service || fail "the check of a sound store: $(status callreel-check.service)"
    file=$(find "$data/recordings" -name '*.wav' -size +8k | sort | head -n 1)
    printf 'damage' | dd of="$file" bs=1 seek=6000 conv=notrunc status=none
    if systemctl start callreel-check.service; then fail "the check does not mind damage"; fi
    prop Result callreel-check.service >"$out/result.txt"
    journalctl --no-pager -u callreel-check -o cat >"$out/check-journal.txt"
    runs || fail "recording stopped"
    line_is running front-desk
}

judge() {
    grep -q callreel-check timers.txt
    grep -qx exit-code result.txt
    grep -q "recording 1: the file's bytes are not those that were sealed" check-journal.txt
}
