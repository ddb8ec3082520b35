# What both rehearsals share: what they need, a folder of their own, a small model, a run. Sourced, not run; $part is
# the name of the rehearsal, $top the top folder.
# shellcheck shell=bash disable=SC2154,SC2034

# usage: the head of the script.
usage() { sed -n '2,/^[^#]/p' "$0" | sed -n 's/^# \{0,1\}//p'; }
for argument in "$@"; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    -*) echo "$part.sh: unknown option $argument; see --help" >&2; exit 64 ;;
  esac
done

# need COMMAND PACKAGE...: ends with one line where a command is missing.
need() {
  while (($#)); do
    command -v "$1" >/dev/null || { echo "$part.sh: $1 is missing; install the package $2" >&2; exit 69; }
    shift 2
  done
}
if [[ $EUID -ne 0 ]]; then
  echo "$part.sh: only root can make namespaces; run it as root on a machine to spare" >&2
  exit 77
fi
need mpirun openmpi-bin h5dump hdf5-tools python3 python3 unshare util-linux ip iproute2
export PATH=$PATH:/usr/sbin:/sbin

work=$(mktemp -d "${TMPDIR:-/tmp}/imagelora-rehearsal-$part.XXXXXX")
chmod 755 "$work"
cd "$top" || exit
LIMIT=1200 # seconds for the run that nothing disturbs
source scripts/test-support.sh
IMAGELORA=$(realpath "$IMAGELORA")
export IMAGELORA
cp -r Tests/ParityTests/Resources/a/model "$work/model"
python3 Tests/EndToEnd/make_data.py "$work/data"
cd "$work" || exit

# run_file FOLDER STEPS: a run of its own folder, a hundred steps a second on two cores.
run_file() {
  cat >"$1.yaml" <<YAML
model: {path: model, min_pixels: 784}
data: {train: data/rows.jsonl, image_root: data}
adapter: {rank: 4, heads: {select: influence, num_heads: 5, probe_rows: 12}}
training: {steps: $2, global_batch: 8, learning_rate: 3e-2, warmup_steps: 2}
checkpoint: {directory: $1, every_steps: 20, keep: 2}
logging: {every_steps: 100, stall_limit_seconds: 10}
YAML
}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none

# undisturbed STEPS: such a run that nothing disturbs, once; its last checkpoint in $reference.
undisturbed() {
  local folder=undisturbed-$1
  reference=$work/$folder/$(printf 'step-%08d.h5' "$1")
  [[ ! -e $reference ]] || return 0
  run_file "$folder" "$1"
  if ranks 2 "$IMAGELORA" train "$folder.yaml" >"$folder.out" 2>&1; then
    ok "a run of $1 steps that nothing disturbs"
  else
    fail "a run of $1 steps that nothing disturbs" "$folder.out"
  fi
}
# same FOLDER: the run in FOLDER ended with the bytes of the run of as many steps that nothing disturbed.
same() { same_state "$reference" "$1/$(basename "$reference")"; }

# newest_step FOLDER: of the newest checkpoint; 0 where there is none.
newest_step() {
  local step
  step=$(find "$1" -name 'step-*.h5' 2>/dev/null | sed -E 's/.*step-0*([0-9]+)\..*/\1/' | sort -n | tail -n 1)
  echo "${step:-0}"
}

# until_true SECONDS COMMAND...: waits until the command succeeds; false after that time.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}
saved() { (($(newest_step "$1") >= ${2:-20})); }
# program_processes FOLDER [RANK]: the ranks of the run in FOLDER, or one.
program_processes() {
  local process
  for process in $(pgrep -f "^$IMAGELORA train $1.yaml"); do
    # Of this rehearsal, and not of another one.
    [[ $(readlink "/proc/$process/cwd") == "$work" ]] || continue
    if grep -qszx "OMPI_COMM_WORLD_RANK=${2:-[0-9]*}" "/proc/$process/environ"; then echo "$process"; fi
  done
}
# signal NAME RANK: to that rank of $run.
signal() {
  local process
  process=$(program_processes "$run" "$2")
  kill "-$1" "${process:-0x}" 2>/dev/null || fail "$run: rank $2 is there to get SIG$1" "$run.out"
}

# rehearse PART...: each is the function rehearse_PART.
rehearse() {
  steps=600 # of undisturbed
  for part in "$@"; do
    section "$part"
    "rehearse_$part"
  done
  finish
}
