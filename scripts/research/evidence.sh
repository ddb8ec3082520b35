#!/bin/bash
# The whole comparison of docs/evidence.md from nothing: under two hours on two cores.
# Usage: scripts/research/evidence.sh [FOLDER] (default: evidence-run)
#
# What is done already in FOLDER is kept, so the same command goes on after an end. The text test needs some Python
# packages: those of the Python that PYTHON names, or of a virtual environment made in FOLDER.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
out=$(realpath -m "${1:-$repository/evidence-run}")
research=$repository/scripts/research
evidence=$research/evidence
base=$repository/scripts/quickstart/model

"$repository/scripts/install-dependencies.sh"
(cd "$repository" && swift build -c release --product imagelora 2>&1 | tail -n 1)
imagelora=$repository/.build/release/imagelora
export OPENBLAS_NUM_THREADS=1
mkdir -p "$out"
python=${PYTHON:-$out/python/bin/python}
if [[ ! -x $(command -v "$python") ]]; then
  python3 -m venv "$out/python" ||
    { echo "evidence.sh: no virtual environment: apt-get install python3-venv" >&2; exit 1; }
  # Without PyTorch, which the comparison does not need; the versions are those of the requirements.
  "$python" -m pip install -q -c "$research/requirements.txt" gguf h5py numpy safetensors tokenizers
fi
started=$SECONDS
say() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }

say "Methods, regimes and seeds"
"$python" "$evidence/compare.py" --base "$base" --imagelora "$imagelora" --output "$out"
"$python" "$evidence/tables.py" "$out/results.json" --output "$out" > /dev/null

say "Influence atlas"
"$evidence/atlas.sh" "$imagelora" "$base" "$out"

say "Text before and after"
"$python" "$evidence/text.py" --imagelora "$imagelora" --output "$out/text"

say "A page to look at"
"$imagelora" report "$out"/runs/balanced/{lora-q-k-v-o,image-lora,image-lora-random-heads}/seed-*/checkpoints \
  --title "Standard LoRA, Image-LoRA and random heads on MiniWoB++ pages" --output "$out/report.html"

say "Done: tables.md, atlas/, text/, *.svg and report.html in $out"
