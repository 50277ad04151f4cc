# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# What a restart cannot mend: the unit fails with the code that says what it is, names thing and
# remedy in the journal, and is not started again and again.
limit=150

drive() {
    appliance </dev/null
    systemctl stop callreeld.service

    printf '[http]\nworkers = "many"\n' >"$own"
    refused configuration 2 50-rig.toml
    rm "$own"

    systemctl stop "${units[@]}"
    busybox httpd -f -p 127.0.0.1:8080 &
    players+=($!)
    until_true 5 listening 8080
    refused port 10 127.0.0.1:8080
    kill "${players[0]}"
    systemctl reset-failed
    systemctl start "${units[@]}"
    systemctl stop callreeld.service

    cp -a "$data/index.redb" "$work/"
    schema_of_the_future
    refused index 12 'schema'
    cp -a "$work/index.redb" "$data/"

    chown root:root "$data/index.redb"
    refused denied 5 "$data"
    chown callreel:callreel "$data/index.redb"

    mount -o remount,ro "$data"
    refused disk 11 "$data"
    mount -o remount,rw "$data"

    expired_certificate
    refused certificate 13 certificate
    rm -f /etc/callreel/credentials/*

    systemctl start callreeld.service || fail "mended, it does not start: $(status)"
    sound
}

listening() { ss -Hltn "sport = $1" | grep -q .; }

# refused NAME CODE WORD: the service does not start, ends with this code, stays down, and the journal
# names this.
refused() {
    local name=$1 code=$2 from
    from=$(journalctl --no-pager -n 1 -o json | jq -r .__CURSOR)
    systemctl reset-failed callreeld.service
    if systemctl start callreeld.service; then fail "$name: it starts"; fi
    until_true 20 is_prop ActiveState failed || fail "$name: it is no failure: $(status)"
    sleep 2
    journalctl --no-pager -u callreeld --after-cursor="$from" -o cat >"$out/$name.txt"
    say "$name: $(prop ActiveState), $(prop Result), $(prop ExecMainStatus), $(prop NRestarts) restarts"
    { is_prop ActiveState failed && is_prop ExecMainStatus "$code" && is_prop NRestarts 0; } ||
        fail "$name: not code $code, or not at rest: $(status)"
    grep -F -- "$3" "$out/$name.txt" || fail "$name: the journal does not name $3"
}

# schema_of_the_future: the index says that a later program made it. Its table of facts holds the
# keys one after the other and then their values: 32 bytes of hash_secret, 8 of each *_high, 4 of
# schema.
schema_of_the_future() {
    # shellcheck disable=SC2016 # perl's variables
    perl -e 'local $/; open my $file, "+<:raw", $ARGV[0] or die; my $all = <$file>;
        while ($all =~ /hash_secret((?:[a-z_]*?_high)*)schema(?:[a-z_]*?_high|token_prefix)*/g) {
            my ($end, $before) = (pos $all, $1);
            seek $file, $end + 32 + 8 * (() = $before =~ /_high/g), 0;
            print $file pack "N", 99;
        }' "$data/index.redb"
}

# expired_certificate: where the service looks for one, made while the clock was wrong.
expired_certificate() {
    local now
    now=$(date +%s)
    date -s 2020-01-01 >/dev/null
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=guest \
        -keyout /etc/callreel/credentials/certificate.key \
        -out /etc/callreel/credentials/certificate.pem 2>/dev/null
    date -s "@$now" >/dev/null
}

judge() {
    for name in configuration port index denied disk certificate; do
        printf '%s:\n' $name
        grep . $name.txt
    done
}
