# Jobs of the Slurm rehearsal: submitting, waiting, and what is claimed of each event. Sourced by slurm.sh.
# shellcheck shell=bash disable=SC2154

# submit RUN [OPTION...]: a job of two ranks a node on both nodes that trains RUN.yaml; its id in $job.
export REAL_IMAGELORA=$IMAGELORA
export MPI_OPTIONS="--map-by slot --bind-to none --mca btl_tcp_if_include lo --mca oob_tcp_if_include lo"
submit() {
  local run=$1
  shift
  job=$(sbatch --parsable --output="$run.out" --nodes=1-2 "$@" "$top/cluster/train.sbatch" "$run.yaml")
}
# begin RUN [OPTION...]: a new run of $steps steps as a job, which has saved a checkpoint.
begin() {
  run=$1
  run_file "$run" "$steps"
  submit "$@"
  until_true 240 saved "$run" || fail "$run: a checkpoint within four minutes" "$run.out"
}

# value KEY [JOB]: what Slurm says of the job.
value() { scontrol show job --oneliner "${2:-$job}" | tr ' ' '\n' | sed -n "s/^$1=//p"; }
state_is() { [[ $(value JobState) =~ ^($1)$ ]]; }
# requeued: the job waits to be started again. Slurm lets it wait for two minutes, which are cut to 15 seconds: the
# nodes refuse a job whose last start they are still ending.
declare -A shortened
requeued() {
  local start
  state_is PENDING || return 1
  start=$job-$(value Restarts)
  if [[ -z ${shortened[$start]:-} && $(value Reason) == BeginTime ]]; then
    shortened[$start]=1
    scontrol update JobId="$job" StartTime=now+15 2>/dev/null || true
  fi
}
# started_again: it waits, or has started again already, as where a node is left for it.
started_again() { requeued || (($(value Restarts) > 0)); }
# ends STATE [SECONDS]: the job comes to that end, through any number of starts.
over() {
  requeued || true
  state_is 'COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|PREEMPTED|OUT_OF_MEMORY'
}
ends() { until_true "${2:-400}" over && state_is "$1"; }
starts_were() { [[ $(value Restarts) -eq $(($1 - 1)) ]]; }
said() { grep -qE "$1" "$run.out"; }

# finishes_the_same HOW [STARTS]: the job is completed by itself, with the bytes of a run that nothing disturbed.
finishes_the_same() {
  if ends COMPLETED; then
    ok "$1: goes on by itself and is completed"
  else
    fail "$1: completed: $(value JobState)" "$run.out"
  fi
  check "$1: in ${2:-2} starts" starts_were "${2:-2}"
  check "$1: with the same bytes" same "$run"
  check "$1: no record of starts is left" test ! -e "imagelora-$job.starts"
}
# saved_at_once HOW: asked to end, the ranks saved the step that they were in.
saved_at_once() {
  local step
  step=$(sed -nE 's/.*stopped by a signal after step ([0-9]+).*/\1/p' "$run.out" | tail -n 1)
  check "$1: saved at its step, ${step:-none}" said "^saved .*/step-0*${step:-none}\\.h5"
}

rehearse_requeue() {
  undisturbed "$steps"
  begin asked
  scancel --signal=USR1 --batch "$job"
  check "scancel --signal=USR1 --batch: put back into the queue" until_true 180 requeued
  saved_at_once "scancel --signal=USR1 --batch"
  finishes_the_same "scancel --signal=USR1 --batch"

  begin by-hand
  scontrol requeue "$job"
  check "scontrol requeue: put back into the queue, once" until_true 180 requeued
  saved_at_once "scontrol requeue"
  finishes_the_same "scontrol requeue"
}

rehearse_limit() {
  # The signal may come a minute early, and limits are whole minutes: as many steps as four ranks on two nodes make in
  # 130 seconds.
  local steps=600 seconds
  begin paced
  check "time limit: a job of $steps steps, for its speed" ends COMPLETED
  seconds=$(sed -nE 's/.*"seconds" : ([0-9]+).*/\1/p' paced/summary.json)
  steps=$((steps * 130 / (${seconds:-0} > 0 ? seconds : 1)))
  undisturbed "$steps"
  begin limited --time=2 --signal=B:USR1@60
  check "time limit: put back into the queue before it" until_true 180 requeued
  check "time limit: says so" said 'start 1 ended with status 1: it was asked to save and end; requeued'
  saved_at_once "time limit"
  if ends COMPLETED 600; then ok "time limit: completed in $(($(value Restarts) + 1)) starts"; else
    fail "time limit: completed: $(value JobState)" "$run.out"
  fi
  check "time limit: with the same bytes" same "$run"

  steps=600
  undisturbed "$steps"
  SAVE_SECONDS=3 begin unsaved
  signal STOP 0
  scancel --signal=USR1 --batch "$job"
  check "ranks that cannot save in time: killed" until_true 60 said 'not saved within 3 s: killed'
  finishes_the_same "ranks that cannot save in time"
}

