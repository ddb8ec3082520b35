#!/bin/bash
# The influence atlas: probes every regime, every half of the examples, two more seeds of the estimator and two default
# probes, and says how stable the choice of heads is. The status is 1 where two default probes, of 200 examples each
# that their seeds draw, agree to less than 0.95.
# Usage: atlas.sh IMAGELORA BASE FOLDER (compare.py's, whose examples and images are used). Writes FOLDER/atlas.
set -euo pipefail
imagelora=$(realpath "$1") base=$(realpath "$2") data=$(realpath "$3")/data out=$(realpath "$3")/atlas
heads=${HEADS:-6} # the budget of the comparison: a quarter of the base's
mpi=(mpirun --oversubscribe --bind-to none -n 2)
if ((EUID == 0)); then mpi+=(--allow-run-as-root); fi
mkdir -p "$out"

# probe NAME EXAMPLES SET...: scores of all training examples
probe() {
  local name=$1 examples=$2
  shift 2
  [[ ! -e $out/$name.h5 ]] || return 0
  cat > "$out/$name.yaml" <<YAML
model: {path: "$base", precision: fp32}
data: {train: "$data/$examples-train.jsonl", image_root: "$data"}
adapter: {heads: {probe_rows: 1000000000}} # all
training: {steps: 1}
YAML
  "${mpi[@]}" "$imagelora" probe "$out/$name.yaml" --output "$out/$name.h5" "$@"
}

probe balanced plain
probe text-heavy context
probe image-heavy plain --set model.min_pixels=134400
probe referring referring
probe half-0 plain --shard 0/2
probe half-1 plain --shard 1/2
probe seed-1 plain --set adapter.heads.seed=1
probe seed-2 plain --set adapter.heads.seed=2
for seed in 1 2; do
  probe "default-$seed" plain --set adapter.heads.probe_rows=null --set "adapter.heads.seed=$seed"
done

for name in balanced image-heavy; do
  "$imagelora" scores show "$out/$name.h5" --num-heads "$heads" --svg "$out/$name.svg" > "$out/$name.txt"
done
{
  cd "$out" # names without folders
  for estimator in fisher rank1 gate; do
    printf '\n== regimes, halves of the examples and seeds: %s\n' "$estimator"
    "$imagelora" scores stability {balanced,text-heavy,image-heavy,referring,half-0,half-1,seed-1,seed-2}.h5 \
      --num-heads "$heads" --estimator "$estimator" --json "stability-$estimator.json"
  done
  printf '\n== two default probes\n'
  "$imagelora" scores stability default-1.h5 default-2.h5 --num-heads "$heads" --json stability-default.json
} | tee "$out/atlas.txt"
python3 -c '
import json, sys
correlation = json.load(open(sys.argv[1]))["pairs"][0]["agreement"]["correlation"]
sys.exit(f"two default probes agree to {correlation:.3f}, less than 0.95" if correlation < 0.95 else 0)' \
  "$out/stability-default.json"
