#!/usr/bin/env bash
# fuzz.sh [SECONDS]: builds the fuzz targets and runs each for that long (10 s). Exit code 77 when
# there are none here.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
"$root/packaging/setup.sh" test
choose_rust || die "no Rust $(rust_wanted) or newer; run 'make setup'"
stage "Fuzz targets"
if [ ! -x "$root/tests/fuzz/run.sh" ]; then
    say "skipped: no fuzz targets in tests/fuzz"
    exit 77
fi
exec "$root/tests/fuzz/run.sh" "${1:-10}"
