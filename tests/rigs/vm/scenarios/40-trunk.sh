# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# A line of an exchange (FXO): it rings, the caller's number comes as FSK after the first ring, the
# application answers, plays, collects keys; the exchange hangs up. The call is recorded with both
# legs from answer to hang-up.
limit=120

drive() {
    spans analogue
    configure <<'TOML'
[[line]]
name = "trunk"
tenant = "acme"
dahdi = "25"
role = "terminate"
trigger = "hook"
to = "+15550199"
[line.channel]
caller_id = "fsk"
TOML
    start_daemon
    wait_lines trunk
    local url
    url=$(prompt "$sounds/melody.wav")
    far exchange 1 "sleep 500; ring; wait ringeroff 5; sleep 500; play $sounds/caller-id.wav; \
        wait offhook 40; record $out/exchange.wav; offhook; \
        hear 1700 30; mute 1700 3; hear 1700 30; mute 1700 3; sleep 500; dial 2468#; \
        sleep 1000; hum 1100; sleep 3000; hush; sleep 500; onhook; sleep 3000"
    call_of trunk 20
    answer
    play "$url"
    command_session "$call" play_and_get_digits \
        "{\"prompt_files\":[\"$url\"],\"min_digits\":4,\"max_digits\":6,\"timeout\":20000,\"terminators\":\"#\"}"
    call_event '.event == "digits.collected"' 30
    call_event '.event == "call.hangup"' 20
    far_done exchange
    keep_recordings
}

judge() {
    told '.event == "call.new" and .caller_id == "5551234567" and .did == "+15550199"'
    told '.event == "digits.collected" and .status == "success" and .digits == "2468"'
    told '.event == "call.hangup" and .cause == "NORMAL_CLEARING" and .by == "line"'
    jq -es '[.[] | select(.event == "dtmf") | .digit] | join("") == "2468#"' events.jsonl
    told '.event == "call.new"' 1
    measure melody exchange.wav 0 500 900 1300 1700 500 900 1300 1700
    measure digits trunk-1.wav 0 '2468#'
    measure tone trunk-1.wav 0 1100 2.5
    measure melody trunk-1.wav 1 500 900 1300 1700 500 900 1300 1700
    test ! -e trunk-2.wav
}
