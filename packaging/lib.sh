# shellcheck shell=bash
# What the scripts of this folder share: messages, the project's places, the choice of the Rust
# toolchain. Sourced, never run. Nothing here installs anything; setup.sh does that.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
export CARGO_TERM_PROGRESS_WHEN=${CARGO_TERM_PROGRESS_WHEN:-auto}

# Bold on a terminal, plain in a log.
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

say() { printf '%s\n' "$*"; }
stage() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The oldest compiler the workspace builds with: rust-version in Cargo.toml.
rust_wanted() {
    sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$root/Cargo.toml" | head -n 1
}

# at_least HAVE WANTED: is version HAVE the same as WANTED or newer?
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# rust_in DIR: the version of the compiler in this folder, nothing when there is none that works.
# A rustup shim without a toolchain behind it counts as none.
rust_in() {
    [ -x "$1/rustc" ] && [ -x "$1/cargo" ] || return 0
    (cd "$root" && "$1/cargo" --version >/dev/null 2>&1 &&
        "$1/rustc" --version 2>/dev/null | awk '{ print $2 }' | sed 's/[-+].*//') || true
}

# Puts a Rust toolchain that is new enough first in PATH. Fails when there is none.
choose_rust() {
    local wanted dir found
    wanted=$(rust_wanted)
    for dir in $(dirname "$(command -v cargo || echo /none/cargo)") \
        "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin" /usr/local/bin /usr/bin; do
        found=$(rust_in "$dir")
        if [ -n "$found" ] && at_least "$found" "$wanted"; then
            PATH=$dir:$PATH
            export PATH
            return 0
        fi
    done
    return 1
}
