#!/usr/bin/env bash
# image.sh ROOT KERNEL OUT: packs the guest: OUT/vmlinux and OUT/initrd. The whole system lives in
# memory, from an initramfs, so every boot finds the same one. Of Debian's modules it holds only
# those that are used.
set -euo pipefail
# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

base=$1 kernel=$2 out=$3
version=$(cat "$kernel/version")
mkdir -p "$out"
stage=$(mktemp -d "$out/stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT

cp -a "$base/." "$stage/"
tree=$kernel/modules/lib/modules/$version
place=$stage/lib/modules/$version
mkdir -p "$place"
cp "$tree"/modules.builtin* "$tree"/modules.order "$place/"
depmod -b "$kernel/modules" "$version"

# The devices of the virtual machine, the loopback card, and what DAHDI's modules ask for.
modprobe -d "$kernel/modules" -S "$version" --show-depends -a \
    virtio_pci 9p 9pnet_virtio snd-aloop crc-ccitt |
    awk '$1 == "insmod" { print $2 }' | sort -u |
    while read -r module; do
        install -D -m 644 "$module" "$place/${module#*"/modules/$version/"}"
    done

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
