#!/usr/bin/env bash
# inside.sh SCRATCH ARCHIVE DIST ARCH VERSION OLDER: the scenarios of packaging/test-install.sh, run by
# it in namespaces of their own, in which there is no network and no process of the machine.
set -uo pipefail

scratch=$1 archive=$2 dist=$3 arch=$4 version=$5 older=$6
system=$scratch/system
passed=0 failed=0 daemon='' key='' task=''
url=http://127.0.0.1:8080

say() { printf '%s\n' "$*"; }

# check NAME COMMAND...: holds, or not.
check() {
    local name=$1
    shift
    if "$@" >"$scratch/said" 2>&1; then
        passed=$((passed + 1))
        say "ok      $name"
    else
        failed=$((failed + 1))
        say "FAILED  $name"
        tail -n 15 "$scratch/said" | sed 's/^/            /'
    fi
}

# fails_with CODE WORDS COMMAND...: ends with that code and says these words.
fails_with() {
    local code=$1 words=$2 rc=0 said
    shift 2
    said=$("$@" 2>&1) || rc=$?
    printf '%s\n(exit code %s, wanted %s)\n' "$said" "$rc" "$code"
    [ "$rc" -eq "$code" ] && grep -qF -- "$words" <<<"$said"
}

in_system() { chroot "$system" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root "$@"; }
as_callreel() { in_system setpriv --reuid callreel --regid callreel --init-groups "$@"; }
json() { in_system callreel --json "$@"; }

# ---- the system ---------------------------------------------------------------------------------

new_system() {
    if mountpoint -q "$system/proc"; then umount "$system/proc" "$system/dev"; fi
    rm -rf --one-file-system "$system"
    mkdir -p "$system"
    tar -x -C "$system" -f "$archive" --exclude='./dev/*'
    mount -t proc proc "$system/proc"
    mount -t tmpfs -o mode=755 tmpfs "$system/dev"
    for node in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
        # shellcheck disable=SC2086 # name and number
        set -- $node
        mknod -m 666 "$system/dev/$1" c 1 "$2"
    done
    ln -s /proc/self/fd "$system/dev/fd"
    mkdir "$system/dev/shm"
}

# unpack VERSION NAME: the bundle of that version, in /root/NAME of the system.
unpack() {
    mkdir -p "$system/root/$2"
    tar -xzf "$dist/callreel-${1%-*}-$arch.tar.gz" -C "$system/root/$2" --strip-components=1
}

# Makes the checksums of a bundle that was changed on purpose hold again.
summed_anew() {
    (cd "$system/root/$1" && find . -type f ! -name SHA256SUMS | sed 's|^\./||' | xargs sha256sum) \
        >"$scratch/sums"
    cp "$scratch/sums" "$system/root/$1/SHA256SUMS"
}

install_from() { in_system "/root/$1/install.sh" "${@:2}"; }
# shellcheck disable=SC2016 # dpkg's field
installed_version() { in_system dpkg-query -W -f '${Version}' callreel; }
not_installed() { ! in_system dpkg-query -W callreel >/dev/null 2>&1; }

# ---- refusals -----------------------------------------------------------------------------------

