# shellcheck shell=bash
# What the judges of scenarios use, in the folder that the scenario left. Sourced by judge.sh.

measure() { "$(dirname "${BASH_SOURCE[0]}")/../vm/measure.py" "$@"; }

# numbers FILE: the first and the last number in a recording and how many are missing in between.
numbers() { "$(dirname "${BASH_SOURCE[0]}")/counter.py" read "$1"; }

# whole FILE MS: it has at least so much sound, and nothing is missing in it.
whole() {
    local first last lost
    read -r first last lost < <(numbers "$1") || return 1
    printf '%s: %s to %s, %s missing\n' "$1" "$first" "$last" "$lost"
    [ "$lost" = 0 ] && [ $(((last - first) * 10)) -ge "$2" ]
}

# between FILE FILE MS: what is missing from the end of one recording to the beginning of the next is
# less than so much.
between() {
    local first last missing
    read -r _ last _ < <(numbers "$1") || return 1
    read -r first _ _ < <(numbers "$2") || return 1
    missing=$(((first - last - 1) * 10))
    printf '%s ms are missing between %s and %s\n' $missing "$1" "$2"
    [ $missing -ge 0 ] && [ $missing -lt "$3" ]
}

# lost_at_end FILE NUMBER MS: a recording that ended when this number was being played lacks less
# than so much.
lost_at_end() {
    local last missing
    read -r _ last _ < <(numbers "$1") || return 1
    missing=$((($2 - last) * 10))
    printf '%s ms are missing at the end of %s\n' $missing "$1"
    [ $missing -lt "$3" ]
}

# entry FILTER [NUMBER]: the journal has so many entries of the daemon (at least one) of which this jq
# condition holds.
entry() {
    jq -es "[.[] | select($1)] | length ${2:+== $2}" journal.json | grep -qx 'true\|[1-9][0-9]*'
}
