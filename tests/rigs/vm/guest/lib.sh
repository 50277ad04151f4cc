# shellcheck shell=bash
# What scenarios use in the guest: spans, the daemon, far ends of calls, the API. Sourced by
# scenario.sh, which sets $out, the folder of results.

bin=/tmp/bin
# shellcheck disable=SC2034 # scenarios play them
sounds=/share/sounds
work=/tmp/scenario
callreel=("$bin/callreel" --config "$work/callreel.toml")
daemon='' watcher=''
declare -A ends=()
: "${out:?}"

# shellcheck source=tests/rigs/vm/guest/base.sh
. /share/guest/base.sh

# ---- spans ----------------------------------------------------------------------------------------

# spans KIND [SET]: two looped spans of 24 channels: what is said on channel n is heard on n + 24.
#   clear      channels without signalling, as of a primary rate interface
#   analogue   1-24 are exchange ends (FXO-signalled), 25-47 line ends; kewlstart, so a hang-up of
#              the exchange is signalled; 48 has no signalling
#   loopstart  the same without a signal for that
# SET is plain (Debian's modules) or mirror.
spans() {
    local kind=$1 set=${2:-plain}
    mkdir -p /etc/dahdi
    {
        printf 'dynamic=loc,1:0,24,0\ndynamic=loc,1:1,24,0\n'
        case $kind in
            clear) printf 'bchan=1-48\n' ;;
            analogue) printf 'fxoks=1-24\nfxsks=25-47\nbchan=48\nechocanceller=mg2,1-48\n' ;;
            loopstart) printf 'fxols=1-24\nfxsls=25-48\nechocanceller=mg2,1-48\n' ;;
        esac
        printf 'loadzone=us\ndefaultzone=us\n'
    } >/etc/dahdi/system.conf
    modprobe -d "/dahdi/$set" -a dahdi || fail "the module dahdi cannot be loaded"
    echo 1 >/sys/module/dahdi/parameters/auto_assign_spans
    modprobe -d "/dahdi/$set" -a dahdi_dynamic dahdi_dynamic_loc dahdi_echocan_mg2
    configure_spans
    say "spans: $kind, modules: $set"
}

configure_spans() {
    dahdi_cfg >"$work/dahdi_cfg.log" 2>&1 || {
        cat "$work/dahdi_cfg.log"
        fail "dahdi_cfg"
    }
}

# again SPAN: configures the channels of a span that was made anew; the others are left alone.
again() {
    sed -i '/^dynamic=/d' /etc/dahdi/system.conf
    local last=$(($1 * 24))
    dahdi_cfg -S "$1" -C "$((last - 23))-$last" >>"$work/dahdi_cfg.log" 2>&1 || {
        cat "$work/dahdi_cfg.log"
        fail "dahdi_cfg for span $1"
    }
}

# take_away SPAN, put_back SPAN: the driver's channels of span 1 or 2 vanish under whoever has them
# open, as when a card is unplugged; and are there again.
take_away() { echo 1 >"/sys/bus/dahdi_devices/devices/dynamic:loc:$(($1 - 1))/unassign_span"; }
put_back() {
    echo "1:$1:$((($1 - 1) * 24 + 1))" >"/sys/bus/dahdi_devices/devices/dynamic:loc:$(($1 - 1))/assign_span"
    again "$1"
}

# cut_cable SPAN, splice_cable SPAN: the cable of span 1 or 2 is cut, so the other one goes into red alarm; and
# is whole again. Nobody may have channels of the span open.
cut_cable() { "$bin/span" destroy "1:$(($1 - 1))" 24; }
splice_cable() {
    "$bin/span" create "1:$(($1 - 1))" 24
    again "$1"
}

# The driver counts users of channels that vanished for ever; run.sh then asks for a new machine.
unload_spans() {
    [ -e /sys/module/dahdi ] || return 0
    dahdi_cfg -s >/dev/null 2>&1
    until_true 3 rmmod dahdi_dynamic_loc dahdi_dynamic dahdi_echocan_mg2 dahdi 2>/dev/null
}

