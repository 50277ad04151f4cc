# shellcheck shell=bash
# What packaging/test-emulated.sh asks of the programs. Sourced by it, which sets here, run, port,
# url, emulated and limit_s.
: "${started:=0}" "${here:=}" "${run:=}" "${port:=}" "${url:=}" "${emulated:=}" "${limit_s:=}"

passed=0 failed=0
recid=9876545 sid=call_abc123 object=d741-6904fad1-vce-daf-638729 campaign=110
call=d741-6904fad1-vcall-10989826 task=0b5c1d3e-52b5-4f5e-9f43-6a5f0a1b2c3d

# check NAME COMMAND...: holds, or not.
check() {
    local name=$1
    shift
    if [ $((SECONDS - started)) -ge "$limit_s" ]; then
        failed=$((failed + 1))
        say "FAILED  $name: not tried, $limit_s s are over"
    elif "$@" >"$here/said" 2>&1; then
        passed=$((passed + 1))
        say "ok      $name"
    else
        failed=$((failed + 1))
        say "FAILED  $name"
        tail -n 12 "$here/said" | tr -cd '[:print:]\n' | cut -c 1-200 | sed 's/^/            /'
    fi
}

# same WANTED FOUND: for use in checks.
same() {
    printf 'wanted: %s\nfound:  %s\n' "$1" "$2"
    [ "$1" = "$2" ]
}

emulate() { timeout 60 env ALSA_CONFIG_PATH="$here/asound.conf" "${run[@]}" "$@"; }
callreel() { emulate "$here/callreel" --config "$here/callreel.toml" "$@"; }
word() { jq -r "[.. | objects | .$1? // empty] | first // empty"; }
ask() { curl -sS --max-time 30 "$@"; }
status() { ask -o /dev/null -w '%{http_code}' "$@"; }
sound() { ask -H "X-API-Key: $task_key" "$@" "$url/api/v1/sse/audio/$task"; }

# ---- the daemon ---------------------------------------------------------------------------------

start() {
    ALSA_CONFIG_PATH=$here/asound.conf timeout --signal=KILL "$limit_s" "${run[@]}" "$here/callreeld" \
        --config "$here/callreel.toml" >>"$here/journal" 2>&1 &
    daemon=$!
    for _ in $(seq 150); do
        if [ "$(status "$url/readyz" 2>/dev/null)" = 200 ]; then return 0; fi
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 20 "$here/journal"
    return 1
}

# The emulator itself, below timeout.
process() { pgrep -P "$daemon"; }

stop() {
    local rc=0
    kill -TERM "$(process)" && wait "$daemon" || rc=$?
    daemon=''
    tail -n 5 "$here/journal"
    return $rc
}

crash() {
    kill -KILL "$(process)"
    wait "$daemon"
    daemon=''
    return 0
}

falls_back() {
    grep 'recordings are written' "$here/journal"
    if [ -n "$emulated" ]; then
        grep -q 'io_uring is not available.*pwrite' "$here/journal"
    fi
}

# ---- cases --------------------------------------------------------------------------------------

# Three seconds of stereo, and its bytes as they will be served.
bring_in() {
    sox -n -r 8000 -c 2 -b 16 "$here/in.wav" synth 3 sine 440 sine 1000 gain -6 || return 1
    # It may be there already.
    callreel --json tenant add acme || true
    callreel --json recordings import --tenant acme --recid $recid --call-sid $sid \
        --crt-object-id $object --campaign-id $campaign --call-id $call --task-id $task \
        --to +15559876543 --from +15551234567 "$here/in.wav"
}

credentials() {
    tsid=$(callreel --json key issue --tenant acme --family play-audio-file | word secret)
    call_key=$(callreel --json key issue --tenant acme --family call-recording | word secret)
    task_key=$(callreel --json key issue --tenant acme --family task-audio | word secret)
    password=$(callreel --json user add boss@acme.example --tenant acme --role supervisor --generate |
        word password)
    [ -n "$tsid" ] && [ -n "$call_key" ] && [ -n "$task_key" ] && [ -n "$password" ]
}

whole() {
    sound -o "$here/whole.wav" -D "$here/head"
    # The samples are those that were brought in; the length is told before they come.
    cmp <(sox "$here/whole.wav" -t raw -) <(sox "$here/in.wav" -t raw -) &&
        same "$(stat -c %s "$here/whole.wav")" "$(header content-length)" &&
        same bytes "$(header accept-ranges)"
}

