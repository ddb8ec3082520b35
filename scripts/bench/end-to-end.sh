#!/usr/bin/env bash
# Examples a second of imagelora on 2 ranks of 1 thread, in turns with the same step in PyTorch.
#
# Usage: scripts/bench/end-to-end.sh --data DIR [--questions 1|7] [--micro-batch auto|N] [--precision fp32|bf16]
#          [--rounds 3] [--epochs 2] [--python PYTHON] [--torch-step SCRIPT] [--torch-steps 6]
#          [--model DIR --rows FILE [--image-root DIR]]
#
# DIR is a folder that scripts/bench/make_checkpoint.py made. PYTHON (or TORCH_PYTHON) has torch and transformers;
# without it imagelora is timed alone. SCRIPT takes the options of scripts/bench/torch_step.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/bench/support.sh

announce
for ((round = 1; round <= rounds; round++)); do
  train 2 "$work/imagelora-$round"
  if [[ -n $python ]]; then
    torch_train 1 2 "$work/torch-1x2-$round"
    torch_train 2 1 "$work/torch-2x1-$round"
  fi
done
python3 "$bench/tables.py" end-to-end "$work" "$rows"
