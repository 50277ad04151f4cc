#!/usr/bin/env bash
# image.sh ROOT KERNEL OUT: packs the guest: OUT/vmlinux and OUT/initrd. The whole system lives in
# memory, from an initramfs, so every boot finds the same one. Of Debian's modules it holds only
# those that are used.
set -euo pipefail
# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/rigs/vm/parts.sh
. "$rig/parts.sh"

base=$1 kernel=$2 out=$3
version=$(cat "$kernel/version")
mkdir -p "$out"
stage=$(mktemp -d "$out/stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT

cp -a "$base/." "$stage/"
place=$stage/lib/modules/$version

# The devices of the virtual machine, the loopback card, and what DAHDI's modules ask for.
modules_into "$kernel" "$stage" virtio_pci 9p 9pnet_virtio snd-aloop crc-ccitt

# Each set of DAHDI's modules is a tree of its own for modprobe -d: only one can be loaded.
for set in plain mirror; do
    mkdir -p "$stage/dahdi/$set/lib/modules"
    cp -a "$place" "$stage/dahdi/$set/lib/modules/$version"
    cp -a "$kernel/dahdi/$set" "$stage/dahdi/$set/lib/modules/$version/dahdi"
    depmod -b "$stage/dahdi/$set" "$version"
done
depmod -b "$stage" "$version"

install -m 755 "$rig/init" "$stage/init"
(cd "$stage" && find . -print0 | cpio --quiet -0 -o -H newc) >"$out/initrd.part"
cp "$kernel/vmlinux" "$out/vmlinux"
mv "$out/initrd.part" "$out/initrd"
