# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# Lines that cannot be: a channel that does not exist, one that another process owns, two with the
# wrong signalling. Each says channel, reason and remedy; the good one works.
limit=80

drive() {
    spans analogue
    configure <<'TOML'
[[line]]
name = "good"
tenant = "acme"
dahdi = "25"
trigger = "hook"

[[line]]
name = "missing"
tenant = "acme"
dahdi = "999"
trigger = "hook"

[[line]]
name = "owned"
tenant = "acme"
dahdi = "26"
trigger = "hook"

[[line]]
name = "wrong"
tenant = "acme"
dahdi = "3"
role = "terminate"
trigger = "hook"

[[line]]
name = "clear"
tenant = "acme"
dahdi = "48"
trigger = "hook"
TOML
    far pbx 26 hold
    start_daemon
    wait_lines good
    sleep 1
    local name
    for name in missing owned wrong clear; do line_error $name >"$out/$name.error"; done
    far exchange 1 "sleep 500; ring; wait offhook 20; offhook; sleep 2000; onhook; sleep 2500"
    call_of good
    answer
    call_event '.event == "call.hangup"' 15
    far_done exchange
    # Its owner lets go of the channel; the line comes up by itself.
    far_stop pbx
    wait_lines good owned
}

judge() {
    says missing 999 EINVAL lsdahdi
    says owned 26 EBUSY tap span
    says wrong 3 station span
    says clear 48 signalling span
}

# says NAME WORD...: each of them in the error of this line.
says() {
    local name=$1 word
    shift
    cat "$name.error"
    for word in "$@"; do grep -qiw -- "$word" "$name.error"; done
}
