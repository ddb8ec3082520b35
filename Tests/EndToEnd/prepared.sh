# What preparing the examples found out, kept for later starts: the same bytes, and nothing that has changed since.
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

known=(--set data.prepared=known)
rm -rf known
whole 1
for form in data/rows.jsonl packed.h5; do
  [[ $form != packed.h5 ]] ||
    ranks 0 "$IMAGELORA" pack data/rows.jsonl --image-root data --output packed.h5 >out 2>err || true
  for start in first later; do
    for count in 1 2; do
      [[ $start != first || $count = 1 ]] || continue
      rm -rf run
      check "the $start start of $form, $count ranks" train "$count" "${known[@]}" --set data.train="$form"
      check "and its numbers are those of a run without" same_state "whole-1/$last" "run/$last"
      check "it says whether the examples were prepared before" \
        test "$(grep -c '^data .*; prepared before$' out)" = "$([[ $start = later ]] && echo 1 || echo 0)"
    done
  done
done
check "training, validation and pack have a file each" test "$(find known -name 'examples-*.h5' | wc -l)" = 3
check "and nothing else is there" test "$(find known -type f | wc -l)" = 3

for command in "probe run.yaml --output known.h5" "evaluate run.yaml --base --no-generate --output known.jsonl"; do
  check "${command%% *} takes them too" ranks 2 "$IMAGELORA" $command "${known[@]}"
done
ranks 0 "$IMAGELORA" probe run.yaml --output plain.h5 >out 2>err || true
check "and its scores are the same file" cmp plain.h5 known.h5
ranks 0 "$IMAGELORA" evaluate run.yaml --base --no-generate --output plain.jsonl >out 2>err || true
check "as are its predictions" cmp plain.jsonl known.jsonl

# One byte of each kept file.
for file in known/*.h5; do printf '\377' | dd of="$file" bs=1 seek=3000 conv=notrunc 2>dd.err; done
rm -rf run
check "damaged files" train 2 "${known[@]}"
check "count as missing" test "$(grep -c '; prepared before$' out)" = 0
check "and change no number" same_state "whole-1/$last" "run/$last"

cp data/images/0.png kept.png
cp data/images/1.png data/images/0.png
rm -rf run
check "an image with other bytes is prepared again" train 1 "${known[@]}"
check "and seen" test "$(grep -c '; prepared before$' out)" = 0
cp kept.png data/images/0.png
touch -r data/images/1.png data/images/0.png
rm "run/$last"*
resumed=0
train 1 "${known[@]}" --resume auto || resumed=$?
check "a run is not resumed on other images, however they are found out" test "$resumed" = 65
check "and it is said why" grep -q '^imagelora: .*image' err

mkdir -p unwritable
: >unwritable/known
rm -rf run
check "a folder that cannot be made stops nothing" train 1 --set data.prepared=unwritable/known
check "and is said" grep -q '^imagelora: data.prepared: .*a later one prepares its examples again' err

# Prepared by its own command, so that the first start is a later one.
rm -rf known run
found=0
ranks 0 "$IMAGELORA" prepare run.yaml >out 2>err || found=$?
check "prepare without a folder: one line" \
  grep -qx 'imagelora: run.yaml: data.prepared names no folder; add it to the run file, or give --set data.prepared=FOLDER' err
check "and its status" test "$found" = 65
prepare() { ranks "$1" "$IMAGELORA" prepare run.yaml "${known[@]}" >out 2>err; }
check "prepare on 2 ranks" prepare 2
check "says what is kept where" test "$(grep -c ' examples, prepared; kept in .*known$' out)" = 2
check "prepare again" prepare 0
check "finds it" test "$(grep -c ' examples, prepared before in .*known$' out)" = 2
check "the first start after it" train 2 "${known[@]}"
check "finds the examples prepared" grep -q '^data .*; prepared before$' out
check "and its numbers are those of a run without" same_state "whole-1/$last" "run/$last"
gzip -c data/rows.jsonl >data/rows.jsonl.gz
found=0
ranks 2 "$IMAGELORA" prepare run.yaml "${known[@]}" --set data.train=data/rows.jsonl.gz >out 2>err || found=$?
check "compressed rows cannot be kept, which is an error here" test "$found" = 65
check "in one line" test "$(grep -c 'data/rows.jsonl.gz: compressed rows and tar archives are prepared at each start' err)" = 1
found=0
ranks 2 "$IMAGELORA" prepare run.yaml --set data.prepared=unwritable/known >out 2>err || found=$?
check "nor can anything in a folder that cannot be made" test "$found" -ge 65
check "in one line of that folder" test "$(grep -c '^imagelora: .*unwritable/known' err)" = 1
