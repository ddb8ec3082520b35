#!/usr/bin/env bash
# The program built against other libraries of mathematics, each in a folder of its own: nothing is installed on the
# system. Usage: scripts/test-libraries.sh [NAME...] (from any folder)
#
#   debian           what is installed: OpenBLAS 0.3.21 and oneDNN 2.6.3, the reference
#   none             without oneDNN
#   onednn3          oneDNN 3.2 of PyPI (with GCC's OpenMP), by the headers of 3.13
#   blis             Debian's BLIS 0.9 (OpenMP), unpacked
#   mkl              MKL of PyPI, in the calling thread
#   scipy-openblas   OpenBLAS 0.3.34 of PyPI, whose symbols have a prefix
# Without a name: all. For each, the tests of Tensors and Layers, then trainings of six steps on one rank in fp32 and in
# bf16 (the processor must have its instructions), twice each: the loss falls, and the bytes of the last checkpoint
# repeat. Without oneDNN, bf16 must be refused in one line.
#
# All is built once in .build-libraries/build (SCRATCH names another folder), about ten minutes on two cores; for
# another library one C file is compiled and the programs are linked again. Needs Debian, and PyPI. It is no part of
# scripts/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
made=$top/.build-libraries
names=("$@")
[[ $# -gt 0 ]] || names=(debian none onednn3 blis mkl scipy-openblas)
mkdir -p "$made"

# from_pypi NAME PACKAGE...: into an environment of its own, which is a prefix, without what they say they need: drivers
# and runtimes of hundreds of megabytes.
from_pypi() {
  [[ -e $made/$1/made ]] && return
  python3 -m venv "$made/$1"
  "$made/$1/bin/pip" install --quiet --disable-pip-version-check --no-deps "${@:2}"
  touch "$made/$1/made"
}

from_debian() {
  local folder=$made/blis package
  [[ -e $folder/made ]] && return
  mkdir -p "$folder/packages" "$folder/lib/pkgconfig"
  (cd "$folder/packages" && apt-get download --quiet libblis4-openmp libblis-openmp-dev 2>/dev/null)
  for package in "$folder"/packages/*.deb; do dpkg --extract "$package" "$folder"; done
  cat >"$folder/lib/pkgconfig/blis.pc" <<PC
libdir=$folder/usr/lib/x86_64-linux-gnu/blis-openmp
Name: blis
Description: BLIS
Version: 0.9.0
Libs: -L\${libdir} -lblis
Cflags: -I$folder/usr/include/x86_64-linux-gnu/blis-openmp
PC
  touch "$folder/made"
}

# library NAME: brings it, and says in the environment where it is.
library() {
  local site
  # Stated and not left to SwiftPM, which would compile everything anew for a BLAS that it does not find itself.
  case $1 in
    debian | none | onednn3)
      IMAGELORA_BLAS_CFLAGS=$(pkg-config --cflags openblas)
      IMAGELORA_BLAS_LIBS=$(pkg-config --libs openblas)
      export IMAGELORA_BLAS_CFLAGS IMAGELORA_BLAS_LIBS
      ;;
  esac
  case $1 in
    debian) ;;
    none) export IMAGELORA_ONEDNN=none ;;
    onednn3)
      from_pypi "$1" onednn-cpu-gomp==2023.2.0 onednn-devel==2026.1.0 || return
      export IMAGELORA_PREFIX=$made/$1
      ;;
    blis)
      from_debian || return
      export PKG_CONFIG_PATH=$made/$1/lib/pkgconfig IMAGELORA_BLAS=blis
      ;;
    mkl)
      from_pypi "$1" mkl==2026.2.0 mkl-devel==2026.2.0 mkl-include==2026.2.0 || return
      export PKG_CONFIG_PATH=$made/$1/lib/pkgconfig IMAGELORA_BLAS=mkl-dynamic-lp64-seq
      ;;
    scipy-openblas)
      from_pypi "$1" scipy-openblas32==0.3.34.481.3 || return
      site=$(echo "$made/$1"/lib/python3*/site-packages/scipy_openblas32)
      export PKG_CONFIG_PATH=$site/lib/pkgconfig IMAGELORA_BLAS=scipy-openblas
      ;;
    *) echo "scripts/test-libraries.sh: no library $1; its head has a list" >&2; return 64 ;;
  esac
}

