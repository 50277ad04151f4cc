# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# An exchange that signals no hang-up (loop start): busy tone ends the call, speech before it does
# not; and calls by command dial.
limit=150

drive() {
    spans loopstart
    configure <<'TOML'
[[line]]
name = "trunk"
tenant = "acme"
dahdi = "25"
trigger = "hook"
[line.channel]
hangup_tones = true
tone_zone = "us"
TOML
    start_daemon
    wait_lines trunk
    far exchange 1 "sleep 500; ring; wait offhook 20; offhook; hum 800; sleep 3000; hush; \
        busy 15000; onhook; sleep 500"
    call_of trunk
    answer
    call_event '.event == "call.hangup"' 30
    far_done exchange

    say "a number is dialled"
    far exchange-2 1 "wait offhook 20; record $out/dialled.wav; offhook; hum 350+440; hear 697 20; hush; \
        wait onhook 30; onhook; sleep 500"
    dial 15559#
    sleep 1
    command_session "$call" hangup '{}'
    call_event '.event == "call.hangup"'
    far_done exchange-2

    say "a number that is busy"
    far exchange-3 1 "wait offhook 20; offhook; hum 350+440; hear 697 20; hush; sleep 1000; \
        busy 15000; onhook; sleep 500"
    dial 1#
    call_event '.event == "call.hangup"' 25
    far_done exchange-3
    keep_recordings
}

# dial NUMBER: opens a call to it.
dial() {
    call=$(api POST /api/v1/sessions "{\"line\":\"trunk\",\"did\":\"$1\"}" | jq -r .session_uuid)
    call_event '.event == "call.answered"' 25
}

judge() {
    # In a call that came, the tone says that the caller hung up; after dialling, that it is busy.
    causes NORMAL_CLEARING NORMAL_CLEARING USER_BUSY
    measure tone trunk-1.wav 0 800 2.5
    measure length trunk-1.wav 4.5 10
    measure digits dialled.wav 0 '15559#'
}