# ---- the daemon -----------------------------------------------------------------------------------

# configure <<TOML: the daemon's configuration: what all have in common, then the scenario's. Lines
# have long buffers, since an emulated machine pauses now and then.
configure() {
    {
        printf '[storage]\ndata_dir = "/var/lib/callreel"\n'
        printf '[http]\nlisten = ["127.0.0.1:8080"]\nworkers = 1\npage = false\n'
        printf '[control]\nsocket = "%s/control.sock"\n' "$work"
        printf '[log]\nlevel = "debug"\n'
        sed 's/^\[\[line\]\]$/&\nbuffer_ms = 500/'
    } >"$work/callreel.toml"
    "$bin/callreeld" --check --config "$work/callreel.toml" || fail "the configuration"
}

start_daemon() {
    "$bin/callreeld" --config "$work/callreel.toml" >>"$out/callreeld.log" 2>&1 &
    daemon=$!
    until_true 20 daemon_answers || fail "the daemon does not answer"
    app_key=vm-rig-key-0123456789
    printf '%s\n' $app_key | "${callreel[@]}" app set acme --api-key-stdin --rate-limit 10000 >/dev/null
    "${callreel[@]}" --json calls watch >>"$out/events.jsonl" 2>>"$out/watch.log" &
    watcher=$!
    say "the daemon runs"
}

daemon_answers() {
    kill -0 "$daemon" 2>/dev/null || fail "the daemon ended by itself"
    "${callreel[@]}" status >/dev/null 2>&1
}

stop_daemon() {
    [ -n "$daemon" ] || return 0
    kill -TERM "$daemon" 2>/dev/null || true
    local one=$daemon rc=0
    daemon=''
    until_true 15 ended "$one" || {
        kill -KILL "$one"
        fail "the daemon does not end"
    }
    wait "$one" || rc=$?
    [ $rc -eq 0 ] || fail "the daemon ended with code $rc"
    wait "$watcher" 2>/dev/null || true
    watcher=''
}

ended() { ! kill -0 "$1" 2>/dev/null; }

# lines_are STATE NAME...: have these lines this state?
lines_are() {
    local state=$1 name found
    shift
    "${callreel[@]}" --json lines >"$work/lines.json" 2>/dev/null || return 1
    for name in "$@"; do
        found=$(jq -r --arg name "$name" '.items[] | select(.name == $name) | .state' "$work/lines.json")
        [ "$found" = "$state" ] || return 1
    done
}

# wait_lines NAME...: until they run.
wait_lines() {
    until_true 20 lines_are running "$@" || {
        "${callreel[@]}" lines
        fail "not all of these lines run: $*"
    }
}

# ---- calls ----------------------------------------------------------------------------------------

# api METHOD PATH BODY: as the application; prints the answer's body.
api() {
    curl -sS --max-time 10 -X "$1" -H 'X-App-ID: acme' -H "X-API-Key: $app_key" \
        -H 'Content-Type: application/json' -d "$3" "http://127.0.0.1:8080$2"
}

# command_session UUID NAME BODY: gives a session a command; it must be taken.
command_session() {
    local answer
    answer=$(api POST "/api/v1/sessions/$1/commands/$2" "$3")
    jq -e '.operation_id' <<<"$answer" >/dev/null || fail "$2 was not taken: $answer"
}

# event FILTER SECONDS: waits for an event of which this jq condition holds; leaves it in $found.
event() {
    local limit=${2:-10}
    until_true "$limit" seen "$1" || fail "no event within $limit s: $1"
    say "event: $found"
}

seen() {
    found=$(jq -c "select($1)" "$out/events.jsonl" 2>/dev/null | head -n 1)
    [ -n "$found" ]
}

# field NAME: a field of the event found last.
field() { jq -r ".$1" <<<"$found"; }

# call_of LINE: waits for the line's next call; its session is $call, the event is $found.
call_of() {
    calls=$((${calls:-0} + 1))
    until_true "${2:-15}" call_seen "$1" $calls || fail "call $calls did not come"
    say "event: $found"
    call=$(field session_uuid)
}

