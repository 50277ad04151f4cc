# shellcheck shell=bash disable=SC2119,SC2120 # a unit may be named, and seldom is
# What scenarios use in the guest with systemd: the appliance, its lines, sound that counts, the
# journal. Sourced by scenario.sh, which sets $out, the folder of results.

# shellcheck source=tests/rigs/vm/guest/base.sh
. /share/guest/base.sh

# shellcheck disable=SC2034 # scenario.sh makes it
work=/tmp/scenario
data=/var/lib/callreel
kept=/var/lib/rig
own=/etc/callreel/conf.d/50-rig.toml
dropins=/etc/systemd/system/callreeld.service.d
units=(callreeld-control.socket callreeld-http.socket callreeld-https.socket callreeld.service)
: "${out:?}"
# How often the power was cut in this scenario so far.
cuts=0
# shellcheck disable=SC2034 # scenarios ask
if [ -e "$out/cuts" ]; then cuts=$(wc -l <"$out/cuts"); fi

# ---- the appliance --------------------------------------------------------------------------------

# as_installed: puts everything back to what the package left, stopped, without recordings.
as_installed() {
    systemctl stop "${units[@]}" callreel-check.timer callreel-check.service 2>/dev/null || true
    if [ ! -d $kept ]; then cp -a /etc/callreel $kept; fi
    rm -rf /etc/callreel "$dropins" /run/systemd/system/callreel*
    cp -a $kept /etc/callreel
    find "$data" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
    systemctl daemon-reload
    systemctl reset-failed
    journalctl --no-pager -n 1 -o json | jq -r .__CURSOR >"$out/cursor"
}

# prepare <<TOML: as installed, with this configuration besides.
prepare() {
    as_installed
    cat >"$own"
}

# go: starts it as the package does.
go() {
    systemctl start "${units[@]}" || fail "the units do not start: $(status)"
    say "the appliance runs"
}

# appliance <<TOML: as installed, with this configuration besides, and started.
appliance() {
    prepare
    go
}

# line NAME NUMBER [KEY = VALUE]...: a line's configuration: the loopback card's device of that
# number; with a long buffer, since an emulated machine pauses now and then.
line() {
    printf '[[line]]\nname = "%s"\ntenant = "acme"\ncapture = "hw:Loopback,1,%s"\n' "$1" "$2"
    printf 'buffer_ms = 1500\n'
    shift 2
    if [ $# -gt 0 ]; then printf '%s\n' "$@"; else printf 'trigger = "always"\n'; fi
}

# dropin <<UNIT: settings of the service besides the package's.
dropin() {
    mkdir -p "$dropins"
    cat >"$dropins/50-rig.conf"
    systemctl daemon-reload
}

# prop NAME [UNIT]: a property of the service.
prop() { systemctl show --value -p "$1" "${2:-callreeld.service}"; }
is_prop() { [ "$(prop "$1")" = "$2" ]; }
status() { systemctl status --no-pager -n 20 "${1:-callreeld.service}" 2>&1 || true; }

# runs: is the daemon active, and answers?
runs() { is_prop ActiveState active && callreel status >/dev/null 2>&1; }
wait_runs() { until_true "${1:-30}" runs || fail "the daemon does not run: $(status)"; }

# line_is STATE NAME: has this line this state?
line_is() {
    [ "$(callreel --json lines 2>/dev/null |
        jq -r --arg name "$2" '.items[] | select(.name == $name) | .state')" = "$1" ]
}
wait_lines() {
    local name
    for name in "$@"; do
        until_true 30 line_is running "$name" || fail "line $name does not run: $(callreel lines)"
    done
}

# again PID SECONDS: waits until another process than this is the daemon, and runs.
again() {
    until_true "$2" is_another "$1" || fail "no other daemon than $1 within $2 s: $(status)"
    wait_runs
}
is_another() {
    local now
    now=$(prop MainPID)
    [ "$now" != 0 ] && [ "$now" != "$1" ] && runs
}

# uptime_ms: since the machine's start.
uptime_ms() { sed 's/^\([0-9]*\)\.\([0-9]*\) .*/\1\20/' /proc/uptime; }

# ---- sound ----------------------------------------------------------------------------------------

# count NUMBER...: begins to play sound that counts (counter.py) into these devices of the card.
count() {
    local number
    # Not from the share: reading there is slow.
    [ -e /run/counter.wav ] || cp /share/counter.wav /run/
    for number in "$@"; do
        # With a long buffer and before everything else: after an underrun nothing could be counted.
        chrt -f 80 aplay -q -D "hw:Loopback,0,$number" --buffer-time=4000000 --period-time=200000 \
            /run/counter.wav &
        players+=($!)
    done
}
players=()

# counted NUMBER: the number that is being played there now.
counted() {
    local frames
    frames=$(sed -n 's/^hw_ptr *: *//p' "/proc/asound/Loopback/pcm0p/sub$1/status")
    printf '%s\n' $((${frames:-0} / 80))
}

# wait_counted NUMBER MS: until so much has been played there.
wait_counted() { until_true 60 has_counted "$1" "$2" || fail "device $1 does not play"; }
has_counted() { [ $(($(counted "$1") * 10)) -ge "$2" ]; }

# captured LINE: milliseconds of sound that the line's device delivered since the daemon's start.
captured() {
    callreel --json lines 2>/dev/null | jq -r --arg name "$1" \
        '[.items[] | select(.name == $name) | .frames * 1000 / .format.rate_hz | floor] | max // 0'
}

# wait_recorded LINE MS: until it has recorded for so long since the daemon's start.
wait_recorded() {
    until_true "${3:-30}" has_recorded "$1" "$2" || fail "line $1 did not record $2 ms"
}
has_recorded() { [ "$(captured "$1")" -ge "$2" ]; }

# keep_recordings: ends those that are open and copies all out: OUT/LINE-1.wav, LINE-2.wav ..., oldest
# first, and the list of them. Goes on without lines.
keep_recordings() {
    local id line
    declare -A number=()
    rm -f "$own"
    systemctl restart callreeld.service || fail "the daemon does not start without lines: $(status)"
    callreel --json recordings list --all >"$out/recordings.json"
    while read -r id line; do
        number[$line]=$((${number[$line]:-0} + 1))
        callreel recordings export "$id" --force -o "$out/$line-${number[$line]}.wav" >/dev/null
    done < <(jq -r '.items | sort_by(.recid | tonumber)[] | select(.state == "stored") | "\(.recid) \(.line)"' \
        "$out/recordings.json")
}

# sound: the store holds what it says.
sound() { callreel check >"$out/check.txt" 2>&1 || fail "callreel check: $(cat "$out/check.txt")"; }

# ---- the end --------------------------------------------------------------------------------------

tidy_up() {
    local rc=$?
    trap - EXIT
    set +e
    if [ $rc -ne 0 ]; then status >"$out/status.txt"; fi
    for one in "${players[@]}"; do kill "$one" 2>/dev/null; done
    rm -rf "$work"
    exit $rc
}
