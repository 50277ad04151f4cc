#!/usr/bin/env bash
# check.sh [fmt] [lint] | fix: form and lints of the code. A missing rustfmt or clippy is said and
# skipped (exit code 77 when that is all that was asked for), any finding is a failure.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
choose_rust || die "no Rust $(rust_wanted) or newer; run 'make setup'"
cd "$root"

have() {
    if cargo "$1" --version >/dev/null 2>&1; then return 0; fi
    say "skipped: this toolchain has no cargo $1 (rustup component add $2, or Debian's $3)"
    return 1
}

format() {
    have fmt rustfmt rustfmt-web || return 77
    cargo fmt --all --check
}

lint() {
    have clippy clippy rust-web-clippy || return 77
    # The fuzz targets have a lock file of their own, which clippy does not look at.
    cargo metadata --quiet --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml >/dev/null
    cargo clippy --workspace --all-targets --locked -- -D warnings
}

worst=0
for what in "${@:-lint}"; do
    rc=0
    case $what in
        fmt) stage "Format" && format || rc=$? ;;
        lint) stage "Lints" && lint || rc=$? ;;
        fix) have fmt rustfmt rustfmt-web && cargo fmt --all || rc=$? ;;
        *) die "check.sh: '$what' is none of fmt, lint, fix" ;;
    esac
    if [ "$rc" -ne 0 ] && { [ "$worst" -eq 0 ] || [ "$worst" -eq 77 ]; }; then worst=$rc; fi
done
exit "$worst"
