#!/usr/bin/env bash
# root.sh OUT: the guest's file system: a minimal Debian with systemd, what the package of Callreel
# depends on, and what the scenarios use. Neither kernel nor product.
set -euo pipefail
# shellcheck source=tests/rigs/systemd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out=$1
packages=systemd-sysv,udev,kmod,alsa-utils,procps,iproute2,curl,jq,openssl,busybox-static
packages+=,libasound2,libgcc-s1,libstdc++6,espeak-ng
options=(--architectures="$arch")
if [ "$arch" = amd64 ]; then
    # The programs of telephone cards, as the other virtual machine has them.
    packages+=,libtonezone2.0
    options+=(--customize-hook="'$rig/root.sh' \"\$1\" inside")
fi

with_foreign bootstrap "$out" "$packages" "${options[@]}"
# Package lists and what only serves installing more.
rm -rf "${out:?}"/{var/cache/apt,var/lib/apt/lists,boot} \
    "$out"/usr/share/{doc,man,locale,info,i18n}
