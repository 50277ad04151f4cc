# shellcheck shell=bash
# What the judges of scenarios use, in the folder that the scenario left. Sourced by judge.sh.

measure() { "$(dirname "${BASH_SOURCE[0]}")/measure.py" "$@"; }

# told FILTER [NUMBER [FILE]]: so many events (at least one) of which this jq condition holds.
told() {
    jq -es "[.[] | select($1)] | length ${2:+== $2}" "${3:-events.jsonl}" | grep -qx 'true\|[1-9][0-9]*'
}

# causes CAUSE...: of all calls, in order.
causes() {
    local wanted=$* found
    found=$(jq -rs '[.[] | select(.event == "call.hangup") | .cause] | join(" ")' events.jsonl)
    printf 'ended by: %s\n' "$found"
    [ "$found" = "$wanted" ]
}
