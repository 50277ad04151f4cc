# shellcheck shell=bash
# Debian 12's packages for any architecture, asked of apt with a state of its own, so that neither
# this machine's packages nor its sources matter. Sourced after lib.sh, never run.
# shellcheck source=packaging/targets.sh
. "${root:?}/packaging/targets.sh"

apt_state=${target:?}/apt

# apt_for ARCH COMMAND...: apt-get or apt-cache for a machine of that architecture on which nothing
# is installed.
apt_for() {
    APT_CONFIG=$apt_state/$1/apt.conf "${@:2}"
}

# apt_settings ARCH: apt's settings for it; those of this machine do not count.
apt_settings() {
    local state=$apt_state/$1
    cat <<CONF
APT::Architecture "$1";
APT::Architectures { "$1"; };
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Etc "$state/etc";
Dir::Etc::Parts "$state/etc/apt.conf.d";
Dir::Etc::Trusted "/etc/apt/trusted.gpg";
Dir::Etc::TrustedParts "/etc/apt/trusted.gpg.d";
Dir::State "$state/state";
Dir::State::Status "$state/status";
Dir::Cache "$state/cache";
Dir::Log "$state/log";
CONF
}

# debian_sources: this machine's own mirror of Debian 12, as sources.list has it.
debian_sources() {
    local mirror security
    mirror=$(mirror_of 'bookworm$' http://deb.debian.org/debian)
    security=$(mirror_of 'bookworm-security$' http://deb.debian.org/debian-security)
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
        "$mirror" bookworm "$mirror" bookworm-updates "$security" bookworm-security
}

# mirror_of SUITE OTHERWISE: where apt of this machine gets that suite.
mirror_of() {
    local found
    # shellcheck disable=SC2016 # apt's fields
    found=$(apt-get indextargets --format '$(RELEASE) $(SITE) $(REPO_URI)' 'Created-By: Packages' |
        awk -v suite="$1" '$1 ~ suite { print $3; exit }')
    found=${found:-$2}
    printf '%s\n' "${found%/}"
}

# debian_update ARCH: the lists of packages, fetched anew when they are older than a day. Where the
# mirror is in the middle of an update, one list may be missing; the main one may not.
debian_update() {
    local state=$apt_state/$1
    mkdir -p "$state"/{etc/apt.conf.d,etc/preferences.d,etc/sources.list.d,state/lists/partial} \
        "$state"/{cache/archives/partial,log}
    : >"$state/status"
    apt_settings "$1" >"$state/apt.conf"
    debian_sources >"$state/etc/sources.list"
    if [ -n "$(find "$state/fetched" -mtime -1 2>/dev/null)" ]; then return; fi
    stage "Fetching Debian's list of packages for $1"
    apt_for "$1" apt-get -qq update || warn "a list of packages for $1 could not be fetched (see above)"
    apt_for "$1" apt-cache show libc6 >/dev/null 2>&1 ||
        die "no list of Debian's packages for $1: is the network there?"
    touch "$state/fetched"
}

# debian_closure ARCH PACKAGE...: name and version of these packages and of all that they need, on a
# machine with nothing.
debian_closure() {
    local arch=$1
    shift
    apt_for "$arch" apt-get --simulate install "$@" |
        sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p' | sed 's/^\([^ :]*\):[^ ]*/\1/' | LC_ALL=C sort
}

# debian_bare ARCH: what every Debian 12 has, the smallest one too.
debian_bare() {
    debian_closure "$1" '?essential' apt
}
