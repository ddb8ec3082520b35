#!/usr/bin/env bash
# The program as users run it, on a small model: the same bytes on any number of ranks and through any stop, and every
# bad input refused in one line. Usage: scripts/test-end-to-end.sh [PART...] (from any folder; parts: see below)
#
# IMAGELORA names the program to test; the release build is made where it is not given.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD

work=$(mktemp -d)
mounted=
trap '[[ -z $mounted ]] || umount "$mounted"; rm -rf "$work"' EXIT
source scripts/test-support.sh

cp -r Tests/ParityTests/Resources/a/model "$work/model"
python3 Tests/EndToEnd/make_data.py "$work/data"
cd "$work"
cat >run.yaml <<'YAML'
model: {path: model, min_pixels: 784}
data: {train: data/rows.jsonl, validation: data/validation.jsonl, image_root: data}
adapter: {rank: 4, heads: {select: influence, num_heads: 5, probe_rows: 12}}
training: {steps: 40, global_batch: 8, learning_rate: 3e-2, warmup_steps: 2}  # 40 examples: five steps an epoch
checkpoint: {directory: run, every_steps: 2, keep: 40}
logging: {every_steps: 1}
YAML

# train N [ARGUMENT...]: the run on N ranks (0: without mpirun); its messages in out and err.
train() {
  local count=$1
  shift
  ranks "$count" "$IMAGELORA" train run.yaml "$@" >out 2>err
}

# same_log A B: the same metrics.jsonl but for what is measured: times, speeds and utilization.
same_log() {
  python3 - "$@" <<'PYTHON'
import json
import sys

MEASURED = ("_seconds", "_per_second", "_per_core", "utilization")
# Numbers stay text: every digit counts.
entries = [
    [
        {key: value for key, value in entry.items() if not key.endswith(MEASURED)}
        for entry in (json.loads(line, parse_float=str, parse_int=str) for line in open(path, encoding="utf-8"))
    ]
    for path in sys.argv[1:]
]
for number, (one, other) in enumerate(zip(*entries), 1):
    if one != other:
        sys.exit(f"line {number}:\n{one}\n{other}")
if len(entries[0]) != len(entries[1]):
    sys.exit(f"{len(entries[0])} and {len(entries[1])} lines")
PYTHON
}

# shellcheck disable=SC2034 # of the parts
last=step-00000040.h5
parts=("$@")
[[ $# -gt 0 ]] || parts=(
  ranks launchers rows row-files pack evaluate predict learning report trackers install resume signals cluster
  schedulers probe lora peft layers features prepared families precision
  refusals-model refusals-data refusals-checkpoint disagreement watchdog changed-base benchmarks
)
for part in "${parts[@]}"; do
  section "$part"
  # shellcheck source=/dev/null
  source "$top/Tests/EndToEnd/$part.sh"
done
finish