rehearse_cancel() {
  undisturbed "$steps"
  begin cancelled
  scancel "$job"
  check "scancel: cancelled" ends CANCELLED 60
  saved_at_once "scancel"
  sleep 5
  check "scancel: not started again" state_is CANCELLED
  check "scancel: no rank is left" test -z "$(program_processes "$run")"
  check "scancel: no record of starts is left" test ! -e "imagelora-$job.starts"
  submit cancelled
  finishes_the_same "submitted again after scancel" 1

  begin one-node --nodes=1
  scancel "$job"
  check "scancel, one node: cancelled" ends CANCELLED 60
  saved_at_once "scancel, one node"
  begin ended-by-hand
  scancel --signal=TERM --full "$job"
  check "scancel --signal=TERM --full: saved and ended, not started again" ends FAILED 60
  saved_at_once "scancel --signal=TERM --full"
}

rehearse_preempt() {
  local partition
  undisturbed "$steps"
  for partition in low grace; do
    begin "preempted-$partition" --partition="$partition"
    sbatch --parsable --output=high.out --partition=high --nodes=2 --exclusive --wrap 'sleep 5' >/dev/null
    check "preemption ($partition): put back into the queue" until_true 180 requeued
    saved_at_once "preemption ($partition)"
    finishes_the_same "preemption ($partition)"
  done
}

# Slurm's option: the script is told when the time of grace begins, so that a job on one node can save in it.
rehearse_grace() {
  undisturbed "$steps"
  echo "SlurmctldParameters=preempt_send_user_signal" >>"$SLURM_CONF"
  scontrol reconfigure
  begin told --partition=grace --nodes=1
  sbatch --parsable --output=high.out --partition=high --nodes=2 --exclusive --wrap 'sleep 5' >/dev/null
  check "preemption, preempt_send_user_signal, one node: put back into the queue" until_true 180 requeued
  check "preemption, preempt_send_user_signal, one node: says so" said 'it was asked to save and end; requeued'
  saved_at_once "preemption, preempt_send_user_signal, one node"
  finishes_the_same "preemption, preempt_send_user_signal, one node"
}

rehearse_ranks() {
  local rank
  undisturbed "$steps"
  begin killed
  signal KILL 3
  check "a killed rank: put back into the queue" until_true 180 requeued
  check "a killed rank: says so" said 'start 1 ended with status 137: a rank or a node was lost; requeued'
  finishes_the_same "a killed rank"

  for rank in 3 0; do
    begin "stopped-$rank"
    signal STOP "$rank"
    check "rank $rank stopped for ever: put back into the queue" until_true 180 requeued
    check "rank $rank stopped for ever: says so" said 'start 1 ended with status 75: the ranks did not get on; requeued'
    finishes_the_same "rank $rank stopped for ever"
  done
}

rehearse_nodes() {
  undisturbed "$steps"
  begin lost
  lose_node "${nodes[1]}"
  check "a node lost: put back into the queue" until_true 180 started_again
  finishes_the_same "a node lost, on the one that is left"
  check "a node lost: there were four ranks, and two then" ranks_were '4 2'
  start_node "${nodes[1]}"
  until_true 60 is_idle "${nodes[1]}" || fail "${nodes[1]} comes back"

  # The script is gone with its node, and Slurm would wait for a second one.
  begin batch-lost
  lose_node "${nodes[0]}"
  check "the script's node lost: put back into the queue" until_true 180 requeued
  sleep 5
  scontrol update JobId="$job" NumTasks=2
  finishes_the_same "the script's node lost, on the one that is left, NumTasks=2"
  check "the script's node lost: there were four ranks, and two then" ranks_were '4 2'
  start_node "${nodes[0]}"
  until_true 60 is_idle "${nodes[0]}" || fail "${nodes[0]} comes back"

  begin down
  scontrol update NodeName="${nodes[1]}" State=DOWN Reason=rehearsal
  check "a node set down: put back into the queue" until_true 180 requeued
  finishes_the_same "a node set down"
  scontrol update NodeName="${nodes[1]}" State=RESUME 2>/dev/null || true # it may be back by itself
  until_true 30 is_idle "${nodes[1]}" || fail "${nodes[1]} comes back"

  # The daemon of Open MPI on a node and all of its ranks hang; the node itself answers.
  END_SECONDS=10 begin frozen
  freeze "${nodes[1]}"
  check "a node whose processes are stopped: put back into the queue" until_true 120 requeued
  finishes_the_same "a node whose processes are stopped"
}
# ranks_were "N N": the ranks of each start.
ranks_were() { [[ $(sed -nE 's/^ranks +([0-9]+),.*/\1/p' "$run.out" | tr '\n' ' ') == "$1 " ]]; }
# freeze NODE: the job's processes there are stopped, but not Slurm's.
freeze() {
  local process
  for process in $(pgrep -f "^(/usr/bin/)?orted |^$IMAGELORA train $run.yaml"); do
    if grep -qszx "SLURMD_NODENAME=$1" "/proc/$process/environ"; then kill -STOP "$process"; fi
  done
}

