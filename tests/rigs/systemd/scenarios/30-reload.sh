# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# 'systemctl reload' returns when the new configuration is in force; one that cannot be used leaves
# the old one in force and says so. What is being recorded goes on without a gap.
limit=90

drive() {
    local key n pid
    key=/etc/callreel/admin.key
    prepare < <(printf '[admin]\nkey_file = "%s"\n' $key && line front-desk 0)
    install -m 640 -g callreel /dev/null $key
    printf 'the-first-admin-key-0001\n' >$key
    go
    wait_lines front-desk
    count 0
    pid=$(prop MainPID)
    wait_counted 0 2000
    opens the-first-admin-key-0001
    for n in 2 3 4; do
        printf 'the-other-admin-key-000%s\n' $n >$key
        systemctl reload callreeld.service || fail "reload: $(status)"
        opens the-other-admin-key-000$n
    done
    if opens the-first-admin-key-0001; then fail "the old key still opens"; fi

    printf 'the-other-admin-key-0005\n' >$key
    printf '[http]\nworkers = "many"\n' >/etc/callreel/conf.d/60-broken.toml
    if systemctl reload callreeld.service; then fail "a broken configuration was taken"; fi
    opens the-other-admin-key-0004
    rm /etc/callreel/conf.d/60-broken.toml
    systemctl reload callreeld.service
    opens the-other-admin-key-0005
    wait_counted 0 6000
    [ "$(prop MainPID)" = "$pid" ] || fail "it is another daemon"
    keep_recordings
    sound
}

# opens KEY: does this administrator's key set an application?
opens() {
    local code
    code=$(curl -sS -o /dev/null -w '%{http_code}' -H "X-Admin-API-Key: $1" \
        -H 'Content-Type: application/json' -d '{"api_key":"application-key-01"}' http://127.0.0.1:8080/admin/apps/acme)
    case $code in 2??) ;; *) say "key $1: $code" && return 1 ;; esac
}

judge() {
    whole front-desk-1.wav 5000
    entry '.MESSAGE | test("60-broken.toml")'
}
