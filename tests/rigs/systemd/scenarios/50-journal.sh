# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The journal can be asked by line, recording and tenant; what is wrong is marked as such.
limit=60

drive() {
    appliance < <(line front-desk 0 && line reception 1)
    wait_lines front-desk reception
    count 0 1
    wait_counted 1 1000
    keep_recordings
    journalctl --no-pager -o cat LINE=front-desk >"$out/front-desk.txt"
    journalctl --no-pager -o cat LINE=reception >"$out/reception.txt"
    sound
}

judge() {
    grep -q front-desk front-desk.txt
    grep -q reception reception.txt
    if grep -q reception front-desk.txt; then return 1; fi
    # Every entry of the daemon has a priority; those of recordings say which and whose.
    entry '._COMM == "callreeld" and .PRIORITY == null' 0
    entry '.LINE == "front-desk" and (.RECORDING | tostring | test("^[0-9]+$"))'
    entry '.LINE == "reception" and .TENANT == "acme"'
    entry '._COMM == "callreeld" and .CALLREEL_VERSION != null and (.PRIORITY | tonumber) > 4'
}
