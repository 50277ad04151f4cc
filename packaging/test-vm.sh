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

run=$cache/run
boot_s=60 # for the kernel and the share, on a busy machine

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

# limit_of NAME...: the seconds that these scenarios may take together.
limit_of() {
    local name sum=$boot_s
    for name in "$@"; do
        sum=$((sum + 10 + $(sed -n 's/^limit=\([0-9]*\)$/\1/p' "$rig/scenarios/$name.sh")))
    done
    printf '%s\n' "$sum"
}

# drive NAME...: runs them in the virtual machine. One that takes the machine down with it, or leaves
# it so that the next would suffer, does not keep the others from being run: they get a new one.
drive() {
    local left=("$@") rc last started
    while [ ${#left[@]} -gt 0 ]; do
        printf '%s\n' "${left[@]}" >"$run/share/list"
        started=$SECONDS rc=0
        "$rig/boot.sh" "$image" "$run/share" "$run/console" "$(limit_of "${left[@]}")" || rc=$?
        cat "$run/console" >>"$run/console.all"
        last=$(tr -d '\r' <"$run/console" | sed -n 's/^CALLREEL-VM scenario //p' | tail -n 1)
        say "  a machine ran for $((SECONDS - started)) s${last:+, the last scenario was $last}"
        if [ $rc -eq 0 ]; then return 0; fi
        if [ $rc -ne 10 ]; then stopped $rc "$last"; fi
        while [ "${left[0]}" != "$last" ]; do left=("${left[@]:1}"); done
        left=("${left[@]:1}")
    done
}

# stopped CODE LAST: the machine went down in this scenario.
stopped() {
    warn "the virtual machine stopped (code $1) ${2:+in scenario $2}; its console:"
    tail -n 15 "$run/console" >&2
    [ -n "$2" ] || die "it did not come up; all it said is in $run/console"
    printf 'took the virtual machine down\n' >>"$run/share/out/$2/log"
    rm -f "$run/share/out/$2/rc"
}

# judged NAME: does what the scenario left satisfy its judge?
judged() { "$rig/judge.sh" "$1" "$run/share/out/$1" >"$run/share/out/$1/judged" 2>&1; }

# second_try NAME...: an emulated machine in real time stutters when the one it runs on is busy for a
# moment, and so does the sound that is measured. What failed is run once more, by itself; what
# the first run left stays beside it.
second_try() {
    local name poor=()
    for name in "$@"; do
        if judged "$name"; then continue; fi
        say "FAILED  $name, and gets a second try"
        tail -n 5 "$run/share/out/$name/judged" | sed 's/^/          /'
        mv "$run/share/out/$name" "$run/share/out/$name.first"
        mkdir "$run/share/out/$name"
        poor+=("$name")
    done
    for name in ${poor[@]+"${poor[@]}"}; do drive "$name"; done
}

report() {
    local name passed=0 failed=0
    stage "What they left"
    second_try "$@"
    for name in "$@"; do
        if judged "$name"; then
            passed=$((passed + 1))
            if [ -e "$run/share/out/$name.first" ]; then name+=", at the second try"; fi
            say "ok      $name"
        else
            failed=$((failed + 1))
            say "FAILED  $name"
            tail -n 12 "$run/share/out/$name/log" | sed 's/^/          /'
            tail -n 5 "$run/share/out/$name/judged" | sed 's/^/          /'
        fi
    done
    say "all they left is in $run/share/out"
    say "$passed passed, $failed failed"
    [ $failed -eq 0 ]
}

main() {
    local names=() name image
    for name in "$@"; do
        [ -e "$rig/scenarios/$name.sh" ] || die "no scenario '$name' in tests/rigs/vm/scenarios"
        names+=("$name")
    done
    if [ ${#names[@]} -eq 0 ]; then
        for name in "$rig"/scenarios/*.sh; do names+=("$(basename "$name" .sh)"); done
    fi
    "$root/packaging/setup.sh" vm
    mkdir -p "$cache"
    exec 8>"$cache/run.lock"
    flock -n 8 || die "another 'make test-vm' is running in $cache"
    rm -rf "$run"
    mkdir -p "$run/share/bin" "$run/share/out"
    for name in "${names[@]}"; do mkdir "$run/share/out/$name"; done
    binaries
    far_ends
    "$rig/sounds.py" "$run/share/sounds"
    cp -r "$rig/guest" "$rig/scenarios" "$run/share/"
    image=$("$rig/build.sh")
    stage "${#names[@]} scenarios in the virtual machine, about $((${#names[@]} * 12)) s"
    drive "${names[@]}"
    report "${names[@]}"
}

main "$@"
