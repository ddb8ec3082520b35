#!/usr/bin/env bash
# The memory of a job of 2 ranks at its peak, over the bytes of the checkpoint, and over that of PyTorch's 2 processes.
#
# Usage: scripts/bench/memory.sh --data DIR [--questions 1|7] [--micro-batch auto|N] [--precision fp32|bf16]
#          [--epochs 1] [--activation-memory MIB] [--python PYTHON] [--torch-step SCRIPT] [--torch-steps 2]
#          [--model DIR --rows FILE [--image-root DIR]]
#
# The measure is the proportional set size of all ranks, sampled from /proc: a page that two ranks map counts half for
# each. DIR is a folder that scripts/bench/make_checkpoint.py made; PYTHON (or TORCH_PYTHON) has torch and transformers.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/bench/support.sh
rounds=1

# watch NAME RESULT COMMAND...: the command in the background, its processes called NAME measured until it ends.
watch() {
  local name=$1 result=$2 job status=0
  shift 2
  "$@" &
  job=$!
  children+=("$job")
  python3 Tests/EndToEnd/watch_memory.py "$job" "$name" "$model" >"$result"
  wait "$job" || status=$?
  [[ $status -eq 0 ]] || exit "$status"
}

announce
watch imagelora "$work/imagelora.memory" train 2 "$work/imagelora-1"
[[ -z $python ]] || watch - "$work/torch.memory" torch_train 2 1 "$work/torch-2x1-1"
python3 "$bench/tables.py" memory "$work" "$(cat "$model"/*.safetensors | wc -c)"
