# Standard LoRA and the other adapters that a comparison wants: the same bytes on any number of ranks and through a
# stop, PEFT's files out and in again with the same losses, every way to choose heads.
source "$top/Tests/EndToEnd/refusals.sh"

cat >lora.yaml <<'YAML'
model: {path: model, min_pixels: 784}
data: {train: data/rows.jsonl, validation: data/rows.jsonl, image_root: data}
adapter: {kind: lora, rank: 2, alpha: 4, targets: [v_proj, q_proj, k_proj, o_proj]}
training: {steps: 8, global_batch: 8, learning_rate: 1e-2, warmup_steps: 1}
checkpoint: {directory: lora-run, every_steps: 4, keep: 9}
logging: {every_steps: 1}
YAML
end=step-00000008.h5

lora() { # N [ARGUMENT...]
  local count=$1
  shift
  ranks "$count" "$IMAGELORA" train lora.yaml "$@" >out 2>err
}

for count in 1 2 3; do
  rm -rf lora-run
  if lora "$count"; then ok "LoRA: 8 steps on $count ranks"; else fail "LoRA: 8 steps on $count ranks" out err; fi
  mv lora-run "lora-$count"
done
for count in 2 3; do
  check "LoRA: adapter, optimizer and losses of $count ranks have the bytes of one" \
    same_state "lora-1/$end" "lora-$count/$end"
  check "LoRA: so has metrics.jsonl" same_log lora-1/metrics.jsonl "lora-$count/metrics.jsonl"
done
check "LoRA: tensors of four projections in four layers" test \
  "$(h5ls lora-1/$end/adapter | grep -cE '^layers\.[0-3]\.[qkvo]_proj\.[AB] ')" = 32
check "LoRA: nothing of influence in the file" sh -c "! h5ls -r lora-1/$end | grep -q influence"
"$IMAGELORA" plan lora.yaml --json >lora-planned.json
check "LoRA: planned parameters are the checkpoint's" test \
  "$(field lora-planned.json adapter.trainable_parameters)" = "$(h5ls lora-1/$end/adapter |
    sed -nE 's/.*\{([0-9]+), ([0-9]+)\}/\1 \2/p' | awk '{ sum += $1 * $2 } END { print sum }')"
check "LoRA: validation loss falls" awk 'NR == 1 { first = $1 } { last = $1 } END { exit !(NR == 3 && last < first) }' \
  <<<"$(column lora-1/metrics.jsonl validation_loss)"

mkdir lora-run
cp "lora-2/step-00000004.h5" "lora-2/step-00000004.h5.sha256" lora-run/
if lora 1 --resume auto; then ok "LoRA: goes on on 1 rank"; else fail "LoRA: goes on on 1 rank" out err; fi
check "LoRA: resumed on another number of ranks, the bytes of the run never stopped" \
  same_state "lora-2/$end" "lora-run/$end"
rm -rf lora-run

"$IMAGELORA" inspect "lora-1/$end" --json >lora-inspected.json
check "LoRA: inspect" test "$(field lora-inspected.json adapter.kind) $(field lora-inspected.json adapter.rank) $(field lora-inspected.json \
  adapter.alpha)" = "lora 2 4"
check "LoRA: export" "$IMAGELORA" export "lora-1/$end" --output peft --model model
check "LoRA: PEFT's names" grep -aq '"base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight"' \
  peft/adapter_model.safetensors
for start in "lora-1/$end" peft; do
  check "LoRA: training starts from ${start##*/}" "$IMAGELORA" train lora.yaml --set "adapter.start=$start" \
    --set "checkpoint.directory=from-${start%%[-/]*}"
done
check "LoRA: from a checkpoint as from the folder that was exported of it" \
  same_state "from-lora/$end" "from-peft/$end"
evaluated() { # NAME ARGUMENT...: the metrics in NAME.json and the answers in NAME.jsonl
  local name=$1
  shift
  "$IMAGELORA" evaluate lora.yaml --max-new-tokens 6 --base --output "$name.jsonl" --json "$@" >"$name.json"
}
check "LoRA: evaluate the checkpoint" evaluated by-checkpoint --checkpoint "lora-1/$end"
check "LoRA: evaluate PEFT's folder" evaluated by-folder --adapter peft
check "LoRA: the folder's answers and losses are the checkpoint's in every bit" cmp by-checkpoint.jsonl by-folder.jsonl
check "LoRA: and so are the metrics" cmp by-checkpoint.json by-folder.json
distinct() { grep "\"id\":\"$1" by-folder.jsonl | sed -E 's/"model":"[a-z]+",?//' | sort -u | wc -l; }
check "LoRA: examples of text change too" test "$(distinct text-)" = 12
check "LoRA: parity" "$IMAGELORA" parity --model model --data data/rows.jsonl --adapter peft --output peft.h5
check "LoRA: generate from the folder" "$IMAGELORA" generate --model model --adapter peft --min-pixels 784 \
  --prompt "How many?" --max-new-tokens 3

