#!/usr/bin/env bash
# Two ranks count the base's weights once: the memory of a real run on a checkpoint of more than half a gigabyte.
# Usage: scripts/test-memory.sh (from any folder). IMAGELORA names the program; the release build is made without it.
#
# The measure is Pss, the proportional share: a page that two processes map counts half for each, so that the sum over
# both ranks is the memory that the job takes.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source scripts/test-support.sh

python3 Tests/EndToEnd/make_data.py "$work/data"
python3 Tests/EndToEnd/make_large_model.py Tests/ParityTests/Resources/b/model "$work/model"
cd "$work"
cat >run.yaml <<'YAML'
model: {path: model, min_pixels: 784}
data: {train: data/rows.jsonl, image_root: data}
adapter: {heads: {select: random, num_heads: 4}}
training: {steps: 2, global_batch: 2, learning_rate: 1e-3}
checkpoint: {directory: run}
logging: {every_steps: 1}
YAML
weights=$(cat model/*.safetensors | wc -c)

ranks 2 "$IMAGELORA" train run.yaml >out 2>err &
job=$!
python3 "$top/Tests/EndToEnd/watch_memory.py" "$job" imagelora "$work/model" >memory
status=0
wait "$job" || status=$?
check "two steps on two ranks" test "$status" = 0
[[ $status -eq 0 ]] || tail -5 out err
read -r seen total mapped anonymous <memory
echo "      weights $weights; both ranks at the peak: $total in all, of it $mapped of the weights' files and" \
  "$anonymous of their own (Pss, bytes)"
check "both ranks were seen together" test "$seen" = 2
check "the weights' pages count once: between 0.9 and 1.02 times their size" \
  test "$((mapped * 100))" -ge "$((weights * 90))" -a "$((mapped * 100))" -le "$((weights * 102))"
# The rest is the ranks' own: programs, libraries, buffers of BLAS and MPI, the float32 copy of one matrix at a time,
# and the activations of an example of some 100 tokens. Some 45 MB a rank were measured; the limit leaves each 100.
check "in all less than 1.35 times the weights" test "$((total * 100))" -lt "$((weights * 135))"
finish
