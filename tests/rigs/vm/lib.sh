# shellcheck shell=bash
# What the scripts of this folder share: where things lie, what a cached part is named, and which
# archives Debian's packages come from. Sourced, never run.

# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../../packaging/lib.sh"
# shellcheck disable=SC2034 # the scripts use these
rig=$root/tests/rigs/vm
# shellcheck disable=SC2034
cache=$target/vm

# key FILE...: a name for what is made by these scripts: other contents, other name.
key() {
    cat -- "$@" | sha256sum | cut -c 1-16
}

# as_root WHAT: packages are unpacked with their owners and set up in a chroot.
as_root() {
    [ "$(id -u)" -eq 0 ] || die "$1 needs root: unpacking Debian's packages with their owners and
  running their set-up in a chroot; run 'make test-vm' as root, or once so, and then as anybody"
}

# sources: the Debian archives that this machine's apt uses, in apt's one-line form.
sources() {
    # shellcheck disable=SC2016 # apt's variables, not the shell's
    apt-get indextargets --format '$(ORIGIN) $(SIGNED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 2>/dev/null | sed 's/\$(SIGNED_BY)/-/' | awk '
        $1 == "Debian" && !seen[$0]++ {
            print "deb " ($2 == "-" ? "" : "[signed-by=" $2 "] ") $3 " " $4 " " $5
        }'
}

# apt_options FILE: writes how this machine's apt reaches its archives (proxies, clocks, retries).
apt_options() {
    {
        apt-config dump Acquire |
            grep -E '^Acquire::(http|https|Check-|Retries|ForceIPv)' || true
        printf '%s\n' 'Acquire::Languages "none";' 'APT::Install-Recommends "false";'
    } >"$1"
}

# bootstrap FOLDER PACKAGES [OPTION...]: a minimal Debian of this machine's release in the folder.
bootstrap() {
    local folder=$1 packages=$2 options release
    shift 2
    as_root "the virtual machine's file system"
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    options=$(mktemp)
    apt_options "$options"
    [ -n "$(sources)" ] || die "this machine's apt knows no Debian archive (apt-get indextargets);
  the virtual machine is made of Debian's packages: see /etc/apt/sources.list"
    # The guest needs no documents, and nothing here outlives a power cut.
    sources | mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
        --include="$packages" --aptopt="$options" \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$@" "$release" "$folder" - || {
        rm -rf "$options" "$folder"
        die "the packages of the virtual machine could not be fetched or unpacked (the message
  is above). This is needed once; are the archives within reach?
$(sources | sed 's/^/    /')"
    }
    rm -f "$options"
}
