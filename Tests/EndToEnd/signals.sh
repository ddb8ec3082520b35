# What a batch system or a terminal sends: SIGTERM and SIGHUP save and end, SIGUSR1 saves and goes on, whichever rank it
# reaches.
source "$top/Tests/EndToEnd/background.sh"
declare -F resumed >/dev/null || source "$top/Tests/EndToEnd/resume.sh"

# Both an odd and an even step: a validation is due at even ones.
for way in TERM:5 TERM:8 HUP:6; do
  signal=${way%:*} step=${way#*:}
  stop_at "$signal" 2 reached "$step"
  check "SIG$signal to one rank: status 1" test "$status" = 1
  # The newest checkpoint; one whose validation is still due has that in its name.
  stopped=$((10#$(ls run/step-*.h5 | sed -nE 's/.*step-([0-9]+)\..*/\1/p' | sort | tail -n 1)))
  check "SIG$signal: the run stopped after its last step, which is saved (step $stopped)" \
    test "$stopped" -ge "$step" -a "$(column run/metrics.jsonl step | tail -n 1)" = "$stopped"
  check "SIG$signal: one line says so" sh -c \
    "test \$(grep -c '^imagelora: ' err) = 1 && grep -q '^imagelora: .*signal.*step $stopped\\b' err"
  resumed 2 "SIG$signal after step $stopped"
  check "SIG$signal: every byte of the last checkpoint of the run never stopped" cmp "whole-2/$last" "run/$last"
done

# mpirun passes SIGUSR1 on; ranks that notice it at different steps save one checkpoint each.
for attempt in 1 2 3 4 5; do
  begin 2 --set checkpoint.every_steps=1000 --set data.validation=null
  await reached 4 || true
  kill -USR1 $(processes "$job" mpirun | head -1) 2>/dev/null || true
  end
  [[ $(ls run/step-*.h5 | wc -l) -lt 2 ]] || break
done
check "SIGUSR1: the run goes on to its end" test "$status" = 0 -a -e "run/$last"
check "SIGUSR1: a checkpoint in addition to the last" test "$(ls run/step-*.h5 | wc -l)" -ge 2
check "SIGUSR1: the bytes of a run without" same_state "whole-2/$last" "run/$last"

# A run that nohup started ignores the terminal that closes.
# Inside of timeout, which takes the signal for itself.
begin_ignoring() {
  timeout 60 bash -c 'trap "" HUP; exec "$0" train run.yaml' "$IMAGELORA" >out 2>err &
  job=$!
}
rm -rf run
begin_ignoring
await reached 4 || true
kill -HUP $(processes "$job" imagelora) 2>/dev/null || true
end
check "SIGHUP that is ignored at the start stays ignored" test "$status" = 0 -a -e "run/$last"
rm -rf run

# Evaluations and probes end after the batch at hand, on all ranks, whichever of them is asked. The feature cache shows
# that they are in it.
# So many that a fast machine is still at them when the signal comes.
for copy in {1..300}; do cat data/rows.jsonl; done >data/many.jsonl
examples=$(wc -l <data/many.jsonl)
many=(--set data.ids=line --set data.train=data/many.jsonl --set data.validation=data/many.jsonl
  --set "adapter.heads.probe_rows=$examples" --set model.feature_cache=seen)

# stopped_in COMMAND N SIGNAL WHICH [ARGUMENT...]: the command on N ranks, which a signal to the ranks that sed's address
# picks ends in its middle; its exit status in status.
stopped_in() {
  local command=$1 count=$2 signal=$3 which=$4 pids
  shift 4
  rm -rf seen
  ranks "$count" "$IMAGELORA" "$command" run.yaml "${many[@]}" "$@" >out 2>err &
  job=$!
  await sh -c 'test "$(find seen -name "*.h5" 2>/dev/null | wc -l)" -ge 3' || true
  # The kernel's lists of children can be incomplete while a process starts others.
  for _ in $(seq 200); do
    pids=$(processes "$job" imagelora | sed -n "${which}p")
    [[ -z $pids ]] || break
    sleep 0.01
  done
  check "$command on $count ranks: SIG$signal is sent" kill -"$signal" $pids
  end
}

for way in "0 TERM 1" "2 HUP 2" "2 INT 1" "3 USR2 3"; do
  read -r count signal which <<<"$way"
  rm -f answers.jsonl*
  stopped_in evaluate "$count" "$signal" "$which" --base --max-new-tokens 8 --output answers.jsonl
  claim="evaluate, SIG$signal to a rank of $count"
  finished=$(sed -nE "s/^imagelora: stopped by a signal after ([0-9]+) of $examples examples; .*answers.jsonl.incomplete\$/\1/p" err)
  if [[ $status -eq 1 && -n $finished ]]; then ok "$claim: status 1 and a line"; else fail "$claim: status $status" out err; fi
  check "$claim: it is the only line" test "$(grep -c '^imagelora: ' err)" = 1
  check "$claim: the examples that were finished are kept, whole" sh -c \
    "test ${finished:-0} -gt 0 -a ${finished:-0} -lt $examples && test \$(wc -l <answers.jsonl.incomplete) = ${finished:-0} &&
     python3 -c 'import json; [json.loads(line) for line in open(\"answers.jsonl.incomplete\")]'"
  check "$claim: and nothing else" test "$(ls answers.jsonl*)" = answers.jsonl.incomplete
  rm -f part.h5*
  stopped_in probe "$count" "$signal" "$which" --output part.h5
  claim="probe, SIG$signal to a rank of $count"
  check "$claim: status 1" test "$status" = 1
  check "$claim: one line says so" sh -c \
    'test "$(grep -c "^imagelora: " err)" = 1 && grep -q "^imagelora: stopped by a signal while probing" err'
  check "$claim: nothing is left" sh -c '! ls part.h5*'
done
rm -rf run seen data/many.jsonl
