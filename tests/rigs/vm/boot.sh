#!/usr/bin/env bash
# boot.sh [-a ARCH] [-d DISK] [-w DISK] [-k WORDS] IMAGE SHARE CONSOLE SECONDS: runs the virtual
# machine, emulated, with its console in a file and SHARE for it to run SHARE/guest/run.sh from.
#   -a  amd64 (IMAGE/vmlinux) or arm64 (IMAGE/vmlinuz); IMAGE/initrd either way
#   -d  a disk of the machine, a raw image; it can be given again
#   -w  a disk whose writes are written down in DISK.writes besides: cut.py takes back those that
#       the guest had not been told are safe
#   -k  words for the kernel
# Exit code: the guest's own; 20 when it asked for its power to be cut ("CALLREEL-VM cut"), and so
# it was; 124 when it took too long; 125 when it did not come to an end (qemu's code says nothing
# about the guest).
set -euo pipefail
# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

arch=amd64 words='' rc=0 disks=() count=0

# disk KIND FILE: qemu's options for it. Nothing here has to outlive this machine's own power.
# shellcheck disable=SC2054 # the commas are qemu's
disk() {
    local kind=$1 file=${2//,/,,} name=disk$count
    count=$((count + 1))
    disks+=(-blockdev "driver=raw,node-name=$name,file.driver=file,file.filename=$file,cache.no-flush=on")
    if [ "$kind" = w ]; then
        : >"$2.writes"
        disks+=(-blockdev "driver=file,node-name=$name-log,filename=$file.writes,cache.no-flush=on")
        disks+=(-blockdev "driver=blklogwrites,node-name=$name-logged,file=$name,log=$name-log")
        name+=-logged
    fi
    disks+=(-device "virtio-blk-pci,drive=$name")
}

while getopts a:d:w:k: option; do
    case $option in
        a) arch=$OPTARG ;;
        d | w) disk "$option" "$OPTARG" ;;
        k) words=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
image=$1 share=$2 console=$3 limit=$4

# shellcheck disable=SC2054 # the commas are qemu's
case $arch in
    amd64) machine=(qemu-system-x86_64 -M q35 -cpu qemu64 -kernel "$image/vmlinux") tty=ttyS0 ;;
    # Signed pointers are slow to emulate.
    arm64) machine=(qemu-system-aarch64 -M virt,gic-version=3 -cpu "max,pauth=off"
        -kernel "$image/vmlinuz") tty=ttyAMA0 ;;
esac
# Paths with commas would end qemu's option.
# shellcheck disable=SC2054 # the commas are qemu's
machine=(timeout -k 5 "$limit" "${machine[@]}" -accel "tcg,thread=multi" -smp 2
    -m 1280 -nodefaults -no-user-config -display none -no-reboot -serial "file:${console//,/,,}"
    -pidfile "$console.pid" -initrd "$image/initrd"
    -append "console=$tty quiet panic=-1 mitigations=off nokaslr $words"
    -fsdev "local,id=share,path=${share//,/,,},security_model=none"
    -device virtio-9p-pci,fsdev=share,mount_tag=share "${disks[@]}")

# told WORD: the last that the guest said of this.
told() { tr -d '\r' <"$console" 2>/dev/null | sed -n "s/^CALLREEL-VM $1 *//p" | tail -n 1; }

# cut_power: kills the emulator when the guest asks for it, in the middle of whatever it does.
cut_power() {
    until grep -q '^CALLREEL-VM cut' "$console" 2>/dev/null; do sleep 0.02; done
    kill -KILL "$(cat "$console.pid")"
}

# Telephone channels keep time whatever else the machine does; where we may, we go first. Linux
# shares out by sessions, so it gets one of its own.
rm -f "$console" "$console.pid"
# shellcheck disable=SC2016 # the inner shell's own
setsid bash -c 'echo -15 2>/dev/null >/proc/self/autogroup
    renice -n -15 -p $$ >/dev/null 2>&1
    exec "$@"' boot "${machine[@]}" </dev/null &
emulator=$!
cut_power &
cutter=$!
trap 'kill $emulator $cutter 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# The shell would tell of a kill that is meant.
{ wait $emulator; } 2>/dev/null || rc=$?
if grep -q '^CALLREEL-VM cut' "$console" 2>/dev/null; then exit 20; fi
case $rc in 124 | 137) exit 124 ;; esac
rc=$(told end)
exit "${rc:-125}"