check "LoRA: merged into the base" "$IMAGELORA" export "lora-1/$end" --merged merged --model model
check "LoRA: the merged model alone" evaluated by-merge --set model.path=merged
check "LoRA: the merged model alone has the adapter's losses to fp32 rounding" python3 -c '
import json
def nll(name, model):
    rows = map(json.loads, open(name))
    return {row["id"]: row["nll"] for row in rows if row["model"] == model}
merged, adapted, base = nll("by-merge.jsonl", "base"), nll("by-folder.jsonl", "adapted"), nll("by-folder.jsonl", "base")
assert merged.keys() == adapted.keys() and len(merged) == 40
assert all(abs(merged[row] - adapted[row]) < 1e-5 * adapted[row] for row in merged)
assert all(abs(merged[row] - base[row]) > 1e-4 * base[row] for row in merged)
'
check "LoRA: its other weights are the base's" test "$(cmp -l model/model.safetensors merged/model.safetensors | wc -l)" \
  -gt 1000 -a "$(stat -c %s model/model.safetensors)" = "$(stat -c %s merged/model.safetensors)"

# A folder as a start: the same parameters before the first step.
check "LoRA: start from a folder" lora 2 --set adapter.start=peft --set training.learning_rate=0 \
  --set checkpoint.directory=started
check "LoRA: without a step's effect it stays what it was" sh -c "
  for file in lora-1/$end started/$end; do h5dump -g /adapter \$file | grep -vE 'HDF5|FILE_CONTENTS' >\$file.text; done
  cmp lora-1/$end.text started/$end.text"
refused 65 "a start of another shape" 'peft' 'rank 2.*rank 4' \
  train lora.yaml --set adapter.start=peft --set adapter.rank=4 --set checkpoint.directory=none
refused 65 "heads with a LoRA" 'lora.yaml|--set' 'adapter.heads.*kind: lora' train lora.yaml --set adapter.heads.select=all
refused 65 "dropout of everything" '--set' 'adapter.dropout.*from 0.0 to 0.95' train lora.yaml --set adapter.dropout=1
refused 65 "a pattern of no module" 'run file' 'rank_pattern.*that is adapted' train lora.yaml \
  --set 'adapter.rank_pattern={down_proj: 4}' --set checkpoint.directory=none
refused 65 "a probe of a LoRA" 'adapter.kind' 'image_lora' probe lora.yaml --output none.h5
checkpoints
refused 65 "merging an Image-LoRA" "run/$last" 'visual tokens' export "run/$last" --merged none --model model
rm -rf run
cp -r peft peft-flipped
python3 "$top/Tests/EndToEnd/spoil.py" flip peft-flipped/adapter_model.safetensors
for command in "evaluate lora.yaml --no-generate --adapter" "generate --model model --min-pixels 784 --prompt x --adapter" \
  "parity --model model --data data/rows.jsonl --output none.h5 --adapter"; do
  refused 65 "a flipped bit of a folder's tensors (${command%% *})" 'peft-flipped/adapter_model.safetensors' \
    'damaged.*tensors_sha256' $command peft-flipped
done
refused 65 "a flipped bit of a folder's tensors (train)" 'peft-flipped/adapter_model.safetensors' \
  'damaged.*tensors_sha256' train lora.yaml --set checkpoint.directory=none --set adapter.start=peft-flipped
cp -r peft peft-edited
sed -i 's/"lora_alpha" *: *4/"lora_alpha": 5/' peft-edited/adapter_config.json
refused 65 "a folder's alpha changed" 'peft-edited/adapter_config.json' 'config_digest' \
  evaluate lora.yaml --adapter peft-edited --no-generate
# PEFT's own folders have no digests.
cp -r peft peft-dora
rm peft-dora/conditions.json
sed -i 's/"use_dora" *: *false/"use_dora": true/' peft-dora/adapter_config.json
refused 65 "DoRA" 'peft-dora/adapter_config.json' 'use_dora' evaluate lora.yaml --adapter peft-dora --no-generate
cp -r peft peft-part
rm peft-part/conditions.json
sed -i 's/"target_modules" *: *\[/"exclude_modules": ".*layers\\\\.1\\\\..*", "target_modules": [/' peft-part/adapter_config.json
refused 65 "tensors of excluded modules" 'peft-part/adapter_model.safetensors' 'layer 1 has a LoRA of q_proj, contrary to' \
  evaluate lora.yaml --adapter peft-part --no-generate

# As other trainers mean LoRA: all linear modules, also of the vision tower, with dropout and ranks of their own.
wide=(--set 'adapter.targets=[all-linear, visual]' --set adapter.dropout=0.1
  --set 'adapter.rank_pattern={visual.merger.*: 1, down_proj: 3}' --set adapter.rslora=true)
for count in 1 2 3; do
  rm -rf lora-run
  if lora "$count" "${wide[@]}"; then ok "wide LoRA: $count ranks"; else fail "wide LoRA: $count ranks" out err; fi
  mv lora-run "wide-$count"
done
for count in 2 3; do
  check "wide LoRA: $count ranks have the bytes of one" same_state "wide-1/$end" "wide-$count/$end"
