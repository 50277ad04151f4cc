#!/usr/bin/env bash
# test-install.sh: the offline bundle on the smallest Debian 12, without a network: refusals, a first
# installation, a recording, an update over it, removal and both kinds of purge. Makes the bundle,
# and one of an older version, from the programs in target/dist (built when they are not there;
# CALLREEL_BIN names others). The system is made once and kept in target/bare. Needs root. Ends with
# "N passed, N failed".
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=packaging/debian.sh
. "$root/packaging/debian.sh"

older=0.0.9-1

# bare ARCH: a tar archive of the smallest Debian 12.
bare() {
    local archive=$target/bare/$1.tar
    if [ ! -e "$archive" ]; then
        stage "Making the smallest Debian 12 for $1" >&2
        mkdir -p "$target/bare"
        debian_sources >"$target/bare/sources.list"
        mmdebstrap --quiet --format=tar --architectures="$1" --variant=minbase --aptopt='Acquire::Languages "none"' \
            bookworm "$archive.part" "$target/bare/sources.list" >&2
        mv "$archive.part" "$archive"
    fi
    printf '%s\n' "$archive"
}

main() {
    local arch archive rc=0 version
    [ "$(id -u)" -eq 0 ] || die "chroot, namespaces and file owners need root"
    "$root/packaging/setup.sh" install
    arch=$(dpkg --print-architecture)
    version=$(version)-1
    "$root/packaging/bundle" --fast --deb-version "$older" "$arch"
    # Programs of somebody else's are no release, and may be large: no time is spent on their size.
    "$root/packaging/bundle" ${CALLREEL_BIN:+--fast} "$arch"
    archive=$(bare "$arch")
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/callreel-install.XXXXXX")
    trap 'rm -rf --one-file-system "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    stage "Installing on Debian 12 without a network"
    timeout 900 unshare --net --mount --pid --ipc --uts --fork --kill-child --mount-proc \
        "$root/tests/rigs/install/inside.sh" "$scratch" "$archive" "$target/dist" "$arch" \
        "$version" "$older" || rc=$?
    [ $rc -ne 124 ] || die "it took more than 900 s"
    return $rc
}

main "$@"
