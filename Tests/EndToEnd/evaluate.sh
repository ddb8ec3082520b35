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
