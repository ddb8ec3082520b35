#!/usr/bin/env bash
# Examples a second of 2 ranks, one of them at half speed, over those of 2 whole ones, in turns, and over the ideal:
# what the two would do that never waited, from the speed of the slow one alone.
#
# Usage: scripts/bench/uneven.sh --data DIR [--questions 1|7] [--precision fp32|bf16] [--rounds 3] [--epochs 2]
#          [--model DIR --rows FILE [--image-root DIR]]
#
# DIR is a folder that scripts/bench/make_checkpoint.py made. A step has 24 micro-batches. Each rank has a core; the
# slow one lies in a control group that gives it half of its core's time, 5 of every 10 ms. Needs root, or the right to
# make control groups.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Pieces of work of one image each, so that they divide between unequal ranks.
set -- --micro-batch 1 "$@"
source scripts/bench/support.sh
python=
batch=$((24 * questions))
mpirun=(mpirun --allow-run-as-root --bind-to core --mca btl_vader_single_copy_mechanism none)

controls=/sys/fs/cgroup
[[ ! -d $controls/cpu ]] || controls+=/cpu # version 1
group=$controls/imagelora-uneven-$$
mkdir "$group" || { echo "uneven.sh: no right to make a control group in $controls; run it as root" >&2; exit 77; }
trap 'clean_up; rmdir "$group"' EXIT
if [[ -e $group/cpu.max ]]; then
  echo "5000 10000" >"$group/cpu.max"
else
  echo 10000 >"$group/cpu.cfs_period_us"
  echo 5000 >"$group/cpu.cfs_quota_us"
fi
cat >"$work/slow-rank" <<SH
#!/bin/sh
[ "\${OMPI_COMM_WORLD_RANK:-0}" = 0 ] || echo \$\$ >$group/cgroup.procs
exec $IMAGELORA "\$@"
SH
sed 's/ = 0 / = none /' "$work/slow-rank" >"$work/slow-alone"
chmod +x "$work/slow-rank" "$work/slow-alone"
whole=$IMAGELORA
# alone FOLDER FEATURES: 3 steps of 12 micro-batches on one rank, with the features of another run.
alone() {
  train 1 "$1" --set training.epochs=null --set training.steps=3 --set training.global_batch=$((12 * questions)) \
    --set model.feature_cache="$2"
}

announce
for ((round = 1; round <= rounds; round++)); do
  train 2 "$work/even-$round" --set training.global_batch=$batch
  IMAGELORA=$work/slow-rank train 2 "$work/uneven-$round" --set training.global_batch=$batch
  IMAGELORA=$whole alone "$work/alone-$round" "$work/features/even-$round"
  IMAGELORA=$work/slow-alone alone "$work/slow-$round" "$work/features/even-$round"
done
python3 "$bench/tables.py" uneven "$work" "$rows"
