#!/bin/sh
# Builds all fuzz targets with stable Rust (libFuzzer's instrumentation is part of rustc) and runs
# each for SECONDS, starting from its seeds. Ends with 1 at the first crash, whose input is kept.
#
#   tests/fuzz/run.sh [SECONDS] [TARGET …]      e.g. tests/fuzz/run.sh 600 wav
set -eu

cd "$(dirname "$0")"
seconds=${1:-20}
[ $# -gt 0 ] && shift
targets=${*:-range wav index journal decode caller_id audiosocket}
case $seconds in
'' | *[!0-9]*) echo "run.sh: '$seconds' is no number of seconds" >&2; exit 2 ;;
esac
root=$(cd ../.. && pwd)
work=${CARGO_TARGET_DIR:-$root/target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')

# With --target, build scripts and procedural macros stay uninstrumented.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
 -Cllvm-args=-sanitizer-coverage-trace-compares" \
    cargo build --quiet --release --locked --target "$host" --target-dir "$work" --bins

for target in $targets; do
    binary=$work/$host/release/fuzz_$target
    [ -x "$binary" ] || { echo "run.sh: no fuzz target '$target'" >&2; exit 2; }
    mkdir -p "$work/corpus/$target" "$work/artifacts"
    echo "fuzz_$target: $seconds s"
    if ! "$binary" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="$work/artifacts/$target-" \
        "$work/corpus/$target" "seeds/$target" >"$work/$target.log" 2>&1; then
        tail -n 40 "$work/$target.log" >&2
        echo "fuzz_$target: CRASHED; the input is in $work/artifacts, the log is $work/$target.log" >&2
        exit 1
    fi
    sed -n 's/^stat::number_of_executed_units: *\(.*\)/  \1 inputs, no crash/p' "$work/$target.log"
done
