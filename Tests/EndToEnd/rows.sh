# Rows and images as data sets have them.
short=(--set training.steps=2 --set checkpoint.every_steps=2 --set data.validation=null --set adapter.heads.select=all)

# annotated FILE: the rows with keys that only annotate.
sed 's/^{/{"source": "web", "_page": 7, /' data/rows.jsonl >data/annotated.jsonl
# Every second row under the id of the one before it, with a slash.
awk 'NR % 2 { id = $0; sub(/^{"id": "/, "", id); sub(/".*/, "", id) } { sub(/^{"id": "[^"]*"/, "{\"id\": \"a/" id "\""); print }' \
  data/rows.jsonl >data/repeated.jsonl
{ echo '['; sed '$!s/$/,/' data/rows.jsonl; echo ']'; } >data/array.json

rm -rf rows-plain
check "the run on its rows" train 0 "${short[@]}" --set checkpoint.directory=rows-plain
status=0
train 0 "${short[@]}" --set checkpoint.directory=other --set data.train=data/annotated.jsonl || status=$?
check "keys that only annotate are refused by name" test "$status" = 65
check "and the message says how they are left out" grep -q 'source.*data.ignore_keys' err
check "an ignored key trains" train 2 "${short[@]}" --set checkpoint.directory=rows-annotated \
  --set data.train=data/annotated.jsonl --set 'data.ignore_keys=[source]'
check "and is in the summary" grep -q '^ignored .*"_page" (40), "source" (40)' out
check "and counted in summary.json" test "$(field rows-annotated/summary.json ignored_keys.source)" = 40
status=0
train 0 "${short[@]}" --set 'data.ignore_keys=[objects]' || status=$?
check "a key that the reader reads cannot be ignored" test "$status" = 65

check "an array trains" train 2 "${short[@]}" --set checkpoint.directory=rows-array --set data.train=data/array.json
check "and gives the bytes of its lines" same_state rows-plain/step-00000002.h5 rows-array/step-00000002.h5
status=0
train 0 "${short[@]}" --set checkpoint.directory=other --set data.train=data/repeated.jsonl || status=$?
check "ids that repeat are refused" test "$status" = 65
check "and the message names data.ids" grep -q 'data.ids: line' err
check "ids of lines train" train 0 "${short[@]}" --set checkpoint.directory=rows-lines \
  --set data.train=data/repeated.jsonl --set data.ids=line

cp data/images/0.png data/images/whole.png
python3 "$top/Tests/EndToEnd/spoil.py" png-no-end data/images/whole.png
cp data/images/1.png data/images/turned.png
python3 "$top/Tests/EndToEnd/spoil.py" png-turned data/images/turned.png
row='{"id": "%s", "images": ["images/%s.png"], "messages": [{"role": "user", "content": "<image>Where?"}, '
row+='{"role": "assistant", "content": "<point>"}], "objects": {"bbox": [[2, 2, 9, 9]]}}\n'
# shellcheck disable=SC2059 # it is the format
{ cat data/rows.jsonl; printf "$row" whole whole; printf "$row" turned turned; } >data/rows-odd.jsonl
for count in 0 2; do
  rm -rf rows-odd
  check "damaged and turned images train ($count ranks)" train "$count" "${short[@]}" --set checkpoint.directory=rows-odd \
    --set data.train=data/rows-odd.jsonl
  check "a damaged image is noted once" test "$(grep -c '^note .*whole.png (PNG: ' out)" = 1
  check "and so is a turned one with boxes" test "$(grep -c '^note .*turned.png; data.exif_orientation' out)" = 1
done
status=0
train 0 "${short[@]}" --set data.train=data/rows-odd.jsonl --set data.damaged_images=refuse || status=$?
check "damaged images can be refused" test "$status" = 65
check "and the message names the image" grep -q 'whole.png: damaged PNG' err
ranks 0 "$IMAGELORA" inspect run.yaml --row turned --json --set data.train=data/rows-odd.jsonl >stored.json 2>err
ranks 0 "$IMAGELORA" inspect run.yaml --row turned --json --set data.train=data/rows-odd.jsonl \
  --set data.exif_orientation=apply >upright.json 2>err
check "an orientation that is applied turns the image" python3 -c '
import json
stored, upright = (json.load(open(name))["images"][0]["original"] for name in ("stored.json", "upright.json"))
assert stored == upright[::-1] and stored != upright, (stored, upright)'
status=0
ranks 0 "$IMAGELORA" evaluate run.yaml --checkpoint rows-plain/step-00000002.h5 --no-generate --limit 1 \
  --set data.transparency=drop >out 2>err || status=$?
check "an adapter is not evaluated on images that are decoded otherwise" test "$status" = 65
check "and the message names the key" grep -q 'transparency (white, here drop): set data.transparency: white' err
