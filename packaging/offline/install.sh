#!/bin/sh
# install.sh: installs or updates Callreel from this folder, without a network. See --help.
set -eu

usage() {
    cat <<'TEXT'
usage: ./install.sh [--dry-run] [--minimal] [--go-back] [--any-release]

Installs Callreel on Debian 12 from the packages in this folder, or updates the one that is there.
Recordings, settings and keys stay as they are. Nothing is fetched from anywhere. Run again, it does
what is left to do, or nothing.

  --dry-run      check everything, say what would be done, change nothing
  --minimal      without the voice for texts of prompts (espeak-ng), systemd and certificates of
                 public authorities, where they are not there already
  --go-back      install this version though a newer one is there. A newer program may have brought
                 the index to a form that this one does not know: 'callreel restore --help' says how
                 to go back with it
  --any-release  install on something else than Debian 12 (bookworm), at your own risk

Exit codes: 0 done; 1 failed; 2 wrong arguments; 3 this folder is damaged or not complete; 4 this
machine is not what it is for; 5 not root.
TEXT
}

say() { printf '%s\n' "$*"; }

# die CODE MESSAGE...
die() {
    code=$1
    shift
    printf 'install.sh: %s\n' "$*" >&2
    exit "$code"
}

arguments() {
    dry='' minimal='' back='' any=''
    for argument in "$@"; do
        case $argument in
            --dry-run) dry=yes ;;
            --minimal) minimal=yes ;;
            --go-back) back=yes ;;
            --any-release) any=yes ;;
            -h | --help) usage && exit 0 ;;
            *) usage >&2 && exit 2 ;;
        esac
    done
}

# Before anything of this folder is believed or run: all files are there, unchanged, and no others.
checksums() {
    [ -f SHA256SUMS ] || die 3 "SHA256SUMS is missing: unpack the archive again"
    if ! wrong=$(sha256sum --check --strict --quiet SHA256SUMS 2>&1); then
        die 3 "the checksums do not hold, nothing was installed; fetch the archive again:
$wrong"
    fi
    listed=$(sed 's/^[0-9a-f]*  //' SHA256SUMS | LC_ALL=C sort)
    found=$(find . ! -type d ! -name SHA256SUMS | sed 's|^\./||' | LC_ALL=C sort)
    [ "$listed" = "$found" ] ||
        die 3 "there are files here that SHA256SUMS does not name, nothing was installed; unpack the" \
            "archive into an empty folder"
    say "checksums: all $(printf '%s\n' "$listed" | wc -l) files are as they were made"
}

machine() {
    command -v dpkg >/dev/null || die 4 "this is not Debian: there is no dpkg"
    arch=$(dpkg --print-architecture)
    wanted=$(cat ARCHITECTURE)
    [ "$arch" = "$wanted" ] ||
        die 4 "this archive is for $wanted, and this machine is $arch; use callreel-$(cat VERSION)-$arch"
    command -v apt-get >/dev/null || die 4 "apt-get is missing (package apt)"
    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null || true)
    if [ "$release" != bookworm ]; then
        name=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release 2>/dev/null || true)
        [ -n "$any" ] ||
            die 4 "made for Debian 12 (bookworm), and this is ${name:-something else}; --any-release tries it"
        say "warning: made for Debian 12 (bookworm), and this is ${name:-something else}"
    fi
    say "machine: $arch, ${release:-unknown release}"
}

# status PACKAGE: the version that is installed; nothing where there is none.
status() {
    dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$1" 2>/dev/null | sed -n 's/^ii //p'
}

# What is to be installed: callreel, and what it recommends as far as it is missing.
choose() {
    version=$(cat VERSION)
    before=$(status callreel)
    if [ -n "$before" ] && [ -z "$back" ] && dpkg --compare-versions "$before" gt "$version"; then
        die 1 "callreel $before is installed, which is newer than $version; --go-back installs it all the same"
    fi
    set -- "callreel=$version"
    if [ -z "$minimal" ]; then
        while read -r package; do
            [ -n "$(status "$package")" ] || set -- "$@" "$package"
        done <RECOMMENDED
    fi
    chosen=$*
    case $before in
        '') say "to do: install callreel $version" ;;
        "$version") say "to do: nothing, or repair: callreel $version is installed" ;;
        *) say "to do: bring callreel from $before to $version" ;;
    esac
}

# apt with this folder as its only source, and lists of its own.
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o Dir::Etc::SourceList="$own/sources.list" -o Dir::Etc::SourceParts="$own/none" \
        -o Dir::State::Lists="$own/lists" -o Dir::Cache="$own/cache" \
        -o APT::Sandbox::User=root -o Acquire::Languages=none \
        -o APT::Install-Recommends=false -o APT::Get::AllowUnauthenticated=true \
        -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

prepare() {
    own=$(mktemp -d)
    trap 'rm -rf "$own"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$own/none"
    # A name without spaces or signs that mean something in a list of sources.
    ln -s "$PWD/packages" "$own/packages"
    printf 'deb [trusted=yes] file:%s/packages ./\n' "$own" >"$own/sources.list"
    apt -qq update >"$own/log" 2>&1 || {
        cat "$own/log" >&2
        die 1 "apt-get could not read the packages of this folder"
    }
}

install_all() {
    # shellcheck disable=SC2086 # a list of packages
    set -- --yes ${back:+--allow-downgrades} install $chosen
    if [ -n "$dry" ]; then
        if ! apt --simulate "$@" >"$own/log" 2>&1; then
            cat "$own/log" >&2
            die 1 "it could not be installed; apt-get says why"
        fi
        sed -n 's/^Inst \([^ ]*\) .*(\([^ ]*\) .*/  would install \1 \2/p' "$own/log"
        say "nothing was changed"
        exit 0
    fi
    # Another run, or a machine's own updates, may hold the lock for a while.
    apt -o DPkg::Lock::Timeout=120 "$@" || die 1 "it could not be installed; apt-get says why"
    # An interrupted installation is finished.
    dpkg --configure -a || die 1 "a package could not be set up; dpkg says why"
}

tell() {
    say ""
    say "callreel $(status callreel) is installed."
    if [ -d /run/systemd/system ]; then
        say "  systemctl status callreeld     how it does"
        say "  journalctl -u callreeld        at the first start: the administrator's key, once"
    else
        say "  systemd does not run here: start the daemon yourself, as user callreel"
    fi
    say "  callreel setup                 asks the few questions"
    say "  callreel doctor                says what is missing, and how to mend it"
    say "  manual: /usr/share/doc/callreel/html/index.html"
}

main() {
    arguments "$@"
    cd "$(dirname "$0")"
    checksums
    machine
    [ "$(id -u)" -eq 0 ] || [ -n "$dry" ] || die 5 "run it as root (sudo ./install.sh)"
    choose
    prepare
    install_all
    tell
}

main "$@"
