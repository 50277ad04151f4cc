#!/usr/bin/env bash
# judge.sh SCENES NAME OUT: whether what a scenario of that folder left in OUT is as it should be. A
# process of its own: in a condition of another script bash would go on after a check that failed.
set -euo pipefail

scenes=$1 name=$2 out=$3

# What these scenarios' judges use.
# shellcheck source=tests/rigs/vm/judging.sh
. "$scenes/judging.sh"

cd "$out"
rc=$(cat rc 2>/dev/null || echo "none: the virtual machine stopped")
if [ "$rc" != 0 ]; then
    printf 'ended with code %s\n' "$rc"
    exit 1
fi
# shellcheck source=/dev/null
. "$scenes/scenarios/$name.sh"
# A check that fails ends this; say which it was.
trap 'printf "not so: %s\n" "$BASH_COMMAND"' ERR
set -E
judge
