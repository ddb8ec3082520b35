# cluster/train.batch as PBS, LSF and Flux start it, with commands of theirs that record what they are asked: which ends
# are started again, how often, and that a run through them has the bytes of one that nobody stopped. No real scheduler
# of these takes part.
source "$top/Tests/EndToEnd/background.sh"

mkdir fakes
printf 'localhost\nlocalhost\n' >fakes/hosts
cat >fakes/qsub <<'SH'
#!/bin/bash
echo "again $*" >>calls
SH
cat >fakes/qstat <<'SH'
#!/bin/bash
printf 'Job Id: 77.server\n    Job_Name = imagelora\n    queue = work\n    Resource_List.select = 2:ncpus=2:\n\tmpiprocs=2\n'
printf '    Resource_List.walltime = %s\n' "${WALLTIME:-04:00:00}"
SH
cat >fakes/flux <<'SH'
#!/bin/bash
case $* in
  "getattr jobid") echo f77 ;;
  "--parent job info --original f77 jobspec") echo '{"of": "f77"}' ;;
  "--parent job submit") echo "again $(cat)" >>calls ;;
  *) echo "flux: $*" >&2; exit 70 ;;
esac
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
chmod +x fakes/*

declare -A environment=(
  [pbs]="PBS_JOBID=77.server PBS_NODEFILE=$work/fakes/hosts"
  [lsf]="LSB_JOBID=77 LSB_DJOB_HOSTFILE=$work/fakes/hosts RUN=run.yaml"
  [flux]="FLUX_URI=local:///run/flux/local"
)
# batch NAME SCHEDULER [VARIABLE=VALUE...] -- ARGUMENT...: the script as the scheduler starts it, in a folder of its own.
declare -A outcomes
batch() {
  local folder=jobs/$1 scheduler=$2 variables=()
  shift 2
  while [[ $1 != -- ]]; do variables+=("$1") && shift; done
  shift
  mkdir -p "$folder"
  cd "$folder" || return
  # shellcheck disable=SC2086 # words
  env PATH="$work/fakes:$PATH" ${environment[$scheduler]} PBS_O_WORKDIR="$PWD" IMAGELORA="$work/fakes/program" \
    MPIRUN="env --block-signal=TERM --block-signal=INT ${mpirun[*]} -n 2" "${variables[@]}" \
    timeout --foreground 60 "$top/cluster/train.batch" "$@" >out 2>err
}
begin_batch() {
  batch "$@" &
  outcomes[$1]=$!
}
# outcome NAME STATUS SUBMISSIONS LINE: what a job that begin_batch began came to.
outcome() {
  local found=0 submissions=0
  wait "${outcomes[$1]}" || found=$?
  if [[ -e jobs/$1/calls ]]; then submissions=$(grep -c '^again' "jobs/$1/calls"); fi
  if [[ $found -ne $2 || $submissions -ne $3 ]] || ! [[ $(<"jobs/$1/err") =~ $4 ]]; then
    fail "$1: status $found, submitted $submissions times; wanted $2, $3 and /$4/" "jobs/$1/out" "jobs/$1/err"
  else
    ok "$1: status $2, submitted $3 times"
  fi
}

for scheduler in pbs lsf flux; do
  arguments=()
  [[ $scheduler == lsf ]] || arguments=(run.yaml)
  for status in 0 1 64 65 75 KILL; do
    begin_batch "$scheduler-$status" "$scheduler" STATUS=$status -- "${arguments[@]}"
  done
  for status in 0 1 64 65; do outcome "$scheduler-$status" $status 0 ''; done
  if [[ $scheduler == lsf ]]; then wanted=75 submissions=0; else wanted=0 submissions=1; fi
  outcome "$scheduler-75" $wanted $submissions 'start 1 ended with status 75: the ranks did not get on; starting again'
  outcome "$scheduler-KILL" $wanted $submissions 'start 1 ended with status 137: a rank or a host was lost; starting again'
done
check "PBS: submitted again as it was" grep -qx \
  "again -V -j oe -r y -l select=2:ncpus=2:mpiprocs=2 -l walltime=04:00:00 -N imagelora -q work -- $top/cluster/train.batch run.yaml" \
  jobs/pbs-75/calls
check "Flux: likewise" grep -qx 'again {"of": "f77"}' jobs/flux-75/calls
check "a job that ended leaves no record of its starts, one that is started again leaves one" sh -c \
  '[ ! -e jobs/pbs-0/*.starts ] && [ ! -e jobs/lsf-65/*.starts ] && [ -e jobs/pbs-75/*.starts ]'

# Limits. The record is found by the arguments, which are the same in every start.
record=$(basename jobs/pbs-75/*.starts)
mkdir -p jobs/{third-idle,got-on,last-start}
printf '%s\n' 3 3 seven | tee "jobs/third-idle/$record" >"jobs/got-on/$record"
printf '%s\n' 3 1 seven >"jobs/last-start/$record"
begin_batch third-idle lsf STATUS=75 NEWEST=seven --
begin_batch got-on lsf STATUS=75 NEWEST=eight --
begin_batch last-start lsf STATUS=75 NEWEST=eight MAX_STARTS=3 --
begin_batch no-run-file pbs STATUS=0 --
begin_batch no-scheduler flux FLUX_URI= -- run.yaml
outcome third-idle 1 0 'not started again after 3 starts without a new checkpoint \(MAX_IDLE_STARTS\)'
outcome got-on 75 0 'start 4 ended'
outcome last-start 1 0 'not started again after 3 starts \(MAX_STARTS\)'
outcome no-run-file 64 0 'no run file'
outcome no-scheduler 64 0 'submit the script to PBS, LSF or Flux'

# A run through such jobs, of so many steps that it does not end before a signal reaches it.
options=(--set training.steps=1500 --set checkpoint.directory="$work/run")
rm -rf run
check "1500 steps on 2 ranks" train 2 "${options[@]}"
mv run whole-long
await_steps() {
  await reached $(($(grep -oE '"step":[0-9]+' run/metrics.jsonl 2>/dev/null | tail -n 1 | cut -d : -f 2) + 8)) || true
}
start_job() {
  begin_batch training "$@" IMAGELORA="$IMAGELORA" RUN="$work/run.yaml" OPTIONS="${options[*]}" --
  job=${outcomes[training]}
}
start_job lsf
await_steps
kill -USR1 $(processes "$job" train.batch)
outcome training 75 0 'start 1 ended with status 1: it was asked to save and end; starting again'
start_job lsf
await_steps
kill -KILL $(processes "$job" imagelora | tail -n 1)
outcome training 75 0 'a rank or a host was lost'
start_job pbs WALLTIME=00:00:03 WARN_SECONDS=1
outcome training 0 1 'it was asked to save and end; starting again'
check "PBS: the end of the walltime comes: saved before it" sh -c \
  'grep -q "stopped by a signal after step" jobs/training/err && ls run/step-*.h5'
start_job flux
await_steps
kill -TERM $(processes "$job" imagelora) $(processes "$job" train.batch)
outcome training 1 1 'stopped by a signal after step'
check "TERM: not started again, and no record is left" sh -c '! ls jobs/training/*.starts'
start_job flux
outcome training 0 1 ''
check "asked, killed, out of time, ended and finished: the bytes of the run never stopped" \
  same_state whole-long/step-00001500.h5 run/step-00001500.h5
rm -rf run whole-long jobs fakes
