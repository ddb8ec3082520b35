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

# Weights & Biases, by a stand-in for its package that, like it, writes a folder's last steps when it is finished; it can
# end the process before.
mkdir -p tracked/packages
cat >tracked/packages/wandb.py <<'PYTHON'
import json, os, sys
from pathlib import Path
class Run:
    def __init__(self, id, dir, mode, **_):
        assert mode == "offline"
        self.folder = Path(dir) / "wandb" / f"offline-run-{os.getpid()}-{id}"
        self.dir = str(self.folder / "files")
        Path(self.dir).mkdir(parents=True)
        self.summary, self.steps = {}, []
    def log(self, metrics, step):
        self.steps.append(step)
        if len(self.steps) == int(os.environ.get("DIES_AFTER", 0)):
            os._exit(9)
    def finish(self):
        (self.folder / "steps.json").write_text(json.dumps([self.steps, sorted(self.summary)]))
def init(**options):
    return Run(**{key: options[key] for key in ("id", "dir", "mode")})
PYTHON
wandb() { PYTHONPATH=tracked/packages track "$@" --to wandb --directory tracked/wandb; }
rm -rf tracked/part && cp -rp tracked/run tracked/part && rm tracked/part/summary.json
head -n 5 tracked/run/metrics.jsonl >tracked/part/metrics.jsonl
check "the first steps of a run" wandb tracked/part
cp tracked/run/metrics.jsonl tracked/run/summary.json tracked/part/
found=0
DIES_AFTER=2 wandb tracked/part || found=$?
check "a tracker is killed" test "$found" = 9
check "the rest" wandb tracked/part
check "and once more" wandb tracked/part
check "two folders have each step once, in order, and the summary" python3 -c '
import json, pathlib
found = sorted(json.loads(path.read_text()) for path in pathlib.Path("tracked/wandb").glob("wandb/*/steps.json"))
wanted = sorted({json.loads(line)["step"] for line in open("tracked/run/metrics.jsonl")})
assert len(list(pathlib.Path("tracked/wandb/wandb").iterdir())) == len(found) == 2, found
assert found[0][0] + found[1][0] == wanted and found[0][1] == [] and "summary/steps" in found[1][1], found'
