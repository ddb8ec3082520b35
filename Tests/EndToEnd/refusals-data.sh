# Examples and images that cannot be used.
source "$top/Tests/EndToEnd/refusals.sh"
checkpoints

row() { # name, image
  printf '{"id": "%s", "images": ["%s"], "messages": [{"role": "user", "content": "<image>Where?"}, %s]}\n' "$1" "$2" \
    '{"role": "assistant", "content": "(1, 2)"}'
}
head -c 900 data/images/4.png >data/images/cut.png
head -c 20 data/images/4.png >data/images/stub.png
echo "not an image" >data/images/text.png
python3 "$top/Tests/EndToEnd/spoil.py" png-huge data/images/huge.png

rows broken '{"id": "torn", "images": ['
rows missing "$(row gone images/gone.png)"
rows stub "$(row stub images/stub.png)"
rows text "$(row text images/text.png)"
rows huge "$(row huge images/huge.png)"
rows cut "$(row cut images/cut.png)"
rows mixed '{"id": "torn", ' "$(row gone images/gone.png)" "$(row huge images/huge.png)"
rows outside "$(row far "$PWD/model/far.png")"
rows above "$(row up ../model/far.png)"
cp data/images/1.png model/far.png
ln -s "$PWD/model/far.png" data/images/far.png
rows linked "$(row link images/far.png)"
rows url "$(row url "file://$PWD/data/images/1.png")"
rows twice "$(head -1 data/rows.jsonl)"
rows markers "$(row m images/0.png | sed 's/\["images.0.png"\]/[]/')"
head -2 data/rows.jsonl >data/two.jsonl
: >data/empty.jsonl

on() { echo "train run.yaml --resume auto --set data.train=data/$1.jsonl"; }
refused 65 "a broken line" 'broken.jsonl' '11' $(on broken)
refused 65 "a missing image" 'missing.jsonl' 'gone.*gone.png' $(on missing)
refused 65 "an image that ends in its header" 'stub.jsonl' 'stub.*stub.png' $(on stub)
refused 65 "a file that is no image" 'text.jsonl' 'text.*text.png' $(on text)
refused 65 "an image larger than the limit" 'huge.jsonl' 'huge.*huge.png.*60000' $(on huge)
# Outside of the images' folder, by a path, by .. and by a link.
for kind in outside:far above:up linked:link; do
  refused 65 "an image outside of image_root (${kind%:*})" "${kind%:*}.jsonl" "${kind#*:}.*data.image_root.*data.allow_outside" \
    $(on "${kind%:*}")
  check "with data.allow_outside it is read (${kind%:*})" "$IMAGELORA" plan run.yaml \
    --set "data.train=data/${kind%:*}.jsonl" --set data.allow_outside=true
done
check "an absolute URL inside of it is read" "$IMAGELORA" plan run.yaml --set data.train=data/url.jsonl
rm -f model/far.png data/images/far.png
grep '"id": *"text-' data/rows.jsonl >data/textual.jsonl
refused 65 "an Image-LoRA on examples without images" 'textual.jsonl' 'none of its examples has an image.*adapter.kind: lora' \
  train run.yaml --set data.train=data/textual.jsonl --set data.validation=null --set checkpoint.directory=fresh \
  --set adapter.heads.select=all --set training.global_batch=2
refused 65 "an id given twice" 'twice.jsonl' "$(head -1 data/rows.jsonl | cut -d '"' -f 4)" $(on twice)
refused 65 "a marker without an image" 'markers.jsonl' 'image' $(on markers)
refused 65 "no examples" 'empty.jsonl' '.' $(on empty)
printf '[{"img_filename": "web_a.png", "bbox": [1, 2, 0, 8], "instruction": "", "data_type": "", "data_source": ""}]' >spot.json
refused 65 "an annotation whose box has no width" 'spot.json' '\[0\]: bbox' rows spot.json --answer point --output spot.jsonl
refused 65 "annotations that are none" 'two.jsonl' 'JSON' rows data/two.jsonl --answer point --output spot.jsonl
refused 65 "no file of examples" 'nowhere.jsonl' '[Nn]o such file|cannot be read' $(on nowhere)
refused 65 "several bad examples are all named" 'mixed.jsonl' '3 bad .*line 11.*gone.png.*huge.png' $(on mixed)
COUNTS=3 refused 65 "fewer examples than ranks" 'two.jsonl' '2 .*3 ranks' $(on two)
COUNTS=3 refused 65 "a batch of fewer examples than ranks" 'global_batch' '2 .*3 ranks' \
  train run.yaml --resume auto --set training.global_batch=2

# A terminal must not obey what names of files hold.
escape=$'data/\e[2J\xe2\x80\xaegnp.png'
cp data/images/text.png "$escape"
rows escape "$(row escape '\u001b[2J\u202egnp.png')"
refused 65 "an image whose name holds an escape character" 'escape.jsonl' '\\u001b\[2J\\u202egnp.png' $(on escape)
check "and none reaches the terminal" bash -c "! grep -q $'\e' err"
refused 65 "such a path on the command line" '\\u001b\[2J.yaml' 'no such file' inspect $'\e[2J.yaml'
check "nor does it" bash -c "! grep -q $'\e' err"
found=0
ranks 0 "$IMAGELORA" inspect run.yaml $'--\e[2J' >out 2>err || found=$?
check "nor one of an unknown option" bash -c "test $found = 64 && grep -q u001b err && ! grep -q $'\e' err"

# Rows far beyond max_length are refused by their bytes.
python3 -c 'import json
for name, text in ("marks", "a" + "\u0301\u0316" * 250000), ("word", "a" * 60000000):
    row = {"id": name, "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "b"}]}
    with open(f"data/{name}.jsonl", "w") as file: file.write(json.dumps(row) + "\n")'
COUNTS=0 limit=3 refused 65 "a row of a million bytes of combining marks" 'marks' 'max_length' \
  inspect run.yaml --set data.train=data/marks.jsonl
COUNTS=0 limit=6 refused 65 "a row of one word of 60 MB" 'word' 'max_length' \
  inspect run.yaml --set data.train=data/word.jsonl
rm data/word.jsonl

# The header of this image is valid: the damage is found because every image is decoded before training.
rm -rf fresh
refused 65 "an image whose pixels are cut" 'cut.jsonl' '1 bad .*\bcut\b.*/cut.png' \
  train run.yaml --set data.train=data/cut.jsonl --set checkpoint.directory=fresh --set data.validation=null
check "and nothing was begun" test ! -e fresh

for count in 0 2; do
  rm -rf fresh
  if train "$count" --set data.train=data/mixed.jsonl --set data.bad_rows=skip --set checkpoint.directory=fresh; then
    ok "bad_rows: skip goes on ($count ranks)"
  else
    fail "bad_rows: skip goes on ($count ranks)" out err
  fi
  check "and says what it left out" sh -c 'grep -q "^left out .*line 11" out && grep -q "^left out .*gone" out'
  rm -rf fresh
  check "bad_rows: skip leaves out an image whose pixels are cut ($count ranks)" \
    train "$count" --set data.train=data/cut.jsonl --set data.bad_rows=skip --set checkpoint.directory=fresh
  check "and says so" grep -q "^left out .*cut.png" out
done
rm -rf fresh run
