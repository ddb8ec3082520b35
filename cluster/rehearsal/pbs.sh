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
# shellcheck source=cluster/rehearsal/user-jobs.sh
source "$top/cluster/rehearsal/user-jobs.sh"

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
check "with the bytes of the run that nothing disturbed" same_end
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
check "with the same bytes" same_end
verdict
