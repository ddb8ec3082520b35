#!/usr/bin/env bash
# Checks that imports go one way, in the order of Package.swift's layers.
# Usage: scripts/check-layers.sh (from any folder)
#
# * A target imports only targets of layers above its own (the comments "// 0", "// 1", ... of Package.swift); so there
#   are no cycles.
# * A C module is imported by one target alone, its wrapper.
# * MPI is imported only by the executables imagelora and ranktests.
#
# Every offence is a line "file:line: what"; the status is 1 if there is any.
set -euo pipefail
cd "$(dirname "$0")/.."

# Name and layer of each target, one a line; test targets have no layer.
targets=$(awk '
  /^ *\/\/ [0-9]+/ { layer = $2 + 0; next }
  /^ *\/\/ tests/ { exit }
  /\.(systemLibrary|target|executableTarget)\(/ { inside = 1 }
  inside && match($0, /name: "[^"]*"/) {
    print substr($0, RSTART + 7, RLENGTH - 8), layer
    inside = 0
  }' Package.swift)
[[ $(wc -l <<<"$targets") -gt 10 ]] || { echo "Package.swift: its targets cannot be read" >&2; exit 1; }

imports=$(grep -rnE --include='*.swift' \
  '^ *(@[A-Za-z_]+(\([^)]*\))? +)*((public|package|internal|fileprivate|private) +)?import +' Sources |
  sort -t: -k1,1 -k2,2n |
  sed -E -e 's/:([0-9]+):.*import +((struct|class|enum|protocol|func|var|let|typealias) +)?/:\1 /' \
    -e 's/^(Sources\/([^/]+)\/[^ ]*) ([A-Za-z0-9_]+).*/\1 \2 \3/')

awk '
  FNR == NR { layer[$1] = $2; next }
  function offence(what) { print $1 ": " what; failed = 1 }
  {
    target = $2; module = $3
    count++
    if (!(target in layer)) { offence("target " target " has no layer in Package.swift"); next }
    if (!(module in layer)) next  # the toolchain and packages
    if (layer[module] >= layer[target])
      offence(target " (layer " layer[target] ") imports " module " (layer " layer[module] ")")
    if (module == "MPI" && target != "imagelora" && target != "ranktests")
      offence(target " imports MPI; only imagelora and ranktests may")
    if (module ~ /^C[A-Z]/) {
      if (!(module in wrapper)) wrapper[module] = target
      if (wrapper[module] != target)
        offence(target " imports " module ", as " wrapper[module] " does; one target alone wraps a C module")
    }
  }
  END {
    if (count < 50) { print "Sources: only " count + 0 " imports found"; failed = 1 }
    if (!failed) print "layers: " count " imports, all one way"
    exit failed
  }' <(echo "$targets") <(echo "$imports")
