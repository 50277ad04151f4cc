# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# What the first start makes: a certificate that HTTPS is served with, and the administrator's key.
# Both are told once, however often the daemon starts; both work.
limit=90

drive() {
    local n
    appliance </dev/null
    for n in 1 2; do systemctl restart callreeld.service || fail "restart: $(status)"; done
    stat -c '%U:%G %a %n' "$data/keys" "$data/keys"/* >"$out/modes.txt"
    curl -sS --cacert "$data/keys/certificate.pem" https://localhost/healthz >"$out/healthz.txt"
    curl -sS -o /dev/null -w '%{http_code}\n' -H "X-Admin-API-Key: $(cat "$data/keys/admin.key")" \
        -H 'Content-Type: application/json' -d '{"api_key":"application-key-01"}' \
        http://127.0.0.1:8080/admin/apps/acme >"$out/admin.txt"
    openssl x509 -in "$data/keys/certificate.pem" -noout -fingerprint -sha256 |
        sed 's/.*=//' >"$out/fingerprint.txt"
    cat "$data/keys/admin.key" >"$out/admin-key.txt"
}

judge() {
    grep -qx 'callreel:callreel 700 /var/lib/callreel/keys' modes.txt
    [ "$(grep -c '^callreel:callreel 600 .*/\(certificate.pem\|certificate.key\|admin.key\)$' modes.txt)" = 3 ]
    grep . healthz.txt
    grep -qx '20[01]' admin.txt
    entry ".MESSAGE | ascii_upcase | contains(\"$(cat fingerprint.txt)\")" 1 ||
        entry ".MESSAGE | ascii_upcase | contains(\"$(tr -d : <fingerprint.txt)\")" 1
    entry ".MESSAGE | contains(\"$(cat admin-key.txt)\")" 1
}
