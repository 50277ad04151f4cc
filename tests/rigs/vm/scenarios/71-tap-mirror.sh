# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The same on a kernel whose driver was built with CONFIG_DAHDI_MIRROR, by its mirrors.
limit=80
kind=mirror modules=mirror
# shellcheck source=tests/rigs/vm/scenarios/70-tap-monitor.sh
. "$(dirname "${BASH_SOURCE[0]}")/70-tap-monitor.sh"
