#!/usr/bin/env bash
# test-systemd.sh [NAME...]: the appliance: Callreel's package on a Debian 12 with systemd, its real
# units, kernel, loopback sound card and disks, in a virtual machine. Runs the scenarios of
# tests/rigs/systemd/scenarios and judges what they left. Ends with "N passed, N failed".
# CALLREEL_RIG_ARCH=arm64 does it on an emulated ARM machine (test-arm.sh); CALLREEL_DEB names the
# package to test, CALLREEL_DEB_OLD an older one to upgrade from.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/rigs/systemd/lib.sh
. "$root/tests/rigs/systemd/lib.sh"
# shellcheck source=packaging/targets.sh
. "$root/packaging/targets.sh"
# shellcheck source=tests/rigs/vm/drive.sh
. "$rig/drive.sh"

run=$cache/run-$arch
# shellcheck disable=SC2034 # drive.sh uses it
scenes=$here
data_mib=512

# package: the package under test, from the programs in target/dist unless another is named.
package() {
    local found=${CALLREEL_DEB:-} dist
    if [ -z "$found" ]; then
        "$root/packaging/package" "$arch" >&2
        dist=$target/dist/$(triple "$arch")
        found=$dist/callreel_$(version)-1_$arch.deb
    fi
    [ -e "$found" ] || die "there is no package $found"
    [ "$(dpkg-deb --field "$found" Architecture)" = "$arch" ] || die "$found is not for $arch"
    printf '%s\n' "$found"
}

# older PACKAGE OUT: an older package to come from. Without one of an earlier release it is the same
# under an older version's number: the way over it is the same.
older() {
    local unpacked=$run/older
    if [ -n "${CALLREEL_DEB_OLD:-}" ]; then
        cp "$CALLREEL_DEB_OLD" "$2"
        return
    fi
    dpkg-deb --raw-extract "$1" "$unpacked"
    sed -i 's/^Version: .*/Version: 0.0.1-1/' "$unpacked/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone --build "$unpacked" "$2" >/dev/null
    rm -rf "$unpacked"
}

# new_machine: the machine as it leaves the factory: the package installed, never booted, and an
# empty disk for recordings.
new_machine() {
    rm -f "$run"/*.img*
    cp --reflink=auto --sparse=always "$disk/root.img" "$run/root.img"
    mke2fs -q -F -t ext4 "$run/data.img" "${data_mib}M" 2>&1 | grep -v Creating || true
}

# boot_machine SECONDS: on the disks as they are. When its power is cut, the recordings' disk keeps
# only what it had reported as safe, as a disk with a cache of its own does.
boot_machine() {
    local rc=0
    cp --reflink=auto --sparse=always "$run/data.img" "$run/data.before"
    "$rig/boot.sh" -a "$arch" -d "$run/root.img" -w "$run/data.img" \
        -k "systemd.unit=rig.target systemd.show_status=0" \
        "$system" "$run/share" "$run/console" "$1" || rc=$?
    if [ $rc -eq 20 ]; then
        "$here/cut.py" "$run/data.img.writes" "$run/data.before" | sed 's/^/  /'
        mv "$run/data.before" "$run/data.img"
    fi
    return $rc
}

main() {
    local names deb made system disk
    choose "$@"
    "$root/packaging/setup.sh" "$([ "$arch" = amd64 ] && echo vm || echo arm)"
    mkdir -p "$cache"
    exec 8>"$cache/run-$arch.lock"
    flock -n 8 || die "another test is running in $run"
    deb=$(package)
    say "  the package under test: $deb"
    made=$("$here/build.sh" "$deb")
    { read -r system && read -r disk; } <<<"$made"
    lay_out
    cp "$deb" "$run/share/callreel.deb"
    older "$deb" "$run/share/older.deb"
    "$rig/sounds.py" "$run/share/sounds"
    "$here/counter.py" write "$run/share/counter.wav" 320
    stage "${#names[@]} scenarios in a virtual machine with systemd ($arch), about $((${#names[@]} * 25)) s"
    drive "${names[@]}"
    report "${names[@]}"
}

main "$@"
