# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# 24 channels without signalling, as of a primary rate interface: recorded all at once, by each of
# the triggers; each its own tone, not a sample missing. One of them is played to.
limit=120

# The tone of the far end of channel N: none a multiple of another.
tone_of() { printf '%s\n' $((410 + 37 * $1)); }

drive() {
    local n fars=() names=()
    spans clear
    configure <<'TOML'
[[line]]
name = "always"
tenant = "acme"
dahdi = "1-16"
encoding = "mulaw"
trigger = "always"

[[line]]
name = "vox"
tenant = "acme"
dahdi = "17-20"
trigger = "vox"

[[line]]
name = "api"
tenant = "acme"
dahdi = "21-24"
trigger = "api"
TOML
    start_daemon
    for n in {1..16}; do names+=("always-$n"); done
    for n in {17..20}; do names+=("vox-$n"); done
    for n in {21..24}; do names+=("api-$n"); done
    wait_lines "${names[@]}"
    local url
    url=$(prompt "$sounds/melody.wav")
    for n in {21..24}; do "${callreel[@]}" record start --line "api-$n" >/dev/null; done
    for n in {1..24}; do
        far "far-$n" $((n + 24)) "record $out/far-$n.wav; sleep 1000; hum $(tone_of "$n"); \
            sleep 9000; hush; sleep 500; hold"
        fars+=("far-$n")
    done
    sleep 3
    call=$(api POST /api/v1/sessions '{"line":"api-24"}' | jq -r .session_uuid)
    answer
    play "$url"
    command_session "$call" hangup '{}'
    call_event '.event == "call.hangup"'
    sleep 9
    for n in "${fars[@]}"; do far_stop "$n"; done
    "${callreel[@]}" lines >"$out/lines-after.txt"
    end_all_recordings
    keep_recordings
}

judge() {
    local n name
    for n in {1..24}; do
        name=always-$n-1
        if [ "$n" -gt 16 ]; then name=vox-$n-1; fi
        if [ "$n" -gt 20 ]; then name=api-$n-1; fi
        measure tone "$name.wav" 0 "$(tone_of "$n")" 8
    done
    measure melody far-24.wav 0 500 900 1300 1700
}
