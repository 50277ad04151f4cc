# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# ALSA's loopback card as a line in both directions: a call is opened by command, a prompt is heard
# at the far end, keys are collected, and the recording has both legs.
limit=60

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
    arecord -q -D hw:Loopback,0,0 -f S16_LE -r 8000 -c 1 -d 40 "$out/heard.wav" &
    local ear=$! mouth uuid url
    aplay -q -D hw:Loopback,0,0 "$sounds/keys.wav" &
    mouth=$!
    wait_lines front-desk
    url=$(prompt "$sounds/melody.wav")
    uuid=$(api POST /api/v1/sessions '{"line":"front-desk"}' | jq -r .session_uuid)
    command_session "$uuid" answer '{}'
    event '.event == "call.answered"'
    command_session "$uuid" record/start '{}'
    event '.event == "recording.started"'
    command_session "$uuid" playback/start "{\"urls\":[\"$url\"]}"
    event '.event == "playback.stopped" and .reason == "completed"'
    command_session "$uuid" play_and_get_digits \
        "{\"prompt_files\":[\"$url\"],\"min_digits\":4,\"max_digits\":6,\"timeout\":15000,\"terminators\":\"#\"}"
    event '.event == "digits.collected"' 30
    command_session "$uuid" record/stop '{}'
    event '.event == "recording.completed"'
    command_session "$uuid" hangup '{}'
    event '.event == "call.hangup"'
    kill -INT $ear $mouth 2>/dev/null || true
    wait $ear $mouth || true
    keep_recordings
    stop_daemon
    modprobe -r snd-aloop
}

judge() {
    jq -e 'select(.event == "digits.collected") | .status == "success" and .digits == "2468"' events.jsonl
    measure melody heard.wav 0 500 900 1300 1700 500 900 1300 1700
    measure digits front-desk-1.wav 0 '2468#'
    measure melody front-desk-1.wav 1 500 900 1300 1700 500 900 1300 1700
}
