# The same bytes on 1, 2 and 3 ranks; the bytes reduced are those planned.

# whole N: a run on N ranks that nobody stops, kept in whole-N. Other parts compare with it.
whole() {
  [[ -d whole-$1 ]] && return
  rm -rf run
  if train "$1"; then ok "40 steps on $1 ranks"; else fail "40 steps on $1 ranks" out err; fi
  mv run "whole-$1"
  mv out "whole-$1/out"
}

for count in 1 2 3; do whole "$count"; done
for count in 2 3; do
  check "adapter, optimizer, scores and losses of $count ranks have the bytes of one" \
    same_state "whole-1/$last" "whole-$count/$last"
  check "h5diff finds no difference either" h5diff "whole-1/$last" "whole-$count/$last" /optimizer
  check "metrics.jsonl of $count ranks has the numbers of one" \
    same_log whole-1/metrics.jsonl "whole-$count/metrics.jsonl"
done
# Two examples a pass by default, since a batch of eight has four passes then; and one.
check "the run says how it packs" \
  grep -q 'passes *up to 2 examples each; the first step has 4' whole-1/out
for count in 1 3; do
  rm -rf run
  name="micro_batch 1 on $count ranks"
  if train "$count" --set training.micro_batch=1; then ok "$name"; else fail "$name" out err; fi
  mv run "micro-$count"
done
check "with micro_batch 1 as well 3 ranks have the bytes of one" same_state "micro-1/$last" "micro-3/$last"
differs() { ! same_state "$@" >/dev/null; }
check "which differ from those of two images a pass" differs "micro-1/$last" "whole-1/$last"

check "the losses are 40 different numbers" test "$(column whole-1/metrics.jsonl loss | sort -u | wc -l)" = 40

# The plan for the heads that the run chose, and the checkpoint itself, say how much a step reduces; the communicator
# counts what it reduced, which summary.json states.
"$IMAGELORA" inspect "whole-1/$last" --json >inspected.json
field inspected.json heads >heads.json
"$IMAGELORA" plan run.yaml --set adapter.heads.select=file --set adapter.heads.file=heads.json --json >planned.json
# Three questions about each image.
python3 - <<'PY'
import json

rows = [row for row in map(json.loads, open("data/rows.jsonl")) if row.get("images")][:6]
with open("data/asked.jsonl", "w") as file:
    for row in rows:
        for question in range(3):
            file.write(json.dumps({**row, "id": f"{row['id']}-{question}"}) + "\n")
PY
plan_asked() { "$IMAGELORA" plan run.yaml --set data.train=data/asked.jsonl --set "training.global_batch=$1" >out; }
plan_asked 4
check "the plan says that steps cut image groups" \
  grep -qE '^cut        most images have 3 examples, and steps of 4 .*; training.global_batch 3 or 6 keeps them whole$' out
check "a run whose steps cut them" train 1 --set data.train=data/asked.jsonl --set training.global_batch=4 \
  --set training.steps=1 --set checkpoint.directory=asked
check "so does the start of a run" grep -qE '^note       most images have 3 .* training.global_batch 3 or 6 keeps them whole$' out
for count in 1 2 3; do
  check "passes of two images with three questions each, on $count ranks" train "$count" --set data.train=data/asked.jsonl \
    --set training.global_batch=18 --set training.micro_batch=6 --set training.steps=2 --set "checkpoint.directory=asked-$count"
done
check "a step has three of them" grep -q 'passes *up to 6 examples each; the first step has 3' out
for count in 2 3; do
  check "$count ranks have the bytes of one" same_state asked-1/step-00000002.h5 "asked-$count/step-00000002.h5"
done
plan_asked 6
check "and says nothing where they do not" sh -c '! grep -q "^cut" out'
parameters=$(field inspected.json adapter.trainable_parameters)
bytes=$(field planned.json all_reduce.bytes)
check "the plan for these heads has the checkpoint's parameters" \
  test "$(field planned.json adapter.trainable_parameters)" = "$parameters"
check "they are the numbers in the file" test "$(h5ls -r "whole-1/$last" |
  sed -nE 's/^\/adapter\/layers.*\{(.*)\}/\1/p' |
  awk -F', ' '{ n = 1; for (i = 1; i <= NF; i++) n *= $i; sum += n } END { print sum }')" = "$parameters"
check "planned bytes are 8 a parameter and the counters" test "$((8 * parameters))" -gt 0 -a \
  "$(field planned.json all_reduce.gradient_bytes)" = "$((8 * parameters))" -a \
  "$((8 * parameters + $(field planned.json all_reduce.counter_bytes)))" = "$bytes"
for count in 1 3; do
  check "$count ranks: 40 calls reduced 40 times the planned bytes" \
    test "$(field "whole-$count/summary.json" all_reduce.bytes)" = "$((40 * bytes))" -a \
    "$(field "whole-$count/summary.json" all_reduce.calls)" = 40
done
