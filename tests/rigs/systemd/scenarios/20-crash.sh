# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The daemon dies at once, as by a fault of its own and by SIGKILL: it is back within seconds, and the
# recordings that were open lack less than a second.
limit=120

drive() {
    local pid signal
    appliance < <(line front-desk 0)
    wait_lines front-desk
    count 0
    wait_counted 0 2000
    for signal in ABRT KILL; do
        wait_recorded front-desk 3000
        pid=$(prop MainPID)
        counted 0 >"$out/at-$signal"
        kill -$signal "$pid"
        again "$pid" 15
        wait_lines front-desk
    done
    wait_recorded front-desk 2000
    printf '%s\n' "$(prop NRestarts)" >"$out/restarts"
    keep_recordings
    sound
}

judge() {
    [ "$(cat restarts)" = 2 ]
    for n in 1 2 3; do whole "front-desk-$n.wav" 1500; done
    lost_at_end front-desk-1.wav "$(cat at-ABRT)" 1500
    lost_at_end front-desk-2.wav "$(cat at-KILL)" 1500
    between front-desk-1.wav front-desk-2.wav 8000
    between front-desk-2.wav front-desk-3.wav 8000
    entry '.MESSAGE | test("status=6/ABRT")'
    entry '.MESSAGE | test("status=9/KILL")'
}
