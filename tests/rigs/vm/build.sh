#!/usr/bin/env bash
# build.sh: makes the virtual machine of what is not there yet, and prints the folder with its
# vmlinux and initrd; build.sh kernel: only its kernel, and prints that folder. Each part is named
# by a hash of the scripts that make it, so it is made once and then needs no network; what no
# script makes any more is removed.
set -euo pipefail
# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/rigs/vm/parts.sh
. "$rig/parts.sh"

mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || die "another 'make test-vm' is building the virtual machine in $cache"

base=root-$(key "$rig/lib.sh" "$rig/root.sh")
kernel=kernel-$(key "$rig/lib.sh" "$rig/kernel.sh")
image=image-$(printf '%s' "$base $kernel" |
    key "$rig/image.sh" "$rig/parts.sh" "$rig/init" -)
remove_others '@(root|kernel|image)-*' "$base" "$kernel" "$image"
if [ "${1:-}" = kernel ]; then
    part "$kernel" "$rig/kernel.sh"
    exit
fi
if [ ! -d "$cache/$image" ]; then
    stage "Making the virtual machine; from Debian's archives what is not cached" >&2
    part "$base" "$rig/root.sh" >/dev/null
    part "$kernel" "$rig/kernel.sh" >/dev/null
    part "$image" "$rig/image.sh" "$cache/$base" "$cache/$kernel" >/dev/null
fi
printf '%s\n' "$cache/$image"
