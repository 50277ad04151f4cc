#!/usr/bin/env bash
# setup.sh [run|test|bench|vm|arm|package|install|emulated|cross|cross-amd64|cross-arm64|cross-armhf]:
# installs what is missing for that purpose on Debian 12, and says what and why; 'cross' is all that
# building packages for all machines needs. Touches nothing when everything is there. Needs root or sudo only to install.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# One line a package: the purposes it serves, its name, and why.
packages() {
    cat <<'TABLE'
run,test,bench,vm gcc links Rust programs and builds the crates' C parts
run,test,bench,vm libc6-dev the C library's headers
run,test,bench pkg-config finds the sound library
run,test,bench libasound2-dev ALSA, the sound library that callreeld records through
run,test,bench g++ builds the AAC encoder, which is C++
run,test,bench cmake builds the Opus codec
run,test,bench ca-certificates lets cargo check who it fetches crates from
run,test,bench curl asks the running daemon
run,test,vm,arm jq reads the JSON answers of the command line
run,test espeak-ng speaks the demo's telephone calls, and the texts of the prompt library
run,test sox brings speech to telephone quality; makes test tones
test,bench libsqlite3-dev SQLite, which the index is measured against
test,bench libspandsp-dev spandsp, which the DTMF detector is measured against
test,bench multimon-ng hears DTMF another way
test,bench asterisk-core-sounds-en-wav recorded speech in which no digit may be heard
test,bench asterisk-moh-opsound-wav music in which none may be heard
test alsa-utils plays into and records from ALSA devices
test libasound2-plugins connects ALSA to the tests' sound server
test pulseaudio a sound server without hardware: the tests' real-time lines
test pulseaudio-utils asks that sound server
test ffmpeg makes files to import and looks at converted ones
test mp3val looks for faults in MP3 files
test mediainfo looks for faults in the other formats
test chromium plays every format through the API, as a browser; shows the page
test nodejs drives that browser through the page, and builds the page anew
test npm fetches what the page is built and tested with, as locked
test python3 runs the tester of the API documents
vm,arm python3 makes and measures the sounds of calls
test python3-venv keeps that tester apart from the system
test,bench lame decodes MP3 another way; the encoder that conversions are measured against
bench ffmpeg converts as well: conversions are measured against it
test dahdi-source the kernel's interface to telephony cards, which ours is compared with
test fuse3 mounts the double of that interface where tests do not run as root
test strace makes system calls fail on purpose
test faketime lets a day pass for events that cannot be delivered; sets the clock while calls are recorded
test util-linux gives tests file systems of their own
test systemd judges the units (systemd-analyze)
test shellcheck checks the shell scripts
vm qemu-system-x86 emulates a machine with a kernel whose modules we choose
vm,arm mmdebstrap makes its file system of Debian's packages
vm,arm cpio packs that file system
vm,arm kmod finds out which modules belong together
vm xz-utils unpacks the kernel
vm binutils takes debug information out of what is copied in
vm,arm e2fsprogs makes its disks
arm qemu-system-arm emulates an ARM machine
arm qemu-user-static runs the set-up of its packages
arm arch-test lets mmdebstrap see that this works
vm dahdi-source the header that the telephone driver's users are compiled against
bench nginx the web server that callreeld is measured against
bench lame the MP3 encoder that conversions are measured against
bench b3sum the hasher that checks of stores are measured against
cross gcc links Rust programs and builds the crates' C parts
cross g++ builds the AAC encoder, which is C++
cross cmake builds the Opus codec
cross pkg-config finds the sound library
cross ca-certificates lets cargo check who it fetches crates from
cross rustc-web Debian's own newer compiler: packages are the same wherever they are built
cross cargo-web the builder that belongs to it
cross-arm64,cross-armhf rust-web-src its standard library, which Debian has compiled for the host only
cross binutils looks at what was built
cross-amd64 libasound2-dev ALSA, the sound library that callreeld links with
cross-arm64 g++-aarch64-linux-gnu compiles and links for that machine
cross-arm64 libasound2-dev:arm64 ALSA, the sound library that callreeld links with
cross-armhf g++-arm-linux-gnueabihf compiles and links for that machine
cross-armhf libasound2-dev:armhf ALSA, the sound library that callreeld links with
package,install xz-utils packs the Debian package
package,install jq writes the bill of materials
install mmdebstrap makes the smallest Debian 12 to install on
install iproute2 opens its loopback
install util-linux shuts it off from the network
install curl asks the daemon that was installed there
emulated qemu-user-static runs programs of other machines
emulated-arm64 libc6:arm64 their C library
emulated-arm64 libgcc-s1:arm64 what Rust programs need of the compiler
emulated-arm64 libasound2:arm64 their sound library
emulated-armhf libc6:armhf their C library
emulated-armhf libgcc-s1:armhf what Rust programs need of the compiler
emulated-armhf libasound2:armhf their sound library
emulated curl asks the daemon
emulated jq reads its answers
emulated openssl makes a certificate
emulated sox makes the sound that is brought in
emulated ffmpeg listens to what was converted
emulated python3 measures it
emulated procps finds the emulator
TABLE
}

# wanted PURPOSES: is the purpose one of these? A purpose NAME-ARCH is part of NAME, and needs what NAME
# needs.
wanted() {
    local one
    for one in ${1//,/ }; do
        case $one in "$purpose" | "$purpose"-* | "${purpose%%-*}") return 0 ;; esac
    done
    return 1
}

