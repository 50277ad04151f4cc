# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The rig's faults, without Callreel: channels that vanish under whoever has them open, a cable that
# is cut, and that all is as before when they are back.
limit=60

drive() {
    spans analogue
    far exchange 1 'offhook; wait gone 15'
    sleep 2
    take_away 1
    far_done exchange
    put_back 1
    far telephone 25 "wait alarm 15; wait noalarm 30; wait ring 15; offhook; record $out/telephone.wav; \
        hear 1000 10; sleep 1000; onhook"
    sleep 1
    cut_cable 1
    far_told telephone '.event == "alarm"'
    cat /proc/dahdi/* >"$out/in-alarm.txt"
    splice_cable 1
    far_told telephone '.event == "noalarm"'
    far exchange-2 1 'sleep 1500; ring; wait offhook 15; offhook; tone 1000 2000; wait onhook 10'
    far_done telephone exchange-2
}

judge() {
    measure tone telephone.wav 0 1000 0.8
    grep -q RED in-alarm.txt
}
