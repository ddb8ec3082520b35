# Adapters of upper layers alone: the layers below pass once an example, and no byte depends on what of them is cached.
upper=(--set adapter.heads.from_layer=2 --set adapter.heads.num_heads=5 --set training.steps=16
  --set checkpoint.every_steps=8 --set checkpoint.directory=upper)
end=step-00000016.h5

# upper N WHAT [ARGUMENT...]: the run on N ranks; its numbers are those of the first one.
upper() {
  rm -rf upper
  if train "$1" "${upper[@]}" "${@:3}"; then ok "upper layers, $2, $1 ranks"; else fail "upper layers, $2" out err; fi
  [[ -d upper-first ]] || cp -r upper upper-first
  check "upper layers, $2, $1 ranks: the bytes of the first run" same_state "upper-first/$end" "upper/$end"
}

for count in 1 2 3; do upper "$count" "in memory"; done
check "only they are adapted" sh -c "h5ls upper-first/$end/adapter | grep -q '^layers.2' &&
  ! h5ls upper-first/$end/adapter | grep -qE '^layers.[01]'"
check "with as many heads as the run asks for" \
  test "$("$IMAGELORA" inspect "upper-first/$end" --json | python3 -c 'import json, sys
print(sum(map(len, json.load(sys.stdin)["heads"]["kv_indices"].values())))')" = 5
upper 2 "without memory" --set model.feature_memory_mib=0
rm -rf upper-cache
for count in 2 1; do
  upper "$count" "a cache on disk" --set model.feature_memory_mib=0 --set model.feature_cache=upper-cache
done
files=$(find upper-cache -name '*.h5' -exec sh -c 'h5ls "$1" | grep -q "^hidden_states"' _ {} \; -print)
# 40 training and 12 validation examples at most: the part up to the image of each, and what follows.
check "hidden states have files of their own" test "$(wc -w <<<"$files")" -gt 40
for file in $(head -n 5 <<<"$files"); do printf '\377' | dd of="$file" bs=1 seek=2000 conv=notrunc 2>dd.err; done
upper 2 "a damaged cache" --set model.feature_memory_mib=0 --set model.feature_cache=upper-cache
rm "upper/$end"*
check "upper layers: resumed" train 2 "${upper[@]}" --resume auto
check "upper layers: resumed to the bytes of the whole run" same_state "upper-first/$end" "upper/$end"

"$IMAGELORA" plan run.yaml "${upper[@]}" >plan.out
check "the plan says what is computed once" grep -q '^frozen     .*FLOP of an example.s forward are in the 2 layers below' plan.out
"$IMAGELORA" plan run.yaml "${upper[@]}" --json >plan.json
check "as a number too" test "$(field plan.json flops_per_example.frozen)" != null
check "evaluate takes its checkpoint" ranks 2 "$IMAGELORA" evaluate run.yaml --checkpoint "upper-first/$end" --no-generate
"$IMAGELORA" probe run.yaml --output upper-scores.h5 >out 2>err
"$IMAGELORA" scores select upper-scores.h5 --num-heads 5 --from-layer 2 --output upper.json >out 2>err
check "a selection from scores is that of the run" python3 -c '
import json, subprocess, sys
heads = json.load(open("upper.json"))["kv_indices"]
assert all(int(layer) >= 2 for layer, kv in heads.items() if kv), heads
assert sum(map(len, heads.values())) == 5, heads'

lora=(--set adapter.kind=lora --set adapter.layers=2-3 --set training.steps=8 --set checkpoint.every_steps=8
  --set checkpoint.directory=upper-lora)
for count in 1 2; do
  rm -rf upper-lora
  check "LoRA of upper layers, $count ranks" train "$count" "${lora[@]}"
  mv upper-lora "upper-lora-$count"
done
check "LoRA of upper layers: the same bytes" same_state upper-lora-1/step-00000008.h5 upper-lora-2/step-00000008.h5
check "LoRA of upper layers: export" "$IMAGELORA" export upper-lora-1/step-00000008.h5 --output upper-peft --model model
check "its folder names the layers" python3 -c '
import json
config = json.load(open("upper-peft/adapter_config.json"))
names = config["target_modules"]
layers = config.get("layers_to_transform") or sorted({int(n.split("layers.")[1].split(".")[0]) for n in names})
assert layers == [2, 3], config'
check "and gives the checkpoint's losses" ranks 0 "$IMAGELORA" evaluate run.yaml --adapter upper-peft --no-generate
