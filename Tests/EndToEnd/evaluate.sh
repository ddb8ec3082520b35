# Evaluation of rows that share pictures, have two, or none: the same bytes on 1, 2 and 3 ranks.

declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# evaluate N NAME [ARGUMENT...]: base and adapted side by side on N ranks; the table in NAME.out, the rows in NAME.jsonl.
evaluate() {
  local count=$1 name=$2
  shift 2
  rm -f answers.jsonl
  ranks "$count" "$IMAGELORA" evaluate run.yaml --set data.validation=data/rows.jsonl --base \
    --checkpoint "whole-1/$last" --output answers.jsonl "$@" >"$name.out" && mv answers.jsonl "$name.jsonl"
}

for way in "--max-new-tokens 6" --no-generate; do
  for count in 0 1 2 3; do
    check "evaluate $way on $count ranks (0: without mpirun)" evaluate "$count" "evaluated-$count" $way
    check "$way: a table" grep -q 'token accuracy' "evaluated-$count.out"
    check "$way: a line a row and model" test "$(wc -l <"evaluated-$count.jsonl")" = 80
  done
  for count in 1 2 3; do
    check "$way: rows of $count ranks have the bytes of one process" cmp evaluated-0.jsonl "evaluated-$count.jsonl"
    check "$way: so has the table" cmp evaluated-0.out "evaluated-$count.out"
  done
  # Without its id and model's name, a row of text has one line; a row with a picture has two.
  distinct() { grep "\"id\":\"$1" evaluated-0.jsonl | sed -E 's/"model":"[a-z]+",?//' | sort -u | wc -l; }
  check "$way: the adapter changes no number of a row of text" test "$(distinct text-)" = 6
  check "$way: it changes those of rows with pictures" test "$(distinct p)" = 60
done

# A benchmark's annotations become rows, and accuracy is told by their groups.
cp data/images/0.png data/web_a.png
cat >spot.json <<'JSON'
[{"img_filename": "web_a.png", "bbox": [1, 2, 10, 8], "instruction": "close", "data_type": "icon", "data_source": "tool"},
 {"img_filename": "web_a.png", "bbox": [4, 4, 9, 9], "instruction": "open", "data_type": "text", "data_source": "tool"}]
JSON
check "ScreenSpot's annotations become rows" "$IMAGELORA" rows spot.json --answer box --prompt "Where? {}" --output spot.jsonl
check "a line an annotation, with its corners" grep -q '"<image>Where? close".*"bbox":\[\[1,2,11,10\]\]' spot.jsonl
check "the rows are evaluated" evaluate 0 spotted --set data.validation=spot.jsonl --set data.coordinates=relative_1000 \
  --max-new-tokens 6
check "accuracy by platform" grep -q '^  web (2 rows) ' spotted.out
check "accuracy by kind" grep -q '^  icon (1 rows) ' spotted.out
check "predictions have their group" grep -q '"group":{"data_source":"tool","data_type":"icon","platform":"web"' spotted.jsonl
