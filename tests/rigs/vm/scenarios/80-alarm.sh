# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The span goes into alarm in mid-call, as when a cable is pulled: the call ends for that reason,
# what was recorded is kept, and when the cable is back the next call works.
limit=120

drive() {
    # The far end must let go of its channel before the cable is cut, and nothing may tell that.
    spans loopstart
    configure <<'TOML'
[[line]]
name = "trunk"
tenant = "acme"
dahdi = "25"
trigger = "hook"
TOML
    start_daemon
    wait_lines trunk
    far exchange 1 "sleep 500; ring; wait offhook 20; offhook; tone 900 5000"
    call_of trunk
    answer
    far_done exchange
    say "the cable is pulled"
    cut_cable 1
    call_event '.event == "call.hangup"' 20
    "${callreel[@]}" lines >"$out/in-alarm.txt"
    say "the cable is back"
    splice_cable 1
    sleep 2
    far exchange-2 1 "sleep 500; ring; wait offhook 20; offhook; tone 950 4000; busy 12000; onhook"
    call_of trunk 20
    answer
    call_event '.event == "call.hangup"' 30
    far_done exchange-2
    keep_recordings
}

judge() {
    causes NETWORK_OUT_OF_ORDER NORMAL_CLEARING
    measure tone trunk-1.wav 0 900 3
    measure tone trunk-2.wav 0 950 3
    grep -qi 'red' in-alarm.txt
}
