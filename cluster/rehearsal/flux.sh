#!/usr/bin/env bash
# Rehearses cluster/train.batch on a Flux of two brokers that it starts on this machine: the end of the time, USR1, a
# killed rank, flux cancel; and compares the end with the bytes of a run that nothing disturbed.
# Usage: IMAGELORA=PROGRAM cluster/rehearsal/flux.sh (with flux in PATH, from any folder)
#
# PROGRAM is one whose MPI Flux starts: MPICH's by itself, Open MPI 5's with flux-pmix. Nothing of another Flux is
# touched. Needs python3.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
: "${IMAGELORA:?flux.sh: the program, built against an MPI that Flux starts}"
if [[ -z ${REHEARSAL:-} ]]; then
  command -v flux >/dev/null || { echo "flux.sh: flux is not in PATH" >&2; exit 77; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  REHEARSAL=$work flux start --test-size=2 "$top/cluster/rehearsal/flux.sh"
  exit
fi

export IMAGELORA
cd "$REHEARSAL"
# shellcheck source=cluster/rehearsal/user-jobs.sh
source "$top/cluster/rehearsal/user-jobs.sh"
submit() { flux batch --nodes=2 --nslots=2 --output="$1.out" "${@:2}" "$top/cluster/train.batch" run.yaml; }
newest_job() { flux jobs -a -n -o '{id}' | head -n 1; }
active() { [[ -n $(flux jobs -n -o '{id}') ]]; }
over() { ! active; }
steps() { [[ $(grep -c '"step"' run/metrics.jsonl) -gt $1 ]]; }
jobs() { flux jobs -a -n -o '{id}' | wc -l; }
ranks() { pgrep -f "^$IMAGELORA train run.yaml"; }

flux resource list
check "a run that nothing disturbs" flux run -n 2 "$IMAGELORA" train run.yaml
mv run whole

before=$(jobs)
submit time --time-limit=12s --signal=USR1@7s >/dev/null
check "the time ends: the run goes on in jobs that submit each other" until_true 200 over
check "more than one, $(($(jobs) - before))" test $(($(jobs) - before)) -gt 1
check "with the bytes of the run that nothing disturbed" same_end
check "no record of starts is left" test -z "$(find . -name '*.starts')"

rm -rf run
submit events --time-limit=10m >/dev/null
until_true 60 steps 150
flux job kill -s USR1 "$(newest_job)"
check "USR1 to the job: saved, and another start" until_true 60 grep -q 'start 1 .*asked to save and end' events.out
until_true 60 ranks
sleep 2
kill -KILL "$(ranks | tail -n 1)"
check "a killed rank: another start" until_true 60 grep -q 'a rank or a host was lost; starting again' events.out
until_true 60 ranks
sleep 2
flux cancel "$(newest_job)"
check "flux cancel ends it" until_true 60 over
check "saved after its last step" grep -q 'stopped by a signal after step' events.out
submit last --time-limit=10m >/dev/null
check "the same command goes on to the end" until_true 120 over
check "with the same bytes" same_end
verdict
