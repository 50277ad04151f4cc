#!/usr/bin/env bash
# clean.sh: removes what was built, the demo's recordings included.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
if [ -e "$target/demo/lock" ] && ! flock -n "$target/demo/lock" true; then
    die "'make run' is still going; stop it first (Ctrl-C)"
fi
rm -rf "$target"
say "removed $target"
