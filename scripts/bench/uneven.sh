#!/usr/bin/env bash
# Examples a second of 2 ranks, one of them at half speed, over those of 2 whole ones, in turns; ideal is 0.75.
#
# Usage: scripts/bench/uneven.sh --data DIR [--questions 1|7] [--precision fp32|bf16] [--rounds 3] [--epochs 2]
#          [--model DIR --rows FILE [--image-root DIR]]
#
# DIR is a folder that scripts/bench/make_checkpoint.py made. A step has 24 micro-batches. Each rank has a core; beside
# the slow one a loop does nothing but use its core.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/bench/support.sh
python=
batch=$((24 * questions))
mpi_options=(--allow-run-as-root --bind-to core --mca btl_vader_single_copy_mechanism none)

announce
for ((round = 1; round <= rounds; round++)); do
  train 2 "$work/even-$round" --set training.global_batch=$batch
  taskset -c 1 python3 -c 'while True: pass' &
  loop=$!
  children+=("$loop")
  train 2 "$work/uneven-$round" --set training.global_batch=$batch
  kill "$loop"
  wait "$loop" 2>/dev/null || true
done
python3 "$bench/tables.py" uneven "$work" "$rows"
