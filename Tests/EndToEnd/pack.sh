# Rows and images in one file: the same bytes come of it, and damage is found.
short=(--set training.steps=4 --set checkpoint.every_steps=2 --set checkpoint.directory=packed)
rm -rf packed plain
ranks 0 "$IMAGELORA" pack data/rows.jsonl --image-root data --output data/train.h5 >out 2>err || true
check "rows and images are packed" grep -q '^wrote data/train.h5: 40 examples, 10 images of ' out
ranks 0 "$IMAGELORA" pack data/validation.jsonl --image-root data --output data/held-out.h5 >out 2>err || true
check "and nothing else is left" test ! -e data/train.h5.partial

# Both forms under one name: the resolved run, which a checkpoint holds, has the paths.
mkdir -p swap
cp data/rows.jsonl swap/train
cp data/validation.jsonl swap/validation
swapped=(--set data.train=swap/train --set data.validation=swap/validation)
check "the run on its loose files" train 0 "${short[@]}" "${swapped[@]}"
mv packed plain
cp data/train.h5 swap/train
cp data/held-out.h5 swap/validation
for count in 0 2; do
  rm -rf packed
  check "the run on the packs ($count ranks)" train "$count" "${short[@]}" "${swapped[@]}"
  check "and its checkpoints have the same values" same_state plain/step-00000004.h5 packed/step-00000004.h5
  # A checkpoint also states the number of ranks.
  [[ $count -eq 2 ]] ||
    check "in the same bytes" cmp plain/step-00000004.h5 packed/step-00000004.h5
  check "and its losses are the same" same_log plain/metrics.jsonl packed/metrics.jsonl
done
rm packed/step-00000004.h5*
cp data/rows.jsonl swap/train
check "a run on a pack is resumed on the loose files" train 2 "${short[@]}" "${swapped[@]}" --resume auto
check "and gives the same values" same_state plain/step-00000004.h5 packed/step-00000004.h5
cp data/train.h5 swap/train

for form in data/validation.jsonl data/held-out.h5; do
  ranks 0 "$IMAGELORA" evaluate run.yaml --checkpoint plain/step-00000004.h5 --limit 3 --output "$form.predictions" \
    --set "data.validation=$form" >out 2>err || true
done
check "predictions of a pack are those of its loose files" \
  cmp data/validation.jsonl.predictions data/held-out.h5.predictions
for form in data/rows.jsonl data/train.h5; do
  ranks 0 "$IMAGELORA" probe run.yaml --output "$form.scores" --set "data.train=$form" >out 2>err || true
  ranks 0 "$IMAGELORA" plan run.yaml --nodes 1 --ranks-per-node 2 --json --set "data.train=$form" >plan.json 2>err || true
  check "plan counts the examples of $form" test "$(field plan.json examples.count)" = 40
  ranks 0 "$IMAGELORA" inspect run.yaml --row p0-q0 --json --set "data.train=$form" >"$form.row" 2>err || true
done
check "scores of a pack are those of its loose files" cmp data/rows.jsonl.scores data/train.h5.scores
check "an example of a pack is shown as the loose one" python3 -c '
import json
a, b = (json.load(open(f"data/{name}.row")) for name in ("rows.jsonl", "train.h5"))
sources = [row["images"][0].pop("source") for row in (a, b)]
assert sources[0].endswith("data/images/0.png"), sources
assert sources[1].startswith("images/0.png of ") and sources[1].endswith("data/train.h5"), sources
assert a == b'

ranks 0 "$IMAGELORA" inspect data/train.h5 --json >pack.json 2>err || true
check "inspect shows a pack" test "$(field pack.json images)" = 10
check "unread" test "$(field pack.json is_verified)" = false
ranks 0 "$IMAGELORA" inspect data/train.h5 --verify >out 2>err || true
check "and verifies it" grep -q '^verified' out
# The last byte of the last image is the last of the file.
python3 - <<'PYTHON'
from pathlib import Path

data = bytearray(Path("data/train.h5").read_bytes())
data[-1] ^= 1
Path("data/bad.h5").write_bytes(data)
PYTHON
status=0
ranks 0 "$IMAGELORA" inspect data/bad.h5 --verify >out 2>err || status=$?
check "a flipped bit of an image is found by --verify" test "$status" = 65
check "and the message names the image" grep -q 'bad.h5: the bytes of image "images/.*png" are not those' err
status=0
train 2 "${short[@]}" --set data.train=data/bad.h5 || status=$?
check "and by training" test "$status" = 65
check "in one line" test "$(grep -c '^imagelora: ' err)" = 1
status=0
ranks 0 "$IMAGELORA" inspect plain/step-00000004.h5 --verify >out 2>err || status=$?
check "other files are not verified" test "$status" = 65
echo '{"images": ["none.png"], "messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "x"}]}' \
  >data/missing.jsonl
status=0
ranks 0 "$IMAGELORA" pack data/missing.jsonl --image-root data --output data/missing.h5 >out 2>err || status=$?
check "a missing image is refused" test "$status" = 65
check "by name, and nothing is written" grep -q 'none.png.*--image-root' err
check "not even in part" test ! -e data/missing.h5 -a ! -e data/missing.h5.partial

# A pack that is killed leaves nothing under the file's name, and goes on.
python3 - <<'PYTHON'
from pathlib import Path

Path("data/large").mkdir()
for index in range(64):
    Path(f"data/large/{index}.png").write_bytes(bytes([index]) * (4 << 20))
rows = "".join(
    f'{{"images": ["large/{index}.png"], "messages": [{{"role": "user", "content": "<image>"}}, '
    '{"role": "assistant", "content": "x"}]}\n'
    for index in range(64)
)
Path("data/large.jsonl").write_text(rows)
PYTHON
"$IMAGELORA" pack data/large.jsonl --image-root data --output data/large.h5 >out 2>err &
packing=$!
# The first image: zeros until it is written.
first_image_is_there() { grep -qaF "$(printf '\1\1\1\1\1\1\1\1')" data/large.h5.partial 2>/dev/null; }
for _ in $(seq 500); do
  first_image_is_there && break
  sleep 0.01
done
kill -KILL "$packing"
wait "$packing" 2>/dev/null || true
check "a killed pack has no final name" test ! -e data/large.h5
cp data/large.h5.partial data/killed.partial
pack_large() {
  "$IMAGELORA" pack data/large.jsonl --image-root data --output data/large.h5 >out 2>err
}
check "and is gone on with" pack_large
check "which is said" grep -q '^went on with data/large.h5.partial: [0-9]* image files were there$' out
check "and it is whole" ranks 0 "$IMAGELORA" inspect data/large.h5 --verify
mv data/large.h5 data/continued.h5
check "in one go" pack_large
check "it has the same bytes" cmp data/continued.h5 data/large.h5
check "and nothing was gone on with" sh -c "! grep -q '^went on' out"
# Bytes of an image there are not what its digest says.
cp data/killed.partial data/large.h5.partial
python3 - <<'PYTHON'
from pathlib import Path

path = Path("data/large.h5.partial")
content = bytearray(path.read_bytes())
place = content.index(bytes([1]) * 4096)
content[place : place + 8] = b"damaged!"
path.write_bytes(content)
PYTHON
check "damage in it" pack_large
check "is copied again" cmp data/continued.h5 data/large.h5
cp data/killed.partial data/large.h5.partial
touch data/large/3.png
check "other times of an image's file" pack_large
check "begin anew" sh -c "! grep -q '^went on' out"
rm -rf data/large data/*.h5 data/killed.partial
