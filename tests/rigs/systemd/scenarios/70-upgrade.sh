# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# An older package is installed with recordings, settings of the administrator's and a line that
# records; the newer one is installed over it, and then the older one again. Each costs the recording
# little, nobody is turned away, and nothing is lost.
limit=180

drive() {
    local step version
    version=$(dpkg-query -W -f '${Version}' callreel)
    as_installed
    dpkg --install /share/older.deb >"$out/dpkg.txt" 2>&1 || fail "the older package: $(cat "$out/dpkg.txt")"
    line front-desk 0 >"$own"
    printf '\n# changed by the administrator\n' >>/etc/callreel/conf.d/10-appliance.toml
    systemctl restart callreeld.service
    wait_lines front-desk
    callreel --json key issue --tenant acme --family call-recording >"$out/key.json"
    count 0
    wait_counted 0 4000
    callreel --json recordings list --all --state stored >"$out/before.json"
    ask &
    players+=($!)
    for step in newer older; do
        if [ $step = newer ]; then set -- /share/callreel.deb; else set -- /share/older.deb; fi
        dpkg --install --force-confold "$1" >>"$out/dpkg.txt" 2>&1 || fail "$step: $(cat "$out/dpkg.txt")"
        wait_runs
        dpkg-query -W -f '${Version}\n' callreel >>"$out/versions.txt"
        callreel --json status | jq -r .version >>"$out/versions.txt"
        wait_recorded front-desk 3000
        sound
    done
    touch "$work/enough"
    wait "${players[1]}"
    callreel --json recordings list --all --state stored >"$out/after.json"
    grep 'changed by the administrator' /etc/callreel/conf.d/10-appliance.toml >"$out/kept.txt"
    callreel --json key list --tenant acme >"$out/keys.json"
    keep_recordings
    # What the next scenario finds is the package under test.
    dpkg --install --force-confnew /share/callreel.deb >>"$out/dpkg.txt" 2>&1
    [ "$(dpkg-query -W -f '${Version}' callreel)" = "$version" ]
}

# ask: a client that asks all the time.
ask() {
    : >"$out/refused.txt"
    until [ -e "$work/enough" ]; do
        curl -sS -o /dev/null --max-time 20 http://127.0.0.1:8080/healthz 2>>"$out/refused.txt" || true
    done
}

judge() {
    local n
    for n in 1 2 3; do whole "front-desk-$n.wav" 2000; done
    # Less than two seconds where the processor is not emulated, which makes it ten times slower.
    between front-desk-1.wav front-desk-2.wav 4000
    between front-desk-2.wav front-desk-3.wav 4000
    if grep . refused.txt; then return 1; fi
    grep . kept.txt
    # What was recorded before is there after both, and the key is.
    jq -e --slurpfile after after.json '
        [.items[] | {recid, blake3: .outcome.blake3}] -
            [$after[0].items[] | {recid, blake3: .outcome.blake3}] == []' before.json
    jq -e --arg id "$(jq -r '.. | .key_id? // empty' key.json)" '[.. | .key_id? // empty] | index($id)' keys.json
    [ "$(sed -n 1p versions.txt)" != "$(sed -n 3p versions.txt)" ]
}
