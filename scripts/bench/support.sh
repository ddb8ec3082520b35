# What the benchmark scripts share: options, the run of imagelora, the step of PyTorch. Sourced from the top folder.
# shellcheck shell=bash

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
  exit 64
}

data='' model='' rows='' image_root='' questions=1 micro_batch=auto rounds=3 epochs=2 precision=fp32
activation_memory=''
python=${TORCH_PYTHON:-} torch_step=scripts/bench/torch_step.py torch_steps=6
while [[ $# -gt 0 ]]; do
  [[ $# -ge 2 ]] || usage
  case $1 in
    --data) data=$2 ;;
    --model) model=$2 ;;
    --rows) rows=$2 ;;
    --image-root) image_root=$2 ;;
    --questions) questions=$2 ;;
    --micro-batch) micro_batch=$2 ;;
    --rounds) rounds=$2 ;;
    --epochs) epochs=$2 ;;
    --precision) precision=$2 ;;
    --activation-memory) activation_memory=$2 ;;
    --python) python=$2 ;;
    --torch-step) torch_step=$2 ;;
    --torch-steps) torch_steps=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[[ -n $data || (-n $model && -n $rows) ]] || usage
[[ $questions == 1 || $questions == 7 ]] || usage
[[ $micro_batch == auto || $micro_batch == 1 || $questions == 1 ]] || usage
model=$(realpath "${model:-$data/model}")
rows=$(realpath "${rows:-$data/rows-$questions.jsonl}")
image_root=$(realpath "${image_root:-$(dirname "$rows")}")
torch_step=$(realpath "$torch_step")
bench=$PWD/scripts/bench

LIMIT=${LIMIT:-14400}
source scripts/test-support.sh
export OPENBLAS_NUM_THREADS=1

work=$(mktemp -d)
children=()
# Runs and logs are kept where something failed: a measurement took long.
clean_up() {
  local status=$? child
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  if [[ $status -eq 0 ]]; then rm -rf "$work"; else echo "kept: $work" >&2; fi
}
trap clean_up EXIT
python3 "$bench/heads.py" "$model" >"$work/heads.json"

# By default the run's own batch and passes; with a number, a step has for each of two ranks `questions` examples of one
# image, or `micro_batch` examples with an image each, whatever the number of ranks.
training="epochs: $epochs"
if [[ $micro_batch != auto ]]; then
  training+=", global_batch: $((2 * questions * micro_batch)), micro_batch: $micro_batch"
fi
training+=", learning_rate: 1e-5${activation_memory:+, activation_memory_mib: $activation_memory}"
cat >"$work/run.yaml" <<YAML
model: {path: "$model", precision: $precision, threads: 1}
data: {train: "$rows", image_root: "$image_root"}
adapter: {rank: 8, alpha: 16, heads: {select: file, file: heads.json}}
training: {$training}
checkpoint: {directory: run, every_steps: 1000000}
logging: {every_steps: 1000000}
YAML

# train RANKS FOLDER [ARGUMENT...]: a run whose metrics.jsonl lies in FOLDER. Its feature cache is empty at the start,
# so that both ranks find in the second epoch what either computed in the first.
train() {
  ranks "$1" "$IMAGELORA" train "$work/run.yaml" --set checkpoint.directory="$2" \
    --set model.feature_cache="$work/features/${2##*/}" "${@:3}" >"$2.out" 2>"$2.err" ||
    { tail -n 5 "$2.out" "$2.err" >&2; exit 1; }
}

# torch_train PROCESSES THREADS LOG: an example a process and step.
torch_train() {
  local start=("$python")
  [[ $1 -eq 1 ]] || start+=(-m torch.distributed.run --nproc_per_node "$1")
  env -u OPENBLAS_NUM_THREADS OMP_NUM_THREADS="$2" timeout "$LIMIT" "${start[@]}" "$torch_step" --model "$model" \
    --rows "$rows" --threads "$2" --steps "$torch_steps" --precision "$precision" >"$3" 2>&1 ||
    { tail -n 5 "$3" >&2; exit 1; }
}

# What the numbers below belong to.
announce() {
  local processor memory commit
  memory=$(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
  commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
  processor=$(sed -n '/^model name/{s/^[^:]*: //p;q}' /proc/cpuinfo)
  echo "machine    ${processor:-unknown processor}, $(nproc) cores, $memory GiB"
  echo "load       $(cut -d ' ' -f 1-3 /proc/loadavg) before the first run; ratios hold only where nothing else runs"
  echo "date       $(date -u +%Y-%m-%dT%H:%M:%SZ)"
  echo "imagelora  $("$IMAGELORA" --version | head -n 1), commit $commit; $(mpirun --version | head -n 1)"
  [[ -z $python ]] || "$python" -c 'import sys, torch, transformers
print(f"pytorch    {torch.__version__}, transformers {transformers.__version__}, Python {sys.version.split()[0]}")'
  echo "data       $(wc -l <"$rows") examples, $questions an image, micro_batch $micro_batch; compute in $precision;" \
    "$rounds rounds, $epochs epochs"
  echo
}
