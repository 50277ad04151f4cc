# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The power is cut three times: in the middle of recordings, just when one is closed and the next
# begun, and while the daemon starts. The disk keeps only what it had reported as safe. Each time
# everything comes back by itself: what was closed is all there, what was open lacks a second.
limit=100

drive() {
    say "after $cuts cuts"
    if [ "$cuts" -eq 0 ]; then
        appliance < <(line front-desk 0 && line rotating 1 'trigger = "always"' 'rotate_s = 3')
        # The configuration is not what is tested.
        sync -f /etc
    else
        wait_runs 60
        sound
        after_cut
    fi
    case $cuts in
        0) record_for 7300 && safe && power_cut ;;
        1) record_for 2000 && safe && until_true 10 another_recording "$(open_one)" && power_cut ;;
        2) record_for 4000 && safe && systemctl restart --no-block callreeld.service && sleep 1.2 && power_cut ;;
        3) keep_recordings && sound ;;
    esac
}

# record_for MS: both lines, with sound that counts.
record_for() {
    wait_lines front-desk rotating
    count 0 1
    sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"
}

open_one() {
    callreel --json recordings list --all --line rotating --state live | jq -r '.items[0].recid'
}
another_recording() { [ "$(open_one)" != "$1" ]; }

# safe: writes down what is closed, and how far the sound is.
safe() {
    callreel --json recordings list --all --state stored >"$out/stored-$cuts.json"
    counted 0 >"$out/at-$cuts"
}

# power_cut: asks for the power to be cut.
power_cut() {
    if [ "$cuts" -lt 2 ]; then counted 0 >"$out/at-$cuts"; fi
    echo 'CALLREEL-VM cut' >/dev/console
    sleep 60
    fail "the power was not cut"
}

# after_cut: what is there of the recordings that were open or closed before.
after_cut() {
    local id n=0
    callreel --json recordings list --all >"$out/found-$cuts.json"
    for id in $(jq -r '[.items[] | select(.state == "stored" and .line == "front-desk")] |
        sort_by(.recid | tonumber) | .[] | .recid' "$out/found-$cuts.json"); do
        n=$((n + 1))
        callreel recordings export "$id" --force -o "$out/"front-desk-$n.wav"" >/dev/null
    done
}

judge() {
    local n
    [ "$(wc -l <cuts)" = 3 ]
    for n in 1 2 3; do
        # All that was closed is there, byte for byte.
        jq -e --slurpfile found found-$n.json '
            [.items[] | {recid, blake3: .outcome.blake3}] -
                [$found[0].items[] | select(.state == "stored") |
                    {recid, blake3: .outcome.blake3}] == []
        ' stored-$((n - 1)).json
    done
    whole front-desk-1.wav 4000
    whole front-desk-2.wav 1000
    whole front-desk-3.wav 3000
    # The third was ended by the restart, so it lacks nothing at all.
    for n in 0 1 2; do lost_at_end front-desk-$((n + 1)).wav "$(cat at-$n)" 1500; done
}
