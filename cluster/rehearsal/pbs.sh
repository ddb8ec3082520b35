#!/usr/bin/env bash
# Rehearses cluster/train.batch on a PBS that is there: the end of the walltime, USR1, a killed rank, qdel; and compares
# the end with the bytes of a run that nothing disturbed.
# Usage: IMAGELORA=PROGRAM cluster/rehearsal/pbs.sh FOLDER (as a user whose jobs run on this host, on two cores)
#
# FOLDER is made, and must be seen by the jobs. PROGRAM is started by mpirun here and in the jobs; with an Open MPI of
# root's, OMPI_ALLOW_RUN_AS_ROOT. Needs python3.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
: "${IMAGELORA:?pbs.sh: the program}"
export IMAGELORA
folder=${1:?pbs.sh: a folder to make}
command -v qsub >/dev/null || { echo "pbs.sh: qsub is not in PATH" >&2; exit 77; }

mkdir "$folder"
cd "$folder"
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
check() {
  local claim=$1
  shift
  if "$@"; then passed=$((passed + 1)) && echo "ok    $claim"; else failed=$((failed + 1)) && echo "FAIL  $claim"; fi
}
until_true() {
  local limit=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS > limit)); then return 1; fi
    sleep 0.1
  done
}
# With this environment, as it is here: another OPENBLAS_CORETYPE rounds otherwise.
submit() {
  qsub -V -N rehearsal -j oe -r y -l select=1:ncpus=2:mpiprocs=2 -v "WARN_SECONDS=$1" -l "walltime=$2" \
    -- "$top/cluster/train.batch" run.yaml
}
# Of the user's jobs, which are this script's: those that wait, run or end.
newest_job() { qselect -u "$USER" | tail -n 1; }
over() { [[ -z $(qselect -u "$USER") ]]; }
running() { [[ -n $(qselect -u "$USER" -s R) ]]; }
ranks() { pgrep -u "$USER" -f "^$IMAGELORA train run.yaml"; }
# steps: a hundred more than now, in a job that runs.
steps() {
  local now
  now=0
  if [[ -e run/metrics.jsonl ]]; then now=$(wc -l <run/metrics.jsonl); fi
  until_true 60 running
  until_true 60 sh -c "[ \$(wc -l <run/metrics.jsonl) -gt $((now + 100)) ]"
}
said() { grep -qs "$1" rehearsal.o*; }

check "a run that nothing disturbs" mpirun -n 2 --oversubscribe "$IMAGELORA" train run.yaml
mv run whole

submit 13 00:00:20 >/dev/null
check "the end of the walltime: the run goes on in jobs that submit each other" until_true 240 over
sleep 2
count=$(find . -name 'rehearsal.o*' | wc -l)
check "more than one, $count" test "$count" -gt 1
check "none of which PBS had to kill" sh -c "! grep -l 'PBS: job killed' rehearsal.o*"
check "with the bytes of the run that nothing disturbed" cmp whole/step-00003000.h5 run/step-00003000.h5
check "no record of starts is left" test -z "$(find . -name '*.starts')"

rm -rf run rehearsal.o*
submit 180 00:10:00 >/dev/null
steps
qsig -s USR1 "$(newest_job)"
check "USR1 to the job: saved, and another job" until_true 60 said 'start 1 .*asked to save and end'
steps
kill -KILL "$(ranks | tail -n 1)"
check "a killed rank: another job" until_true 60 said 'start 2 .*a rank or a host was lost; starting again'
steps
qdel "$(newest_job)"
check "qdel ends it" until_true 60 over
check "the ranks saved before" said 'stopped by a signal after step'
sleep 2
check "nothing is submitted again" over
submit 180 00:10:00 >/dev/null
check "the same command goes on to the end" until_true 120 over
check "with the same bytes" cmp whole/step-00003000.h5 run/step-00003000.h5
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
