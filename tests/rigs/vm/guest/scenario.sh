#!/bin/bash
# scenario.sh NAME: what a scenario does in the guest, then all that it started is ended.
set -euo pipefail
name=$1
out=/share/out/$name
# shellcheck source=tests/rigs/vm/guest/lib.sh
. /share/guest/lib.sh
mkdir -p "$work"
trap tidy_up EXIT
# shellcheck source=/dev/null
. "/share/scenarios/$name.sh"
drive
