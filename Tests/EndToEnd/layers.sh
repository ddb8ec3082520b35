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
# The probe measures the upper layers alone, from the same hidden states.
probe=(probe run.yaml --set adapter.heads.from_layer=2)
for count in 1 2 3; do
  check "a probe of upper layers, $count ranks" ranks "$count" "$IMAGELORA" "${probe[@]}" --output "probed-$count.h5"
  check "a probe of upper layers: the same bytes on $count ranks" cmp probed-1.h5 "probed-$count.h5"
done
"$IMAGELORA" "${probe[@]}" --output probed.h5 >out 2>err
check "it says so" grep -q ' KV heads from layer 2 on: probed.h5' out
rm -rf upper-cache
for state in cold warm; do
  check "a probe of upper layers, a $state cache" "$IMAGELORA" "${probe[@]}" --output cached.h5 \
    --set model.feature_memory_mib=0 --set model.feature_cache=upper-cache
  check "a probe of upper layers, a $state cache: the same bytes" cmp probed-1.h5 cached.h5
done
check "the probe keeps hidden states" sh -c 'find upper-cache -name "*.h5" -exec h5ls {} \; | grep -q "^hidden_states"'
for part in 0 1 2; do "$IMAGELORA" "${probe[@]}" --shard "$part/3" --output "part-$part.h5" >out 2>err; done
"$IMAGELORA" scores merge part-2.h5 part-0.h5 part-1.h5 --output merged.h5 >out 2>err
check "a probe of upper layers: merged shards have its bytes" cmp probed-1.h5 merged.h5
check "it selects without being told" "$IMAGELORA" scores select probed-1.h5 --num-heads 5 --output probed.json
check "what the run selects" test "$("$IMAGELORA" inspect "upper-first/$end" --json | python3 -c 'import json, sys
heads = {layer: kv for layer, kv in json.load(open("probed.json"))["kv_indices"].items() if kv}
print(json.load(sys.stdin)["heads"]["kv_indices"] == heads)')" = True
status=0
"$IMAGELORA" scores select probed-1.h5 --from-layer 1 --output none.json 2>err || status=$?
check "a layer that was not probed" grep -q '^imagelora: probed-1.h5: the probe measured layers from 2 on, --from-layer is 1' err
check "a layer that was not probed: status 65, no file" sh -c "test $status = 65 && ! test -e none.json"
check "inspect says which layers" sh -c '"$1" inspect probed-1.h5 | grep -q "^heads .*, those from layer 2 on$"' _ "$IMAGELORA"
"$IMAGELORA" probe run.yaml --output upper-scores.h5 >out 2>err
"$IMAGELORA" scores merge upper-scores.h5 probed-1.h5 --output none.h5 2>err || status=1
check "a probe of other layers" grep -q '^imagelora: probed-1.h5: its lowest layer (from_layer) is not' err
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
