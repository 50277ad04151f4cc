# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# A daemon that stands still is ended by the watchdog and started again: once all of it (SIGSTOP),
# once its index, since the disk does not answer (a frozen file system).
limit=200

drive() {
    local pid
    # The second line closes a recording every few seconds, so there is always something to index.
    prepare < <(line front-desk 0 && line rotating 1 'trigger = "always"' 'rotate_s = 4')
    dropin <<<$'[Service]\nWatchdogSec=12'
    go
    wait_lines front-desk
    count 0
    wait_counted 0 3000
    pid=$(prop MainPID)
    counted 0 >"$out/at-stop"
    kill -STOP "$pid"
    until_true 40 watchdog_bit "$pid" || fail "the watchdog did not notice a stopped daemon"
    again "$pid" 20
    wait_lines front-desk
    wait_recorded front-desk 4000

    pid=$(prop MainPID)
    counted 0 >"$out/at-freeze"
    fsfreeze -f "$data"
    trap 'fsfreeze -u "$data"; tidy_up' EXIT
    until_true 70 watchdog_bit "$pid" || fail "the watchdog did not notice a disk that stands still"
    fsfreeze -u "$data"
    trap tidy_up EXIT
    again "$pid" 40
    wait_lines front-desk
    wait_recorded front-desk 2000
    keep_recordings
    sound
}

# watchdog_bit PID: did systemd end this process for its watchdog?
watchdog_bit() {
    journalctl --no-pager -u callreeld --after-cursor="$(cat "$out/cursor")" -o cat |
        grep "Killing process $1 .* with signal SIGABRT" >/dev/null
}

judge() {
    entry '.MESSAGE | test("Watchdog timeout")' 2
    entry '.MESSAGE | test("Failed with result .watchdog.")'
    for n in 1 2 3; do whole "front-desk-$n.wav" 1500; done
    lost_at_end front-desk-1.wav "$(cat at-stop)" 1500
    lost_at_end front-desk-2.wav "$(cat at-freeze)" 1500
}
