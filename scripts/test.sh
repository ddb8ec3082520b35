#!/usr/bin/env bash
# All set-up, then every test. Usage: scripts/test.sh (from any folder)
#
# Everything is built once, optimised and open to tests, in .build-tests. Warnings in Sources and Tests are failures.
# The modules of numeric kernels, which run without bounds checks there, are built once more with them in .build-checks.
# The fuzz targets are built in .build-fuzz.
# Each part runs even if one before it failed; the closing lines say what each came to, and the status is 1 if any
# failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
top=$PWD

scripts/install-dependencies.sh --tests || exit 1
flags=$(scripts/build-flags.sh) || exit 1
eval "$flags"

build=(-c release -Xswiftc -enable-testing --scratch-path .build-tests)
summary=()
failed=0

# part NAME COMMAND...: runs it, times it, keeps its last line; the status is the command's.
part() {
  local name=$1 start=$SECONDS last status=0
  shift
  echo "== $name"
  "$@" 2>&1 | tee "$log" || status=$?
  last=$(grep -E 'passed|imports|built' "$log" | tail -n 1)
  if [[ $status -eq 0 ]]; then
    summary+=("ok    $name, $((SECONDS - start)) s: ${last:-done}")
  else
    failed=1
    summary+=("FAIL  $name, $((SECONDS - start)) s: ${last:-status $status}")
  fi
  return "$status"
}

build_without_warnings() {
  swift build "${build[@]}" --build-tests >"$log.build" 2>&1
  local status=$? warnings
  grep -vE '^\[[0-9]+/[0-9]+\]' "$log.build"
  [[ $status -eq 0 ]] || return 1
  # Warnings of a build that was made earlier are not said again: the files of a clean clone are all compiled here.
  warnings=$(grep -cE "^($top/)?(Sources|Tests)/.*: warning:" "$log.build")
  echo "built with $warnings warnings"
  [[ $warnings -eq 0 ]]
}

# What failed, and the closing line.
failures() { awk '!/ started\.$|^Test Suite|^\[[0-9]+\/[0-9]+\]/ && (!/ passed after / || /Test run with/)'; }

# One thread a multiplication: how many there are may change the last bits, and tests run side by side in one process.
unit_tests() { OPENBLAS_NUM_THREADS=1 swift test --skip-build "${build[@]}" 2>&1 | failures; }

# Package.swift leaves the other modules out.
checked_kernels() {
  IMAGELORA_CHECKS=1 swift test -c release -Xswiftc -enable-testing --scratch-path .build-checks 2>&1 | failures
}

log=$(mktemp)
trap 'rm -f "$log" "$log.build"' EXIT

part "lint" scripts/lint.sh
part "layers" scripts/check-layers.sh
if part "build" build_without_warnings; then
  program=$(swift build "${build[@]}" --show-bin-path)
  export IMAGELORA=$program/imagelora RANKTESTS=$program/ranktests BENCHMARKS=$program/benchmarks
  part "unit tests" unit_tests
  part "kernels with checks" checked_kernels
  part "ranks" scripts/test-ranks.sh
  part "end to end" scripts/test-end-to-end.sh
  part "memory" scripts/test-memory.sh
  part "endurance" scripts/endurance.sh
fi
part "package" scripts/test-package.sh --quick
part "fuzzing" scripts/fuzz.sh --seconds 8 --jobs 2

echo "== summary, $SECONDS s"
printf '%s\n' "${summary[@]}"
exit $failed
