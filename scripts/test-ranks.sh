#!/bin/sh
# Runs the tests between ranks for real, with 1, 2 and 3 ranks. Usage: scripts/test-ranks.sh (from any folder)
# RANKTESTS names the program; it is built where it is not given. MPIRUN is what starts ranks in place of Open MPI's
# mpirun, with its options: "mpiexec.mpich".
set -eu
cd "$(dirname "$0")/.."

# Containers run as root; three ranks may have fewer cores; ranks that are not bound to cores leave each other room;
# in a container one process may not read another's memory (vader's single copy), about which Open MPI would complain.
mpirun="${MPIRUN:-mpirun --allow-run-as-root --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none}"
command -v "${mpirun%% *}" >/dev/null || { echo "${mpirun%% *} is missing: install openmpi-bin" >&2; exit 1; }
program="${RANKTESTS:-}"
if [ -z "$program" ]; then
  swift build --product ranktests
  program="$(swift build --show-bin-path)/ranktests"
fi
output="$(mktemp -d)"
trap 'rm -rf "$output"' EXIT

# A hang is a failure: the time limit ends it.
ranks() {
  count="$1"
  shift
  # shellcheck disable=SC2086 # words
  timeout 120 $mpirun -n "$count" "$program" "$@"
}

passed=0
failed=0
verdict() { # claim, condition as a command
  claim="$1"
  shift
  if "$@"; then
    passed=$((passed + 1)); echo "passed: $claim"
  else
    failed=$((failed + 1)); echo "FAILED: $claim"
  fi
}

run() { # a job of the checks in the program, with its output in a file
  name="$1"
  shift
  status=0
  "$@" >"$output/$name" 2>"$output/$name.err" || status=$?
  sed "s/^/$name: /" "$output/$name"
  passed=$((passed + $(grep -c '^passed:' "$output/$name" || true)))
  failed=$((failed + $(grep -c '^FAILED:' "$output/$name" || true)))
  verdict "$name ends well and says nothing on stderr" [ "$status" -eq 0 -a ! -s "$output/$name.err" ]
  [ -s "$output/$name.err" ] && cat "$output/$name.err"
  return 0
}

run alone "$program"
for count in 1 2 3; do run "ranks-$count" ranks "$count"; done
digests="$(cat "$output"/alone "$output"/ranks-[123] | grep '^digest of sums' | sort | uniq -c | awk '{print $1}')"
verdict "the sums have the same bits alone and on 1, 2 and 3 ranks" [ "$digests" = 4 ]

for count in 1 3; do
  status=0
  ranks "$count" abort >"$output/abort" 2>&1 || status=$?
  verdict "an aborting rank of $count ends the job with its status" [ "$status" -eq 42 ]
done

status=0
ranks 3 throw >"$output/throw" 2>&1 || status=$?
verdict "an error of one rank alone ends the job with its status" [ "$status" -eq 65 ]
verdict "and is one line" [ "$(grep -c 'row 7' "$output/throw")" = 1 ]
verdict "that names the rank" grep -qx 'rank 2 of 3: row 7: no image' "$output/throw"

status=0
ranks 3 together >"$output/together" 2>&1 || status=$?
verdict "an error agreed on gives its status" [ "$status" -eq 65 ]

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
