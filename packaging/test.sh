#!/usr/bin/env bash
# test.sh: everything that checks the project. Each stage is shown; the last line is the count over
# all test programs: "N passed, N failed" (and ", N skipped"). A stage that is not a test program
# counts as one failure when it fails. Exit code 0 only when nothing failed.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

passed=0 failed=0 skipped=0 problems=()

# The suite's modules that measure in real time; and how many of them may have a second try: more
# than a few failures are no stutter.
real_time='^(alsa_loop|audiosocket_layer|calls|dahdi_layer|live|proofs::full|telephony)::'
second_tries=6

# A stage that either holds or not; 77 means it could not be run here, and said why.
check() {
    local name=$1 rc=0
    shift
    "$@" || rc=$?
    case $rc in
        0) ;;
        77) skipped=$((skipped + 1)) ;;
        *)
            failed=$((failed + 1))
            problems+=("$name")
            ;;
    esac
}

# Runs test programs, shows what they say, and adds up their own counts.
tests() {
    local name=$1 log=$scratch/tests.log rc=0 sums
    shift
    stage "$name"
    "$@" 2>&1 | tee "$log" || rc=$?
    # "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; ..."
    sums=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '/^test result: / {
        for (i = 1; i < NF; i++) {
            if ($(i + 1) == "passed;") p += $i
            if ($(i + 1) == "failed;") f += $i
            if ($(i + 1) == "ignored;") s += $i
        } } END { print p + 0, f + 0, s + 0 }')
    read -r p f s <<<"$sums"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    if [ "$rc" -ne 0 ] && [ "$f" -gt 0 ] && again "$log" "$f"; then
        say "they stuttered at first; each passed alone"
    elif [ "$rc" -ne 0 ]; then
        problems+=("$name")
        # Did not compile, or died without a count.
        if [ "$f" -eq 0 ]; then failed=$((failed + 1)); fi
    fi
}

# again LOG FAILED: the second try of each real-time test that failed. Holds if those were all that
# failed, and each passes now.
again() {
    local names name rc=0
    mapfile -t names < <(sed 's/\x1b\[[0-9;]*m//g' "$1" |
        sed -n 's/^    \([a-z0-9_]*\(::[a-z0-9_]*\)*\)$/\1/p' | grep -E "$real_time" | sort -u)
    if [ ${#names[@]} -eq 0 ] || [ ${#names[@]} -gt $second_tries ]; then return 1; fi
    for name in "${names[@]}"; do
        stage "Second try: $name"
        if cargo test --workspace --locked --test suite -- --exact "$name"; then
            passed=$((passed + 1)) failed=$((failed - 1))
        else
            rc=1
        fi
    done
    [ $rc -eq 0 ] && [ ${#names[@]} -eq "$2" ]
}

scripts() {
    stage "Shell scripts"
    if ! command -v shellcheck >/dev/null; then
        say "skipped: shellcheck is not installed"
        return 77
    fi
    # By their first line: not all have a suffix. Libraries have one, and say which shell they are for.
    grep -rlIZE -m 1 '^#!/(bin/sh|usr/bin/env bash)$' packaging tests .ci systemd |
        xargs -0 shellcheck -x
    find packaging tests -name '*.sh' -print0 | xargs -0 shellcheck -x
}

dependencies() {
    stage "Licences and duplicates of dependencies"
    if ! cargo deny --version >/dev/null 2>&1; then
        say "skipped: cargo-deny is not installed"
        return 77
    fi
    cargo deny --offline --all-features check --disable-fetch licenses bans sources
}

summary() {
    local line="$passed passed, $failed failed"
    if [ "$skipped" -gt 0 ]; then line+=", $skipped skipped"; fi
    if [ ${#problems[@]} -gt 0 ]; then say "not as it should be: $(printf '%s; ' "${problems[@]}")"; fi
    say "$line"
    [ "$failed" -eq 0 ]
}

main() {
    cd "$root"
    "$root/packaging/setup.sh" test
    choose_rust || die "no Rust $(rust_wanted) or newer; run 'make setup'"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    check "format" packaging/check.sh fmt
    check "lints" packaging/check.sh lint
    check "shell scripts" scripts
    check "dependencies" dependencies
    stage "Build"
    check "build" cargo build --workspace --locked
    tests "Unit, integration and doc tests" cargo test --workspace --locked --no-fail-fast
    check "fuzz targets" packaging/fuzz.sh 10
    stage "Summary"
    summary
}

main "$@"
