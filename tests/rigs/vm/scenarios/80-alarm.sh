# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The span goes into alarm in mid-call, as when a cable is pulled: the call ends for that reason,
# what was recorded is kept, and when the cable is back the next call works.
limit=120

drive() {
    spans analogue
    configure <<'TOML'
[[line]]
name = "trunk"
tenant = "acme"
dahdi = "25"
trigger = "hook"
TOML
    start_daemon
    wait_lines trunk
    far exchange 1 "sleep 500; ring; wait offhook 20; offhook; hum 900; wait gone 30"
    call_of trunk
    answer
    sleep 4
    say "the cable is pulled"
    "$bin/span" destroy 1:0 24
    far_done exchange
    call_event '.event == "call.hangup"' 20
    "${callreel[@]}" lines >"$out/in-alarm.txt"
    say "the cable is back"
    "$bin/span" create 1:0 24
    again 1
    sleep 2
    far exchange-2 1 "sleep 500; ring; wait offhook 20; offhook; hum 950; sleep 4000; hush; sleep 300; onhook; sleep 2500"
    call_of trunk 20
    answer
    call_event '.event == "call.hangup"' 20
    far_done exchange-2
    keep_recordings
}

judge() {
    causes NETWORK_OUT_OF_ORDER NORMAL_CLEARING
    measure tone trunk-1.wav 0 900 3
    measure tone trunk-2.wav 0 950 3
    grep -qi 'red' in-alarm.txt
}
