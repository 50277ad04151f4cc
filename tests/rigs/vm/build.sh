#!/usr/bin/env bash
# build.sh: makes the virtual machine of what is not there yet, and prints the folder with its
# vmlinux and initrd. Each part is named by a hash of the scripts that make it, so it is made once
# and then needs no network; what no script makes any more is removed.
set -euo pipefail
# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || die "another 'make test-vm' is building the virtual machine in $cache"

# part NAME SCRIPT ARG...: the folder of a part, made by SCRIPT ARG... FOLDER if it is missing.
part() {
    local folder=$cache/$1 script=$2 started=$SECONDS
    shift 2
    if [ ! -d "$folder" ]; then
        rm -rf "$folder.part"
        # Compilers and package tools talk much; it matters when they fail.
        "$rig/$script" "$@" "$folder.part" >"$cache/build.log" 2>&1 || {
            tail -n 30 "$cache/build.log" >&2
            rm -rf "$folder.part"
            die "$script failed; all it said is in $cache/build.log"
        }
        mv "$folder.part" "$folder"
        say "  made in $((SECONDS - started)) s: $(basename "$folder")" >&2
    fi
    printf '%s\n' "$folder"
}

base=root-$(key "$rig/lib.sh" "$rig/root.sh")
kernel=kernel-$(key "$rig/lib.sh" "$rig/kernel.sh")
image=image-$(printf '%s' "$base $kernel" | key "$rig/image.sh" "$rig/init" -)
if [ ! -d "$cache/$image" ]; then
    stage "Making the virtual machine; from Debian's archives what is not cached" >&2
    part "$base" root.sh >/dev/null
    part "$kernel" kernel.sh >/dev/null
    part "$image" image.sh "$cache/$base" "$cache/$kernel" >/dev/null
fi
for old in "$cache"/{root,kernel,image}-*; do
    case ${old##*/} in "$base" | "$kernel" | "$image") ;; *) rm -rf "$old" ;; esac
done
printf '%s\n' "$cache/$image"
