# Qwen3-VL through every command: the same bytes on 1 and 2 ranks, through a stop, and from cached features.
cp -r "$top/Tests/ParityTests/Resources/qwen3-vl/model" qwen3
third=(--set model.path=qwen3 --set training.steps=12 --set checkpoint.directory=qwen3-run)
end=step-00000012.h5

# third N WHAT [ARGUMENT...]: a run on N ranks, kept in qwen3-run.
third() {
  if train "$1" "${third[@]}" "${@:3}"; then ok "$2, $1 ranks"; else fail "$2, $1 ranks" out err; fi
}

for count in 1 2; do
  rm -rf qwen3-run
  third "$count" "12 steps of Qwen3-VL"
  mv qwen3-run "qwen3-$count"
done
check "Qwen3-VL: adapter, optimizer, scores and losses of 2 ranks have the bytes of one" \
  same_state "qwen3-1/$end" "qwen3-2/$end"
mkdir qwen3-run
cp qwen3-1/step-00000006.h5* qwen3-run/
third 2 "resumed at step 6" --resume auto
check "resumed: the bytes of the run never stopped" same_state "qwen3-1/$end" "qwen3-run/$end"
for state in cold warm; do
  rm -rf qwen3-run
  third 1 "a $state cache" --set model.feature_cache=qwen3-features --set model.feature_memory_mib=0
  check "a $state cache: the bytes of the run without one" same_state "qwen3-1/$end" "qwen3-run/$end"
done
check "a warm cache: no image is computed" test "$(field qwen3-run/summary.json vision_features.read)" -gt 0 -a \
  "$(field qwen3-run/summary.json vision_features.computed)" = 0

for count in 0 2; do
  check "evaluate on $count ranks" ranks "$count" "$IMAGELORA" evaluate run.yaml "${third[@]}" --base \
    --checkpoint "qwen3-1/$end" --max-new-tokens 6 --output "qwen3-$count.jsonl"
done
check "evaluate: answers of 2 ranks have the bytes of one process" cmp qwen3-0.jsonl qwen3-2.jsonl
"$IMAGELORA" inspect qwen3 --json >qwen3-inspected.json
check "inspect knows family and deepstack" test "$(field qwen3-inspected.json family)" = qwen3_vl -a \
  "$(field qwen3-inspected.json vision.deepstack_blocks)" = "[0, 1]"
"$IMAGELORA" plan run.yaml "${third[@]}" --json >qwen3-planned.json
check "plan counts as many parameters as inspect finds" \
  test "$(field qwen3-planned.json parameters.total)" = "$(field qwen3-inspected.json total.parameters)"
check "export" "$IMAGELORA" export "qwen3-1/$end" --output qwen3-adapter
check "generate with the checkpoint" "$IMAGELORA" generate --model qwen3 --min-pixels 784 --checkpoint "qwen3-1/$end" \
  --image "$(find "$PWD/data" -name '*.png' | sort | head -n 1)" --prompt "What is this?" --max-new-tokens 4
