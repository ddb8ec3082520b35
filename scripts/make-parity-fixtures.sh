#!/usr/bin/env bash
# Makes Tests/ParityTests/Resources/{a,b,qwen3-vl,peft-a,peft-b,peft-qwen3} with PyTorch, transformers and PEFT as the
# oracle.
#
#   PYTHON=.../python scripts/make-parity-fixtures.sh make_fixture.py TOKENIZER [FOLDER]
#
# make_fixture.py is the oracle's script, which is no part of the repository (nor is its helper tv_shim.py beside it):
# with transformers it writes a model folder, examples and the numbers of docs/formats.md, Parity. TOKENIZER is a folder
# with the released vocab.json, merges.txt, tokenizer_config.json, chat_template.json and preprocessor_config.json of
# Qwen2.5-VL. Made with Python 3.11, torch 2.13.0+cpu, transformers 5.23.0, tokenizers 0.23.3, safetensors 0.8.0,
# Pillow 13.0.0, h5py 3.16.0, numpy 2.4.6. The folders were last made by
#
#   PYTHON=.../python scripts/make-parity-fixtures.sh .../oracle/make_fixture.py .../qwen2.5-vl-7b
set -euo pipefail
cd "$(dirname "$0")/.."
oracle=${1:?the oracle\'s make_fixture.py}
tokenizer=${2:?a folder with the tokenizer of Qwen2.5-VL}
folder=${3:-Tests/ParityTests/Resources}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONPATH="$work"

# The oracle's presets in the same structure (layers, windows, shards, types) and fewer numbers, so that each folder
# stays small.
cp "$(dirname "$oracle")/tv_shim.py" "$work/"
"$python" - "$oracle" "$work/make_fixture.py" <<'PYTHON'
import sys
text = open(sys.argv[1], encoding="utf-8").read()
for old, new in (
    ('h=128, l=4, nh=8, kv=4, i=352, vd=4, vh=64, vn=4, vi=176',
     'h=64, l=4, nh=8, kv=4, i=96, vd=4, vh=32, vn=2, vi=88'),
    ('h=192, l=6, nh=12, kv=3, i=512, vd=3, vh=80, vn=5, vi=200',
     'h=96, l=6, nh=6, kv=3, i=128, vd=3, vh=40, vn=5, vi=56'),
):
    if text.count(old) != 1:
        sys.exit(f"{sys.argv[1]}: no preset {old}")
    text = text.replace(old, new)
open(sys.argv[2], "w", encoding="utf-8").write(text)
PYTHON

"$python" scripts/parity-fixtures/draw.py "$work/pictures"
fixture() { # name, family, preset, seed: seeds with which no gradient of a gamma cancels (finish.py checks)
  rm -rf "${folder:?}/$1"
  "$python" "$work/make_fixture.py" --family "$2" --preset "$3" --seed "$4" --merges 100 --tokenizer "$tokenizer" \
    --images "$work/pictures/form.png" "$work/pictures/list.jpg" --out "$folder/$1"
  "$python" scripts/parity-fixtures/finish.py "$folder/$1"
}
fixture a qwen2_5_vl a "${SEED_A:-1}"
fixture b qwen2_5_vl b "${SEED_B:-2}"
fixture qwen3-vl qwen3_vl b "${SEED_QWEN3:-2}"
# PEFT over all three models (peft 0.21.2).
peft() { # name, base, options
  rm -rf "${folder:?}/$1"
  "$python" scripts/parity-fixtures/peft_reference.py "$folder/$2" "$folder/$1" "${@:3}"
}
peft peft-a a --rows single-1 two-turns text-only
peft peft-b b --targets v_proj --rslora --rank 3 --rows single-1 text-only
peft peft-qwen3 qwen3-vl --rows single-1 text-only
(cd "$folder" && find a b qwen3-vl peft-a peft-b peft-qwen3 -type f | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
