#!/usr/bin/env bash
# Examples a second of 2 ranks, one of them at half speed, over those of 2 whole ones, in turns; ideal is 0.75.
#
# Usage: scripts/bench/uneven.sh --data DIR [--questions 1|7] [--precision fp32|bf16] [--rounds 3] [--epochs 2]
#          [--model DIR --rows FILE [--image-root DIR]]
#
# DIR is a folder that scripts/bench/make_checkpoint.py made. A step has twelve micro-batches. The slow rank is stopped
# for half of every 20 ms.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/bench/support.sh
python=
batch=$((12 * questions))

announce
for ((round = 1; round <= rounds; round++)); do
  train 2 "$work/even-$round" --set training.global_batch=$batch
  python3 "$bench/slow_rank.py" "$IMAGELORA" "$work/uneven-$round" &
  slow=$!
  children+=("$slow")
  train 2 "$work/uneven-$round" --set training.global_batch=$batch
  kill "$slow" 2>/dev/null || true
done
python3 "$bench/tables.py" uneven "$work" "$rows"
