# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The rig itself, without Callreel: an exchange rings a telephone across the looped spans, each
# sees the other's signals and hears the other's sound to the sample.
limit=40

drive() {
    spans analogue
    far telephone 25 "wait ring 10; sleep 1000; record $out/telephone.wav; offhook; hear 1000 5; \
        sleep 2500; dial 159#; sleep 500; tone 1200 1500; onhook; sleep 300"
    far exchange 1 "sleep 500; ring; wait offhook 10; record $out/exchange.wav; offhook; \
        sleep 500; tone 1000 2000; wait onhook 15; onhook"
    far_done telephone exchange
}

judge() {
    measure tone telephone.wav 0 1000 1.9
    measure tone exchange.wav 0 1200 1.3
    measure digits exchange.wav 0 '159#'
    if measure tone telephone.wav 0 1200 0.5; then return 1; fi
}