rehearse_refusals() {
  run=refused
  run_file refused 100
  sed -i 's/rank: 4/rank: none/' refused.yaml
  submit refused
  check "a bad run file: failed, not started again" ends FAILED 60
  check "a bad run file: status 65" test "$(value ExitCode)" = 65:0
  run=usage
  job=$(sbatch --parsable --output=usage.out "$top/cluster/train.sbatch")
  check "no run file: failed, not started again, status 64" ends FAILED 60
  check "no run file: status 64" test "$(value ExitCode)" = 64:0
  run=infinite
  run_file infinite 100
  sed -i 's/rank: 4/rank: 4, alpha: 1e38/' infinite.yaml
  submit infinite
  check "values that are not finite: failed, not started again" ends FAILED 60
  check "values that are not finite: status 1 in one start" test "$(value ExitCode)$(value Restarts)" = 1:00
}

rehearse_limits() {
  # A program whose ranks are killed before they save anything.
  cat >dies.sh <<'SH'
#!/bin/bash
if [[ $1 = train ]]; then kill -KILL $$; fi
exec "$REAL_IMAGELORA" "$@"
SH
  chmod +x dies.sh
  run=dying
  run_file dying 100
  IMAGELORA=$work/dies.sh submit dying
  check "a run that never gets on: ends" ends FAILED 120
  check "a run that never gets on: after three starts" starts_were 3
  check "a run that never gets on: says so" said 'not started again after 3 starts without a new checkpoint'

  MAX_STARTS=2 begin twice
  scancel --signal=USR1 --batch "$job"
  until_true 180 requeued || fail "MAX_STARTS=2: put back into the queue" "$run.out"
  until_true 180 ranks_were '4 4' || fail "MAX_STARTS=2: a second start" "$run.out"
  scancel --signal=USR1 --batch "$job"
  check "MAX_STARTS=2: ends" ends FAILED 60
  check "MAX_STARTS=2: says so" said 'not started again after 2 starts \(MAX_STARTS\)'
}

rehearse_probe() {
  local merge
  run_file alone 100
  "$IMAGELORA" probe alone.yaml --output alone.h5 >probe.out 2>&1
  # One shard is killed in its first start.
  cat >dies-once.sh <<'SH'
#!/bin/bash
if [[ $SLURM_ARRAY_TASK_ID = 1 && -z ${SLURM_RESTART_COUNT:-} ]]; then kill -KILL $$; fi
exec "$REAL_IMAGELORA" "$@"
SH
  chmod +x dies-once.sh
  job=$(IMAGELORA=$work/dies-once.sh sbatch --parsable --array=0-3 --output=probe-%a.out \
    "$top/cluster/probe.sbatch" alone.yaml scores)
  merge=$(sbatch --parsable --output=merge.out --dependency="afterok:$job" \
    --wrap "'$IMAGELORA' scores merge scores/part-*.h5 --output scores/all.h5")
  check "an array of four probe shards, one of them killed, and the job that merges them" ends_array "$job" "$merge"
  check "the shard that was killed was started again" \
    grep -q 'shard 1: start 1 ended with status 137: requeued' probe-1.out
  check "merged, the scores of one process byte for byte" cmp alone.h5 scores/all.h5
  check "heads are selected from them" \
    "$IMAGELORA" scores select scores/all.h5 --num-heads 5 --output heads.json
  undisturbed 300
  run=selected
  run_file selected 300
  sed -i 's/select: influence, num_heads: 5, probe_rows: 12/select: file, file: heads.json/' selected.yaml
  submit selected
  check "and trained" ends COMPLETED 120
}
ends_array() {
  job=$1_1
  until_true 60 over
  job=$2
  ends COMPLETED 120
}
