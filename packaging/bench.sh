#!/usr/bin/env bash
# bench.sh [NAME...] [--quick] [--json DIR]: builds daemon and benchmarks, then runs them.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
"$root/packaging/setup.sh" bench
choose_rust || die "no Rust $(rust_wanted) or newer; run 'make setup'"
cd "$root"
stage "Building for release"
cargo build --release --locked -p callreel-daemon -p callreel-bench
exec "$target/release/bench" "$@"
