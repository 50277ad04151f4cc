# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# A telephone on a port of ours (FXS): it is lifted; it is rung by command; both at once; it is rung
# and given up.
limit=120

drive() {
    spans analogue
    configure <<'TOML'
[[line]]
name = "desk"
tenant = "acme"
dahdi = "1"
role = "station"
trigger = "hook"
TOML
    start_daemon
    wait_lines desk
    local url body='{"line":"desk","caller_id":"+15550100"}'
    url=$(prompt "$sounds/melody.wav")

    say "lifted"
    far lifted 25 "sleep 500; offhook; hum 1000; sleep 4000; hush; sleep 300; onhook; sleep 2000"
    call_of desk
    call_event '.event == "call.answered"'
    call_event '.event == "call.hangup"' 15
    far_done lifted

    say "rung by command"
    far rung 25 "wait ring 20; sleep 1000; offhook; record $out/rung.wav; hear 1700 30; sleep 1000; onhook; sleep 2000"
    sleep 1
    api POST /api/v1/sessions "$body" >"$out/opened.json"
    call_of desk
    call_event '.event == "call.answered"' 15
    play "$url"
    call_event '.event == "call.hangup"' 15
    far_done rung

    say "both at once"
    far glare 25 "wait ring 20; offhook; sleep 3000; onhook; sleep 2000"
    sleep 1
    api POST /api/v1/sessions "$body" >/dev/null
    call_of desk
    call_event '.event == "call.answered"' 15
    call_event '.event == "call.hangup"' 15
    far_done glare
    far glare-2 25 "offhook; sleep 3000; onhook; sleep 2000"
    api POST /api/v1/sessions "$body" >"$out/glare-2.json"
    call_of desk
    call_event '.event == "call.answered"' 15
    call_event '.event == "call.hangup"' 15
    far_done glare-2

    say "rung and given up"
    far idle 25 "wait ring 20; sleep 6000; hold"
    sleep 1
    api POST /api/v1/sessions "$body" >/dev/null
    call_of desk
    far_told idle '.event == "ring"' 10
    command_session "$call" hangup '{}'
    call_event '.event == "call.hangup"'
    sleep 7
    far_stop idle
    keep_recordings
}

judge() {
    told '.event == "call.new"' 5
    told '.event == "call.answered"' 4
    told '.event == "call.hangup"' 5
    measure tone desk-1.wav 0 1000 3.5
    measure melody rung.wav 0 500 900 1300 1700
    measure melody desk-2.wav 1 500 900 1300 1700
    # Rung once; once it was given up there was no second ring.
    told '.event == "ring"' 1 idle.jsonl
}