done
mkdir lora-run
cp wide-2/step-00000004.h5 wide-2/step-00000004.h5.sha256 lora-run/
if lora 3 --resume auto "${wide[@]}"; then ok "wide LoRA: goes on"; else fail "wide LoRA: goes on" out err; fi
check "wide LoRA: resumed on another number of ranks, with dropout, the same bytes" same_state "wide-1/$end" "lora-run/$end"
rm -rf lora-run
check "wide LoRA: modules of the tower" test "$(h5ls "wide-1/$end/adapter" | grep -c '^visual\.')" -gt 10
check "wide LoRA: export" "$IMAGELORA" export "wide-1/$end" --output peft-wide --model model
check "wide LoRA: evaluate the checkpoint" evaluated wide-checkpoint --checkpoint "wide-1/$end"
check "wide LoRA: evaluate the folder" evaluated wide-folder --adapter peft-wide
check "wide LoRA: the same answers and losses in every bit" cmp wide-checkpoint.jsonl wide-folder.jsonl
check "wide LoRA: trains on from the folder" lora 2 "${wide[@]}" --set adapter.start=peft-wide \
  --set checkpoint.directory=wide-more
check "wide LoRA: merged into the base" "$IMAGELORA" export "wide-1/$end" --merged merged-wide --model model
check "wide LoRA: the merged model alone" evaluated wide-merge --set model.path=merged-wide
check "wide LoRA: the merged model alone has the adapter's losses to fp32 rounding" python3 -c '
import json
def nll(name, model):
    rows = map(json.loads, open(name))
    return {row["id"]: row["nll"] for row in rows if row["model"] == model}
merged, adapted = nll("wide-merge.jsonl", "base"), nll("wide-folder.jsonl", "adapted")
assert merged.keys() == adapted.keys() and len(merged) == 40
assert all(abs(merged[row] - adapted[row]) < 1e-4 * adapted[row] for row in merged)
'
other_kind() {
  ranks 2 "$IMAGELORA" train run.yaml --set adapter.kind=lora --set training.steps=2 \
    --set checkpoint.directory=other-kind >out 2>err
}
check "an Image-LoRA's run file trains a LoRA" other_kind
check "what it said of heads is left out with a notice" grep -q 'adapter.heads is left out' err

# Going on from a finished run.
COUNTS=0 refused 65 "a longer run without --extend" 'lora-1/' 'training.steps is 8 there and 12 here.*--extend' \
  train lora.yaml --set checkpoint.directory=lora-1 --set training.steps=12 --resume auto
check "extended: four more steps of another batch" ranks 2 "$IMAGELORA" train lora.yaml --resume auto --extend \
  --set checkpoint.directory=lora-1 --set training.steps=12 --set training.global_batch=4
"$IMAGELORA" inspect lora-1/step-00000012.h5 >out
check "extended: recorded" grep -q 'extended.*after step 8: .*training.steps from 8 to 12' out
check "extended: examples seen" grep -qE 'examples seen +80$' out
status=0
"$IMAGELORA" train lora.yaml --extend >out 2>err || status=$?
check "--extend without --resume is bad usage" test "$status" = 64
check "and says what to give" grep -q 'give --resume' err

# The controls of a comparison.
check "LoRA on values alone" lora 2 --set 'adapter.targets=[v_proj]' --set training.steps=2 \
  --set checkpoint.directory=values
check "LoRA on values alone: 8 tensors" test "$(h5ls values/step-00000002.h5/adapter | grep -c 'v_proj')" = 8
check "the plan of a LoRA compares it with itself" test "$(field lora-planned.json adapter.trainable_parameters)" = \
  "$(field lora-planned.json standard_lora.trainable_parameters)"
heads() { # NAME COUNT ARGUMENT...: two steps with Image-LoRA on so many heads
  local name=$1 count=$2
  shift 2
  check "Image-LoRA, heads $name" ranks 2 "$IMAGELORA" train run.yaml --set training.steps=2 \
    --set checkpoint.directory="heads-$name" "$@"
  "$IMAGELORA" inspect "heads-$name/step-00000002.h5" --json >"heads-$name.json"
  check "Image-LoRA, heads $name: $count of them" test "$(field "heads-$name.json" heads.count)" = "$count"
}
heads all 16 --set adapter.heads.select=all --set adapter.normalization=none
heads random 5 --set adapter.heads.select=random --set adapter.heads.seed=3
heads per_layer 8 --set adapter.heads.select=per_layer --set adapter.heads.per_layer=2
heads lowest 5 --set adapter.heads.select=lowest
heads influence 5
check "the lowest heads are others than the highest" sh -c '
  for name in lowest influence; do h5dump -g /adapter/kv_indices heads-$name/step-00000002.h5 | tail -n +2 >$name.heads; done
  ! cmp -s lowest.heads influence.heads'
field heads-lowest.json heads >kv.json
heads file 5 --set adapter.heads.select=file --set adapter.heads.file=kv.json
check "the same heads from their file" sh -c '
  for name in lowest file; do h5dump -g /adapter/kv_indices heads-$name/step-00000002.h5 | tail -n +2 >$name.heads; done
  cmp lowest.heads file.heads'
rm -rf lora-[123] heads-* values started peft peft-dora peft-part merged
