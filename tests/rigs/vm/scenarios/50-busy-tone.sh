# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# An exchange that signals no hang-up (loop start): busy tone ends the call, speech before it does
# not; and a call by command dials.
limit=120

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

    # Dial tone, a number, an answer.
    far exchange-2 1 "wait offhook 20; offhook; hum 350+440; hear 941 20; hush; record $out/dialled.wav; \
        wait onhook 30; onhook; sleep 500"
    call=$(api POST /api/v1/sessions '{"line":"trunk","did":"15559#"}' | jq -r .session_uuid)
    call_event '.event == "call.answered"' 25
    sleep 1
    command_session "$call" hangup '{}'
    call_event '.event == "call.hangup"'
    far_done exchange-2
    keep_recordings
}

judge() {
    causes USER_BUSY NORMAL_CLEARING
    measure tone trunk-1.wav 0 800 2.5
}
