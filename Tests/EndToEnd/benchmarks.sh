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
  for phase in "examples to tokens" "image decoding" vision packing "decoder forward" \
    "head: loss and gradient" "decoder backward" "exact sum, reduce" optimizer "checkpoint write" \
    "step, image new" "step, vision features cached"; do
    check "$questions: $phase has a time" grep -qE '^[0-9]+\.[0-9]{6}$' <<<"$(cell "$phase" 2)"
  done
  for phase in vision "decoder forward" "head: loss and gradient" "decoder backward" "step, image new" \
    "step, vision features cached"; do
    check "$questions: $phase has FLOPs" grep -qE '[1-9]' <<<"$(cell "$phase" 3)"
  done
  check "$questions: the utilization is stated" grep -qE '^utilization of the GEMM peak: [0-9]+\.[0-9]{3} with' out
  check "$questions: so is the influence pass" grep -qE '^influence pass: [0-9.]+ s an example' out
done
check "no temporary file is left" test -z "$(ls temporary)"

check "growth with an example's length" ranks 0 "$program" growth --model model --tokens 100 200 --answers 8 "${quick[@]}"
check "GEMMs" ranks 0 "$program" gemm --shapes 0.5b --rows 4 --repeats 1 --side 64
check "attention" ranks 0 "$program" attention --shapes 0.5b --tokens 64 128 --patches 64 --repeats 1 --side 64
check "the delta rule" ranks 0 "$program" delta-rule --shapes 0.8b --tokens 64 130 --repeats 1 --side 64
check "a model that is not there is refused" sh -c "! $program growth --model nowhere 2>/dev/null"
unset TMPDIR
