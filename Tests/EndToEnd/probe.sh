# Influence scores: the same file from one process, three ranks and shards merged in any order; text is left alone.

for count in 0 3; do
  check "probe on $count ranks (0: without mpirun)" \
    ranks "$count" "$IMAGELORA" probe run.yaml --output "scores-$count.h5"
done
check "three ranks write the bytes of one process" cmp scores-0.h5 scores-3.h5
for shard in 0 1 2 3; do
  check "probe of shard $shard/4" ranks 0 "$IMAGELORA" probe run.yaml --output "part-$shard.h5" --shard "$shard/4"
done
for order in "0 1 2 3" "3 1 0 2" "2 3 1 0"; do
  rm -f merged.h5
  files=$(printf 'part-%s.h5 ' $order)
  check "shards $order merge" ranks 0 "$IMAGELORA" scores merge $files --output merged.h5
  check "shards $order: the bytes of one process" cmp scores-0.h5 merged.h5
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
    check "a row without images: the adapter changes no bit of its logits" cmp logits-base.bin logits-adapted.bin
  else
    check "a row with an image: it does" sh -c '! cmp -s logits-base.bin logits-adapted.bin'
  fi
done
