#!/usr/bin/env bash
# run.sh: builds callreeld, starts it with a demo line on which two people talk, waits until a call
# has been recorded, and shows how to fetch it. Runs until Ctrl-C (or SIGTERM), then sees to it
# that the open recording is sealed. Everything it makes is under target/demo.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

demo=$target/demo
log=$demo/callreeld.log
daemon='' worker='' stopping='' shown='' socket_dir=''
speech_s=1800     # of conversation; alsa-lib's file plugin is silent past its end
ready_s=15        # for the daemon to answer
call_s=90         # for the first call of the demo to be recorded
stop_s=5          # for the daemon to seal and stop

# ---- the end ------------------------------------------------------------------------------------

alive() { [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; }

progress() {
    if [ -t 1 ]; then printf '\r\e[K%s' "$*"; shown=yes; fi
}

progress_end() {
    if [ -n "$shown" ]; then printf '\r\e[K'; shown=''; fi
}

# sealed FILE: has this WAV its true sizes (not "until the end of the file")?
sealed() {
    [ "$(od -An -tx1 -j4 -N4 "$1" 2>/dev/null | tr -d ' ')" != ffffffff ] &&
        [ "$(od -An -tx1 -j0 -N4 "$1" | tr -d ' ')" = 52494646 ]
}

# Ctrl-C or SIGTERM: only notes it; the main flow stops what it is at and ends in stop_daemon.
asked_to_stop() {
    stopping=yes
    if [ -z "$daemon" ]; then
        if [ -n "$worker" ]; then kill -TERM -- "-$worker" 2>/dev/null || true; fi
        say ''
        say "stopped before the daemon was started"
        exit 130
    fi
}

# Stops the daemon and reports what became of the recording that was open.
stop_daemon() {
    local open='' id file rc=0 waited=0
    progress_end
    if alive; then
        open=$(timeout 1 "${callreel[@]}" calls --json 2>/dev/null | ids_of_calls || true)
        stage "Stopping: sealing what is open"
        kill -TERM "$daemon" 2>/dev/null || true
        while alive && [ $waited -lt $((stop_s * 10)) ]; do
            sleep 0.1 || true
            waited=$((waited + 1))
        done
        if alive; then
            kill -KILL "$daemon" 2>/dev/null || true
            daemon=''
            warn "callreeld did not stop within $stop_s s and was killed; the next start repairs"
            return 1
        fi
    fi
    wait "$daemon" 2>/dev/null || rc=$?
    daemon=''
    for id in $open; do
        file=$(find "$demo/data/recordings" -name "$id.wav" 2>/dev/null | head -n 1)
        if [ -n "$file" ] && sealed "$file"; then
            say "sealed recording $id, $(($(stat -c %s "$file") / 1024)) KiB: ${file#"$PWD"/}"
        else
            say "recording $id was too short to keep"
        fi
    done
    if [ -z "$open" ]; then say "no recording was open"; fi
    if [ $rc -ne 0 ]; then
        tail -n 20 "$log" >&2
        warn "callreeld ended with code $rc; its journal is $log"
    fi
    return $rc
}

# Whatever happens, nothing is left running.
on_exit() {
    local rc=$?
    trap '' INT TERM HUP
    progress_end
    # A program that Ctrl-C broke off is no failure of this run.
    if [ -n "$daemon" ] && stop_daemon && [ -n "$stopping" ]; then rc=0; fi
    if [ -n "$socket_dir" ]; then rm -rf "$socket_dir"; fi
    exit $rc
}

# ---- the pieces ---------------------------------------------------------------------------------

# Runs a program so that a signal to this script need not wait for its end: in a process group of
# its own, which the signal's handler ends whole.
interruptible() {
    local rc=0
    setsid "$@" 9>&- &
    worker=$!
    wait "$worker" || rc=$?
    worker=''
    return $rc
}

ids_of_calls() { jq -r '[.. | objects | select(has("recid")) | .recid] | unique | .[]'; }

# taken PORT: does something listen there?
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    for port in $(seq 8480 8499); do
        if ! taken "$port"; then
            echo "$port"
            return 0
        fi
        say "port $port is taken" >&2
    done
    die "no port from 8480 to 8499 is free on 127.0.0.1"
}

# The line's sound and the ALSA device that plays it.
make_line() {
    local wanted=$((speech_s * 32000))
    if [ "$(stat -c %s "$demo/conversation.raw" 2>/dev/null || echo 0)" -ne "$wanted" ]; then
        stage "Speaking the demo's telephone calls"
        interruptible "$root/packaging/demo-speech.sh" "$demo/conversation.raw" "$speech_s"
    fi
    cat >"$demo/asound.conf" <<CONF
</usr/share/alsa/alsa.conf>
pcm.callreel_demo {
    type file
    slave.pcm null
    file /dev/null
    infile "$demo/conversation.raw"
    format raw
}
CONF
}

