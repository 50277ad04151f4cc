# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# Telephone channels under the service's hardening: one is played to by an application, the other
# end of the loop is recorded, both by the daemon as user callreel.
limit=90

drive() {
    local url session
    appliance </dev/null
    mkdir -p /etc/dahdi
    printf 'dynamic=loc,1:0,24,0\ndynamic=loc,1:1,24,0\nbchan=1-48\nloadzone=us\ndefaultzone=us\n' \
        >/etc/dahdi/system.conf
    modprobe dahdi
    # The service may have loaded it before, as Debian does: spans without channels.
    echo 1 >/sys/module/dahdi/parameters/auto_assign_spans
    modprobe -a dahdi_dynamic dahdi_dynamic_loc
    dahdi_cfg || fail dahdi_cfg
    until_true 10 test -e /dev/dahdi/chan/002/001
    udevadm settle
    stat -c '%U:%G %a %n' /dev/dahdi/ctl /dev/dahdi/chan/*/001 >"$out/modes.txt"
    cat >"$own" <<'TOML'
[[line]]
name = "near"
tenant = "acme"
dahdi = "1"
trigger = "api"

[[line]]
name = "far"
tenant = "acme"
dahdi = "25"
trigger = "always"
TOML
    systemctl restart callreeld.service
    wait_lines near far
    callreel app set acme --generate-key >/dev/null
    session=$(callreel --json calls open near | jq -r .session_uuid)
    url=$(callreel --json prompt add --tenant acme --name melody /share/sounds/melody.wav |
        jq -r '"http://prompts.localhost/" + .prompt_id')
    callreel calls answer "$session" >/dev/null
    callreel calls play "$session" "$url" >/dev/null
    # What the speech program says under the hardening, too.
    callreel --json prompt say --tenant acme --name hello 'Good morning.' >"$out/said.json"
    sleep 6
    keep_recordings
    sound
    dahdi_cfg -s || true
    rmmod dahdi_dynamic_loc dahdi_dynamic dahdi
}

judge() {
    grep -q ':dahdi 660 /dev/dahdi/ctl' modes.txt
    [ "$(grep -c ':dahdi 660 ' modes.txt)" = 3 ]
    measure melody far-1.wav 0 500 900 1300 1700
}
