#!/usr/bin/env bash
# test-emulated.sh [TARGET]: the programs for another machine (aarch64, unless armv7 or x86_64 is
# asked for), run by qemu's user emulation on this one, do what they do at home: the API of every
# family, ranges byte by byte, conversions, TLS, the control socket, recording, a crash and its
# repair. The emulator has no io_uring, so it is the fallback that runs. Builds the programs when they
# are not in target/dist (CALLREEL_BIN names others). Ends with "N passed, N failed".
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=packaging/targets.sh
. "$root/packaging/targets.sh"
# shellcheck source=tests/rigs/emulated/cases.sh
. "$root/tests/rigs/emulated/cases.sh"

limit_s=600 # for all of it; emulation is slow, but not for ever

# emulator TRIPLE: the words before a program's path.
emulator() {
    emulated=yes
    case $1 in
        "$(triple "$(dpkg --print-architecture)")") emulated='' && run=(env) ;;
        aarch64-*) run=(qemu-aarch64-static) ;;
        armv7-*) run=(qemu-arm-static) ;;
        x86_64-*) run=(qemu-x86_64-static) ;;
    esac
}

settings() {
    cat >"$here/asound.conf" <<CONF
pcm.null { type null }
ctl.null { type null }
CONF
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$here/key.pem" -out "$here/certificate.pem" 2>/dev/null
    cat >"$here/callreel.toml" <<TOML
[storage]
data_dir = "$here/data"
[http]
listen = ["127.0.0.1:$port"]
listen_tls = ["127.0.0.1:$((port + 1))"]
workers = 1
[http.tls]
certificate = "$here/certificate.pem"
key = "$here/key.pem"
[control]
socket = "$here/control.sock"
[realtime]
priority = 0
lock_memory = false
[[line]]
name = "desk"
tenant = "acme"
capture = "null"
trigger = "api"
TOML
}

# free_port: the first of two free ports on loopback.
free_port() {
    local port
    for port in $(seq 23900 2 23998); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null &&
            ! (exec 3<>"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    die "no two ports from 23900 on are free on 127.0.0.1"
}

# The daemon must not outlive this script, nor may an emulator that hangs keep it.
cleanup() {
    if [ -n "$daemon" ]; then kill -KILL "$daemon" 2>/dev/null || true; fi
    rm -rf "$here"
}

main() {
    local triple arch from
    triple=$(triple "${1:-aarch64}")
    arch=$(debian_arch "$triple")
    "$root/packaging/setup.sh" emulated
    if [ "$arch" != "$(dpkg --print-architecture)" ]; then "$root/packaging/setup.sh" "emulated-$arch"; fi
    from=${CALLREEL_BIN:-$target/dist/$triple}
    [ -x "$from/callreeld" ] || "$root/packaging/build" "$triple"
    emulator "$triple"
    here=$(mktemp -d "${TMPDIR:-/tmp}/callreel-emulated.XXXXXX")
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    cp "$from/callreeld" "$from/callreel" "$here/"
    port=$(free_port)
    url=http://127.0.0.1:$port
    settings
    stage "callreeld for $triple${emulated:+, emulated by ${run[0]}}"
    started=$SECONDS
    cases
    say "it took $((SECONDS - started)) s"
    say "$passed passed, $failed failed"
    [ $failed -eq 0 ]
}

daemon=''
main "$@"
