# A run put into a tracker, here a file of JSON Lines: each step once, whatever is killed and resumed in between.
track() { python3 "$top/scripts/trackers/track.py" "$@" >out 2>err; }
short=(--set training.steps=8 --set training.validation_every_steps=2 --set checkpoint.every_steps=4)
rm -rf tracked && mkdir tracked

# While it goes on: the tracker waits for the run and ends with it.
timeout 120 python3 "$top/scripts/trackers/track.py" tracked/run --to file --directory tracked/live --follow \
  --poll-seconds 0.2 >live.out 2>live.err &
tracker=$!
check "a run of eight steps" train 0 "${short[@]}" --set checkpoint.directory=tracked/run
check "the tracker ends with it" wait "$tracker"
# every_step JOURNAL METRICS: steps in order, each once, with the numbers of the log, and the summary behind them.
every_step() {
  python3 - "$@" <<'PYTHON'
import json, sys
journal, metrics = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
wanted = {}
for entry in metrics:
    wanted.setdefault(entry["step"], {}).update(entry)
steps = [entry for entry in journal if "step" in entry]
assert [entry["step"] for entry in steps] == sorted(wanted), steps
for entry in steps:
    one, other = entry["metrics"], wanted[entry["step"]]
    assert one.get("train/loss") == other.get("loss"), (one, other)
    assert one.get("validation/loss") == other.get("validation_loss"), (one, other)
assert sum("summary" in entry for entry in journal) == 1 and "summary" in journal[-1], journal[-1]
assert journal[0]["settings"]["training.steps"] == 8 and journal[0]["settings"]["adapter.heads.num_heads"] == 5, journal[0]
PYTHON
}
check "each step is there once, with its validation" every_step tracked/live/imagelora-*.jsonl tracked/run/metrics.jsonl

# Killed and resumed: the log of the first start ends in a torn line, that of the second goes back to step 4.
cp -rp tracked/run tracked/killed
rm tracked/killed/summary.json
python3 - tracked/run/metrics.jsonl tracked/killed/metrics.jsonl <<'PYTHON'
import json, sys
lines = [line for line in open(sys.argv[1])]
last = next(index for index, line in enumerate(lines) if json.loads(line)["step"] == 7)
with open(sys.argv[2], "w") as file:
    file.write("".join(lines[:last]) + lines[last][:20])
PYTHON
check "what a killed run has" track tracked/killed --to file --directory tracked/again
check "is all but the step whose lines may not be whole" test "$(grep -c '"step": ' tracked/again/*.jsonl)" = \
  "$(($(grep -c '"step": ' tracked/live/*.jsonl) - 3))"
printf '{"step": 6, "met' >>"$(echo tracked/again/*.jsonl)" # the tracker was killed too
sed 's/"compute_seconds":[0-9.e-]*/"compute_seconds":9/' tracked/run/metrics.jsonl >tracked/killed/new
mv tracked/killed/new tracked/killed/metrics.jsonl
sed 's/"after_step":0/"after_step":4/' tracked/run/sessions.jsonl >>tracked/killed/sessions.jsonl
cp tracked/run/summary.json tracked/killed/summary.json
check "the resumed run" track tracked/killed --to file --directory tracked/again --follow
check "continues the same: each step is there once" every_step tracked/again/imagelora-*.jsonl tracked/run/metrics.jsonl
check "no line says that a loss is another" test "$(grep -c 'another loss' err)" = 0
check "steps that were computed again stay as they were" sh -c "grep '\"step\": 5' tracked/again/*.jsonl | grep -qv '\"train/compute_seconds\": 9'"
check "a third time" track tracked/killed --to file --directory tracked/again
check "adds nothing" every_step tracked/again/imagelora-*.jsonl tracked/run/metrics.jsonl
sed -i '/"step":3/s/"loss":[0-9.]*/"loss":0.5/' tracked/killed/metrics.jsonl
check "another loss of a step" track tracked/killed --to file --directory tracked/again
check "is said" grep -q 'another loss, what was logged first stays: step 3: .*, then 0.5' err
head -n 1 tracked/run/sessions.jsonl | sed 's/"started":"[^"]*"/"started":"2001-01-01T00:00:00Z"/' >tracked/killed/sessions.jsonl
touch tracked/killed/summary.json
check "a run that began anew" track tracked/killed --to file --directory tracked/again
check "is another run" test "$(find tracked/again -name '*.jsonl' | wc -l)" = 2
found=0
track tracked --to file || found=$?
check "a folder that is no run is refused" sh -c "test $found = 1 && grep -q 'tracked: is no run' err"
