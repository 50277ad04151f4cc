# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# A channel that a PBX owns is listened to, both directions apart, without a trace on it. The PBX is
# another process. Here by monitoring (any kernel), where the same by mirror is refused in words.
limit=80
kind=${kind:-monitor} modules=${modules:-plain}

drive() {
    spans analogue "$modules"
    configure <<TOML
[[line]]
name = "tap"
tenant = "acme"
dahdi = "25"
role = "tap"
trigger = "hook"
[line.channel]
tap = "$kind"

[[line]]
name = "mirror"
tenant = "acme"
dahdi = "26"
role = "tap"
trigger = "vox"
[line.channel]
tap = "mirror"
TOML
    far pbx 25 "wait ring 20; sleep 500; record $out/pbx.wav; offhook; hum 700; sleep 6000; hush; onhook; sleep 1500"
    start_daemon
    wait_lines tap
    far exchange 1 "sleep 500; ring; wait offhook 20; record $out/exchange.wav; offhook; hum 1000; wait onhook 15; hush; onhook; sleep 500"
    call_of tap
    call_event '.event == "call.answered"'
    call_event '.event == "call.hangup"' 20
    far_done pbx exchange
    line_error mirror >"$out/mirror.error"
    keep_recordings
}

judge() {
    measure tone tap-1.wav 0 1000 4.5
    measure tone tap-1.wav 1 700 4.5
    measure without tap-1.wav 0 700
    measure without tap-1.wav 1 1000
    # What the parties heard of each other is as if nobody listened.
    measure tone exchange.wav 0 700 4.5
    measure tone pbx.wav 0 1000 4.5
    causes NORMAL_CLEARING
    judge_mirror
}

judge_mirror() {
    if [ "$modules" = plain ]; then
        grep -q CONFIG_DAHDI_MIRROR mirror.error
        grep -q monitor mirror.error
    else
        [ -z "$(cat mirror.error)" ]
    fi
}
