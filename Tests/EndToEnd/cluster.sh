# The job scripts of cluster/, run by hand with a scontrol and a squeue that record what they are asked: which ends are
# started again, how often, and that a run through them has the bytes of one that nobody stopped. cluster/rehearsal has
# the same with a Slurm and with hosts.
source "$top/Tests/EndToEnd/background.sh"

mkdir fakes
cat >fakes/scontrol <<'SH'
#!/bin/bash
if [[ $1 = show ]]; then cat job; else echo "$*" >>calls; fi
SH
cat >fakes/squeue <<'SH'
#!/bin/bash
sed -E 's/.*JobState=([A-Z]*).*/\1/' job
SH
# A program whose ranks end with $STATUS (rank 1 by a signal where that is KILL), and whose newest checkpoint is $NEWEST.
cat >fakes/program <<'SH'
#!/bin/bash
case $1 in
  inspect) echo "${NEWEST:-}" ;;
  *)
    if [[ $STATUS = KILL ]]; then [[ ${OMPI_COMM_WORLD_RANK:-1} = 1 ]] && kill -KILL $$; sleep 20; fi
    exit "$STATUS"
    ;;
esac
SH
# mpirun that waits for a daemon that is gone: its ranks have ended.
cat >fakes/waiting-mpirun <<'SH'
#!/bin/bash
exec sleep 60
SH
chmod +x fakes/*
running="JobState=RUNNING Restarts=0 PreemptTime=None"

# batch NAME SCRIPT [VARIABLE=VALUE...] -- ARGUMENT...: the script as Slurm starts it, in a folder of its own.
batch() {
  local folder=jobs/$1 script=$2 variables=()
  shift 2
  while [[ $1 != -- ]]; do variables+=("$1") && shift; done
  shift
  mkdir -p "$folder"
  cd "$folder" || return
  [[ -e job ]] || echo "$running" >job
  env PATH="$work/fakes:$PATH" SLURM_JOB_ID=77 SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=1 \
    IMAGELORA="$work/fakes/program" MPI_OPTIONS="-n 2 ${mpi_options[*]}" "${variables[@]}" \
    timeout --foreground 60 "$top/cluster/$script" "$@" >out 2>err
}
requeues() { if [[ -e jobs/$1/calls ]]; then grep -c "^requeue 77$" "jobs/$1/calls"; else echo 0; fi; }

# outcome NAME STATUS REQUEUES LINE: what a job that `batch` began came to.
declare -A outcomes
begin_batch() {
  batch "$@" &
  outcomes[$1]=$!
}
outcome() {
  local found=0
  wait "${outcomes[$1]}" || found=$?
  if [[ $found -ne $2 || $(requeues "$1") -ne $3 ]] || ! [[ $(<"jobs/$1/err") =~ $4 ]]; then
    fail "$1: status $found, requeued $(requeues "$1") times; wanted $2, $3 and /$4/" "jobs/$1/out" "jobs/$1/err"
  else
    ok "$1: status $2, requeued $3 times"
  fi
}

for status in 0 1 64 65 75 KILL; do begin_batch "status-$status" train.sbatch STATUS=$status -- run.yaml; done
for status in 0 1 64 65; do outcome "status-$status" $status 0 ''; done
outcome status-75 75 1 'status 75: the ranks did not get on; requeued'
outcome status-KILL 137 1 'status 137: a rank or a node was lost; requeued'
check "a job that ended leaves no record of its starts, one that is requeued leaves one" sh -c \
  '[ ! -e jobs/status-0/*.starts ] && [ ! -e jobs/status-65/*.starts ] && [ -e jobs/status-75/imagelora-77.starts ]'

mkdir -p jobs/{preempted,cancelled,requeued-by-slurm,third-idle,after-node-faults,got-on,no-run-file}
echo "JobState=RUNNING Restarts=0 PreemptTime=2026-11-26T12:00:00" >jobs/preempted/job
echo "JobState=COMPLETING Restarts=0 PreemptTime=None" >jobs/cancelled/job
echo "JobState=COMPLETING Restarts=1 PreemptTime=None" >jobs/requeued-by-slurm/job
printf '2\nseven\n' | tee jobs/third-idle/imagelora-77.starts >jobs/got-on/imagelora-77.starts
printf '3\nseven\n' >jobs/after-node-faults/imagelora-77.starts
begin_batch two-nodes train.sbatch STATUS=75 SLURM_NNODES=2 SLURM_NTASKS_PER_NODE=4 -- run.yaml
begin_batch preempted train.sbatch STATUS=1 -- run.yaml
begin_batch cancelled train.sbatch STATUS=KILL -- run.yaml
begin_batch requeued-by-slurm train.sbatch STATUS=KILL -- run.yaml
begin_batch third-idle train.sbatch STATUS=75 NEWEST=seven SLURM_RESTART_COUNT=2 -- run.yaml
begin_batch got-on train.sbatch STATUS=75 NEWEST=eight SLURM_RESTART_COUNT=2 -- run.yaml
begin_batch after-node-faults train.sbatch STATUS=75 NEWEST=seven SLURM_RESTART_COUNT=3 -- run.yaml
begin_batch last-start train.sbatch STATUS=75 MAX_STARTS=3 SLURM_RESTART_COUNT=2 -- run.yaml
begin_batch no-run-file train.sbatch STATUS=0 --
outcome two-nodes 75 1 'requeued'
check "two-nodes: with the tasks of one node, so that one is enough" grep -qx 'update JobId=77 NumTasks=4' jobs/two-nodes/calls
outcome preempted 1 1 'it is preempted; requeued'
outcome cancelled 137 0 ''
outcome requeued-by-slurm 137 0 ''
check "cancelled: no record is left; requeued by Slurm itself: the start does not count as idle" sh -c \
  '[ ! -e jobs/cancelled/*.starts ] && [ "$(head -n 1 jobs/requeued-by-slurm/imagelora-77.starts)" = 0 ]'
outcome third-idle 75 0 'not started again after 3 starts without a new checkpoint \(MAX_IDLE_STARTS\)'
outcome got-on 75 1 'requeued'
outcome after-node-faults 1 0 'not started again after 3 starts without a new checkpoint'
check "after-node-faults: no rank was started" test ! -s jobs/after-node-faults/out
outcome last-start 75 0 'not started again after 3 starts \(MAX_STARTS\)'
outcome no-run-file 64 0 'usage: sbatch train.sbatch'
mkdir -p jobs/hanging && cp fakes/waiting-mpirun jobs/hanging/mpirun
begin_batch hanging train.sbatch PATH="$work/jobs/hanging:$work/fakes:$PATH" START_SECONDS=2 -- run.yaml
for status in 0 1 65 75 KILL; do begin_batch "probe-$status" probe.sbatch STATUS=$status -- run.yaml scores; done
begin_batch probe-last probe.sbatch STATUS=75 SLURM_RESTART_COUNT=2 -- run.yaml scores
for status in 0 1 65; do outcome "probe-$status" $status 0 ''; done
outcome probe-75 75 1 'shard 0: start 1 ended with status 75: requeued'
outcome probe-KILL 137 1 'status 137: requeued'
outcome probe-last 75 0 'shard 0: not started again after 3 starts'
outcome hanging 137 1 'mpirun goes on without ranks on this node: killed'

# A run through such jobs, of so many steps that it does not end before a signal reaches it. As Slurm does, TERM reaches
# every process, and USR1 the shell alone.
options=(--set training.steps=400 --set checkpoint.directory="$work/run")
rm -rf run
check "400 steps on 2 ranks" train 2 "${options[@]}"
mv run whole-long
# await_steps: eight steps more than the run's metrics have now, so that its ranks are in their loop.
await_steps() { await reached $(($(grep -oE '"step":[0-9]+' run/metrics.jsonl 2>/dev/null | tail -n 1 | cut -d : -f 2) + 8)) || true; }
start_job() {
  begin_batch training train.sbatch IMAGELORA="$IMAGELORA" "SLURM_RESTART_COUNT=$1" -- "$work/run.yaml" "${options[@]}"
  job=${outcomes[training]}
}
start_job 0
await_steps
kill -USR1 $(processes "$job" train.sbatch)
outcome training 1 1 'status 1: it was asked to save and end; requeued'
start_job 1
await_steps
echo "JobState=COMPLETING Restarts=2 PreemptTime=None" >jobs/training/job
kill -TERM $(processes "$job" mpirun) $(processes "$job" imagelora) $(processes "$job" train.sbatch)
outcome training 1 1 ''
stopped=$(sed -nE 's/.*stopped by a signal after step ([0-9]+).*/\1/p' jobs/training/err)
check "TERM to all processes: saved at its step, ${stopped:-none}" sh -c "ls run/step-*0$stopped.*h5"
rm -f jobs/training/job
start_job 2
await_steps
kill -KILL $(processes "$job" imagelora | tail -n 1)
outcome training 137 2 'a rank or a node was lost; requeued'
start_job 3
outcome training 0 2 ''
check "asked, preempted, killed and finished: the bytes of the run never stopped" \
  same_state whole-long/step-00000400.h5 run/step-00000400.h5