refusals() {
    local deb
    new_system
    unpack "$version" good
    check "no network is there" no_network
    cp -r "$system/root/good" "$system/root/changed"
    deb=$(find "$system/root/changed/packages" -name 'callreel_*.deb')
    printf 'x' | dd of="$deb" bs=1 seek=5000 conv=notrunc status=none
    check "a changed package is refused" fails_with 3 "$(basename "$deb"): FAILED" install_from changed
    cp -r "$system/root/good" "$system/root/more"
    touch "$system/root/more/packages/more.deb"
    check "a file too many is refused" fails_with 3 "does not name" install_from more
    cp -r "$system/root/good" "$system/root/less"
    find "$system/root/less/packages" -name 'libasound2_*' -delete
    check "a file too few is refused" fails_with 3 "libasound2" install_from less
    cp -r "$system/root/good" "$system/root/foreign"
    echo m68k >"$system/root/foreign/ARCHITECTURE"
    summed_anew foreign
    check "another machine is refused" fails_with 4 "is for m68k, and this machine is $arch" \
        install_from foreign
    check "who is not root is refused" fails_with 5 "as root" not_as_root
    check "an unknown argument is refused" fails_with 2 "usage" install_from good --frobnicate
    cp -a "$system/etc/os-release" "$scratch/os-release"
    rm "$system/etc/os-release"
    printf 'PRETTY_NAME="Other 1"\nVERSION_CODENAME=other\n' >"$system/etc/os-release"
    check "another release is refused" fails_with 4 "and this is Other 1" install_from good
    rm "$system/etc/os-release"
    cp -a "$scratch/os-release" "$system/etc/os-release"
    check "a dry run says what would be done" fails_with 0 "would install callreel $version" \
        install_from good --dry-run
    check "and nothing of all this installed anything" not_installed
}

not_as_root() {
    cp -r "$system/root/good" "$system/tmp/good"
    chroot --userspec=nobody:nogroup "$system" /tmp/good/install.sh
}

no_network() { [ "$(ip -o link | wc -l)" -eq 1 ] && [ -z "$(ip route)" ]; }

# ---- what an installation leaves ------------------------------------------------------------------

# Mode, owner, group and path.
expected_files() {
    cat <<'LIST'
755 root root /usr/bin/callreel
755 root root /usr/bin/callreeld
644 root root /etc/callreel/callreel.toml
644 root root /etc/callreel/conf.d/10-appliance.toml
700 root root /etc/callreel/credentials
750 callreel callreel /var/lib/callreel
644 root root /usr/lib/systemd/system/callreeld.service
644 root root /usr/lib/systemd/system/callreeld-http.socket
644 root root /usr/lib/systemd/system/callreeld-https.socket
644 root root /usr/lib/systemd/system/callreeld-control.socket
644 root root /usr/lib/systemd/system/callreel-check.service
644 root root /usr/lib/systemd/system/callreel-check.timer
644 root root /usr/lib/sysusers.d/callreel.conf
644 root root /usr/lib/tmpfiles.d/callreel.conf
644 root root /usr/lib/udev/rules.d/60-callreel.rules
644 root root /usr/share/man/man1/callreel.1.gz
644 root root /usr/share/man/man5/callreel.toml.5.gz
644 root root /usr/share/man/man8/callreeld.8.gz
644 root root /usr/share/doc/callreel/copyright
644 root root /usr/share/doc/callreel/licences.txt.gz
644 root root /usr/share/doc/callreel/html/index.html
644 root root /usr/share/doc/callreel/examples/asterisk/extensions.conf
LIST
}

