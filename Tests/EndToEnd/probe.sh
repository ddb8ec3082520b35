# Influence scores: the same file from one process, three ranks and shards merged in any order; text is left alone.

for count in 0 3; do
  check "probe on $count ranks (0: without mpirun)" \
    ranks "$count" "$IMAGELORA" probe run.yaml --output "scores-$count.h5"
done
check "three ranks write the bytes of one process" cmp scores-0.h5 scores-3.h5
refused=0
ranks 2 "$IMAGELORA" probe run.yaml --output nowhere/scores.h5 >out 2>err || refused=$?
check "a folder that is not there is said before the probe" \
  sh -c "[ $refused -eq 65 ] && ! grep -q '^probe' out && [ \$(grep -c '^imagelora: .*nowhere/scores.h5: ' err) -eq 1 ]"
for shard in 0 1 2 3; do
  check "probe of shard $shard/4" ranks 0 "$IMAGELORA" probe run.yaml --output "part-$shard.h5" --shard "$shard/4"
done
# Independent processes at once do not meet in a session folder of MPI: it is not started.
pids=()
for shard in {0..11}; do
  "$IMAGELORA" probe run.yaml --output "once-$shard.h5" --shard "$shard/12" >"once-$shard.out" 2>&1 &
  pids+=($!)
done
failures=0
for pid in "${pids[@]}"; do wait "$pid" || failures=$((failures + 1)); done
check "twelve probes of shards started at once" test $failures -eq 0
check "their shards have the bytes of one process when merged" sh -c \
  '"$0" scores merge once-*.h5 --output once.h5 >/dev/null && cmp scores-0.h5 once.h5' "$IMAGELORA"
rm -f once-*
for order in "0 1 2 3" "3 1 0 2" "2 3 1 0"; do
  rm -f merged.h5
  files=$(printf 'part-%s.h5 ' $order)
  check "shards $order merge" ranks 0 "$IMAGELORA" scores merge $files --output merged.h5
  check "shards $order: the bytes of one process" cmp scores-0.h5 merged.h5
done

if ranks 0 "$IMAGELORA" scores stability scores-0.h5 part-0.h5 merged.h5 --num-heads 5 --resamples 20 \
  --json stability.json >out 2>err; then ok "stability of the selections"; else fail "stability of the selections" out err; fi
check "stability: every file and every pair, and the same file agrees wholly" python3 -c '
import json
found = json.load(open("stability.json"))
assert [[size["rows"] for size in file["sizes"]] for file in found["files"]] == [[8, 12], [2], [8, 12]], found
assert [pair["files"] for pair in found["pairs"]] == [
    ["scores-0.h5", "part-0.h5"], ["scores-0.h5", "merged.h5"], ["part-0.h5", "merged.h5"]], found
assert found["pairs"][1]["agreement"] == {"correlation": 1, "overlap": 1}, found
assert all(0 <= size["overlap"]["p5"] <= size["overlap"]["p95"] <= 1 for size in found["files"][0]["sizes"]), found'
refused=0
ranks 0 "$IMAGELORA" scores stability scores-0.h5 --sizes 8,13 >out 2>err || refused=$?
check "stability: a draw of more examples than there are ends in one line and status 65" \
  sh -c "[ $refused -eq 65 ] && [ ! -s out ] && [ \$(wc -l <err) -eq 1 ] && grep -qE 'scores-0.h5: .*12.* 13' err"
refused=0
ranks 0 "$IMAGELORA" scores stability scores-0.h5 --sizes 8,none >out 2>err || refused=$?
check "stability: sizes that are not numbers are bad usage" [ $refused -eq 64 ]

cp scores-0.h5 flipped.h5
python3 "$top/Tests/EndToEnd/spoil.py" flip flipped.h5
for command in "merge flipped.h5 --output none.h5" "show flipped.h5" "select flipped.h5 --output none.json"; do
  refused=0
  ranks 0 "$IMAGELORA" scores $command >out 2>err || refused=$?
  check "scores ${command%% *} of a flipped bit: status 65 and one line" \
    sh -c "[ $refused -eq 65 ] && [ ! -s out ] && [ \$(wc -l <err) -eq 1 ] && grep -q 'flipped.h5: damaged' err"
done
rm -f parity.h5
fixture=$top/Tests/ParityTests/Resources/a
check "parity of the fixture" ranks 0 "$IMAGELORA" parity --model "$fixture/model" --data "$fixture/data.jsonl" \
  --adapter "$fixture/adapter" --output parity.h5
logits() { h5dump -d "/$1/$2/logits" -b LE -o "logits-$2.bin" parity.h5 >dump.out; }
for row in text-only single-0; do
  logits $row base
  logits $row adapted
  if [[ $row = text-only ]]; then
    check "an example without images: the adapter changes no bit of its logits" cmp logits-base.bin logits-adapted.bin
  else
    check "an example with an image: it does" sh -c '! cmp -s logits-base.bin logits-adapted.bin'
  fi
done
