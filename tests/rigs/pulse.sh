#!/usr/bin/env bash
# pulse.sh: a private PulseAudio with null sinks as telephone lines, in real time and without
# hardware, a session or a bus. See README.md.
#
#   pulse.sh run DIR SINKS [RATE] [CHANNELS]   becomes the sound server; SIGTERM ends it
#   pulse.sh wait DIR [SECONDS]                returns when that server answers
#   pulse.sh smoke                             proves the rig: a tone into a line comes out again
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# A server accepts 64 connections and each line takes two.
sinks_max=32

die() {
    printf 'pulse.sh: %s\n' "$*" >&2
    exit 1
}

run() {
    local dir=$1 sinks=$2 rate=${3:-8000} channels=${4:-1} map i
    case $channels in 1) map=mono ;; 2) map=front-left,front-right ;; *) die "1 or 2 channels" ;; esac
    if [ "$sinks" -lt 1 ] || [ "$sinks" -gt $sinks_max ]; then die "1 to $sinks_max sinks"; fi
    command -v pulseaudio >/dev/null || die "pulseaudio is missing; run 'make setup'"
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    # The socket's path has to fit into sockaddr_un.
    if [ ${#dir} -gt 100 ]; then die "the folder's path is too long for a socket: $dir"; fi
    chmod 700 "$dir"
    mkdir -p "$dir/home" "$dir/run" "$dir/state"
    rm -f "$dir/sock"
    {
        echo .fail
        echo "load-module module-native-protocol-unix socket=$dir/sock auth-anonymous=1"
        for ((i = 0; i < sinks; i++)); do
            echo "load-module module-null-sink sink_name=line$i rate=$rate channels=$channels" \
                "format=s16le channel_map=$map"
        done
    } >"$dir/lines.pa"
    # The default limit of open files ends at about 40 connections.
    printf 'rlimit-nofile = 8192\nrlimit-rtprio = -1\nenable-memfd = yes\n' >"$dir/daemon.conf"
    sed "s|@RIG@|$dir|" "$here/asound.conf" >"$dir/asound.conf"
    ulimit -n 8192 2>/dev/null || ulimit -n "$(ulimit -H -n)"
    export HOME=$dir/home XDG_RUNTIME_DIR=$dir/run PULSE_RUNTIME_PATH=$dir/run
    export PULSE_STATE_PATH=$dir/state PULSE_CONFIG=$dir/daemon.conf
    unset PULSE_SERVER DBUS_SESSION_BUS_ADDRESS DISPLAY
    exec pulseaudio -n -F "$dir/lines.pa" --daemonize=no --exit-idle-time=-1 --disallow-exit \
        --use-pid-file=no --high-priority=no --realtime=no \
        --log-target="file:$dir/pulse.log" --log-level=info
}

await() {
    local dir=$1 seconds=${2:-10} i
    for ((i = 0; i < seconds * 10; i++)); do
        if [ -S "$dir/sock" ] && HOME=$dir/home XDG_RUNTIME_DIR=$dir/run \
            timeout 2 pactl -s "unix:$dir/sock" info >/dev/null 2>&1; then
            return 0
        fi
        sleep 0.1
    done
    tail -n 20 "$dir/pulse.log" >&2 2>/dev/null || true
    die "the sound server in $dir did not answer within $seconds s"
}

# Plays 3 s of 440 Hz into line 0, records its monitor and line 1's: the tone is on the first and
# not on the second.
smoke() {
    local dir server player heard other
    dir=$(mktemp -d)
    "$here/pulse.sh" run "$dir" 2 &
    server=$!
    # shellcheck disable=SC2064 # these two are known now
    trap "kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf '$dir'" EXIT
    await "$dir"
    export ALSA_CONFIG_PATH=$dir/asound.conf HOME=$dir/home
    sox -q -n -r 8000 -b 16 -c 1 "$dir/tone.wav" synth 3 sine 440 gain -6
    aplay -q -D line:0 "$dir/tone.wav" &
    player=$!
    arecord -q -D linemon:1 -f S16_LE -r 8000 -c 1 -d 2 "$dir/other.wav" &
    other=$!
    arecord -q -D linemon:0 -f S16_LE -r 8000 -c 1 -d 2 "$dir/heard.wav"
    wait "$player" "$other"
    # The middle second, past the start of either stream.
    heard=$(sox "$dir/heard.wav" -n trim 0.7 1 stat 2>&1 | awk '/Rough *frequency/ { print $3 }')
    other=$(sox "$dir/other.wav" -n stat 2>&1 | awk '/Maximum amplitude/ { print $3 }')
    printf 'line 0: about %s Hz; line 1: highest sample %s\n' "$heard" "$other"
    if [ "$heard" -lt 425 ] || [ "$heard" -gt 455 ]; then die "no 440 Hz tone on line 0"; fi
    awk -v peak="$other" 'BEGIN { exit !(peak < 0.001) }' || die "line 1 is not silent"
    echo "the rig works"
}

case ${1:-} in
    run) [ $# -ge 3 ] || die "run DIR SINKS [RATE] [CHANNELS]" && shift && run "$@" ;;
    wait) [ $# -ge 2 ] || die "wait DIR [SECONDS]" && shift && await "$@" ;;
    smoke) smoke ;;
    *) die "one of: run, wait, smoke (see README.md)" ;;
esac
