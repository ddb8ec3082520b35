# The benchmark programs run and count what they should; no time is looked at.
program=${BENCHMARKS:-}
if [[ -z $program ]]; then
  swift build --package-path "$top" -c release --product benchmarks >build.out 2>&1 || fail "benchmarks build" build.out
  program=$(swift build --package-path "$top" -c release --show-bin-path)/benchmarks
fi
quick=(--repeats 2 --side 64)
mkdir -p temporary
export TMPDIR=$PWD/temporary

# cell PHASE COLUMN: of the table in out; columns from 1.
cell() { awk -F ' *[|] *' -v phase="$1" -v column="$2" '$2 == phase { print $(column + 1) }' out; }

for questions in single grouped; do
  status=0
  ranks 0 "$program" step --model model --data data/rows.jsonl --min-pixels 784 --questions "$questions" "${quick[@]}" \
    --max-pixels 12544 >out 2>err || status=$?
  check "a step by phases, $questions questions" test "$status" = 0 -a ! -s err
  for phase in "rows to tokens" "picture decoding" vision packing "decoder forward" \
    "head: loss and gradient" "decoder backward" "exact sum, reduce" optimizer "checkpoint write" \
    "step, picture new" "step, features kept"; do
    check "$questions: $phase has a time" grep -qE '^[0-9]+\.[0-9]{6}$' <<<"$(cell "$phase" 2)"
  done
  for phase in vision "decoder forward" "head: loss and gradient" "decoder backward" "step, picture new" \
    "step, features kept"; do
    check "$questions: $phase has operations" grep -qE '[1-9]' <<<"$(cell "$phase" 3)"
  done
  check "$questions: the share of the peak is stated" grep -qE '^useful FLOPs / \(time x peak\): [0-9]+\.[0-9]{3} with' out
  check "$questions: so is the influence pass" grep -qE '^influence pass: [0-9.]+ s a row' out
done
check "nothing is left behind" test -z "$(ls temporary)"

check "growth with a row's length" ranks 0 "$program" growth --model model --tokens 100 200 --answers 8 "${quick[@]}"
check "products" ranks 0 "$program" products --shapes 0.5b --rows 4 --repeats 1 --side 64
check "attention" ranks 0 "$program" attention --shapes 0.5b --tokens 64 128 --patches 64 --repeats 1 --side 64
check "a model that is not there is refused" sh -c "! $program growth --model nowhere 2>/dev/null"
unset TMPDIR
