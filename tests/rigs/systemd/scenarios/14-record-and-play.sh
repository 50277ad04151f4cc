# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# A recording from end to end: a tone is recorded from the card through io_uring, sealed, fetched by
# the API with a key, whole and in part, and is what was played, to the sample.
limit=120

drive() {
    local secret sid
    appliance < <(line front-desk 0)
    wait_lines front-desk
    aplay -q -D hw:Loopback,0,0 --buffer-time=2000000 /share/sounds/tone.wav
    callreel --json status >"$out/status.json"
    keep_recordings
    secret=$(callreel --json key issue --tenant acme --family call-recording | jq -r .secret)
    sid=$(jq -r '[.items[] | select(.line == "front-desk")][0].names.call_sid' "$out/recordings.json")
    api "$secret" "/api/calls/$sid/recording/download" -o "$out/fetched.wav"
    api "$secret" "/api/calls/$sid/recording/download" -o "$out/part.bin" -H 'Range: bytes=1000-1999'
    sound
    uname -m >"$out/machine.txt"
}

api() {
    curl -sS --fail --max-time 20 -H "X-API-Key: $1" "http://127.0.0.1:8080$2" "${@:3}" ||
        fail "the API does not answer $2"
}

judge() {
    [ "$(jq -r .io_backend status.json)" = io_uring ]
    measure tone fetched.wav 0 440 4
    cmp fetched.wav front-desk-1.wav
    dd if=fetched.wav of=part.wanted bs=1000 skip=1 count=1 status=none
    cmp part.bin part.wanted
    cat machine.txt
}