model=(--set "model.path=$top/Tests/ParityTests/Resources/b/model")
build=(-c release -Xswiftc -enable-testing --scratch-path "${SCRATCH:-$made/build}")

# train PRECISION: six steps, twice; prints the loss of the first and of the last, and a digest of the checkpoint.
train() {
  local precision=$1 run first last
  rm -rf "$work"/[12]
  for run in 1 2; do
    # One folder, whose name is in the checkpoint.
    "$program" train "$work/run.yaml" "${model[@]}" --set "model.precision=$precision" >"$work/out" 2>"$work/err" ||
      { cat "$work/err" >&2; return 1; }
    mv "$work/run" "$work/$run"
  done
  cmp "$work"/[12]/step-00000006.h5 || return 1
  read -r first last < <(sed -nE 's/.*"loss":([0-9.e-]+).*/\1/p' "$work/1/metrics.jsonl" | sed -n '1p;$p' |
    paste -sd ' ')
  awk -v first="$first" -v last="$last" 'BEGIN { exit !(last < first) }' || { echo "no fall: $first $last"; return 1; }
  printf '%s: loss %.4f to %.4f, %s\n' "$precision" "$first" "$last" \
    "$(sha256sum <"$work/1/step-00000006.h5" | cut -c 1-12)"
}

try() {
  # Said in full, since the caller looks at the status, which takes -e away.
  local flags tests
  library "$1" || return
  flags=$(scripts/build-flags.sh) || return
  eval "$flags"
  swift build "${build[@]}" --build-tests >"$made/$1.build.log" 2>&1 || { tail -n 20 "$made/$1.build.log"; return 1; }
  program=${SCRATCH:-$made/build}/release/imagelora
  "$program" --version | sed -n '3p;5p'
  tests=$(OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 OMP_NUM_THREADS=1 swift test --skip-build "${build[@]}" \
    --filter '^(TensorsTests|LayersTests)\.' 2>&1) || { echo "$tests" | grep -E '✘|error' | head -n 20; return 1; }
  echo "$tests" | grep -E 'Test run with' | sed 's/^[^T]*//'
  train fp32 || return
  if [[ $1 != none ]]; then
    train bf16 || return
  elif "$program" train "$work/run.yaml" "${model[@]}" --set model.precision=bf16 >"$work/out" 2>"$work/err"; then
    echo "bf16 is not refused"
    return 1
  else
    echo "bf16: $(cat "$work/err")"
    [[ $(wc -l <"$work/err") -eq 1 ]] || return
  fi
}

# Always the same folder, since its name is in the checkpoints whose digests are printed.
work=$made/work
rm -rf "$work"
python3 Tests/EndToEnd/make_data.py "$work/data"
cat >"$work/run.yaml" <<'YAML'
model: {path: model, min_pixels: 784}
data: {train: data/rows.jsonl, validation: data/validation.jsonl, image_root: data}
adapter: {rank: 4, heads: {select: influence, num_heads: 5, probe_rows: 12}}
training: {steps: 6, global_batch: 8, learning_rate: 3e-2, warmup_steps: 2}
checkpoint: {directory: run, every_steps: 6}
logging: {every_steps: 1}
YAML

summary=() failed=0
for name in "${names[@]}"; do
  echo "== $name"
  status=0
  (try "$name") 2>&1 | tee "$made/$name.log" || status=$?
  if [[ $status -eq 0 ]]; then
    summary+=("ok    $name: $(grep -E '^(Test run|fp32|bf16:)' "$made/$name.log" | paste -sd ';' | sed 's/;/; /g')")
  else
    failed=1
    summary+=("FAIL  $name: $(tail -n 1 "$made/$name.log")")
  fi
done
echo "== summary, $SECONDS s"
printf '%s\n' "${summary[@]}"
exit $failed
