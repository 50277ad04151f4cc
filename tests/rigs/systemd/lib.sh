# shellcheck shell=bash
# What the scripts of this folder share: the processor, where things lie, foreign programs. Sourced,
# never run. $arch is amd64 or arm64, from CALLREEL_RIG_ARCH.

# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"
# shellcheck source=tests/rigs/vm/parts.sh
. "$rig/parts.sh"

arch=${CALLREEL_RIG_ARCH:-amd64}
case $arch in amd64 | arm64) ;; *) die "CALLREEL_RIG_ARCH is '$arch'; it may be amd64 or arm64" ;; esac
# shellcheck disable=SC2034 # the scripts use these
here=$root/tests/rigs/systemd
cache=$target/systemd

# with_foreign COMMAND...: where the guest's processor is not this machine's, programs of it run in
# the emulator of qemu-user while COMMAND runs. What had to be registered for it is taken back.
with_foreign() {
    local table=/proc/sys/fs/binfmt_misc name mounted='' registered='' rc=0
    if [ "$arch" = "$(dpkg --print-architecture)" ]; then
        "$@"
        return
    fi
    name=qemu-aarch64
    as_root "the file system of another processor"
    if [ ! -e $table/register ]; then
        mount -t binfmt_misc binfmt_misc $table ||
            die "programs of $arch cannot run here: this kernel has no binfmt_misc"
        mounted=yes
    fi
    if [ ! -e $table/$name ]; then
        # 'F' in it opens the emulator now, so it need not be in the new system.
        cat /usr/lib/binfmt.d/$name.conf >$table/register
        registered=yes
    fi
    "$@" || rc=$?
    if [ -n "$registered" ]; then echo -1 >$table/$name; fi
    if [ -n "$mounted" ]; then umount $table; fi
    return $rc
}
