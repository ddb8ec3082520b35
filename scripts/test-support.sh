# What the test scripts share: the program, starting ranks, counting checks. Sourced by them from the top folder, not
# run. They set $work, a folder for what is written.
# shellcheck shell=bash disable=SC2154

if [[ -z ${IMAGELORA:-} ]]; then
  swift build -c release --product imagelora
  IMAGELORA=$(swift build -c release --show-bin-path)/imagelora
fi

# How ranks are started: MPIRUN, in words, or else Open MPI's. Containers run as root; three ranks may have fewer cores;
# ranks that are not bound to cores leave each other room; in a container one process may not read another's memory
# (vader's single copy), about which Open MPI would complain.
default="mpirun --allow-run-as-root --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none"
read -ra mpirun <<<"${MPIRUN:-$default}"
# shellcheck disable=SC2034 # of the parts
mpi_options=("${mpirun[@]:1}")
# A hang is a failure: the time limit (seconds) ends it with status 124.
limit=${LIMIT:-120}

# ranks N COMMAND...: the command on N ranks; 0 is the command alone, without mpirun.
ranks() {
  local count=$1
  shift
  if [[ $count -eq 0 ]]; then
    timeout --kill-after 5 "$limit" "$@"
  else
    timeout --kill-after 5 "$limit" "${mpirun[@]}" -n "$count" "$@"
  fi
}

passed=0
failed=0

ok() { passed=$((passed + 1)); echo "ok    $1"; }

# fail CLAIM [FILE...]: the end of each file helps to see why.
fail() {
  failed=$((failed + 1))
  echo "FAIL  $1"
  local file
  for file in "${@:2}"; do [[ ! -s $file ]] || tail -n 12 "$file" | sed 's/^/      | /'; done
}

# check CLAIM COMMAND...: ok if the command succeeds.
check() {
  local claim=$1
  shift
  if "$@" >"$work/check.out" 2>&1; then ok "$claim"; else fail "$claim" "$work/check.out"; fi
}

# field FILE KEY.PATH: a value of a JSON document, or of the list that the lines of a .jsonl file are (-1 is the last).
# Text as it is, anything else as JSON. The program's files and its --json have their fields in docs/formats.md.
field() {
  python3 -c 'import json, sys
path, keys = sys.argv[1:]
text = open(path, encoding="utf-8").read()
value = [json.loads(line) for line in text.splitlines()] if path.endswith(".jsonl") else json.loads(text)
for key in keys.split("."):
    value = value[int(key) if isinstance(value, list) else key]
print(value if isinstance(value, str) else json.dumps(value))' "$@"
}

# column FILE KEY: the values of a key in a JSON Lines file, one a line, of the lines that have it.
column() {
  python3 -c 'import json, sys
path, key = sys.argv[1:]
for entry in map(json.loads, open(path, encoding="utf-8")):
    if key in entry:
        print(entry[key])' "$@"
}

# state FILE: name and SHA-256 of the bytes of every dataset that a run computes.
state() {
  local name
  for name in $(h5ls -r "$1" | awk '$2 == "Dataset" && $1 !~ /^\/run/ { print $1 }'); do
    h5dump -d "$name" -b LE -o dump.bin "$1" >dump.out
    printf '%s %s\n' "$name" "$(sha256sum <dump.bin)"
  done
}

# same_state A B: the same datasets with the same bytes.
same_state() {
  state "$1" >state.a
  state "$2" >state.b
  grep -q '^/optimizer/exp_avg_sq/layers' state.a && diff state.a state.b
}

section() { echo "-- $1 ($SECONDS s)"; }

# The closing line and the status.
finish() {
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 ]]
}