# header NAME: of the latest answer whose headers were kept.
header() {
    tr -d '\r' <"$here/head" | awk -F ': ' -v name="$1" 'tolower($1) == name { print $2 }' | tail -n 1
}

# range FIRST LAST: that part alone, exactly, with its place named.
range() {
    local size
    size=$(stat -c %s "$here/whole.wav")
    sound -r "$1-$2" -o "$here/part" -D "$here/head" -w '%{http_code}' | grep -q 206 || return 1
    same "bytes $1-$2/$size" "$(header content-range)" &&
        same $(($2 - $1 + 1)) "$(stat -c %s "$here/part")" &&
        cmp "$here/part" <(tail -c +$(($1 + 1)) "$here/whole.wav" | head -c $(($2 - $1 + 1)))
}

# Every byte of a part of the file, each by a range of its own, on one connection.
byte_by_byte() {
    local first=4090 count=12
    sound -H "Range: bytes=$first-$((first + count - 1))" >"$here/together"
    for offset in $(seq $first $((first + count - 1))); do sound -r "$offset-$offset"; done >"$here/single"
    cmp "$here/together" "$here/single" && same $count "$(stat -c %s "$here/single")"
}

last_bytes() {
    sound -r -100 | cmp - <(tail -c 100 "$here/whole.wav") &&
        sound -r 1000- | cmp - <(tail -c +1001 "$here/whole.wav")
}

several_ranges() {
    sound -H 'Range: bytes=0-3,100-103' -D "$here/head" -o "$here/several"
    header content-type | grep -q '^multipart/byteranges; boundary=' && grep -q RIFF "$here/several"
}

beyond() { same 416 "$(sound -o /dev/null -w '%{http_code}' -r 99999999-)"; }

unchanged() {
    sound -I -D "$here/head" -o /dev/null
    same 304 "$(sound -o /dev/null -w '%{http_code}' -H "If-None-Match: $(header etag)")"
}

nobody() {
    same 401 "$(status "$url/api/v1/sse/audio/$task")" &&
        same 401 "$(status -H 'X-API-Key: wrong' "$url/api/v1/sse/audio/$task")"
}

play_audio_file() {
    ask "$url/api/v2/PlayAudioFile.php?tsid=$tsid&recid=$recid" | cmp - "$here/whole.wav" &&
        ask -d "tsid=$tsid&recid=$recid" "$url/api/v2/PlayAudioFile.php" | cmp - "$here/whole.wav"
}

signed_link() {
    local link
    link=$(ask -H "X-API-Key: $call_key" "$url/api/calls/$sid/recording/stream" | jq -r .data.url)
    ask "$link" | cmp - "$here/whole.wav" && same 403 "$(status "${link%?}X")"
}

