# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The caller gives up before anybody answers; and comes again, which is a call of its own.
limit=80

drive() {
    spans analogue
    configure <<'TOML'
[[line]]
name = "trunk"
tenant = "acme"
dahdi = "25"
trigger = "api"
[line.channel]
ring_timeout_ms = 5000
TOML
    start_daemon
    wait_lines trunk
    far exchange 1 "sleep 500; ring; wait ringeroff 5; onhook; sleep 9000; \
        ring; wait offhook 20; offhook; sleep 1000; onhook; sleep 2500"
    call_of trunk
    call_event '.event == "call.hangup"' 20
    call_of trunk 20
    answer
    call_event '.event == "call.hangup"' 20
    far_done exchange
}

judge() {
    causes ORIGINATOR_CANCEL NORMAL_CLEARING
    told '.event == "call.answered"' 1
}
