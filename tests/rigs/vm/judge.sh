#!/usr/bin/env bash
# judge.sh NAME OUT: whether what a scenario left in OUT is as it should be. A process of its own:
# in a condition of another script bash would go on after a check that failed.
set -euo pipefail

name=$1 out=$2
rig=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# shellcheck disable=SC2317 # judge calls it
measure() { "$rig/measure.py" "$@"; }

# told FILTER [NUMBER [FILE]]: so many events (at least one) of which this jq condition holds.
# shellcheck disable=SC2317
told() {
    jq -es "[.[] | select($1)] | length ${2:+== $2}" "${3:-events.jsonl}" | grep -qx 'true\|[1-9][0-9]*'
}

# causes CAUSE...: of all calls, in order.
# shellcheck disable=SC2317
causes() {
    local wanted=$* found
    found=$(jq -rs '[.[] | select(.event == "call.hangup") | .cause] | join(" ")' events.jsonl)
    printf 'ended by: %s\n' "$found"
    [ "$found" = "$wanted" ]
}

cd "$out"
rc=$(cat rc 2>/dev/null || echo "none: the virtual machine stopped")
if [ "$rc" != 0 ]; then
    printf 'ended with code %s\n' "$rc"
    exit 1
fi
# shellcheck source=/dev/null
. "$rig/scenarios/$name.sh"
# A check that fails ends this; say which it was.
trap 'printf "not so: %s\n" "$BASH_COMMAND"' ERR
set -E
judge
