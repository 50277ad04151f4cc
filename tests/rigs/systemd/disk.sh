#!/usr/bin/env bash
# disk.sh SYSTEM PACKAGE OUT: OUT/root.img: the system with Callreel's package installed by dpkg,
# which finds no network and may start nothing: the first boot does.
set -euo pipefail
# shellcheck source=tests/rigs/systemd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

system=$1 package=$2 out=$3
as_root "installing the package in the virtual machine's file system"
mkdir -p "$out"
stage=$(mktemp -d "$out/stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT

install_package() {
    printf '#!/bin/sh\nexit 101\n' >"$stage/usr/sbin/policy-rc.d"
    chmod 755 "$stage/usr/sbin/policy-rc.d"
    cp "$package" "$stage/tmp/callreel.deb"
    chroot "$stage" env DEBIAN_FRONTEND=noninteractive dpkg --install /tmp/callreel.deb || return
    rm "$stage/usr/sbin/policy-rc.d" "$stage/tmp/callreel.deb"
}

cp -a -T "$system/root" "$stage"
export stage package
with_foreign unshare --net bash -c "$(declare -f install_package); install_package" ||
    die "the package does not install: $package"
# Half as much again for what the scenarios install and the journal.
size=$(($(du -sm "$stage" | cut -f 1) * 3 / 2 + 160))
mke2fs -q -t ext4 -E lazy_itable_init=1 -d "$stage" "$out/root.img" "${size}M"
