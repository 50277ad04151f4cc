#!/usr/bin/env bash
# test-arm.sh [NAME...]: the package for arm64 on an emulated ARM machine with its own kernel: boots
# under systemd, records a tone from the loopback card through io_uring, gives it back by the API.
# The scenarios are those of test-systemd.sh; without names, those that tell most about a processor.
# The machine is made once: a quarter of an hour, since its packages are set up in emulation.
set -euo pipefail
export CALLREEL_RIG_ARCH=arm64
if [ $# -eq 0 ]; then set -- 10-boot 14-record-and-play 20-crash 51-check-timer; fi
exec "$(dirname "${BASH_SOURCE[0]}")/test-systemd.sh" "$@"
