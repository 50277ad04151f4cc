# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# 'callreel doctor' finds nothing to mend on a good machine, and each of several things that are not:
# by its code, with what to do.
limit=120

drive() {
    appliance < <(line front-desk 0)
    wait_lines front-desk
    doctor good 0

    line nowhere 0 | sed 's/Loopback,1,0/Absent,0,0/' >"$own"
    systemctl restart callreeld.service
    doctor device 14
    line front-desk 0 >"$own"

    systemctl stop callreeld.service
    mount -o remount,ro "$data"
    doctor disk 11
    mount -o remount,rw "$data"

    systemctl stop "${units[@]}"
    busybox httpd -f -p 127.0.0.1:8080 &
    players+=($!)
    until_true 5 listening 8080
    doctor address 10
    kill "${players[0]}"

    systemctl start "${units[@]}"
    doctor mended 0
}

listening() { ss -Hltn "sport = $1" | grep -q .; }

# doctor NAME CODE: it ends with this code.
doctor() {
    local rc=0
    callreel --json doctor >"$out/$1.json" || rc=$?
    callreel doctor >"$out/$1.txt" 2>&1 || true
    say "$1: $rc"
    [ $rc -eq "$2" ] || fail "doctor says $rc, not $2: $(cat "$out/$1.txt")"
}

judge() {
    local name
    jq -e '.healthy and .problems == 0' good.json mended.json
    for name in device disk address; do
        jq -e '.healthy == false and
            ([.findings[] | select(.state == "problem") | .mend | length > 10] | all)' $name.json
    done
    jq -e '[.findings[] | select(.state == "problem") | .area] | index("sound")' device.json
    jq -e '[.findings[] | select(.state == "problem") | .area] | index("disk")' disk.json
    jq -e '[.findings[] | select(.state == "problem") | .area] | index("ports")' address.json
}