# The packages of other architectures that are in the list make dpkg and apt look for such.
foreign_architectures() {
    local name arch
    for name in "$@"; do
        case $name in *:*) arch=${name#*:} ;; *) continue ;; esac
        if ! dpkg --print-foreign-architectures | grep -qx "$arch"; then
            stage "Letting dpkg know packages of the architecture $arch"
            as_root dpkg --add-architecture "$arch"
        fi
    done
}

# Debian's own newer compiler, beside the 1.63 that Debian 12 was released with.
rust_packages() {
    printf '%s\n' rustc-web cargo-web
    if [ "$purpose" = test ]; then printf '%s\n' rustfmt-web rust-web-clippy; fi
}

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c 1-2)" = ii ]
}

# provided PACKAGE: is what we need of it there by other means (built by hand, another package)?
provided() {
    case $1 in
        gcc) command -v cc >/dev/null && command -v gcc >/dev/null ;;
        g++ | pkg-config | curl | jq | espeak-ng | sox | pulseaudio | ffmpeg | lame | strace | \
            shellcheck | cmake | b3sum | mp3val | mediainfo | chromium | python3 | faketime | multimon-ng)
            command -v "$1" >/dev/null
            ;;
        nodejs) command -v node >/dev/null ;;
        npm) command -v npm >/dev/null ;;
        python3-venv) python3 -c 'import ensurepip' 2>/dev/null ;;
        util-linux) command -v unshare >/dev/null ;;
        systemd) command -v systemd-analyze >/dev/null ;;
        nginx) [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null ;;
        dahdi-source) echo "#include <dahdi/user.h>" | cc -E -x c - >/dev/null 2>&1 ;;
        fuse3) [ "$(id -u)" -eq 0 ] || command -v fusermount3 >/dev/null ;;
        alsa-utils) command -v aplay >/dev/null && command -v arecord >/dev/null ;;
        pulseaudio-utils) command -v pactl >/dev/null ;;
        libasound2-dev) pkg-config --exists alsa 2>/dev/null ;;
        asterisk-moh-opsound-wav) [ -d /usr/share/asterisk/moh ] ;;
        libsqlite3-dev) pkg-config --exists sqlite3 2>/dev/null ;;
        libspandsp-dev) echo "#include <spandsp.h>" | cc -E -x c - >/dev/null 2>&1 ;;
        asterisk-core-sounds-en-wav) [ -d /usr/share/asterisk/sounds/en_US_f_Allison ] ;;
        *) return 1 ;;
    esac
}

# The commands without which a purpose cannot be served where there is no dpkg to ask.
check_elsewhere() {
    local name missing=()
    while read -r purposes name _; do
        wanted "$purposes" || continue
        case $name in libc6-dev | ca-certificates | libasound2-plugins) continue ;; esac
        provided "$name" || missing+=("$name")
    done < <(packages)
    choose_rust || missing+=("rust >= $(rust_wanted)")
    [ ${#missing[@]} -eq 0 ] ||
        die "this is not Debian, so nothing was installed; please install: ${missing[*]}"
    exit 0
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian starts services when it installs them; a policy file holds that back, so that a
# benchmark's peer does not become a web server on this machine.
without_services() {
    local policy=/usr/sbin/policy-rc.d made='' rc=0
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
        made=yes
    fi
    "$@" || rc=$?
    [ -z "$made" ] || as_root rm -f $policy
    return $rc
}

install_packages() {
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0)
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        die "packages are missing and this user is neither root nor able to sudo; as root, run:
    apt-get update && apt-get install --no-install-recommends $*"
    fi
    foreign_architectures "$@"
    stage "Fetching the list of packages"
    as_root "${apt[@]}" update || die "apt-get update failed: is the network there?"
    stage "Installing: $*"
    without_services as_root "${apt[@]}" install --no-install-recommends "$@" ||
        die "apt-get could not install: $* (its own message is above)"
    # Installed for the benchmarks only; it should not come up with the machine.
    case " $* " in
        *' nginx '*)
            if [ -d /run/systemd/system ]; then as_root systemctl disable nginx.service || true; fi
            ;;
    esac
}

main() {
    local name why missing=()
    purpose=${1:-run}
    case $purpose in
        run | test | bench | vm | arm | package | install) ;;
        emulated | emulated-arm64 | emulated-armhf) ;;
        cross | cross-amd64 | cross-arm64 | cross-armhf) ;;
        *) die "setup.sh: '$1' is none of run, test, bench, vm, arm, package, install, emulated, cross, cross-ARCH" ;;
    esac
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        check_elsewhere
    fi

    while read -r purposes name why; do
        wanted "$purposes" || continue
        if ! installed "$name" && ! provided "$name"; then
            say "missing: $name ($why)"
            missing+=("$name")
        fi
    done < <(packages)
    if ! choose_rust; then
        say "missing: Rust $(rust_wanted) or newer (Debian's own newer compiler will be installed)"
        if installed rustc; then say "  it takes the place of Debian's older package rustc"; fi
        mapfile -t rust < <(rust_packages)
        missing+=("${rust[@]}")
    elif [ "$purpose" = test ] && [ "$(command -v rustc)" = /usr/bin/rustc ] && installed rustc-web; then
        for name in rustfmt-web rust-web-clippy; do
            installed "$name" && continue
            say "missing: $name (checks the code's form)"
            missing+=("$name")
        done
    fi
    if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi

    choose_rust || die "no Rust $(rust_wanted) or newer, even after installing ${missing[*]}"
    say "setup for '$purpose': complete, with $(rustc --version)"
}

main "$@"
