#!/usr/bin/env bash
# Compares faults.c with strace: the kernel sees no call on a run's files that did not pass through the library.
# Usage: scripts/endurance/strace.sh IMAGELORA RUN.yaml FOLDER (of the run's checkpoints; it is removed)
#
# Needs strace, and that processes may be traced here. Calls of both are counted by kind; the status is 1 if they
# differ.
set -euo pipefail
top=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$1 run=$2 folder=$(realpath -m "$3")
cc -O1 -shared -fPIC -o "$work/faults.so" "$top/faults.c" -ldl

rm -rf "$folder"
# The tracer itself does not have the library.
strace -f -y -qq -e trace=file,desc,flock -o "$work/trace" env LD_PRELOAD="$work/faults.so" FAULTS_FOLDER="$folder/" \
  FAULTS_LOG="$work/log" "$program" train "$run" >/dev/null
rm -rf "$folder"

# Kinds of calls on the folder's files, as the library names them; a folder's own name has no slash behind it.
awk -v folder="$folder/" '
  index($0, folder) == 0 { next }
  /resumed>/ { next }
  { call = $2; sub(/\(.*/, "", call) }
  call ~ /^(open|openat|creat)$/ { kind = "open" }
  # The library writes names into its log.
  call ~ /^(write|pwrite64|writev|pwritev)$/ && index($0, "<" folder) { kind = "write" }
  call ~ /^(read|pread64|readv)$/ { kind = "read" }
  call ~ /^(fsync|fdatasync)$/ { kind = "fsync" }
  call ~ /^(rename|renameat|renameat2)$/ { kind = "rename" }
  call ~ /^(unlink|unlinkat|rmdir)$/ { kind = "unlink" }
  call ~ /^(mkdir|mkdirat)$/ { kind = "mkdir" }
  call ~ /^(symlink|symlinkat)$/ { kind = "symlink" }
  call ~ /^(link|linkat)$/ { kind = "link" }
  call ~ /^(truncate|ftruncate)$/ { kind = "truncate" }
  call ~ /^(flock)$/ { kind = "flock" }
  kind { count[kind]++; kind = "" }
  END { for (kind in count) print kind, count[kind] }' "$work/trace" | sort >"$work/kernel"
awk -F '\t' '
  $2 ~ /^(open|open\+|openw|create|empty)$/ { $2 = "open" }
  $2 ~ /^(open|write|read|fsync|rename|unlink|mkdir|symlink|link|truncate|flock)$/ { count[$2]++ }
  END { for (kind in count) print kind, count[kind] }' "$work/log" | sort >"$work/library"
diff "$work/kernel" "$work/library" && echo "the same calls: $(tr '\n' ' ' <"$work/library")"
