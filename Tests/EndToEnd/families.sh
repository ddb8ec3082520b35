# The other families through every command: the same bytes on 1, 2 and 3 ranks, through a stop, from cached features and
# from merged shards of a probe; a standard LoRA of them; text alone.
source "$top/Tests/EndToEnd/refusals.sh"
end=step-00000012.h5

# through NAME FIXTURE [ARGUMENT...]: the whole way of a run, in NAME and files whose names begin so.
through() {
  local name=$1 fixture=$2 count state order
  shift 2
  cp -r "$top/Tests/ParityTests/Resources/$fixture/model" "$name"
  local options=(--set model.path="$name" --set training.steps=12 --set checkpoint.directory="$name-run" "$@")
  trained() { # N WHAT [ARGUMENT...]: a run on N ranks
    if train "$1" "${options[@]}" "${@:3}"; then ok "$name: $2, $1 ranks"; else fail "$name: $2, $1 ranks" out err; fi
  }

  for count in 1 2 3; do
    rm -rf "$name-run"
    trained "$count" "12 steps"
    mv "$name-run" "$name-$count"
  done
  for count in 2 3; do
    check "$name: adapter, optimizer, scores and losses of $count ranks have the bytes of one" \
      same_state "$name-1/$end" "$name-$count/$end"
  done
  mkdir "$name-run"
  cp "$name-1"/step-00000006.h5* "$name-run/"
  trained 2 "resumed at step 6" --resume auto
  check "$name: resumed: the bytes of the run never stopped" same_state "$name-1/$end" "$name-run/$end"
  for state in cold warm; do
    rm -rf "$name-run"
    trained 1 "a $state cache" --set model.feature_cache="$name-features" --set model.feature_memory_mib=0
    check "$name: a $state cache: the bytes of the run without one" same_state "$name-1/$end" "$name-run/$end"
  done
  check "$name: a warm cache: no image is computed" test "$(field "$name-run/summary.json" vision_features.read)" -gt 0 -a \
    "$(field "$name-run/summary.json" vision_features.computed)" = 0

  check "$name: probe" "$IMAGELORA" probe run.yaml "${options[@]}" --output "$name-scores.h5"
  for count in 0 1 2; do
    check "$name: probe of shard $count/3" \
      "$IMAGELORA" probe run.yaml "${options[@]}" --output "$name-part-$count.h5" --shard "$count/3"
  done
  check "$name: merged shards have the bytes of one process" sh -c \
    '"$0" scores merge $1-part-2.h5 $1-part-0.h5 $1-part-1.h5 --output $1-merged.h5 >/dev/null && cmp $1-scores.h5 $1-merged.h5' \
    "$IMAGELORA" "$name"
  for count in 0 2; do
    check "$name: evaluate on $count ranks" ranks "$count" "$IMAGELORA" evaluate run.yaml "${options[@]}" --base \
      --checkpoint "$name-1/$end" --max-new-tokens 6 --output "$name-$count.jsonl"
  done
  check "$name: answers of 2 ranks have the bytes of one process" cmp "$name-0.jsonl" "$name-2.jsonl"
  check "$name: text is untouched" python3 -c '
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
text = [row for row in rows if row["id"].endswith("text")]
seen = {json.dumps({key: value for key, value in row.items() if key != "model"}, sort_keys=True) for row in text}
assert len(text) == 2 and len(seen) == 1, text
' "$name-0.jsonl"
  "$IMAGELORA" inspect "$name" --json >"$name-inspected.json"
  "$IMAGELORA" plan run.yaml "${options[@]}" --json >"$name-planned.json"
  check "$name: plan counts as many parameters as inspect finds" \
    test "$(field "$name-planned.json" parameters.total)" = "$(field "$name-inspected.json" total.parameters)"
  check "$name: export" "$IMAGELORA" export "$name-1/$end" --output "$name-adapter"
  check "$name: evaluate the folder" "$IMAGELORA" evaluate run.yaml "${options[@]}" --base --adapter "$name-adapter" \
    --max-new-tokens 6 --output "$name-folder.jsonl"
  check "$name: the folder's answers are the checkpoint's" cmp "$name-0.jsonl" "$name-folder.jsonl"
  check "$name: generate with the checkpoint" "$IMAGELORA" generate --model "$name" --min-pixels 784 \
    --checkpoint "$name-1/$end" --image "$(find "$PWD/data" -name '*.png' | sort | head -n 1)" --prompt "What is this?" \
    --max-new-tokens 4
  check "$name: report" "$IMAGELORA" report "$name-1" --output "$name.html"
}

