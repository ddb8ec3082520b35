#!/usr/bin/env bash
# Sets up what is missing and runs everything that proves the project. Usage: scripts/test.sh (from any folder)
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

step() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }

step "dependencies"
scripts/install-dependencies.sh
step "layers"
scripts/check-layers.sh
step "release build, without warnings"
if ! swift build -c release --build-tests -Xswiftc -enable-testing >"$log" 2>&1; then
  grep -E 'error:' "$log" || tail -n 40 "$log"
  exit 1
fi
tail -n 1 "$log"
if grep -E '(Sources|Tests)/.*warning:' "$log"; then echo "the build has warnings" >&2; exit 1; fi
step "swift test"
swift test -c release --skip-build -Xswiftc -enable-testing
IMAGELORA=$(swift build -c release --show-bin-path)/imagelora
export IMAGELORA
step "ranks"
scripts/test-ranks.sh
step "end to end"
scripts/test-end-to-end.sh
step "memory"
scripts/test-memory.sh
step "everything passed"
