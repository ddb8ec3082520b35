# The files that rows come in: several with weights, one that is split, compressed ones, and other programs' keys.
source "$top/Tests/EndToEnd/background.sh"
source "$top/Tests/EndToEnd/refusals.sh"

# Two files that share four rows: their ids collide.
head -24 data/rows.jsonl >data/first.jsonl
tail -20 data/rows.jsonl >data/second.jsonl
mixed=(
  --set 'data.train=[data/first.jsonl, {path: data/second.jsonl, weight: 1.5, name: later}]'
  --set 'data.validation=[data/validation.jsonl, {path: data/first.jsonl, name: again}]'
  --set training.steps=14 --set training.validation_every_steps=7
)
short=(--set training.steps=3 --set checkpoint.every_steps=3 --set data.validation=null --set adapter.heads.select=all)

for count in 0 1 2 3; do
  rm -rf run
  if train "$count" "${mixed[@]}"; then ok "two files train ($count ranks)"; else fail "two files train ($count ranks)" out err; fi
  rm -rf "mixed-$count"
  mv run "mixed-$count"
  check "and give the same bytes ($count ranks)" same_state mixed-0/step-00000014.h5 "mixed-$count/step-00000014.h5"
  check "and the same metrics ($count ranks)" same_log mixed-0/metrics.jsonl "mixed-$count/metrics.jsonl"
done
check "each file's share is said" grep -q '^file  *later: 20 examples, weight 1.5, 30 an epoch' out
check "an epoch has them all" grep -q '(6.8 an epoch)' out
check "the loss of each file stands beside that of all" python3 -c '
import json
lines = [json.loads(line) for line in open("mixed-0/metrics.jsonl")]
found = [line for line in lines if "validation_loss" in line]
assert [line["step"] for line in found] == [0, 7, 14], found
for line in found:
    low, high = sorted(line["validation_loss/" + name] for name in ("validation", "again"))
    assert low < line["validation_loss"] < high, line
    assert line["validation_rows"] == 29, line'

# Killed in the second epoch, resumed on other numbers of ranks.
final=step-00000014.h5
rm -rf run
train 2 "${mixed[@]}" --set checkpoint.every_steps=2 &
job=$!
await reached 9 || true
kill -KILL $(processes "$job" imagelora) 2>/dev/null || true
end
# A quick machine may have come to the end by then: what it saved last is taken away.
rm -f run/step-0000001[24].h5*
check "two files: killed in the second epoch" test -e run/step-00000008.h5 -o -e run/step-00000010.h5
mv run killed-files
for count in 3 1; do
  rm -rf run
  cp -r killed-files run
  check "two files: resumed on $count ranks" train "$count" "${mixed[@]}" --set checkpoint.every_steps=2 --resume auto
  check "two files: the bytes of the run that was not killed ($count ranks)" same_state "mixed-0/$final" "run/$final"
  check "two files: and its metrics.jsonl" same_log mixed-0/metrics.jsonl run/metrics.jsonl
done
COUNTS=0 refused 65 "a run does not resume with another weight" 'run/step' 'another run' train run.yaml "${mixed[@]}" \
  --set 'data.train=[data/first.jsonl, {path: data/second.jsonl, weight: 2, name: later}]' --resume auto
COUNTS=0 refused 65 "nor with another name" 'run/step' 'another run' train run.yaml "${mixed[@]}" \
  --set 'data.train=[data/first.jsonl, {path: data/second.jsonl, weight: 1.5, name: last}]' --resume auto
rm -rf run killed-files

# A list of one path of weight 1 is that path.
for kind in 'data/rows.jsonl' '[data/rows.jsonl]' '[{path: data/rows.jsonl, name: x, weight: 1}]'; do
  rm -rf run
  check "data.train=$kind trains" train 0 "${short[@]}" --set "data.train=$kind"
  [[ -d one ]] || cp -r run one
  check "and every byte of its checkpoint is that of the path" cmp one/step-00000003.h5 run/step-00000003.h5
done

# The other commands take what train takes.
check "plan counts both files" sh -c "'$IMAGELORA' plan run.yaml --json $(printf "'%s' " "${mixed[@]}" --set training.steps=null \
  --set training.epochs=2) >planned.json"
check "and the steps of two epochs" test "$(field planned.json examples.count) $(field planned.json steps)" = "44 14"
check "inspect finds an example by its file's name" sh -c \
  "'$IMAGELORA' inspect run.yaml --row 'later:$(field data/second.jsonl 0.id)' $(printf "'%s' " "${mixed[@]}") >out"
for count in 0 2; do
  if ranks "$count" "$IMAGELORA" evaluate run.yaml "${mixed[@]}" --base --no-generate --json \
    --output "files-$count.jsonl" >"files-$count.json" 2>err; then
    ok "evaluate takes both files ($count ranks)"
  else
    fail "evaluate takes both files ($count ranks)" err
  fi
done
check "with the same bytes on 2 ranks" cmp files-0.jsonl files-2.jsonl
check "ids that collide are told apart" test "$(column files-0.jsonl id | sort -u | wc -l)" = 29
check "and there are metrics for each file" test \
  "$(field files-0.json models.base.groups.file.again.examples) $(field files-0.json models.base.groups.file.validation.examples)" = "24 5"
