#!/usr/bin/env bash
# test-vm.sh [NAME...]: the daemon with a real kernel's telephone channels and loopback sound card.
# Builds a virtual machine of Debian's packages (once: some minutes and about 600 MB, then kept in
# target/vm), runs the scenarios of tests/rigs/vm/scenarios in it, and judges what they left. Ends
# with "N passed, N failed". CALLREEL_VM_BIN names a folder with other binaries to test.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/rigs/vm/lib.sh
. "$root/tests/rigs/vm/lib.sh"
# shellcheck source=tests/rigs/vm/drive.sh
. "$rig/drive.sh"

run=$cache/run
# shellcheck disable=SC2034 # drive.sh uses it
scenes=$rig

# binaries: the daemon and the command line, stripped, in the share. A release build: emulation is
# so slow that 24 lines of a debug build are too much.
binaries() {
    local from=${CALLREEL_VM_BIN:-$target/release}
    if [ -z "${CALLREEL_VM_BIN:-}" ]; then
        choose_rust || die "no Rust $(rust_wanted) or newer; run 'make setup'"
        stage "Building for release"
        (cd "$root" && cargo build --release --locked -p callreel-daemon)
    fi
    say "  the daemon under test: $from/callreeld"
    for name in callreeld callreel; do
        strip -o "$run/share/bin/$name" "$from/$name"
    done
}

# far_ends: the programs at the other side of the calls, static, since the guest has no compiler.
far_ends() {
    local flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -static)
    [ -e /usr/include/dahdi/user.h ] || die "dahdi/user.h is missing (Debian's package dahdi-source)"
    cc "${flags[@]}" -o "$run/share/bin/line" "$rig"/line/{line,channel,sound}.c -lm
    cc "${flags[@]}" -o "$run/share/bin/span" "$rig/line/span.c"
}

# All of it lives in memory: every boot finds the same.
new_machine() { :; }
boot_machine() { "$rig/boot.sh" "$image" "$run/share" "$run/console" "$1"; }

main() {
    local names image
    choose "$@"
    "$root/packaging/setup.sh" vm
    mkdir -p "$cache"
    exec 8>"$cache/run.lock"
    flock -n 8 || die "another 'make test-vm' is running in $cache"
    lay_out
    mkdir "$run/share/bin"
    binaries
    far_ends
    "$rig/sounds.py" "$run/share/sounds"
    image=$("$rig/build.sh")
    stage "${#names[@]} scenarios in the virtual machine, about $((${#names[@]} * 12)) s"
    drive "${names[@]}"
    report "${names[@]}"
}

main "$@"
