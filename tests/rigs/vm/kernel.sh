#!/usr/bin/env bash
# kernel.sh OUT: Debian's kernel and modules, and DAHDI's modules built for it, twice: as Debian
# has them, and with CONFIG_DAHDI_MIRROR. Leaves in OUT: vmlinux (unpacked, so that the emulator
# need not), modules/ (Debian's tree), dahdi/plain and dahdi/mirror.
set -euo pipefail
# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Inside mmdebstrap's hook: fetches kernel and driver by the new system's own apt.
fetch() {
    local folder=$1/fetched image
    mkdir -p "$folder"
    cd "$folder"
    export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
    image=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
    [ -n "$image" ] || die "linux-image-amd64 names no kernel package"
    apt-get -q download "$image" dahdi-source
    for package in *.deb; do dpkg -x "$package" "$folder"; done
    printf '%s\n' "${image#linux-image-}" >"$folder/version"
}

# modules NAME FLAGS: the four modules that looped spans need, in NAME; the tree is built afresh.
modules() {
    local name=$1 flags=$2 version
    version=$(cat "$build/fetched/version")
    rm -rf "$build/dahdi"
    mkdir "$build/dahdi"
    tar -C "$build/dahdi" -xjf "$build/fetched/usr/src/dahdi.tar.bz2"
    local source=/dahdi/modules/dahdi
    chroot "$build" make -s -j2 -C "/lib/modules/$version/build" \
        KBUILD_EXTMOD=$source/drivers/dahdi DAHDI_INCLUDE=$source/include \
        DAHDI_MODULES_EXTRA=' ' DAHDI_BUILD_ALL= HOTPLUG_FIRMWARE=yes KCFLAGS="-w $flags" \
        CONFIG_DAHDI=m CONFIG_DAHDI_CORE=m CONFIG_DAHDI_DYNAMIC=m CONFIG_DAHDI_DYNAMIC_LOC=m \
        CONFIG_DAHDI_ECHOCAN_MG2=m CONFIG_PCI= modules
    mkdir -p "$out/dahdi/$name"
    for module in dahdi dahdi_dynamic dahdi_dynamic_loc dahdi_echocan_mg2; do
        cp "$build$source/drivers/dahdi/$module.ko" "$out/dahdi/$name/" ||
            die "the driver's source built no module $module"
    done
}

# unpack BZIMAGE OUT: the kernel itself. Where it lies stands in the boot header: sectors of the
# set-up code at 0x1f1, the offset of the packed kernel at 0x248. Debian packs with xz; what comes
# after the stream is not part of it.
unpack() {
    local sectors offset
    sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$1")
    offset=$(od -An -tu4 -j $((0x248)) -N 4 "$1")
    if [ "$sectors" -eq 0 ]; then sectors=4; fi
    xz -dc --single-stream < <(tail -c +$(((sectors + 1) * 512 + offset + 1)) "$1") >"$2" ||
        die "the kernel is not packed with xz: $1"
}

if [ "${2:-}" = inside ]; then
    fetch "$1"
    exit
fi

out=$1 build=$1/build
mkdir -p "$out"
bootstrap "$build" linux-headers-amd64,make,gcc,bzip2 \
    --customize-hook="'${BASH_SOURCE[0]}' \"\$1\" inside"
version=$(cat "$build/fetched/version")
say "    kernel $version; building DAHDI's modules for it, twice"
modules plain ''
modules mirror -DCONFIG_DAHDI_MIRROR
unpack "$build/fetched/boot/vmlinuz-$version" "$out/vmlinux"
mkdir -p "$out/modules/lib/modules"
mv "$build/fetched/lib/modules/$version" "$out/modules/lib/modules/"
printf '%s\n' "$version" >"$out/version"
rm -rf "$build"