call_seen() {
    found=$(jq -c "select(.event == \"call.new\" and .line == \"$1\")" "$out/events.jsonl" 2>/dev/null |
        sed -n "$2p")
    [ -n "$found" ]
}

# call_event FILTER SECONDS: an event of $call.
call_event() { event ".session_uuid == \"$call\" and ($1)" "${2:-10}"; }

# answer: by the application.
answer() {
    command_session "$call" answer '{}'
    call_event '.event == "call.answered"'
}

# play URL: in $call, to its end.
play() {
    command_session "$call" playback/start "{\"urls\":[\"$1\"]}"
    call_event '.event == "playback.stopped" and .reason == "completed"' 20
}

# line_error NAME: why it does not run, in words.
line_error() {
    "${callreel[@]}" --json lines |
        jq -r --arg name "$1" '.items[] | select(.name == $name) | .error // ""'
}

# prompt FILE: adds a sound to the library; prints its URL for playbacks.
prompt() {
    local id
    id=$("${callreel[@]}" --json prompt add --tenant acme --name "$(basename "$1")" "$1" | jq -r '.prompt_id')
    printf 'http://prompts.localhost/%s\n' "$id"
}

# end_all_recordings: also those of lines that record always: goes on without any line.
end_all_recordings() {
    stop_daemon
    configure </dev/null
    start_daemon
}

# keep_recordings: copies what was recorded out, OUT/LINE-1.wav, LINE-2.wav ... oldest first, and
# the list of them.
keep_recordings() {
    local id line
    declare -A count=()
    until_true 10 nothing_live || fail "recordings are still open"
    while read -r id line; do
        count[$line]=$((${count[$line]:-0} + 1))
        "${callreel[@]}" recordings export "$id" --force -o "$out/$line-${count[$line]}.wav" >/dev/null
    done < <(jq -r '.items | sort_by(.recid)[] | select(.state == "stored") | "\(.recid) \(.line)"' \
        "$out/recordings.json")
}

nothing_live() {
    "${callreel[@]}" --json recordings list --all >"$out/recordings.json"
    ! jq -e '.items[] | select(.state == "live")' "$out/recordings.json" >/dev/null
}

# ---- far ends -------------------------------------------------------------------------------------

# far NAME CHANNEL SCRIPT: begins a far end; what it tells is OUT/NAME.jsonl.
far() {
    "$bin/line" "$2" "$3" >"$out/$1.jsonl" 2>"$out/$1.err" &
    ends[$1]=$!
}

# far_told NAME FILTER SECONDS: waits until it told this.
far_told() {
    until_true "${3:-10}" told "$1" "$2" || fail "$1 did not tell: $2"
}

told() { [ -n "$(jq -c "select($2)" "$out/$1.jsonl" 2>/dev/null)" ]; }

# far_done NAME...: waits for their ends; each must have done all its steps.
far_done() {
    local one rc
    for one in "$@"; do
        rc=0
        wait "${ends[$one]}" || rc=$?
        unset "ends[$one]"
        if [ $rc -ne 0 ]; then
            cat "$out/$one.err"
            tail -n 3 "$out/$one.jsonl"
            fail "far end $one ended with code $rc"
        fi
    done
}

# far_stop NAME: tells one that holds to end, and waits for it.
far_stop() {
    kill -TERM "${ends[$1]}" 2>/dev/null || true
    far_done "$1"
}

# ---- the end --------------------------------------------------------------------------------------

tidy_up() {
    local rc=$?
    trap - EXIT
    set +e
    # What the lines looked like, for people.
    if [ -n "$daemon" ]; then "${callreel[@]}" lines >"$out/lines.txt" 2>&1; fi
    for one in "${ends[@]}"; do kill -KILL "$one" 2>/dev/null; done
    if [ -n "$daemon" ]; then kill -TERM "$daemon" && until_true 15 ended "$daemon"; fi
    for one in $daemon $watcher; do kill -KILL "$one" 2>/dev/null; done
    unload_spans || say "the driver's modules cannot be unloaded"
    rm -rf "$work" /var/lib/callreel
    exit $rc
}
