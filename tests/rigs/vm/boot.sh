#!/usr/bin/env bash
# boot.sh IMAGE SHARE CONSOLE SECONDS: runs SHARE/guest/run.sh in the virtual machine, emulated,
# with its console in a file. Exit code: the guest's own; 124 when it took too long; 125 when it
# did not come to an end (qemu's code says nothing about the guest).
set -euo pipefail
# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

image=$1 share=$2 console=$3 limit=$4 rc=0

# Paths with commas would end qemu's option.
# shellcheck disable=SC2054 # the commas are qemu's
machine=(timeout -k 5 "$limit" qemu-system-x86_64 -M q35 -accel "tcg,thread=multi" -cpu qemu64 -smp 2
    -m 1280 -nodefaults -no-user-config -display none -no-reboot -serial "file:${console//,/,,}"
    -kernel "$image/vmlinux" -initrd "$image/initrd"
    -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr"
    -fsdev "local,id=share,path=${share//,/,,},security_model=none"
    -device virtio-9p-pci,fsdev=share,mount_tag=share)

# Telephone channels keep time whatever else the machine does; where we may, we go first. Linux
# shares out by sessions, so it gets one of its own.
# shellcheck disable=SC2016 # the inner shell's own
setsid bash -c 'echo -15 2>/dev/null >/proc/self/autogroup
    renice -n -15 -p $$ >/dev/null 2>&1
    exec "$@"' boot "${machine[@]}" </dev/null &
trap 'kill $! 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
wait $! || rc=$?
case $rc in 124 | 137) exit 124 ;; esac
rc=$(tr -d '\r' <"$console" | sed -n 's/^CALLREEL-VM end \([0-9]*\)$/\1/p' | tail -n 1)
exit "${rc:-125}"
