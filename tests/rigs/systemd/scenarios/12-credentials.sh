# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# A certificate and an administrator's key of one's own, in the folder that only root can read: the
# service passes them on, and they go before what the first start made. After a change a restart
# takes the new ones.
limit=60

drive() {
    local n folder=/etc/callreel/credentials
    prepare </dev/null
    for n in 1 2; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
            -subj "/CN=own-$n" -addext subjectAltName=DNS:localhost \
            -keyout $folder/certificate.key -out $folder/certificate.pem 2>/dev/null
        printf 'the-admin-key-of-our-own-%s\n' $n >$folder/admin.key
        chmod 600 $folder/*
        if [ $n = 1 ]; then go; else systemctl restart callreeld.service; fi
        curl -sS --cacert $folder/certificate.pem https://localhost/healthz >>"$out/healthz.txt" ||
            fail "HTTPS is not served with certificate $n"
        curl -sS -o /dev/null -w '%{http_code}\n' -H "X-Admin-API-Key: the-admin-key-of-our-own-$n" \
            -H 'Content-Type: application/json' -d '{"api_key":"application-key-01"}' \
            http://127.0.0.1:8080/admin/apps/acme >>"$out/admin.txt"
    done
    ls -l /run/credentials/callreeld.service >"$out/credentials.txt"
}

judge() {
    [ "$(grep -c '^20[01]$' admin.txt)" = 2 ]
    grep -q callreel_certificate.pem credentials.txt
}
