#!/usr/bin/env bash
# Checks that the code has the layers that Package.swift and README.md state.
# Usage: scripts/check-layers.sh (from any folder)
#
# * A module imports only modules of layers above its own (the comments "// 0", "// 1", ... of Package.swift); so there
#   are no cycles.
# * A C module is imported by one module alone, its wrapper.
# * MPI is imported only by programs.
# * A module that is built without checks (`kernels` in Package.swift) reads no user's file: it imports neither HDF5,
#   RunFile nor Artifacts, and has no JSON.
# * README.md's table of modules is that of Package.swift.
#
# Every offence is a line "file:line: what"; the status is 1 if there is any.
set -euo pipefail
cd "$(dirname "$0")/.."

# Name, layer and "kernels" or "-" of each module, one a line; test targets have no layer.
targets=$(awk '
  /^ *\/\/ [0-9]+/ { layer = $2 + 0; next }
  /^let tests/ { exit }
  /\.(systemLibrary|target|executableTarget|module)\(/ && layer != "" { inside = 1; name = "" }
  inside && name == "" && match($0, /"[^"]*"/) { name = substr($0, RSTART + 1, RLENGTH - 2) }
  inside && /\),$/ { print name, layer, ($0 ~ /kernels\),$/ ? "kernels" : "-"); inside = 0 }' Package.swift)
[[ $(wc -l <<<"$targets") -gt 20 ]] || { echo "Package.swift: its targets cannot be read" >&2; exit 1; }

imports=$(grep -rnE --include='*.swift' \
  '^ *(@[A-Za-z_]+(\([^)]*\))? +)*((public|package|internal|fileprivate|private) +)?import +' Sources |
  sort -t: -k1,1 -k2,2n |
  sed -E -e 's/:([0-9]+):.*import +((struct|class|enum|protocol|func|var|let|typealias) +)?/:\1 /' \
    -e 's/^(Sources\/([^/]+)\/[^ ]*) ([A-Za-z0-9_]+).*/\1 \2 \3/')

failed=0
awk '
  FNR == NR { layer[$1] = $2; kernels[$1] = $3 == "kernels"; next }
  function offence(what) { print $1 ": " what; failed = 1 }
  {
    target = $2; module = $3
    count++
    if (!(target in layer)) { offence("target " target " has no layer in Package.swift"); next }
    if (kernels[target] && module ~ /^(HDF5|RunFile|Artifacts)$/)
      offence(target " is built without checks and imports " module)
    if (!(module in layer)) next  # the toolchain and packages
    if (layer[module] >= layer[target])
      offence(target " (layer " layer[target] ") imports " module " (layer " layer[module] ")")
    if (module == "MPI" && target != "imagelora" && target != "ranktests" && target != "benchmarks")
      offence(target " imports MPI; only programs may")
    if (module ~ /^C[A-Z]/) {
      if (!(module in wrapper)) wrapper[module] = target
      if (wrapper[module] != target)
        offence(target " imports " module ", as " wrapper[module] " does; one module alone wraps a C module")
    }
  }
  END {
    if (count < 50) { print "Sources: only " count + 0 " imports found"; failed = 1 }
    if (!failed) print "layers: " count " imports, all one way"
    exit failed
  }' <(echo "$targets") <(echo "$imports") || failed=1

mapfile -t kernels < <(awk '$3 == "kernels" { print $1 }' <<<"$targets")
for module in "${kernels[@]}"; do
  if grep -rnE 'JSON(Decoder|Encoder|Serialization)|Codable|Decodable|FileManager|contentsOf' "Sources/$module" \
    --include='*.swift'; then
    echo "$module is built without checks and reads or writes files"
    failed=1
  fi
done

# README's table: lines "| layer | `Module` `Module` | ... |".
# shellcheck disable=SC2016 # backquotes of Markdown
stated=$(sed -nE 's/^\| ([0-9]+) \| (`[^|]*`) \|.*/\1 \2/p' README.md | tr -d '`' |
  awk '{ for (i = 2; i <= NF; i++) print $i, $1 }' | sort)
if ! diff <(awk '$1 != "ranktests" { print $1, $2 }' <<<"$targets" | sort) <(echo "$stated"); then
  echo "README.md: its table of modules (>) is not that of Package.swift (<)"
  failed=1
fi
exit "$failed"