check "probe takes both files" ranks 2 "$IMAGELORA" probe run.yaml "${mixed[@]}" --output scores-files.h5
cp files-0.jsonl mixed-0/predictions.jsonl
check "report takes both files" sh -c "'$IMAGELORA' report mixed-0 --output files.html >out && grep -q 'Validation loss/again' files.html"

# A split of data.train.
split=(--set data.validation=null --set data.validation_fraction=0.3 --set training.steps=6 --set training.validation_every_steps=3)
for count in 1 3; do
  rm -rf run
  check "a split trains ($count ranks)" train "$count" "${split[@]}"
  rm -rf "split-$count"
  mv run "split-$count"
done
check "and gives the same bytes on 3 ranks" same_state split-1/step-00000006.h5 split-3/step-00000006.h5
check "it validates the rest" sh -c 'grep -qE "^data .*; [1-9][0-9]* validation examples" out'
"$IMAGELORA" evaluate run.yaml "${split[@]}" --base --no-generate --output split.jsonl >out
check "evaluate takes the same side" test "$(wc -l <split.jsonl)" = "$(column split-1/metrics.jsonl validation_rows | sed -n 1p)"
{ printf '%s\n' '{"id": "new", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'
  tac data/rows.jsonl; } >data/grown.jsonl
"$IMAGELORA" evaluate run.yaml "${split[@]}" --set data.train=data/grown.jsonl --base --no-generate --output grown.jsonl >out
check "a row more and another order move none of the others" diff <(column split.jsonl id | sort) \
  <(column grown.jsonl id | grep -v '^new$' | sort)
COUNTS=0 refused 65 "a split that leaves a side empty" 'first.jsonl' 'leaves none of 24 examples for validation' train run.yaml \
  "${split[@]}" --set data.train=data/first.jsonl --set data.validation_fraction=1e-9
COUNTS=0 refused 65 "a split beside data.validation" 'run.yaml|--set' 'data.validation_fraction' train run.yaml \
  --set data.validation_fraction=0.3

# Compressed files, whatever they are called.
gzip -c data/rows.jsonl >data/rows.jsonl.gz
{ echo '['; sed '$!s/$/,/' data/rows.jsonl; echo ']'; } | zstd -q -c >data/packed.jsonl
for file in rows.jsonl.gz packed.jsonl; do
  rm -rf run
  check "$file trains" train 2 "${short[@]}" --set "data.train=data/$file"
  check "and gives the bytes of the plain file" same_state one/step-00000003.h5 run/step-00000003.h5
done
rm -rf run
train 0 "${short[@]}" || fail "the plain file" out err
check "a run goes on with the compressed file: its digest is the text's" train 0 "${short[@]}" --resume auto \
  --set data.train=data/rows.jsonl.gz --set training.steps=3
rm -rf run
size=$(stat -c %s data/rows.jsonl.gz)
head -c $((size - 20)) data/rows.jsonl.gz >data/cut.gz
python3 -c '
data = bytearray(open("data/packed.jsonl", "rb").read())
data[len(data) // 2] ^= 1
open("data/flipped.zst", "wb").write(data)'
head -c 100000000 /dev/zero | tr '\0' '\n' | gzip -c >data/bomb.gz
try() { COUNTS=0 refused 65 "$1" "$2" "$3" train run.yaml "${short[@]}" --set "data.train=data/$2"; }
try "a gzip file that is cut" cut.gz 'gzip stream is cut'
try "a zstd file with a flipped bit" flipped.zst 'zstd stream is damaged'
try "a decompression bomb" bomb.gz 'decompression bomb|more than'
printf 'PAR1....' >data/t.parquet
printf 'id,question\n1,a\n' >data/t.csv
try "a Parquet file" t.parquet 'read_parquet'
try "a CSV file" t.csv 'read_csv'

# Keys of other programs, and a system message for all.
python3 - <<'PYTHON'
import json

rows = [json.loads(line) for line in open("data/rows.jsonl")]
with open("data/alpaca.json", "w") as alpaca, open("data/query.jsonl", "w") as query:
    changed = []
    for row in rows:
        question, answer = (turn["content"] for turn in row.pop("messages"))
        query.write(json.dumps({**row, "query": question, "response": answer, "history": []}) + "\n")
        changed.append({**row, "instruction": question, "input": "", "output": answer, "system": ""})
    json.dump(changed, alpaca)
PYTHON
for file in alpaca.json query.jsonl; do
  rm -rf run
  check "$file trains" train 0 "${short[@]}" --set "data.train=data/$file"
  check "and gives the bytes of the same turns" same_state one/step-00000003.h5 run/step-00000003.h5
done
sed 's/"messages": \[/&{"role": "system", "content": "Be brief."}, /' data/rows.jsonl >data/system.jsonl
rm -rf run
check "rows with a system message train" train 0 "${short[@]}" --set data.train=data/system.jsonl
mv run run-system
check "data.system trains" train 0 "${short[@]}" --set 'data.system=Be brief.'
check "and gives the bytes of rows that have it" same_state run-system/step-00000003.h5 run/step-00000003.h5
rm -rf run
