# shellcheck shell=bash
# What scenarios of every virtual machine use: messages and waiting. Sourced by lib.sh.

say() { printf '%s %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }
fail() {
    say "FAILED: $*"
    exit 1
}

# until_true SECONDS COMMAND...: polls.
until_true() {
    local limit=$1 end
    shift
    end=$((SECONDS + limit))
    until "$@"; do
        if [ $SECONDS -ge $end ]; then return 1; fi
        sleep 0.1
    done
}
