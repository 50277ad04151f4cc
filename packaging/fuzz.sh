#!/usr/bin/env bash
# fuzz.sh [SECONDS]: builds each fuzz target and runs it for that long (10 s). The targets are
# libFuzzer programs in a workspace of their own. Exit code 77 when there are none here.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
seconds=${1:-10}
fuzz=$root/tests/fuzz
choose_rust || die "no Rust $(rust_wanted) or newer; run 'make setup'"
if [ ! -e "$fuzz/Cargo.toml" ]; then
    say "skipped: no fuzz targets in tests/fuzz"
    exit 77
fi
cd "$fuzz"
stage "Building the fuzz targets"
# Coverage by the compiler's own pass, so that a stable toolchain is enough. The flags go to the
# targets' platform only where a target is named, so that build scripts stay uninstrumented.
host=$(rustc -vV | sed -n 's/^host: //p')
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing"
RUSTFLAGS=$flags CARGO_TARGET_DIR="$fuzz/target" cargo build --release --target "$host"

failed=0
mapfile -t names < <(cargo metadata --no-deps --format-version 1 |
    jq -r '.packages[].targets[] | select(.kind | index("bin")) | .name')
for name in "${names[@]}"; do
    stage "Fuzzing $name for $seconds s"
    mkdir -p "corpus/$name" "artifacts/$name"
    seeds=()
    if [ -d "seeds/$name" ]; then seeds=("seeds/$name"); fi
    if ! "target/$host/release/$name" -max_total_time="$seconds" -timeout=10 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="artifacts/$name/" \
        "corpus/$name" "${seeds[@]}" >"target/$name.log" 2>&1; then
        tail -n 40 "target/$name.log" >&2
        warn "$name failed; the input is in tests/fuzz/artifacts/$name"
        failed=$((failed + 1))
    else
        say "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "target/$name.log") inputs, no crash"
    fi
done
exit $((failed > 0))
