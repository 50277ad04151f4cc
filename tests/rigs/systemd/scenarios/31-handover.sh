# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# Twenty restarts while clients ask without a pause: nobody is turned away, at the API or at the
# control socket, and a restart costs the recording less than two seconds.
limit=200

drive() {
    local n
    appliance < <(line front-desk 0)
    wait_lines front-desk
    count 0
    wait_counted 0 1000
    ask http curl -sS -o /dev/null --max-time 20 http://127.0.0.1:8080/healthz
    ask https curl -sSk -o /dev/null --max-time 20 https://localhost/healthz
    ask control callreel status
    for n in {1..20}; do
        systemctl restart callreeld.service || fail "restart $n: $(status)"
        wait_recorded front-desk 400
    done
    touch "$work/enough"
    wait "${asking[@]}"
    keep_recordings
    sound
}
asking=()

# ask NAME COMMAND...: runs it again and again; OUT/NAME.asked counts what went well, OUT/NAME.err
# has what did not.
ask() {
    local name=$1
    shift
    (
        well=0
        : >"$out/$name.err"
        while [ ! -e "$work/enough" ]; do
            if "$@" >/dev/null 2>"$work/$name.one"; then
                well=$((well + 1))
            else
                { uptime_ms && cat "$work/$name.one"; } >>"$out/$name.err"
            fi
        done
        printf '%s\n' $well >"$out/$name.asked"
    ) &
    asking+=($!)
}

judge() {
    local name n
    for name in http https control; do
        printf '%s: %s answers\n' $name "$(cat $name.asked)"
        if grep . $name.err; then return 1; fi
        [ "$(cat $name.asked)" -ge 20 ]
    done
    # The emulated machine is some ten times slower than a real one, and stumbles now and then.
    for n in {1..20}; do between "front-desk-$n.wav" front-desk-$((n + 1)).wav 4000; done | tee between
    [ "$(awk '{ print $1 }' between | sort -n | sed -n 10p)" -lt 2000 ]
}
