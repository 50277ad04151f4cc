#!/usr/bin/env bash
# kernel.sh OUT: Debian's kernel for arm64: OUT/vmlinuz, OUT/version and OUT/modules. (That for
# amd64 is made by the other virtual machine's script, with DAHDI's modules.) The package is
# unpacked, not installed: an initramfs of its own would be built in emulation.
set -euo pipefail
# shellcheck source=tests/rigs/systemd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=packaging/debian.sh
. "$root/packaging/debian.sh"

out=$1
mkdir -p "$out"
cd "$out"
debian_update arm64
image=$(apt_for arm64 apt-cache depends linux-image-arm64 |
    awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
[ -n "$image" ] || die "linux-image-arm64 names no kernel package"
apt_for arm64 apt-get download "$image"
dpkg -x "$image"_*.deb unpacked
version=${image#linux-image-}
mkdir -p modules/lib/modules
mv "unpacked/lib/modules/$version" modules/lib/modules/
mv "unpacked/boot/vmlinuz-$version" vmlinuz
printf '%s\n' "$version" >version
rm -rf unpacked ./*.deb
