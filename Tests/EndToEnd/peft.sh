# Folders that PEFT wrote, with tensors of the MLPs and of the vision tower, as users go on with them: inspected,
# evaluated, trained on and merged.

cat >peft.yaml <<'YAML'
model: {path: model, min_pixels: 784}
data: {train: data/rows.jsonl, validation: data/validation.jsonl, image_root: data}
adapter: {kind: lora, rank: 1, alpha: 1, targets: [all-linear, visual]}
training: {steps: 6, global_batch: 8, learning_rate: 1e-2, warmup_steps: 1}
checkpoint: {directory: run, every_steps: 3, keep: 9}
logging: {every_steps: 1}
YAML
end=step-00000006.h5

# peft_through FIXTURE BASE TOLERANCE [ARGUMENT...]: ARGUMENT is what a run file says of an adapter of this shape,
# TOLERANCE what the base's type lets a merged model's losses differ by.
peft_through() {
  local name=$1 base=$2 tolerance=$3 count
  local resources=$top/Tests/ParityTests/Resources
  cp -r "$resources/$name/adapter" "$name"
  cp -r "$resources/$base/model" "$name-base"
  local options=(--set model.path="$name-base" "${@:4}")
  evaluated() { # NAME ARGUMENT...: the metrics in NAME.json, losses and answers in NAME.jsonl
    "$IMAGELORA" evaluate peft.yaml "${options[@]}" --max-new-tokens 4 --base --output "$1.jsonl" --json "${@:2}" >"$1.json"
  }
  trained() { # N DIRECTORY [ARGUMENT...]: from PEFT's folder
    ranks "$1" "$IMAGELORA" train peft.yaml "${options[@]}" --set adapter.start="$name" \
      --set checkpoint.directory="$2" "${@:3}"
  }

  check "$name: inspect" "$IMAGELORA" inspect "$name"
  "$IMAGELORA" inspect "$name" --json >"$name.inspected"
  check "$name: the base's name is that of PEFT's file" test "$(field "$name.inspected" base_model_name_or_path)" = model
  check "$name: evaluate" evaluated "$name-folder" --adapter "$name"
  check "$name: it changes the losses of all examples" python3 -c '
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
base, adapted = ({row["id"]: row["nll"] for row in rows if row["model"] == model} for model in ("base", "adapted"))
assert base.keys() == adapted.keys() and len(base) == 5
assert all(abs(base[row] - adapted[row]) > 1e-4 * base[row] for row in base), (base, adapted)
' "$name-folder.jsonl"

  check "$name: start, a step that changes nothing" trained 1 "$name-still" --set training.steps=1 \
    --set training.learning_rate=0
  check "$name: all of its tensors are there" test "$(h5ls "$name-still/step-00000001.h5/adapter" | wc -l)" = \
    "$(field "$name.inspected" tensors | grep -o '"name"' | wc -l)"
  check "$name: evaluate that checkpoint" evaluated "$name-checkpoint" --checkpoint "$name-still/step-00000001.h5"
  check "$name: the folder's losses and answers in every bit" cmp "$name-folder.jsonl" "$name-checkpoint.jsonl"

  for count in 1 2; do
    check "$name: train on with $count ranks" trained "$count" "$name-run-$count"
  done
  check "$name: the same bytes" same_state "$name-run-1/$end" "$name-run-2/$end"
  check "$name: validation loss falls from that of PEFT's adapter" python3 -c '
import json, sys
losses = [entry["validation_loss"] for entry in map(json.loads, open(sys.argv[1])) if "validation_loss" in entry]
assert losses[-1] < losses[0], losses
' "$name-run-1/metrics.jsonl"

  check "$name: evaluate what was trained" evaluated "$name-trained" --checkpoint "$name-run-1/$end"
  check "$name: merged into the base" \
    "$IMAGELORA" export "$name-run-1/$end" --merged "$name-merged" --model "$name-base"
  check "$name: every adapted weight is another, those of MLPs and tower too, and nothing else" python3 -c '
import json, pathlib, sys
def tensors(folder):
    found = {}
    for path in pathlib.Path(folder).glob("*.safetensors"):
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        for name, part in json.loads(data[8:start]).items():
            if name != "__metadata__":
                begin, end = part["data_offsets"]
                found[name] = data[start + begin : start + end]
    return found
base, merged = map(tensors, sys.argv[1:3])
changed = [name for name in base if base[name] != merged[name]]
assert base.keys() == merged.keys() and 2 * len(changed) == int(sys.argv[3]), changed
for part in ("mlp.down_proj", "visual.blocks", "visual.merger"):
    assert any(part in name for name in changed), part
' "$name-base" "$name-merged" "$(h5ls "$name-run-1/$end/adapter" | wc -l)"
  check "$name: the merged model alone" evaluated "$name-merge" --set model.path="$name-merged"
  check "$name: its losses are those with the adapter" python3 -c '
import json, sys
def nll(name, model):
    return {row["id"]: row["nll"] for row in map(json.loads, open(name)) if row["model"] == model}
merged, adapted = nll(sys.argv[1], "base"), nll(sys.argv[2], "adapted")
assert merged.keys() == adapted.keys() and len(merged) == 5
assert all(abs(merged[row] - adapted[row]) < float(sys.argv[3]) * adapted[row] for row in merged), (merged, adapted)
' "$name-merge.jsonl" "$name-trained.jsonl" "$tolerance"
}

peft_through peft-linear-a a 1e-4
peft_through peft-linear-qwen2-vl qwen2-vl 1e-4
# In bf16; rsLoRA, with ranks and an alpha of their own.
peft_through peft-linear-qwen3-vl qwen3-vl 2e-2 --set adapter.rslora=true \
  --set 'adapter.rank_pattern={attn.qkv: 3, layers.1.mlp.down_proj: 2}' \
  --set 'adapter.alpha_pattern={visual.merger.linear_fc1: 3}'
peft_through peft-linear-qwen3.5-a qwen3.5-a 1e-4
rm -rf peft-linear-*
