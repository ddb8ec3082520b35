# Answers to rows without answers, and conversations line by line.
source "$top/Tests/EndToEnd/refusals.sh"
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# The prompts of the examples alone, and one of text.
python3 - <<'PYTHON'
import json
rows = [json.loads(line) for line in open("data/rows.jsonl")]
with open("data/asked.jsonl", "w") as file:
    for row in rows:
        row["messages"] = row["messages"][:-1]
        file.write(json.dumps(row) + "\n")
PYTHON

# predict N NAME [ARGUMENT...]: answers on N ranks in NAME.jsonl.
predict() {
  local count=$1 name=$2
  shift 2
  rm -f "$name.jsonl"
  ranks "$count" "$IMAGELORA" predict run.yaml --rows data/asked.jsonl --max-new-tokens 6 --output "$name.jsonl" "$@" \
    >"$name.out"
}

adapted=(--checkpoint "whole-1/$last")
sampled=("${adapted[@]}" --temperature 1.5 --top-p 0.9 --seed 3 --stop ')')
for count in 0 1 2 3; do
  check "rows without answers are answered on $count ranks" predict "$count" "greedy-$count" "${adapted[@]}"
  check "and sampled" predict "$count" "sampled-$count" "${sampled[@]}"
done
for count in 1 2 3; do
  check "answers of $count ranks have the bytes of one process" cmp greedy-0.jsonl "greedy-$count.jsonl"
  check "and so have sampled ones" cmp sampled-0.jsonl "sampled-$count.jsonl"
done
check "a line a row" test "$(wc -l <greedy-0.jsonl)" = "$(wc -l <data/asked.jsonl)"
check "sampling answers otherwise" sh -c '! cmp -s greedy-0.jsonl sampled-0.jsonl'
check "rows with answers are evaluated" "$IMAGELORA" evaluate run.yaml --set data.validation=data/rows.jsonl \
  "${adapted[@]}" --max-new-tokens 6 --output evaluated.jsonl
check "to the same answers" python3 - <<'PYTHON'
import json
greedy, evaluated = ([json.loads(line) for line in open(name)] for name in ("greedy-0.jsonl", "evaluated.jsonl"))
assert [(a["id"], a["prompt"], a["prediction"]) for a in greedy] == [
    (a["id"], a["prompt"], a["prediction"]) for a in evaluated
], (greedy[0], evaluated[0])
assert all("reference" not in a for a in greedy)
PYTHON

refused 65 "an output that is there" 'greedy-0.jsonl' 'is there already' predict run.yaml --rows data/asked.jsonl --base \
  --output greedy-0.jsonl

# A kill between two waves: what is kept is not computed again, and the whole has the same bytes.
python3 - <<'PYTHON'
import json
rows = [json.loads(line) for line in open("data/asked.jsonl")]
with open("data/many-asked.jsonl", "w") as file:
    for number in range(12):
        for row in rows:
            file.write(json.dumps({**row, "id": f"{row['id']}-{number}"}) + "\n")
PYTHON
many=(predict run.yaml --rows data/many-asked.jsonl --max-new-tokens 12 "${adapted[@]}")
check "many rows" "$IMAGELORA" "${many[@]}" --output many.jsonl
# Its first line says what the others answer.
kept() { [[ $(sed -n '2p' killed.jsonl.incomplete 2>/dev/null) ]]; }
for attempt in 1 2 3 4 5 6 7 8; do
  rm -f killed.jsonl killed.jsonl.incomplete
  "$IMAGELORA" "${many[@]}" --output killed.jsonl >/dev/null 2>&1 &
  answering=$!
  while kill -0 $answering 2>/dev/null && ! kept; do sleep 0.005; done
  kill -KILL $answering 2>/dev/null || true
  wait $answering 2>/dev/null || true
  [[ -e killed.jsonl ]] || break
done
check "a killed prediction keeps its answers and has no output" sh -c 'test ! -e killed.jsonl -a "$(wc -l <killed.jsonl.incomplete)" -gt 1'
refused 65 "other options than those of the answers kept" 'killed.jsonl.incomplete' 'answers of other rows' \
  predict run.yaml --rows data/many-asked.jsonl --max-new-tokens 13 "${adapted[@]}" --output killed.jsonl
going_on() { ranks 2 "$IMAGELORA" "${many[@]}" --output killed.jsonl >on.out && grep -q '^going on' on.out; }
check "two ranks go on" going_on
check "to the same bytes" cmp many.jsonl killed.jsonl
check "and nothing is left beside them" test ! -e killed.jsonl.incomplete
refused 65 "rows that are not there" 'none.jsonl' 'no such file' predict run.yaml --rows none.jsonl --base --output x.jsonl
usage() { local found=0; "$IMAGELORA" "$@" >/dev/null 2>&1 || found=$?; test "$found" = 64; }
check "no model is a wrong command line" usage predict run.yaml --rows data/asked.jsonl --output x.jsonl
check "so is sampling without a temperature" \
  usage predict run.yaml --rows data/asked.jsonl --base --top-p 0.5 --output x.jsonl

# A conversation line by line: its first answer is generate's, an order that is none is said, and so is an image that is
# not there; a new conversation begins like the first.
options=(--model model --checkpoint "whole-1/$last" --max-new-tokens 6)
printf '/image data/images/0.png\nWhere?\n/image none.png\nAnd now?\n/what\nAgain?\n/clear\n/image data/images/0.png\nWhere?\n' |
  "$IMAGELORA" chat "${options[@]}" >talk.out 2>talk.err
check "a conversation ends with its input" test $? = 0
"$IMAGELORA" generate "${options[@]}" --image data/images/0.png --prompt 'Where?' >once.out 2>/dev/null
check "its first answer is generate's" cmp <(head -c "$(wc -c <once.out)" talk.out) once.out
check "that of the same conversation begun anew too" cmp <(tail -c "$(wc -c <once.out)" talk.out) once.out
check "what is no order is said" grep -q '^imagelora: /what: no such order' talk.err
check "an image that is not there is said, and the conversation goes on" grep -q '^imagelora: .*none.png' talk.err
