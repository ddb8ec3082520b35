#!/bin/bash
# Sets everything up, then runs the main job on the small model and the pages in scripts/quickstart: probe, select,
# train on 2 ranks, kill, resume, evaluate, report, export.
# Usage: scripts/quickstart.sh [FOLDER] (default: quickstart-run)
#
# FOLDER is made; one that an earlier call made is emptied first, any other refused.
#
# In a package, where this file lies in share/imagelora, the program beside it is run and nothing is built. It then
# needs bash, gzip, tar and an MPI alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/.." && pwd)
quickstart=$here/quickstart
packaged=
if [[ $here == */share/imagelora ]]; then
  packaged=$(cd "$here/../../bin" && pwd)
  repository=$PWD
fi
usage() { echo "usage: quickstart.sh [FOLDER]" >&2; exit 64; }
[[ $# -le 1 && ${1:-} != -* ]] || usage
out=${1:-$repository/quickstart-run}
# What this script made has its mark; nothing else is removed.
mark=$out/.imagelora-quickstart
if [[ -n $(ls -A "$out" 2>/dev/null) && ! -f $mark ]]; then
  echo "$out has files that are not the quickstart's; state another folder: quickstart.sh FOLDER" >&2
  exit 73
fi

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "${*//$repository\//}"; "$@"; }

say "Set-up"
if [[ -z $packaged ]]; then
  "$repository/scripts/install-dependencies.sh"
  flags=$("$repository/scripts/build-flags.sh")
  eval "$flags"
  (cd "$repository" && swift build -c release --product imagelora 2>&1 | tail -n 1)
fi
PATH=${packaged:-$repository/.build/release}:$PATH
# Of another MPI than Open MPI: MPIRUN=mpiexec.
default="mpirun --oversubscribe"
if ((EUID == 0)); then default+=" --allow-run-as-root"; fi
read -ra mpi <<<"${MPIRUN:-$default} -n 2"
rm -rf "$out"
mkdir -p "$out"
touch "$mark"
out=$(cd "$out" && pwd)
if [[ -n $packaged ]]; then
  # A package may lie where only root may write.
  cp -r "$quickstart" "$out/"
  quickstart=$out/quickstart
fi
tar -xf "$quickstart"/data/pages.tar.[xg]z -C "$quickstart/data"
run_file=$quickstart/run.yaml
heads=12 # half of the KV heads
run=("$run_file" --set "checkpoint.directory=$out/checkpoints" --set "adapter.heads.num_heads=$heads")
started=$SECONDS

say "The base: a small Qwen3-VL that answers questions about rendered pages"
show imagelora inspect "$quickstart/model"

say "Influence of every KV head on the click tasks of MiniWoB++"
show "${mpi[@]}" imagelora probe "$run_file" --output "$out/scores.h5"
show imagelora scores show "$out/scores.h5" --num-heads "$heads" --svg "$out/influence.svg"

say "Training on 2 ranks; killed on the way, as a cluster might"
# setsid: the kill must reach the ranks and not this script.
setsid "${mpi[@]}" imagelora train "${run[@]}" 2>"$out/killed.log" &
ranks=$!
until grep -q '"step":100[,}]' "$out/checkpoints/metrics.jsonl" 2>/dev/null; do
  kill -0 "$ranks" 2>/dev/null || { cat "$out/killed.log" >&2; exit 1; }
  sleep 0.2
done
kill -KILL -- "-$ranks"
wait "$ranks" 2>/dev/null || true
# The ranks end when they find that mpirun is gone.
is_running() { grep -aqsF -f <(echo "checkpoint.directory=$out/checkpoints") /proc/[0-9]*/cmdline; }
while is_running; do sleep 0.1; done
echo "(killed with SIGKILL)"

say "The same command with --resume auto goes on; the bytes are those of a run that was never killed"
show "${mpi[@]}" imagelora train "${run[@]}" --resume auto

say "Base and adapted model on held-out pages, and on tasks that no training example has"
show "${mpi[@]}" imagelora evaluate "${run[@]}" --checkpoint "$out/checkpoints/best.h5" --base \
  --output "$out/predictions.jsonl"

say "A page about the run"
show imagelora report "$out/checkpoints" --predictions "$out/predictions.jsonl" --title "Quickstart" \
  --output "$out/report.html"

say "Adapter files for others"
show imagelora export "$out/checkpoints/best.h5" --output "$out/adapter"

say "Done in $((SECONDS - started)) s after the build"
cat <<TEXT
Everything lies in ${out/$repository\//}:
  scores.h5, influence.svg     influence of every KV head, example by example, and its heat map
  checkpoints/                 step-*.h5 with checksums, best.h5, metrics.jsonl, run.yaml
  predictions.jsonl            every validation example with both answers
  report.html                  curves, influence, answers on their images: open it in a browser
  adapter/                     adapter.safetensors, adapter_config.json, and Python for transformers
Next: look at one example as the model sees it with
  ${packaged:-.build/release}/imagelora inspect ${run_file/$repository\//}
TEXT
