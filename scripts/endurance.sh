#!/usr/bin/env bash
# Kills, faults, power cuts, flipped bits, full disks: what a run must endure, as programs. scripts/endurance/README.md.
#
#   scripts/endurance.sh [--long] [--seed N] [--case NAME] [--minutes N] [CAMPAIGN...]
#
# Campaigns are kills, faults, torn, flips, memory, jobs, disk; all where none is named. The short form takes two
# minutes. IMAGELORA names the program; the release build is made where it is not given. The status is 1 if any case
# failed; its line says how to repeat it, and its folder is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ -z ${IMAGELORA:-} ]]; then
  swift build -c release --product imagelora
  IMAGELORA=$(swift build -c release --show-bin-path)/imagelora
fi
export IMAGELORA
exec python3 scripts/endurance/campaigns.py "$@"