# Without a batch system: one host of two does not answer, a rank is killed, the script is asked to end.
printf '%s\n' 'localhost slots=2' '# a comment' 'nowhere slots=2' >hostfile
by_hand() {
  MPI_OPTIONS=${mpi_options[*]} LAUNCH_AGENT=false timeout --foreground 60 "$top/cluster/mpirun.sh" hostfile 4 run.yaml \
    "${options[@]}" "$@" >out 2>err
}
rm -rf run
by_hand &
job=$!
await_steps
kill -KILL $(processes "$job" imagelora | tail -n 1)
await grep -q 'starting again' err || true
check "mpirun.sh: a killed rank is one line, and a start" \
  grep -q 'mpirun.sh: start 1 ended with status 137: a rank or a host was lost; starting again' err
check "mpirun.sh: the host that does not answer is left out" grep -q 'no answer from nowhere: left out' err
check "mpirun.sh: as many ranks as the other host has slots" grep -q '^ranks *2,' out
await_steps
kill -TERM $(processes "$job" mpirun.sh)
end
check "mpirun.sh: TERM saves and ends, status 1 (status $status)" sh -c "[ $status = 1 ] && grep -q 'stopped by a signal after step' err"
by_hand --set training.learning_rate=1 || status=$?
check "mpirun.sh: what is refused is not started again (status $status)" sh -c "[ $status = 65 ] && ! grep -q starting err"
check "mpirun.sh: goes on to the end" by_hand
check "mpirun.sh: the bytes of the run never stopped" same_state whole-long/step-00000400.h5 run/step-00000400.h5
rm -rf run whole-long jobs fakes hostfile