files_are_right() {
    local line rc=0
    while read -r line; do
        if [ "$(in_system stat -c '%a %U %G %n' "${line##* }")" != "$line" ]; then
            say "wanted: $line; found: $(in_system stat -c '%a %U %G %n' "${line##* }")"
            rc=1
        fi
    done < <(expected_files)
    return $rc
}

user_is_right() {
    in_system getent passwd callreel
    in_system id callreel
    [ "$(in_system getent passwd callreel | cut -d : -f 6,7)" = /var/lib/callreel:/usr/sbin/nologin ] &&
        [ "$(in_system id -Gn callreel | tr ' ' '\n' | sort | tr '\n' ' ')" = "audio callreel dahdi " ] &&
        [ "$(in_system id -u callreel)" -lt 1000 ]
}

units_are_enabled() {
    local etc=$system/etc/systemd/system
    find "$etc" -name 'callreel*'
    for link in multi-user.target.wants/callreeld.service sockets.target.wants/callreeld-http.socket \
        sockets.target.wants/callreeld-https.socket sockets.target.wants/callreeld-control.socket \
        timers.target.wants/callreel-check.timer; do
        [ -L "$etc/$link" ] || return 1
    done
}

pages_are_whole() {
    local name
    for name in "$system"/usr/share/man/man?/callreel*; do gzip -t "$name" || return 1; done
    zcat "$system/usr/share/man/man1/callreel-key-issue.1.gz" | grep -q '^\.SH EXAMPLE'
    # Nothing on a page is loaded from elsewhere; every link between pages leads somewhere.
    ! grep -rnE '(src|<link[^>]* href)="(https?:)?//' "$system/usr/share/doc/callreel/html" || return 1
    while read -r name; do
        [ -e "$system/usr/share/doc/callreel/html/$name" ] || { say "no $name" && return 1; }
    done < <(grep -ohE 'href="[^"#:]+' "$system"/usr/share/doc/callreel/html/*.html |
        sed 's/href="//' | sort -u)
}

libraries_are_there() {
    local out
    out=$(in_system ldd /usr/bin/callreeld /usr/bin/callreel) || return 1
    say "$out"
    if grep 'not found' <<<"$out"; then return 1; fi
    out=$(in_system callreel --version)
    [ -n "$out" ] && [ "$(in_system callreeld --version)" = "callreeld ${out#callreel }" ]
}

# Every component has a name, a version and an identity; the package and its neighbours are there.
bill_is_sound() {
    jq -e --arg version "$version" '
        .bomFormat == "CycloneDX" and .specVersion == "1.6" and (.components | length > 150)
        and all(.components[]; (.name | length > 0) and (.version | length > 0) and (."bom-ref" | length > 0))
        and ([.components[]."bom-ref"] | length == (unique | length))
        and any(.components[]; .name == "callreel" and .version == $version)
        and any(.components[]; .name == "libasound2") and any(.components[]; .name == "hyper")
        and ([.components[]."bom-ref", .metadata.component."bom-ref"] as $known
            | all(.dependencies[]; .ref | IN($known[])) and all(.dependencies[].dependsOn[]; IN($known[])))' \
        "$system/root/$1/sbom.cdx.json"
}

# ---- the daemon, by hand ------------------------------------------------------------------------

start() {
    in_system install -d -o callreel -g callreel /run/callreel
    # The process that is waited for becomes the daemon itself.
    (exec chroot "$system" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 \
        setpriv --reuid callreel --regid callreel --init-groups callreeld) >>"$scratch/journal" 2>&1 &
    daemon=$!
    for _ in $(seq 100); do
        if curl -fsS -o "$scratch/ready" --max-time 2 "$url/readyz" 2>/dev/null; then return 0; fi
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 20 "$scratch/journal"
    return 1
}

stop() {
    local rc=0
    kill -TERM "$daemon" && wait "$daemon" || rc=$?
    return $rc
}

# A sound device that says nothing is one, too.
admin_settings() {
    cat >"$system/etc/callreel/conf.d/50-site.toml" <<'TOML'
[[line]]
name = "desk"
tenant = "acme"
capture = "null"
trigger = "api"
TOML
    printf '\n# a note of the administrator\n' >>"$system/etc/callreel/callreel.toml"
}

records() {
    local id
    id=$(json record start --line desk --from +15550100 | jq -r '[.. | objects | .recid? // empty] | first') ||
        return 1
    sleep 2
    json record stop "$id" || return 1
    for _ in $(seq 50); do
        task=$(json recordings list --tenant acme --state stored |
            jq -r '[.. | objects | .task_id? // empty] | first // empty')
        if [ -n "$task" ]; then break; fi
        sleep 0.2
    done
    [ -n "$task" ] || return 1
    key=$(json key issue --tenant acme --family task-audio | jq -r '[.. | objects | .secret? // empty] | first')
    sound >"$scratch/sound.wav" && [ "$(stat -c %s "$scratch/sound.wav")" -gt 20000 ] &&
        [ "$(head -c 4 "$scratch/sound.wav")" = RIFF ]
}

sound() { curl -fsS --max-time 10 -H "X-API-Key: $key" "$@" "$url/api/v1/sse/audio/$task"; }

ranges_are_exact() {
    sound -r 100-1099 | cmp - <(tail -c +101 "$scratch/sound.wav" | head -c 1000)
}

sound_is_the_same() { sound | cmp - "$scratch/sound.wav"; }
store_is_sound() { json check | tee "$scratch/checked" && in_system callreel check; }
one_recording() { [ "$(json recordings list --tenant acme --all | jq '[.. | objects | .task_id? // empty] | length')" -eq 1 ]; }
encrypted() { curl -fsS --max-time 10 -k "https://127.0.0.1/healthz"; }

# ---- life ---------------------------------------------------------------------------------------

life() {
    local started
    new_system
    # Ports below 1024 are systemd's business; here the daemon opens them itself.
    echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
    unpack "$older" older
    unpack "$version" newer
    started=$SECONDS
    check "an installation on the smallest Debian 12" install_from older
    # Without one there is nothing to say of the rest.
    not_installed && return
    say "        it took $((SECONDS - started)) s"
    check "the version is the bundle's" test "$(installed_version)" = "$older"
    check "files, modes and owners" files_are_right
    check "user and groups" user_is_right
    check "units are enabled" units_are_enabled
    check "man pages and HTML" pages_are_whole
    check "libraries and versions" libraries_are_there
    check "bill of materials" bill_is_sound newer
    check "the configuration as installed" as_callreel callreeld --check
    admin_settings
    check "the configuration with a line" as_callreel callreeld --check
    check "the daemon starts as user callreel" start
    check "it records and gives the recording out" records
    check "a range of it is exact" ranges_are_exact
    check "HTTPS with the certificate that was made" encrypted
    check "it stops" stop

    started=$SECONDS
    check "an update over it" install_from newer
    say "        it took $((SECONDS - started)) s"
    check "the version is the newer one" test "$(installed_version)" = "$version"
    check "the administrator's changes are kept" grep -q 'a note of the administrator' \
        "$system/etc/callreel/callreel.toml"
    check "nothing is left half done" test -z "$(in_system dpkg --audit)"
    check "units are still enabled" units_are_enabled
    check "once more is harmless" fails_with 0 "nothing, or repair" install_from newer
    check "the new daemon starts with the old data" start
    check "the recording is as it was" sound_is_the_same
    check "the store is sound" store_is_sound
    check "it stops again" stop
    check "an older version is not put over it by mistake" fails_with 1 "--go-back" install_from older
    check "but it is when asked for" install_from older --go-back
    check "going back went back" test "$(installed_version)" = "$older"
    check "and forward again" install_from newer

    ends
}

ends() {
    check "removal" in_system apt-get -q -y remove callreel
    check "removal takes the programs" test ! -e "$system/usr/bin/callreeld"
    check "removal keeps the settings" test -e "$system/etc/callreel/callreel.toml"
    check "a purge says where recordings are kept" fails_with 0 "kept in /var/lib/callreel" \
        in_system dpkg --purge callreel
    check "a purge takes the settings" test ! -e "$system/etc/callreel/callreel.toml"
    check "a purge takes the links of units" \
        test -z "$(find "$system/etc/systemd/system" "$system/var/lib/systemd" -name 'callreel*')"
    check "after another installation" install_from newer
    check "the recordings are there" start
    check "the recording is the same" sound_is_the_same
    check "one recording, no more" one_recording
    check "it stops a third time" stop
    touch "$system/etc/callreel/purge-recordings"
    check "a purge that is asked to removes recordings" in_system dpkg --purge callreel
    check "nothing is left of them" test ! -e "$system/var/lib/callreel"
    check "nor of the user" fails_with 2 "" in_system getent passwd callreel
}

ip link set lo up
refusals
life
if [ $failed -gt 0 ]; then tail -n 20 "$scratch/journal" 2>/dev/null | sed 's/^/    /'; fi
umount "$system/proc" "$system/dev"
say "$passed passed, $failed failed"
[ $failed -eq 0 ]
