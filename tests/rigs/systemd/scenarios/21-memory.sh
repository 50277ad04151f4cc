# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The kernel kills the daemon for want of memory: it is started again, and the store is sound.
limit=90

drive() {
    local pid
    appliance < <(line front-desk 0)
    wait_lines front-desk
    count 0
    wait_counted 0 4000
    pid=$(prop MainPID)
    counted 0 >"$out/at-kill"
    # Its memory is locked, so nothing of it can be taken away instead.
    systemctl set-property --runtime callreeld.service MemoryMax=2M
    until_true 20 gone "$pid" || fail "the kernel did not kill it"
    systemctl set-property --runtime callreeld.service MemoryMax=infinity
    again "$pid" 20
    wait_lines front-desk
    wait_recorded front-desk 2000
    keep_recordings
    sound
    dmesg >"$out/dmesg.txt"
}

gone() { [ ! -e "/proc/$1" ]; }

judge() {
    grep -q 'Memory cgroup out of memory: Killed process [0-9]* (.*)' dmesg.txt
    entry '.MESSAGE | test("killed by the OOM killer")'
    whole front-desk-1.wav 3500
    whole front-desk-2.wav 1500
    lost_at_end front-desk-1.wav "$(cat at-kill)" 2000
}
