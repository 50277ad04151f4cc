#!/usr/bin/env bash
# root.sh OUT: the guest's file system, a minimal Debian with what the daemon and the scenarios
# need at run time. No kernel, no init system: image.sh adds those.
set -euo pipefail
# shellcheck source=tests/rigs/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out=$1

# dahdi's own package would bring Perl and USB tools that configure real cards; its programs need
# libtonezone alone.
inside() {
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q download dahdi
    # /sbin and /lib are links in the new system, folders in the package.
    dpkg-deb --fsys-tarfile dahdi_*.deb | tar -x --keep-directory-symlink -C "$1"
    rm dahdi_*.deb
}

if [ "${2:-}" = inside ]; then
    cd "$(mktemp -d)"
    inside "$out"
    exit
fi

bootstrap "$out" libasound2,libgcc-s1,libtonezone2.0,alsa-utils,curl,jq,kmod,procps,iproute2 \
    --customize-hook="'${BASH_SOURCE[0]}' \"\$1\" inside"
# Package lists and what only serves installing more.
rm -rf "${out:?}"/{var/cache/apt,var/lib/apt/lists,boot} \
    "$out"/usr/share/{doc,man,locale,info,i18n}
