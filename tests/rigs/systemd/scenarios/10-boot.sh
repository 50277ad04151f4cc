# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The first boot after installation: everything is up by itself. Then a line is added, and it is
# recorded as user callreel under the whole hardening, with real-time threads, locked memory and
# io_uring.
limit=120

drive() {
    wait_runs
    local unit thread
    for unit in "${units[@]}" callreel-check.timer; do
        printf '%s %s %s\n' "$unit" "$(prop ActiveState "$unit")" "$(systemctl is-enabled "$unit")"
    done >"$out/units.txt"
    systemctl --failed --no-legend --plain >"$out/failed.txt"
    journalctl --no-pager -b -u callreeld -o json >"$out/first.json"
    ss -Hltnp >"$out/listening.txt"
    stat -c '%U:%G %a %n' "$data" /run/callreel /run/callreel/control.sock /etc/callreel/credentials \
        /dev/snd/pcmC0D1c >"$out/modes.txt"
    line front-desk 0 >"$own"
    systemctl restart callreeld.service
    wait_lines front-desk
    count 0
    wait_counted 0 4500
    until_true 15 status_tells_lines || fail "no STATUS about lines: $(prop StatusText)"
    status >"$out/status.txt"
    callreel --json status >"$out/status.json"
    callreel --json lines >"$out/lines.json"
    cat "/proc/$(prop MainPID)/status" >"$out/process.txt"
    for thread in "/proc/$(prop MainPID)/task"/*; do
        printf '%s %s\n' "$(cat "$thread/comm" 2>/dev/null)" "$(chrt -p "${thread##*/}" 2>/dev/null | tr '\n' ' ')"
    done >"$out/threads.txt"
    systemd-analyze security --no-pager callreeld.service >"$out/security.txt" || true
    keep_recordings
    sound
}

status_tells_lines() { [[ $(prop StatusText) == *line* ]]; }

judge() {
    [ "$(grep -c ' active enabled$' units.txt)" = 5 ]
    if grep . failed.txt; then return 1; fi
    grep -q '127.0.0.1:8080.*callreeld\|127.0.0.1:8080.*systemd' listening.txt
    grep -q '443 ' listening.txt
    grep -qx 'callreel:callreel 750 /var/lib/callreel' modes.txt
    grep -qx 'root:callreel 660 /run/callreel/control.sock' modes.txt
    grep -qx 'root:root 700 /etc/callreel/credentials' modes.txt
    grep -qx 'root:audio 660 /dev/snd/pcmC0D1c' modes.txt
    # No capability, ever; seccomp on; not root; memory is locked.
    [ "$(grep -c '^Cap\(Inh\|Prm\|Eff\|Bnd\|Amb\):[[:space:]]0000000000000000$' process.txt)" = 5 ]
    grep -q '^Seccomp:[[:space:]]2$' process.txt
    grep -q '^NoNewPrivs:[[:space:]]1$' process.txt
    if grep -q '^Uid:[[:space:]]0' process.txt; then return 1; fi
    [ "$(awk '/^VmLck:/ { print $2 }' process.txt)" -gt 1000 ]
    grep -q 'SCHED_FIFO.*priority: 50' threads.txt
    grep -q 'active (running)' status.txt
    grep -q 'Status: ".*line' status.txt
    [ "$(jq -r .io_backend status.json)" = io_uring ]
    jq -e '.items[0] | .state == "running" and .lost_frames == 0 and .overruns == 0' lines.json
    whole front-desk-1.wav 4000
}
