# A run that learns by default and says what happens: rates, validation before the first step, patience, the best by
# answers, scorers, archives, and what is said of folders and signals.
source "$top/Tests/EndToEnd/refusals.sh"
default=(--set training.learning_rate=null --set training.steps=6 --set training.validation_every_steps=2
  --set checkpoint.every_steps=100 --set checkpoint.directory=learned)

rm -rf learned
check "a run without a learning rate" train 2 "${default[@]}"
hidden=$(field model/config.json hidden_size 2>/dev/null || field model/config.json text_config.hidden_size)
check "takes the model's, and says so" grep -Eq "peak lr $(python3 -c "print(f'{1 / $hidden:.4g}')")[0-9]* \(A x " out
check "and keeps both in run.yaml" grep -q 'rate_factors: {A: .*, B: 100.0, gamma: 1.0}' learned/run.yaml
check "the first line of its metrics is a validation of step 0" \
  python3 -c 'import json, sys; e = json.loads(open("learned/metrics.jsonl").readline()); assert e["step"] == 0 and e["validation_loss"] > 0, e'
check "later ones say what changed since" grep -Eq 'validation at step 6: loss .*, [+-][0-9.]+ since step 0' out
check "steps have tokens a core and utilization" \
  python3 -c 'import json; e = [json.loads(l) for l in open("learned/metrics.jsonl")][-2]; assert e["utilization"] > 0 and e["tokens_per_second_per_core"] > 0, e'

rm -rf learned
check "a run that cannot get better ends early" train 2 "${default[@]}" --set training.learning_rate=0 \
  --set training.patience=2 --set training.steps=40
check "and says so" grep -q 'stopped early: no validation since step 2' out
check "after three validations of steps" test "$(field learned/summary.json steps)" = 6
check "nothing is said of the loss before the warm-up is over" test "$(grep -c 'the validation loss moved from' out)" = 0
check "later it is, once" train 0 "${default[@]}" --set training.learning_rate=0 --set training.steps=16 \
  --set checkpoint.directory=unmoved
check "that it does not move" test "$(grep -c '^warning    the validation loss moved from' out)" = 1

rm -rf learned
check "the best checkpoint by answers, on 1 rank" train 0 "${default[@]}" --set training.best_by=exact_match \
  --set training.answered_rows=3 --set training.max_new_tokens=4
mv learned learned-1
check "and on 3" train 3 "${default[@]}" --set training.best_by=exact_match --set training.answered_rows=3 \
  --set training.max_new_tokens=4
check "has the same numbers" same_log learned-1/metrics.jsonl learned/metrics.jsonl
check "of three answers each time" test "$(column learned/metrics.jsonl validation_answers | sort -u)" = 3
refused 65 "a metric that no example has" 'training.best_by' 'iou, of which none' train run.yaml "${default[@]}" \
  --set training.best_by=iou --set checkpoint.directory=fresh
refused 65 "patience without validation" 'training.patience' 'data.validation_fraction' train run.yaml \
  --set training.patience=2 --set data.validation=null --set checkpoint.directory=fresh

# Scorers, by row and by run.
python3 - <<'PYTHON'
import json

rows = [json.loads(line) for line in open("data/validation.jsonl", encoding="utf-8")][:3]
for row, scorer in zip(rows, ("anls", "vqa_accuracy", None)):
    if scorer:
        row |= {"scorer": scorer, "answers": ["two", "Two.", "2", "no"]}
with open("data/scored.jsonl", "w", encoding="utf-8") as file:
    file.writelines(json.dumps(row) + "\n" for row in rows)
PYTHON
scored=(evaluate run.yaml --base --max-new-tokens 4 --set data.validation=data/scored.jsonl --set data.scorer=final_number)
rm -f scored.jsonl
check "answers are scored as rows and run say" sh -c '"$0" "$@" --output scored.jsonl --json >scored.json' \
  "$IMAGELORA" "${scored[@]}"
check "each scorer has its mean" test "$(python3 -c '
import json
scores = json.load(open("scored.json"))["models"]["base"]["all"]["scores"]
print(*(name + ":" + str(score["examples"]) for name, score in sorted(scores.items())))')" = \
  "anls:1 final_number:1 vqa_accuracy:1"
check "and each line its own" test "$(column scored.jsonl scorer | tr '\n' ' ')" = "anls vqa_accuracy final_number "
refused 65 "predictions that are there" 'scored.jsonl' 'is there already.*--overwrite' "${scored[@]}" --output scored.jsonl
check "unless they are to be replaced" "$IMAGELORA" "${scored[@]}" --output scored.jsonl --overwrite

