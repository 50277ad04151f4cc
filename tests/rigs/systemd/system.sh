#!/usr/bin/env bash
# system.sh ROOT KERNEL OUT: the machine without the product: OUT/root, its file system with the
# kernel's modules and the rig's own unit; OUT/vmlinux or vmlinuz; OUT/initrd.
set -euo pipefail
# shellcheck source=tests/rigs/systemd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

base=$1 kernel=$2 out=$3
version=$(cat "$kernel/version")
mkdir -p "$out"
cp -a "$base" "$out/root"

modules_into "$kernel" "$out/root" virtio_pci virtio_blk ext4 crc32c_generic 9p 9pnet_virtio \
    snd-aloop crc-ccitt
if [ -d "$kernel/dahdi" ]; then
    cp -a "$kernel/dahdi/plain" "$out/root/lib/modules/$version/dahdi"
fi
depmod -b "$out/root" "$version"
cp -a --no-preserve=ownership "$here/files/." "$out/root/"

# What a machine does once in its life, or for people.
for unit in systemd-{firstboot,hwdb-update,journal-catalog-update,update-done,pstore,random-seed} \
    systemd-{machine-id-commit,repart,timesyncd,update-utmp,binfmt} e2scrub_reap; do
    ln -sf /dev/null "$out/root/etc/systemd/system/$unit.service"
done
for unit in {apt-daily,apt-daily-upgrade,dpkg-db-backup,fstrim,e2scrub_all}.timer getty.target; do
    ln -sf /dev/null "$out/root/etc/systemd/system/$unit"
done
printf '0123456789abcdef0123456789abcdef\n' >"$out/root/etc/machine-id"
printf 'guest\n' >"$out/root/etc/hostname"
printf '127.0.0.1 localhost guest\n::1 localhost\n' >"$out/root/etc/hosts"

stage=$(mktemp -d "$out/stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage"/{bin,dev,proc,sys,new,modules}
cp "$base/bin/busybox" "$stage/bin/"
modules "$kernel" virtio_pci virtio_blk crc32c_generic ext4 | while read -r module; do
    cp "$module" "$stage/modules/"
    printf '%s\n' "${module##*/}"
done >"$stage/modules/order"
install -m 755 "$here/init" "$stage/init"
(cd "$stage" && find . -print0 | cpio --quiet -0 -o -H newc) >"$out/initrd"
for image in vmlinux vmlinuz; do
    if [ -e "$kernel/$image" ]; then cp "$kernel/$image" "$out/"; fi
done
