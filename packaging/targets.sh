# shellcheck shell=bash
# The machines that packages are made for, their names in Rust, Debian and GNU, and what identifies
# a release. Sourced after lib.sh, never run.
: "${root:?}"

# In the order of how many there are.
triples=(x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf)

# triple NAME: Rust's name of a machine, of any of its names.
triple() {
    case $1 in
        x86_64-unknown-linux-gnu | x86_64 | x86-64 | amd64) echo x86_64-unknown-linux-gnu ;;
        aarch64-unknown-linux-gnu | aarch64 | arm64) echo aarch64-unknown-linux-gnu ;;
        armv7-unknown-linux-gnueabihf | armv7 | armv7l | armhf) echo armv7-unknown-linux-gnueabihf ;;
        *) die "'$1' is no target; one is needed of: ${triples[*]} (or amd64, arm64, armhf)" ;;
    esac
}

# debian_arch TRIPLE: Debian's name of it.
debian_arch() {
    case $1 in
        x86_64-*) echo amd64 ;;
        aarch64-*) echo arm64 ;;
        armv7-*) echo armhf ;;
    esac
}

# multiarch TRIPLE: the folder of its libraries below /usr/lib.
multiarch() {
    case $1 in
        x86_64-*) echo x86_64-linux-gnu ;;
        aarch64-*) echo aarch64-linux-gnu ;;
        armv7-*) echo arm-linux-gnueabihf ;;
    esac
}

# gnu_prefix TRIPLE: what its C compiler's name begins with; nothing on the machine itself.
gnu_prefix() {
    if [ "$(debian_arch "$1")" != "$(dpkg --print-architecture)" ]; then
        printf '%s-\n' "$(multiarch "$1")"
    fi
}

# debian_rust: is Debian's newer compiler here, with the source of its standard library?
debian_rust() {
    [ -e /usr/lib/rustlib/src/rust/library/std/Cargo.toml ] || [ -x /usr/bin/rustc ] || return 1
    at_least "$(rust_in /usr/bin)" "$(rust_wanted)"
}

# version: the release that the sources say they are.
version() {
    sed -n '/^\[workspace.package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' "$root/Cargo.toml"
}

# source_date: the time of the last commit (of a source archive: the time that it carries), which
# stands in for the time of the build wherever one is wanted.
source_date() {
    local file=$root/packaging/source-date
    if [ -e "$file" ]; then
        cat "$file"
    else
        git -C "$root" log -1 --format=%ct 2>/dev/null ||
            die "neither $file nor git's history tells the date of these sources"
    fi
}
