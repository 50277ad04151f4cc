# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# ALSA's loopback card as a line in both directions: a call is opened by command, a prompt is heard
# at the far end, keys are collected, and the recording has both legs.
limit=90

drive() {
    modprobe snd-aloop pcm_substreams=2
    configure <<'TOML'
[[line]]
name = "front-desk"
tenant = "acme"
capture = "hw:Loopback,1,0"
playback = "hw:Loopback,1,0"
trigger = "api"
TOML
    start_daemon
    wait_lines front-desk
    local ear url
    url=$(prompt "$sounds/melody.wav")
    arecord -q -D hw:Loopback,0,0 -f S16_LE -r 8000 -c 1 "$out/heard.wav" &
    ear=$!
    call=$(api POST /api/v1/sessions '{"line":"front-desk"}' | jq -r .session_uuid)
    answer
    command_session "$call" record/start '{}'
    call_event '.event == "recording.started"'
    play "$url"
    command_session "$call" play_and_get_digits \
        "{\"prompt_files\":[\"$url\"],\"min_digits\":4,\"max_digits\":6,\"timeout\":15000,\"terminators\":\"#\"}"
    # Not before the prompt was heard: a key would cut it short.
    sleep 4
    aplay -q -D hw:Loopback,0,0 "$sounds/keys.wav"
    call_event '.event == "digits.collected"' 20
    command_session "$call" record/stop '{}'
    call_event '.event == "recording.completed"'
    command_session "$call" hangup '{}'
    call_event '.event == "call.hangup"'
    kill -INT $ear
    wait $ear || true
    keep_recordings
    stop_daemon
    modprobe -r snd-aloop
}

judge() {
    told '.event == "digits.collected" and .status == "success" and .digits == "2468"'
    measure melody heard.wav 0 500 900 1300 1700 500 900 1300 1700
    measure digits front-desk-1.wav 0 '2468#'
    measure melody front-desk-1.wav 1 500 900 1300 1700 500 900 1300 1700
}
