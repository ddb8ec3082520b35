#!/usr/bin/env bash
# Examples a second of 2 ranks over 1 rank, in turns.
#
# Usage: scripts/bench/ranks.sh --data DIR [--questions 1|7] [--micro-batch auto|N] [--precision fp32|bf16]
#          [--rounds 3] [--epochs 2] [--model DIR --rows FILE [--image-root DIR]]
#
# DIR is a folder that scripts/bench/make_checkpoint.py made.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/bench/support.sh
python=

announce
for ((round = 1; round <= rounds; round++)); do
  for count in 1 2; do train "$count" "$work/ranks-$count-$round"; done
done
python3 "$bench/tables.py" ranks "$work" "$rows"
