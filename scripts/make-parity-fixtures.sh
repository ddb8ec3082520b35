#!/usr/bin/env bash
# Makes Tests/ParityTests/Resources with PyTorch, transformers and PEFT as the oracle.
#
#   PYTHON=.../python scripts/make-parity-fixtures.sh make_fixture.py TOKENIZER QWEN3.5 [FOLDER]
#
# make_fixture.py is the oracle's script, which is no part of the repository (nor are its helpers beside it): with
# transformers, in float64, it writes a model folder, examples and the numbers of docs/formats.md, Parity. TOKENIZER is
# a folder with the released vocab.json, merges.txt, tokenizer_config.json, chat_template.json and
# preprocessor_config.json of Qwen2.5-VL; QWEN3.5 has the released templates, generation_config.json and
# preprocessor_config.json of Qwen3.5. Made with Python 3.11, torch 2.13.0+cpu, transformers 5.23.0, tokenizers 0.23.3,
# safetensors 0.8.0, Pillow 13.0.0, h5py 3.16.0, numpy 2.4.6. The folders were last made by
#
#   PYTHON=.../python scripts/make-parity-fixtures.sh .../oracle/make_fixture.py .../qwen2.5-vl-7b .../qwen3.5
set -euo pipefail
cd "$(dirname "$0")/.."
oracle=${1:?the oracle\'s make_fixture.py}
tokenizer=${2:?a folder with the tokenizer of Qwen2.5-VL}
templates=$(realpath "${3:?a folder with the templates of Qwen3.5}")
folder=${4:-Tests/ParityTests/Resources}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONPATH="$work"

# The oracle's presets in the same structure (layers, windows, shards, types) and fewer numbers, so that each folder
# stays small.
cp "$(dirname "$oracle")"/{tv_shim,exact,qwen35}.py "$work/"
mkdir "$work/data" && ln -s "$templates" "$work/data/qwen3.5"
"$python" - "$oracle" "$work" <<'PYTHON'
import pathlib
import sys

work = pathlib.Path(sys.argv[2])
small = (
    ('h=128, l=4, nh=8, kv=4, i=352, vd=4, vh=64, vn=4, vi=176',
     'h=64, l=4, nh=8, kv=4, i=96, vd=4, vh=32, vn=2, vi=88'),
    ('h=192, l=6, nh=12, kv=3, i=512, vd=3, vh=80, vn=5, vi=200',
     'h=96, l=6, nh=6, kv=3, i=128, vd=3, vh=40, vn=5, vi=56'),
)
# The oracle has no Qwen2-VL: it is Qwen2.5-VL with another tower.
qwen2 = (
    ('import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration',
     'import Qwen2VLConfig as Qwen2_5_VLConfig, Qwen2VLForConditionalGeneration as Qwen2_5_VLForConditionalGeneration'),
    ('dict(vision, window_size=P["win"], fullatt_block_indexes=P["full"], tokens_per_second=2)',
     'dict(depth=P["vd"], embed_dim=P["vh"], hidden_size=P["h"], mlp_ratio=4, num_heads=P["vn"], patch_size=14, '
     'spatial_merge_size=2, temporal_patch_size=2)'),
    ('["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl"',
     '["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl"'),
    ('"hidden_act": "silu", "hidden_size": P["vh"], "intermediate_size": P["vi"], "num_heads": P["vn"], "in_chans": 3, '
     '"out_hidden_size": P["h"]',
     '"embed_dim": P["vh"], "mlp_ratio": 4, "num_heads": P["vn"], "in_chans": 3, "hidden_size": P["h"]'),
    ('"window_size": P.get("win"), "fullatt_block_indexes": P.get("full"), "tokens_per_second": 2, ', ''),
)
for source, target, changes in (
    (sys.argv[1], "make_fixture.py", small),
    (work / "make_fixture.py", "make_qwen2.py", qwen2),
    (work / "qwen35.py", "qwen35.py", (
        ('h=128, i=352, nh=4, kv=2, hd=64, rot=0.25, sec=[3, 3, 2], nk=4, nv=4, dk=32, dv=32,',
         'h=64, i=64, nh=4, kv=2, hd=32, rot=0.25, sec=[2, 1, 1], nk=4, nv=4, dk=32, dv=32,'),
        ('vd=4, vh=64, vn=4, vi=176, tie=True, dtype=torch.float32',
         'vd=4, vh=32, vn=2, vi=88, tie=True, dtype=torch.float32'),
        ('h=192, i=512, nh=6, kv=3, hd=48, rot=0.5, sec=[4, 4, 4], nk=2, nv=6, dk=32, dv=48,',
         'h=64, i=96, nh=6, kv=3, hd=24, rot=0.5, sec=[2, 2, 2], nk=2, nv=6, dk=32, dv=48,'),
        ('vd=3, vh=80, vn=5, vi=200', 'vd=3, vh=40, vn=5, vi=56'),
    )),
):
    text = pathlib.Path(source).read_text(encoding="utf-8")
    for old, new in changes:
        if text.count(old) != 1:
            sys.exit(f"{source}: no preset {old}")
        text = text.replace(old, new)
    (work / target).write_text(text, encoding="utf-8")
PYTHON

"$python" scripts/parity-fixtures/draw.py "$work/pictures"
fixture() { # name, family, preset, seed, options
  rm -rf "${folder:?}/$1"
  "$python" "$work/${script:-make_fixture.py}" --family "$2" --preset "$3" --seed "$4" --merges 100 \
    --tokenizer "$tokenizer" --images "$work/pictures/form.png" "$work/pictures/list.jpg" --out "$folder/$1" "${@:5}"
  "$python" scripts/parity-fixtures/finish.py "$folder/$1"
}
fixture a qwen2_5_vl a "${SEED_A:-1}"
fixture b qwen2_5_vl b "${SEED_B:-2}"
script=make_qwen2.py fixture qwen2-vl qwen2_5_vl a "${SEED_QWEN2:-1}"
fixture qwen3-vl qwen3_vl b "${SEED_QWEN3:-2}"
fixture qwen3.5-a qwen3_5 a "${SEED_QWEN35_A:-3}" --trace
fixture qwen3.5-b qwen3_5 b "${SEED_QWEN35_B:-2}" --trace
# PEFT over all of these models but one (peft 0.21.2).
peft() { # name, base, options
  rm -rf "${folder:?}/$1"
  "$python" scripts/parity-fixtures/peft_reference.py "$folder/$2" "$folder/$1" "${@:3}"
}
peft peft-a a --rows single-1 two-turns text-only
peft peft-b b --targets v_proj --rslora --rank 3 --rows single-1 text-only
peft peft-qwen3 qwen3-vl --rows single-1 text-only
# Its tower has modules of the same names.
peft peft-mlp a --pattern '.*language_model\..*\.(q|k|v|o|gate|up|down)_proj' --rows single-1 text-only
peft peft-qwen3.5 qwen3.5-b --rank 2 --rows single-1 thinking text-only --targets q_proj k_proj v_proj o_proj \
  in_proj_qkv in_proj_z in_proj_b in_proj_a out_proj gate_proj up_proj down_proj
# All linear modules of decoder and tower, with patterns over one of them.
for base in a qwen2-vl qwen3.5-a; do
  peft "peft-linear-$base" "$base" --pattern all-linear --rank 1 --alpha 1 --double \
    --rows two-images text-only
done
peft peft-linear-qwen3-vl qwen3-vl --pattern all-linear --rank 1 --alpha 1 --double --rslora \
  --rows two-images text-only --options \
  '{"rank_pattern": {"attn.qkv": 3, "layers.1.mlp.down_proj": 2}, "alpha_pattern": {"visual.merger.linear_fc1": 3}}'
(cd "$folder" && find a b qwen2-vl qwen3-vl qwen3.5-? peft-* -type f | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