# lora_through NAME TARGETS TENSORS: a standard LoRA of NAME's base, out to PEFT's files and in again, and merged.
lora_through() {
  local name=$1 count
  local options=(--set model.path="$name" --set training.steps=4 --set training.learning_rate=1e-2
    --set adapter.kind=lora --set adapter.rank=2 --set adapter.heads=null --set "adapter.targets=$2"
    --set checkpoint.directory="$name-lora")
  for count in 1 2; do
    rm -rf "$name-lora"
    check "$name: 4 steps of LoRA on $count ranks" train "$count" "${options[@]}"
    mv "$name-lora" "$name-lora-$count"
  done
  check "$name: LoRA: the same bytes" same_state "$name-lora-1/step-00000004.h5" "$name-lora-2/step-00000004.h5"
  check "$name: LoRA: $3 tensors" test "$(h5ls "$name-lora-1/step-00000004.h5/adapter" | wc -l)" = "$3"
  "$IMAGELORA" plan run.yaml "${options[@]}" --json >"$name-planned.json"
  "$IMAGELORA" inspect "$name-lora-1/step-00000004.h5" --json >"$name-inspected.json"
  check "$name: LoRA: planned parameters are the checkpoint's" test \
    "$(field "$name-planned.json" adapter.trainable_parameters)" = \
    "$(field "$name-inspected.json" adapter.trainable_parameters)"
  check "$name: LoRA: export" \
    "$IMAGELORA" export "$name-lora-1/step-00000004.h5" --output "$name-peft" --model "$name"
  check "$name: LoRA: evaluate the folder" "$IMAGELORA" evaluate run.yaml "${options[@]}" --no-generate \
    --adapter "$name-peft" --output "$name-by-folder.jsonl"
  check "$name: LoRA: merged" \
    "$IMAGELORA" export "$name-lora-1/step-00000004.h5" --merged "$name-merged" --model "$name"
  check "$name: LoRA: evaluate the merged model" "$IMAGELORA" evaluate run.yaml "${options[@]}" --no-generate --base \
    --set model.path="$name-merged" --output "$name-by-merge.jsonl"
  # The merged weights have the base's type: bf16 rounds them.
  check "$name: LoRA: folder and merged model agree" python3 -c '
import json, sys
folder, merged = ({row["id"]: row["nll"] for row in map(json.loads, open(name))} for name in sys.argv[1:])
assert folder.keys() == merged.keys() and len(folder) == 5
assert all(abs(folder[row] - merged[row]) < 2e-2 * abs(folder[row]) for row in folder), (folder, merged)
' "$name-by-folder.jsonl" "$name-by-merge.jsonl"
}

through qwen2-vl qwen2-vl
through qwen3-vl qwen3-vl
check "inspect knows family and deepstack" test "$(field qwen3-vl-inspected.json family)" = qwen3_vl -a \
  "$(field qwen3-vl-inspected.json vision.deepstack_blocks)" = "[0, 1]"
through qwen3.5 qwen3.5-b
check "Qwen3.5: heads in layers of full attention alone" test \
  "$(h5ls "qwen3.5-1/$end/adapter/kv_indices" | awk '{ print $1 }' | tr '\n' ' ')" = "2 5 "
through qwen3.5-both qwen3.5-a --set adapter.value_heads=both --set adapter.heads.num_heads=9
check "Qwen3.5: heads of both kinds" test "$(h5ls "qwen3.5-both-1/$end/adapter/kv_indices" | wc -l)" -gt 0 -a \
  "$(h5ls "qwen3.5-both-1/$end/adapter/value_head_indices" | wc -l)" -gt 0
lora_through qwen3-vl '[q_proj, v_proj, gate_proj, up_proj, down_proj]' 60
lora_through qwen3.5 '[q_proj, v_proj, in_proj_qkv, in_proj_z, out_proj, down_proj]' 44
refused 65 "a projection that the model lacks" 'run file' 'adapter.targets is in_proj_z, expected projections that this model' \
  train run.yaml --set model.path=qwen3-vl --set adapter.kind=lora --set adapter.heads=null \
  --set 'adapter.targets=[q_proj, in_proj_z]' --set checkpoint.directory=none

# Text alone: a standard LoRA learns from it, an Image-LoRA has nothing to learn.
grep '"images": \[\]' data/rows.jsonl >data/text.jsonl
text=(--set model.path=qwen3-vl --set data.train=data/text.jsonl --set data.validation=null --set training.steps=3
  --set training.global_batch=3 --set checkpoint.directory=text-run)
check "Qwen3-VL: text alone, LoRA" train 2 "${text[@]}" --set adapter.kind=lora --set adapter.heads=null
check "Qwen3-VL: text alone: the LoRA has learned" sh -c \
  "h5dump -d /adapter/layers.0.v_proj.B -y text-run/step-00000003.h5 | grep -qE '[1-9]'"
rm -rf qwen* text-run