login() {
    session=$(ask -H 'Content-Type: application/json' \
        -d "{\"userId\":\"boss@acme.example\",\"token\":\"$password\",\"forceLogin\":false}" \
        "$url/ameyorestapi/session/userLogin" | jq -r .sessionId)
    [ ${#session} -gt 20 ]
}

# address_of FORMAT: where voice_log has the recording in that format.
address_of() {
    printf '%s/ameyorestapi/cc/downloadVoiceLog?campaignId=%s&crtObjectId=%s' "$url" "$campaign" "$object"
    printf '&targetFormat=%s&filters={callId%%%s}\n' "$1" "$call"
}

# converted FORMAT: the recording in that format, in FORMAT's file.
converted() {
    ask -g -f -H "Sessionid: $session" -o "$here/out.$1" -D "$here/head" "$(address_of "$1")"
}

# sounds FORMAT: it holds what was recorded: its length, and the tones of both legs.
sounds() {
    converted "$1" || return 1
    ffmpeg -v error -y -i "$here/out.$1" -f s16le -ar 8000 -ac 2 "$here/out.raw" || return 1
    python3 - "$here/out.raw" <<'PYTHON'
import cmath, struct, sys
data = open(sys.argv[1], "rb").read()
pairs = list(struct.iter_unpack("<hh", data[: len(data) // 4 * 4]))
print("seconds:", len(pairs) / 8000)
assert 2.9 < len(pairs) / 8000 < 3.3, "its length"
middle = pairs[8000:16000]
for leg, tone, other in ((0, 440, 1000), (1, 1000, 440)):
    power = {f: abs(sum(p[leg] * cmath.exp(-2j * cmath.pi * f * i / 8000) for i, p in enumerate(middle)))
             for f in (tone, other)}
    print("leg", leg, power)
    assert power[tone] > 100 * power[other], "its tone"
PYTHON
}

mp3_range() {
    converted mp3 && same "$(stat -c %s "$here/out.mp3")" "$(header content-length)" &&
        ask -g -H "Sessionid: $session" -r 5000-5999 "$(address_of mp3)" |
        cmp - <(tail -c +5001 "$here/out.mp3" | head -c 1000)
}

lists() {
    ask -H "X-API-Key: $task_key" "$url/api/v1/tasks" | tee "$here/tasks" | grep -q "$task" &&
        ask "$url/api/v2/GetAudiosList.php?tsid=$tsid" | jq -e . >/dev/null
}

documents() {
    local family
    for family in play_audio_file session_commands call_recording voice_log task_audio; do
        ask "$url/openapi/$family.json" | jq -e '.openapi | startswith("3.1")' || return 1
    done
    same 200 "$(status "$url/docs")" && same 200 "$(status "$url/")" && same 200 "$(status "$url/healthz")"
}

metrics() { grep -qE '^callreel_[a-z_]+' <<<"$(ask "$url/metrics")"; }

encrypted() {
    local there=https://127.0.0.1:$((port + 1)) trust=(--cacert "$here/certificate.pem")
    ask "${trust[@]}" -H "X-API-Key: $task_key" "$there/api/v1/sse/audio/$task" |
        cmp - "$here/whole.wav" || return 1
    same 2 "$(ask "${trust[@]}" --http2 -o /dev/null -w '%{http_version}' "$there/healthz")"
}

control() {
    callreel --json status | jq -e . && callreel lines | grep -q desk &&
        ! callreel --json recordings show --tenant acme no-such-recording
}

records() {
    local id
    id=$(callreel --json record start --line desk | word recid) || return 1
    sleep 2
    callreel --json record stop "$id" || return 1
    for _ in $(seq 60); do
        if [ "$(stored)" -eq "$1" ]; then return 0; fi
        sleep 0.2
    done
    say "$(stored) recordings are stored, not $1"
    return 1
}

stored() {
    callreel --json recordings list --tenant acme --state stored --all |
        jq '[.. | objects | .task_id? // empty] | unique | length'
}

# A recording that is open when the program dies is there after the next start.
repaired() {
    callreel --json record start --line desk && sleep 3 && crash && start && same "$1" "$(stored)"
}

store_is_sound() { callreel check; }

backs_up() {
    callreel backup "$here/backup" && callreel backup --verify "$here/backup"
}

cases() {
    check "versions" emulate "$here/callreeld" --version
    check "the configuration" emulate "$here/callreeld" --config "$here/callreel.toml" --check
    check "it starts" start
    check "how it writes" falls_back
    check "a recording is brought in" bring_in
    check "keys and a user" credentials
    check "the whole of it" whole
    check "its first two bytes" range 0 1
    check "a range across a page" range 4000 8200
    check "byte by byte" byte_by_byte
    check "its end" last_bytes
    check "several ranges" several_ranges
    check "beyond its end" beyond
    check "unchanged since" unchanged
    check "nobody without a key" nobody
    check "play_audio_file" play_audio_file
    check "call_recording, by a signed link" signed_link
    check "voice_log, by a login" login
    for format in wav mp3 m4a flac ogg webm; do
        check "voice_log as $format" sounds $format
    done
    check "a range of the MP3" mp3_range
    check "lists" lists
    check "documents and pages" documents
    check "metrics" metrics
    check "TLS, HTTP/2" encrypted
    check "control socket and command line" control
    check "a line records" records 2
    check "a crash is repaired" repaired 3
    check "the store is sound" store_is_sound
    if callreel --help | grep -q '^  backup'; then check "a backup while it runs" backs_up; fi
    check "it stops" stop
    check "it starts again" start
    check "the recording is the same" same "$(sha256sum <"$here/whole.wav")" "$(sound | sha256sum)"
    check "it stops again" stop
    if [ $failed -gt 0 ]; then tail -n 20 "$here/journal" | sed 's/^/    /'; fi
}
