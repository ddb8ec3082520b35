#!/usr/bin/env bash
# Does an exported Image-LoRA do in transformers what it does here? Adapters of small bases of all families are trained
# for some steps (STEPS, 20) on the quickstart's pages and exported; transformers runs the folder's image_lora.py
# (scripts/check_export.py). It prints a table; docs/reports/2026-11-adapters.md says what its columns are.
# Usage: scripts/check-export.sh [MODEL...] (from any folder; MODEL: more bases, or others with ONLY=1)
#
# It needs the packages of scripts/research/requirements.txt: a virtual environment in .build-tests/research, or the
# Python that PYTHON names. IMAGELORA names the program; the release build is made where it is not given.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source scripts/test-support.sh
export PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

if [[ -z ${PYTHON:-} ]]; then
  environment=.build-tests/research
  if [[ ! $environment/made -nt scripts/research/requirements.txt ]]; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install -q -r scripts/research/requirements.txt
    touch "$environment/made"
  fi
  PYTHON=$top/$environment/bin/python
fi

resources=Tests/ParityTests/Resources
models=(scripts/quickstart/model "$resources"/{qwen2-vl,a,qwen3.5-b}/model)
if [[ -n ${ONLY:-} ]]; then models=(); fi
models+=("$@")

tar -xf scripts/quickstart/data/pages.tar.xz -C "$work"
cp scripts/quickstart/data/*.jsonl "$work/"
"$PYTHON" scripts/check_export.py rows "$work"
echo "| base, heads | base | adapted | adapted, batches of 2 | effect | answers equal | .pt and back |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
for number in "${!models[@]}"; do
  model=$(realpath "${models[$number]}")
  heads=(attention)
  if grep -q '"model_type": "qwen3_5' "$model/config.json"; then heads=(attention linear both); fi
  for kind in "${heads[@]}"; do
    here=$work/$number-$kind
    mkdir "$here"
    cat >"$here/run.yaml" <<YAML
model: {path: $model, precision: fp32}
data: {train: $work/plain-train.jsonl, image_root: $work}
adapter: {rank: 8, alpha: 16, value_heads: $kind, heads: {select: random, num_heads: 6, seed: $number}}
training: {steps: ${STEPS:-20}, global_batch: 16, micro_batch: 8}
checkpoint: {directory: checkpoints}
YAML
    "$IMAGELORA" train "$here/run.yaml" >"$here/train.log" 2>&1 || { cat "$here/train.log" >&2; exit 1; }
    "$IMAGELORA" export "$here/checkpoints/latest.h5" --output "$here/adapter" >"$here/export.log"
    if "$PYTHON" scripts/check_export.py compare --imagelora "$IMAGELORA" --model "$model" \
      --name "${models[$number]}, $kind" --folder "$here" --rows "$work/rows.jsonl" \
      >"$here/compare.out" 2>"$here/compare.err"; then
      cat "$here/compare.out"
      passed=$((passed + 1))
    else
      fail "${models[$number]}, $kind" "$here/compare.out" "$here/compare.err"
    fi
  done
done
finish
