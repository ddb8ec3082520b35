#!/usr/bin/env bash
# Whether two builds of imagelora compute the same numbers, bit for bit, as a change must that should change none.
# Usage: scripts/same-bytes.sh PROGRAM FOLDER        makes the numbers of a build, about three minutes on two cores
#        scripts/same-bytes.sh --compare A B         compares two such folders
#
# The numbers, all in fp32: influence scores of the quickstart's examples; its run on one rank, and on two ranks killed
# and resumed; the predictions of the base and of both adapters; every number of the parity fixtures, PEFT's too.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
resources=$repository/Tests/ParityTests/Resources
mpi=(mpirun --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none)
if ((EUID == 0)); then mpi+=(--allow-run-as-root); fi

# numbers FILE: name and SHA-256 of the bytes of every dataset but the run's text.
numbers() {
  local name
  for name in $(h5ls -r "$1" | awk '$2 == "Dataset" && $1 !~ /^\/run\// { print $1 }'); do
    h5dump -d "$name" -b LE -o "$scratch/dataset" "$1" >"$scratch/dump"
    printf '%s %s\n' "$name" "$(sha256sum <"$scratch/dataset")"
  done
}

compare() {
  local file differences=0
  while read -r file; do
    if [[ ! -f $2/$file ]]; then
      echo "MISSING    $file"
      differences=$((differences + 1))
    elif [[ $file == *.h5 ]]; then
      numbers "$1/$file" >"$scratch/a"
      numbers "$2/$file" >"$scratch/b"
      if [[ -s $scratch/a ]] && diff "$scratch/a" "$scratch/b" >"$scratch/diff"; then
        echo "same       $file: $(wc -l <"$scratch/a") datasets"
      else
        echo "DIFFERENT  $file: $(head -n 2 "$scratch/diff" | tail -n 1)"
        differences=$((differences + 1))
      fi
    elif cmp -s "$1/$file" "$2/$file"; then
      echo "same       $file"
    else
      echo "DIFFERENT  $file"
      differences=$((differences + 1))
    fi
  done < <(cd "$1" && find . \( -name '*.h5' -o -name '*.jsonl' \) ! -name metrics.jsonl ! -name sessions.jsonl \
    -type f | LC_ALL=C sort)
  echo "$differences files differ"
  [[ $differences -eq 0 ]]
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [[ ${1:-} == --compare ]]; then
  compare "${2:?a folder}" "${3:?another folder}"
  exit
fi
program=$(realpath "${1:?a build of imagelora}")
out=${2:?a folder to write}
mkdir -p "$out"
out=$(realpath "$out")
data=$repository/scripts/quickstart/data
[[ -d $data/pages ]] || tar -xf "$data/pages.tar.xz" -C "$data"
run=("$repository/scripts/quickstart/run.yaml" --set model.precision=fp32)

"$program" probe "${run[@]}" --output "$out/scores.h5"
"$program" train "${run[@]}" --set "checkpoint.directory=$out/whole"
# setsid: the kill must reach the ranks and not this script.
setsid "${mpi[@]}" -n 2 "$program" train "${run[@]}" --set "checkpoint.directory=$out/resumed" &
ranks=$!
until [[ $(wc -l <"$out/resumed/metrics.jsonl" || echo 0) -ge 100 ]]; do
  kill -0 "$ranks"
  sleep 0.2
done 2>/dev/null
kill -KILL -- "-$ranks"
wait "$ranks" 2>/dev/null || true
"${mpi[@]}" -n 2 "$program" train "${run[@]}" --set "checkpoint.directory=$out/resumed" --resume auto
for way in whole resumed; do
  rm -f "$out/$way"/{best,latest}.h5
  "$program" evaluate "${run[@]}" --checkpoint "$out/$way/step-00000160.h5" --base \
    --output "$out/$way/predictions.jsonl"
done
for fixture in a b qwen2-vl qwen3-vl qwen3.5-a qwen3.5-b; do
  "$program" parity --model "$resources/$fixture/model" --data "$resources/$fixture/data.jsonl" \
    --adapter "$resources/$fixture/adapter" --output "$out/parity-$fixture.h5"
done
for fixture in a:peft-a b:peft-b qwen3-vl:peft-qwen3 a:peft-mlp qwen3.5-b:peft-qwen3.5; do
  "$program" parity --model "$resources/${fixture%:*}/model" --data "$resources/${fixture%:*}/data.jsonl" \
    --adapter "$resources/${fixture#*:}/adapter" --output "$out/parity-${fixture#*:}.h5"
done
