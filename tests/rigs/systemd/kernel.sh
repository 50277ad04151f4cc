#!/usr/bin/env bash
# kernel.sh OUT: Debian's kernel for arm64: OUT/vmlinuz, OUT/version and OUT/modules. (That for
# amd64 is made by the other virtual machine's script, with DAHDI's modules.) The package is
# unpacked, not installed: an initramfs of its own would be built in emulation.
set -euo pipefail
# shellcheck source=tests/rigs/systemd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out=$1
mkdir -p "$out"
cd "$out"
dpkg --print-foreign-architectures | grep -qx arm64 ||
    die "apt does not know arm64 here; run 'packaging/setup.sh arm'"
image=$(apt-cache depends linux-image-arm64:arm64 |
    awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
[ -n "$image" ] || die "linux-image-arm64 names no kernel package; run 'apt-get update'"
image=${image%:arm64}
apt-get -q download "$image:arm64"
dpkg -x "$image"_*.deb unpacked
version=${image#linux-image-}
mkdir -p modules/lib/modules
mv "unpacked/lib/modules/$version" modules/lib/modules/
mv "unpacked/boot/vmlinuz-$version" vmlinuz
printf '%s\n' "$version" >version
rm -rf unpacked ./*.deb
