#!/usr/bin/env bash
# build.sh PACKAGE: makes the virtual machine with systemd of what is not there yet, with this
# package of Callreel installed; prints the folder of its kernel and initrd, then that of its disk.
# Cached as the other virtual machine is; an earlier package's disk is removed.
set -euo pipefail
# shellcheck source=tests/rigs/systemd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

package=$1
mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || die "another test is building a virtual machine in $cache"

base=root-$arch-$(key "$rig"/{lib,root}.sh "$here"/{lib,root}.sh)
if [ "$arch" = amd64 ]; then
    kernel=$("$rig/build.sh" kernel)
else
    kernel=kernel-$arch-$(key "$here"/{lib,kernel}.sh)
fi
mapfile -t files < <(find "$here/files" -type f | sort)
system=system-$arch-$(printf '%s' "$base ${kernel##*/}" |
    key "$here"/{system.sh,init} "$rig/parts.sh" "${files[@]}" -)
disk=disk-$arch-$(printf '%s' "$system" | key "$here/disk.sh" "$package" -)
remove_others "@(root|kernel|system|disk)-$arch-*" "$base" "${kernel##*/}" "$system" "$disk"
if [ ! -d "$cache/$disk" ]; then
    stage "Making the virtual machine; from Debian's archives what is not cached" >&2
    if [ ! -d "$cache/$system" ]; then
        part "$base" "$here/root.sh" >/dev/null
        case $kernel in /*) ;; *) kernel=$(part "$kernel" "$here/kernel.sh") ;; esac
        part "$system" "$here/system.sh" "$cache/$base" "$kernel" >/dev/null
    fi
    part "$disk" "$here/disk.sh" "$cache/$system" "$package" >/dev/null
fi
printf '%s\n' "$cache/$system" "$cache/$disk"
