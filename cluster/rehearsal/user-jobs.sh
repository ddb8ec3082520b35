# What rehearsals without root share: a run of 3,000 steps in the current folder, and claims that are counted. Sourced,
# not run; $top is the top folder.
# shellcheck shell=bash disable=SC2154

cp -r "$top/Tests/ParityTests/Resources/a/model" model
python3 "$top/Tests/EndToEnd/make_data.py" data
cat >run.yaml <<'YAML'
model: {path: model, min_pixels: 784}
data: {train: data/rows.jsonl, validation: data/validation.jsonl, image_root: data}
adapter: {rank: 4, heads: {select: influence, num_heads: 5, probe_rows: 12}}
training: {steps: 3000, global_batch: 8, learning_rate: 3e-2, warmup_steps: 2}
checkpoint: {directory: run, every_steps: 100, keep: 100}
logging: {every_steps: 1}
YAML

passed=0 failed=0
# check CLAIM COMMAND...: whether the command succeeds.
check() {
  local claim=$1
  shift
  if "$@"; then passed=$((passed + 1)) && echo "ok    $claim"; else failed=$((failed + 1)) && echo "FAIL  $claim"; fi
}

# until_true SECONDS COMMAND...: tries until the command succeeds.
until_true() {
  local limit=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS > limit)); then return 1; fi
    sleep 0.1
  done
}

same_end() { cmp whole/step-00003000.h5 run/step-00003000.h5; }

# verdict: how many claims hold; fails if one does not.
verdict() {
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 ]]
}