# A Unix socket's path has 107 bytes at most; a deep clone gets one elsewhere.
choose_socket() {
    socket=$demo/control.sock
    if [ ${#socket} -gt 100 ]; then
        socket_dir=$(mktemp -d /tmp/callreel-demo.XXXXXX)
        socket=$socket_dir/control.sock
    fi
    callreel=("$target/release/callreel" --socket "$socket")
}

write_config() {
    sed -e "s|127\.0\.0\.1:8480|127.0.0.1:$port|" \
        -e "s|\"target/demo/control.sock\"|\"$socket\"|" \
        -e "s|\"target/demo/|\"$demo/|" "$root/packaging/demo.toml" >"$demo/demo.toml"
}

# In a session of its own, so that Ctrl-C reaches it once, through us; and it ends with us.
start_daemon() {
    ALSA_CONFIG_PATH=$demo/asound.conf setsid setpriv --pdeathsig TERM \
        "$target/release/callreeld" --config "$demo/demo.toml" </dev/null >>"$log" 2>&1 9>&- &
    daemon=$!
}

daemon_died() {
    local rc=0
    wait "$daemon" || rc=$?
    daemon=''
    tail -n 20 "$log" >&2
    die "callreeld ended by itself with code $rc; its journal is $log"
}

# until_true SECONDS WHAT COMMAND...: polls; returns 1 when asked to stop meanwhile.
until_true() {
    local limit=$1 what=$2 started=$SECONDS
    shift 2
    until "$@"; do
        if [ -n "$stopping" ]; then return 1; fi
        alive || daemon_died
        if [ $((SECONDS - started)) -ge "$limit" ]; then
            progress_end
            tail -n 20 "$log" >&2
            die "$what took more than $limit s; the daemon's journal is $log"
        fi
        progress "$what: $((SECONDS - started)) s"
        sleep 0.25 || true
    done
    progress_end
}

ready() { curl -fsS -o /dev/null --max-time 2 "$url/readyz" 2>/dev/null; }

# The demo's recordings that are finished: their task ids, newest first.
finished() {
    "${callreel[@]}" recordings list --tenant demo --state stored --all --json 2>/dev/null |
        jq -r '.. | objects | .task_id? // empty'
}

count_finished() { finished | wc -l; }

one_more() {
    local count
    count=$(count_finished)
    [ "${count:-0}" -gt "${earlier:-0}" ]
}

# The key of an earlier run, when it still opens something; else a new one.
have_key() {
    key=$(cat "$demo/key" 2>/dev/null || true)
    if [ -n "$key" ] && curl -fsS -o /dev/null --max-time 5 -H "X-API-Key: $key" \
        "$url/api/v1/tasks" 2>/dev/null; then
        return 0
    fi
    "${callreel[@]}" tenant list --json | jq -e '[.. | objects | .name?] | index("demo")' \
        >/dev/null || "${callreel[@]}" tenant add demo >/dev/null
    key=$("${callreel[@]}" key issue --tenant demo --family task-audio --label 'make run' --json |
        jq -r '[.. | objects | .secret? // empty] | first')
    [ -n "$key" ] || die "the daemon issued no key; its journal is $log"
    (umask 077 && printf '%s\n' "$key" >"$demo/key")
}

show() {
    local audio=$url/api/v1/sse/audio/$1
    say ''
    say "${bold}A call has been recorded.${plain} Recordings of earlier runs: $earlier"
    say "  page     $url/"
    say "  API key  $key"
    say ''
    say "  # the whole file, one range of it (the first second of sound), its headers alone:"
    say "  curl -sS -H 'X-API-Key: $key' -o call.wav $audio"
    say "  curl -sS -H 'X-API-Key: $key' -H 'Range: bytes=4096-36095' -o second.raw $audio"
    say "  curl -sS -H 'X-API-Key: $key' -I $audio"
    say ''
    say "Calls go on being recorded. Ctrl-C seals the open one and stops."
}

# ---- the run ------------------------------------------------------------------------------------

main() {
    trap asked_to_stop INT TERM HUP
    "$root/packaging/setup.sh" run
    choose_rust || die "no Rust $(rust_wanted) or newer; run 'make setup'"
    (umask 077 && mkdir -p "$demo")
    exec 9>"$demo/lock"
    flock -n 9 || die "another 'make run' is going in this clone"
    trap on_exit EXIT

    stage "Building for release (the first time takes some minutes)"
    interruptible env -C "$root" cargo build --release --locked -p callreel-daemon
    make_line
    choose_socket
    port=$(free_port)
    url=http://127.0.0.1:$port
    write_config

    stage "Starting callreeld on $url"
    start_daemon
    until_true $ready_s "waiting for the daemon" ready || { stop_daemon; exit; }
    have_key
    earlier=$(count_finished)
    say "The demo line is talking; its first call lasts about 20 s."
    until_true $call_s "recording the first call" one_more || { stop_daemon; exit; }
    show "$(finished | head -n 1)"

    while [ -z "$stopping" ] && alive; do sleep 0.25 || true; done
    if [ -z "$stopping" ]; then daemon_died; fi
    stop_daemon
}

main "$@"
