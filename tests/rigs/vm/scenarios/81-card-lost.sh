# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The driver takes our channels away in mid-call, as when a card is unplugged: the call ends for
# that reason, what was recorded is kept, lines of other spans go on, and when the card is back the
# line is too, by itself.
limit=120

drive() {
    spans analogue
    configure <<'TOML'
[[line]]
name = "trunk"
tenant = "acme"
dahdi = "25"
trigger = "hook"

[[line]]
name = "desk"
tenant = "acme"
dahdi = "2"
role = "station"
trigger = "always"
TOML
    start_daemon
    wait_lines trunk desk
    far exchange 1 "sleep 500; ring; wait offhook 20; offhook; hum 900; hold"
    call_of trunk
    answer
    sleep 4
    say "the card is taken away"
    take_away 2
    call_event '.event == "call.hangup"' 20
    until_true 10 lines_are lost trunk || fail "the line is not told to be lost"
    lines_are running desk || fail "the other span's line does not run"
    far_stop exchange
    say "the card is back"
    put_back 2
    wait_lines trunk desk
    far exchange-2 1 "sleep 500; ring; wait offhook 20; offhook; hum 950; sleep 4000; hush; sleep 300; onhook; sleep 2500"
    call_of trunk 20
    answer
    call_event '.event == "call.hangup"' 20
    far_done exchange-2
    end_all_recordings
    keep_recordings
}

judge() {
    causes DEVICE_LOST NORMAL_CLEARING
    # The other line was recorded all the time.
    measure length desk-1.wav 15 100
    measure tone trunk-1.wav 0 900 3
    measure tone trunk-2.wav 0 950 3
}