# Rows and images in a tar archive.
rm -rf archive && mkdir archive
python3 - <<'PYTHON'
import json
import os
import shutil

for number, line in enumerate(open("data/rows.jsonl", encoding="utf-8")):
    row = json.loads(line)
    for index, image in enumerate(row.pop("images", [])):
        shutil.copy("data/" + image, f"archive/{number:04}.{index}{os.path.splitext(image)[1]}")
    with open(f"archive/{number:04}.json", "w", encoding="utf-8") as file:
        json.dump(row, file, indent=1)
PYTHON
tar --sort=name -cf data/rows.tar -C archive .
short=(--set training.steps=3 --set data.group_by_image=false --set adapter.heads.select=all)
rm -rf loose archived
check "the run on loose files" train 0 "${short[@]}" --set checkpoint.directory=loose
for count in 0 2; do
  rm -rf archived
  check "the run on the archive ($count ranks)" train "$count" "${short[@]}" --set checkpoint.directory=archived \
    --set data.train=data/rows.tar
  check "has its losses" test "$(column loose/metrics.jsonl loss)" = "$(column archived/metrics.jsonl loss)"
done
head -c 3000 data/rows.tar >data/cut.tar
gzip -c data/rows.tar >data/rows.tar.gz
refused 65 "a cut archive" 'cut.tar' 'is cut' train run.yaml --set data.train=data/cut.tar --set checkpoint.directory=fresh
refused 65 "a compressed one" 'rows.tar.gz' 'decompress it' train run.yaml --set data.train=data/rows.tar.gz \
  --set checkpoint.directory=fresh
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >data/pointer.jsonl
refused 65 "a pointer of Git LFS" 'pointer.jsonl' 'git lfs pull' train run.yaml --set data.train=data/pointer.jsonl \
  --set checkpoint.directory=fresh

# Folders.
rm -rf exported spoilt bare
check "an adapter is exported" "$IMAGELORA" export learned/latest.h5 --output exported
for code in image_lora.py:code_sha256 image_lora_pt.py:pt_code_sha256; do
  name=${code%:*}
  check "$name in its folder is the repository's" cmp "exported/$name" "$top/Sources/Artifacts/AdapterFolders/$name"
  check "Python reads it" python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "exported/$name"
  check "adapter_config.json states its digest" test "$(field exported/adapter_config.json "${code#*:}")" = \
    "$(sha256sum <"exported/$name" | cut -d ' ' -f 1)"
done
check "and the name of the base" test "$(field exported/adapter_config.json base_model_name_or_path)" = model
cp -r exported spoilt && sed -i 's/alpha/alfa/' spoilt/image_lora.py
refused 65 "another image_lora.py" 'spoilt/image_lora.py' 'damaged.*code_sha256' inspect spoilt
check "and inspected" sh -c '"$0" inspect exported --json >exported.json' "$IMAGELORA"
check "with its digests checked" test "$(field exported.json is_verified) $(field exported.json code_is_verified)" = "true true"
mkdir bare && cp model/config.json bare/
check "a model folder without weights is inspected" sh -c '"$0" inspect bare >out' "$IMAGELORA"
check "and says what it lacks" grep -q 'weights .*none in the folder' out
check "the program names its commit" sh -c '"$0" --version | sed -n 2p | grep -q ^commit' "$IMAGELORA"

# Plans.
check "a node that is too small" sh -c '"$0" plan run.yaml --node-memory-gib 0.01 >out' "$IMAGELORA"
check "is said to be" grep -q '^too small  a node needs' out
check "activations that do not fit are counted" sh -c \
  '"$0" plan run.yaml --set training.activation_memory_mib=0 --json >plan.json' "$IMAGELORA"
check "as FLOPs" python3 -c 'import json; p = json.load(open("plan.json")); assert p["flops_per_example"]["recomputed"] > 0 and p["probe"]["examples"] == 12, p'

# A signal is answered at once.
rm -rf learned
"$IMAGELORA" train run.yaml "${default[@]}" --set training.steps=100000 >out 2>err &
trainer=$!
until grep -q '^step 1/' out || ! kill -0 "$trainer" 2>/dev/null; do sleep 0.1; done
kill -INT "$trainer"
wait "$trainer" || true
check "a signal to stop is answered" grep -q '^stopping   the step at hand is finished and saved first' out
