#!/usr/bin/env bash
# Feeds every parser of files that others made with inputs that libFuzzer makes. See Tests/Fuzz/README.md.
# Usage: scripts/fuzz.sh [--seconds N | --runs N] [--jobs N] [TARGET...] (from any folder)
#
# Builds the fuzz program, instrumented and with AddressSanitizer, in .build-fuzz; runs each target (all of them by
# default) over Tests/Fuzz/corpus and Tests/Fuzz/findings, then for N seconds of new inputs (60 by default), or for N
# runs. Several targets run at a time with --jobs.
#
# A finding is a trap, a report of the sanitizer, a leak, an error that no command would report in one line, more than
# 10 s, or more than 1 GiB. Its input is written to Tests/Fuzz/findings/TARGET, and the status is 1.
#
# HDF5's own parser is reached by the targets *-bytes. Faults in the library are counted and their inputs kept in
# .build-fuzz/library; they are no findings.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { echo "usage: fuzz.sh [--seconds N | --runs N] [--jobs N] [TARGET...]" >&2; exit 64; }

seconds=60
runs=-1
jobs=1
targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds) seconds=${2:?} runs=-1 && shift 2 ;;
    --runs) runs=${2:?} seconds=0 && shift 2 ;;
    --jobs) jobs=${2:?} && shift 2 ;;
    -*) usage ;;
    *) targets+=("$1") && shift ;;
  esac
done
[[ $seconds$jobs =~ ^[0-9]+$ && $runs =~ ^-?[0-9]+$ && $jobs -ge 1 ]] || usage

scratch=.build-fuzz
# The sanitizers are given twice: SwiftPM's option leaves the program without a main function of its own and
# instruments C; the driver takes only the last of its own options.
build=(-c release --product fuzz --scratch-path "$scratch" --sanitize fuzzer "-Xswiftc" "-sanitize=fuzzer,address"
  "-Xswiftc" "-enable-testing" "-Xswiftc" "-use-ld=lld" "-Xcc" "-fsanitize=fuzzer,address")
export IMAGELORA_FUZZ=1
swift build "${build[@]}" | { grep -vE '^\[[0-9]+/[0-9]+\]' || true; }
fuzz=$(swift build "${build[@]}" --show-bin-path)/fuzz

# In memory where there is such a folder: parsers that read files would wait for the disk.
TMPDIR=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# Swift's own backtraces would keep a trap from libFuzzer, and the digest of a base from being kept in the home.
export SWIFT_BACKTRACE=enable=no OPENBLAS_NUM_THREADS=1 XDG_CACHE_HOME=$TMPDIR/cache
# A frame names its module beside its source, which libc has, too, where its debugging symbols are installed.
export ASAN_OPTIONS=quarantine_size_mb=16:malloc_context_size=12:allocator_may_return_null=1
ASAN_OPTIONS+=:stack_trace_format='"    #%n %p %F %L [%m]"'
export LSAN_OPTIONS=suppressions=$PWD/Tests/Fuzz/leaks.txt:print_suppressions=0

declare -A dictionary
while read -r name words; do dictionary[$name]=$words; done < <("$fuzz" list)
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <("$fuzz" list | cut -d' ' -f1)
for target in "${targets[@]}"; do
  [[ -n ${dictionary[$target]:-} ]] || { echo "no target $target; there are: ${!dictionary[*]}" >&2; exit 64; }
done

# The first frame of a stack that is neither the sanitizer's nor libc's. It reads to the end: whoever writes to a reader
# that left is killed, and with pipefail that would be the answer.
first_frame() {
  awk '/^ +#[0-9]+ 0x/ && !/compiler-rt|libc\.so|libpthread|libasan|<null>|crtstuff/ && !found { print; found = 1 }'
}

# Whether the fault of a log lies in the HDF5 library: it happened there, and wrote to no memory that this program lent
# it. What lies beside the place of a wrong read says nothing.
is_library_fault() {
  first_frame <"$1" | grep -q libhdf5 || return 1
  ! grep -q '^READ of size' "$1" || return 0
  ! grep -q 'allocated by thread' "$1" || sed '1,/allocated by thread/d' "$1" | first_frame | grep -q libhdf5
}

# fuzz_target TARGET: a line of what it came to; the status is 1 for a finding.
fuzz_target() {
  local target=$1 start=$SECONDS left=$seconds faults=0 status done=0 coverage words
  local log=$scratch/$target.log kept=$scratch/corpus/$target library=$scratch/library/$target
  local seeds=$TMPDIR/seeds-$target findings=Tests/Fuzz/findings/$target corpus=Tests/Fuzz/corpus/$target
  export IMAGELORA_FUZZ_TARGET=$target
  mkdir -p "$kept" "$library" "$seeds" "$findings" "$TMPDIR/new-$target"
  "$fuzz" seeds "$seeds" || { echo "FAIL  $target: no seeds"; return 1; }
  local folders=("$kept" "$seeds" "$findings")
  [[ ! -d $corpus ]] || folders+=("$corpus")
  local options=(-dict="Tests/Fuzz/dictionaries/${dictionary[$target]}.dict" -max_len=1048576 -timeout=10
    -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$TMPDIR/new-$target/")
  local limit=(-runs="$runs")
  while :; do
    [[ $runs -ge 0 ]] || limit=(-max_total_time=$((left > 0 ? left : 1)))
    status=0
    "$fuzz" "${folders[@]}" "${options[@]}" "${limit[@]}" >"$log" 2>&1 || status=$?
    done=$((done + $(sed -nE 's/^stat::number_of_executed_units: +//p' "$log" | tail -n 1) + 0))
    left=$((seconds - (SECONDS - start)))
    if [[ $status -eq 0 ]] || ! is_library_fault "$log"; then break; fi
    faults=$((faults + 1))
    mv "$TMPDIR/new-$target"/* "$library" 2>/dev/null || true
    [[ $left -gt 0 ]] || { status=0 && break; }
  done
  coverage=$(sed -nE 's/.* cov: ([0-9]+) .*/\1/p' "$log" | tail -n 1)
  words="$done runs, coverage ${coverage:-unknown}, $((SECONDS - start)) s"
  [[ $faults -eq 0 ]] || words+=", $faults faults of the HDF5 library"
  rmdir --ignore-fail-on-non-empty "$findings"
  if [[ $status -eq 0 ]]; then
    echo "ok    $target: $words"
    return 0
  fi
  mkdir -p "$findings"
  mv "$TMPDIR/new-$target"/* "$findings" 2>/dev/null || true
  echo "FAIL  $target: $words; its input is in $findings, its report in $log:"
  grep -m 3 -E 'Fatal error|Precondition failed|ERROR:|SUMMARY|is no JSON' "$log" || tail -n 5 "$log"
  return 1
}

failed=0
running=0
for target in "${targets[@]}"; do
  if [[ $running -ge $jobs ]]; then
    wait -n || failed=$((failed + 1))
    running=$((running - 1))
  fi
  fuzz_target "$target" &
  running=$((running + 1))
done
while [[ $running -gt 0 ]]; do
  wait -n || failed=$((failed + 1))
  running=$((running - 1))
done
echo "$((${#targets[@]} - failed)) targets passed, $failed failed"
[[ $failed -eq 0 ]]
