#!/usr/bin/env bash
# The packages where they will live: on bare systems of Debian 12 and 13 that have libc and MPI and no Swift, and on
# emulated processors. Usage: scripts/test-package.sh [--quick] (from any folder; as root)
#
# It makes the packages (scripts/package.sh), or takes those of the folder that PACKAGES names. Each system is made
# anew by debootstrap, from the mirror that this system's apt has, and there the quickstart runs from the package:
# probe, train on 2 ranks, kill, resume, evaluate, report, export. --quick: the tarball on Debian 12 alone, in under
# five minutes with the build. Whole: both packages on both systems, and that a second build has the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
quick=
case ${1:-} in
  '') ;;
  --quick) quick=1 ;;
  *) echo "usage: test-package.sh [--quick]" >&2; exit 64 ;;
esac
[[ $EUID -eq 0 ]] || { echo "scripts/test-package.sh: only root may make a bare system: run it with sudo" >&2; exit 1; }
scripts/install-dependencies.sh --tests

work=$(mktemp -d)
mounted=()
release() {
  local folder
  for folder in "${mounted[@]}"; do umount --lazy "$folder"; done
  mounted=()
}
# Systems that are still being made have mounts of their own; what could not be unmounted must not be emptied.
trap 'wait; release; rm -rf --one-file-system "$work"' EXIT
IMAGELORA=unused # the package's own is tested
source scripts/test-support.sh

# From this system's own apt.
# shellcheck disable=SC2016 # apt's own
mirror=$(apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
  awk -F '|' '$1 == "Debian" && $2 == "main" { print $3; exit }')
[[ -n $mirror ]] || fail "a mirror of Debian: this system's apt has none"

# make SUITE MPI: a bare system in $work/SUITE.
make() { debootstrap --variant=minbase --include="$2" "$1" "$work/$1" "$mirror" >"$work/$1.log" 2>&1; }
# system SUITE: waits for it and readies it.
system() {
  local root=$work/$1
  if ! wait "${makers[$1]}"; then
    tail -n 5 "$work/$1.log"
    return 1
  fi
  rm -f "$root"/var/cache/apt/archives/*.deb
  mount -t proc proc "$root/proc"
  mounted+=("$root/proc")
  mount -t tmpfs tmpfs "$root/dev/shm"
  mounted+=("$root/dev/shm")
}
suites=("bookworm libopenmpi3,openmpi-bin")
[[ -n $quick ]] || suites+=("trixie libopenmpi40,openmpi-bin")

# While the program is compiled.
declare -A makers=()
for line in "${suites[@]}"; do
  read -r suite mpi <<<"$line"
  make "$suite" "$mpi" &
  makers[$suite]=$!
done

cd "$work" # where helpers leave files
section "packages"
packages=${PACKAGES:+$(cd "$top" && realpath "$PACKAGES")}
if [[ -z $packages ]]; then
  packages=$work/packages
  "$top/scripts/package.sh" ${quick:+--tarball --jobs "$(nproc)"} "$packages"
fi
tarball=$(echo "$packages"/imagelora-*-linux-x86_64.tar.zst)
deb=$(echo "$packages"/imagelora_*_amd64.deb)
tar -C "$work" -xf "$tarball"
unpacked=$work/$(basename "$tarball" .tar.zst)

program=$unpacked/bin/imagelora
needs_no_more() {
  ! objdump -p "$program" "$unpacked/lib/imagelora/x86-64-v4/imagelora" | grep NEEDED |
    grep -vE ' (lib(mpi|dnnl|gomp|m|c|stdc\+\+|gcc_s)\.so\.[0-9]+|ld-linux-x86-64\.so\.2)$'
}
check "the program needs MPI, libc, GCC's runtime and what lies beside it alone" needs_no_more
has_licences() {
  local name
  for name in swift Yams swift-argument-parser icu libopenblas-pthread-dev libdnnl2 libhdf5-dev libssl-dev; do
    test -s "$unpacked/share/doc/imagelora/licenses/$name" || return
  done
}
check "licences of what is in the package" has_licences
# A path of this machine would make other bytes elsewhere.
check "no path of this machine is in the program" sh -c "! grep -aqF '$top' '$program'"
if [[ -z $quick && -z ${PACKAGES:-} ]]; then
  # In another folder, from nothing.
  git clone --quiet --no-hardlinks "$top" "$work/elsewhere"
  same_packages() {
    "$work/elsewhere/scripts/package.sh" "$work/again" && diff "$packages" "$work/again"
  }
  if git -C "$top" diff --quiet HEAD; then
    check "another build in another folder has the same bytes" same_packages
  else
    fail "another build has the same bytes: it is made from a commit, and files here are not committed"
  fi
  rm -rf "$work/elsewhere" "$work/again"
fi

section "processors"
# emulated CPU COMMAND...: on that processor, with the kernels that libraries choose for it.
emulated() {
  local processor=$1
  shift
  env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE qemu-x86_64 -cpu "$processor" "$program" "$@" \
    >"$work/out" 2>"$work/err"
}
refuses() {
  local processor=$1 status=0
  shift
  emulated "$processor" "$@" || status=$?
  test "$status" = 64 && test ! -s "$work/out" &&
    test "$(grep -vc '^qemu-x86_64: warning' "$work/err")" = 1 &&
    grep -q '^imagelora: this processor lacks .*AVX2.* was built for x86-64-v3: ' "$work/err"
}
check "Nehalem: one line and status 64, for --version too" refuses Nehalem-v1 --version
check "Sandy Bridge: one line and status 64" refuses SandyBridge-v1 inspect "$top/scripts/quickstart/model"
check "Haswell: --version" emulated Haswell-v4 --version
model=$top/Tests/ParityTests/Resources/a/model
python3 "$top/Tests/EndToEnd/make_data.py" "$work/data"
cat >"$work/run.yaml" <<YAML
model: {path: $model, min_pixels: 784, precision: fp32}
data: {train: data/rows.jsonl, image_root: data}
adapter: {rank: 4, heads: {select: influence, num_heads: 5, probe_rows: 12}}
training: {steps: 6, global_batch: 8}
checkpoint: {directory: run, every_steps: 6}
YAML
for processor in Haswell-v4 EPYC-Rome-v2; do
  check "$processor: inspect" emulated "$processor" inspect "$model"
  check "$processor: a training" emulated "$processor" train "$work/run.yaml" \
    --set "checkpoint.directory=$work/run-$processor"
done

# What this processor can run, by what Linux says of it.
level=x86-64-v4
for flag in avx512f avx512dq avx512cd avx512bw avx512vl; do
  grep -qwm 1 "$flag" /proc/cpuinfo || level=x86-64-v3
done
begins() { "$program" --version | grep -qx "kernels compiled for $1"; }
check "this processor: the program for $level begins" begins "$level"
check "IMAGELORA_KERNELS=x86-64-v3: the other one" env IMAGELORA_KERNELS=x86-64-v3 \
  sh -c "'$program' --version | grep -qx 'kernels compiled for x86-64-v3'"
# train NAME ARGUMENTS...
train() {
  local name=$1
  shift
  "$program" train "$work/run.yaml" --set "checkpoint.directory=$work/$name" "$@"
}
same_numbers() {
  train "chosen-$1" --set "model.precision=$1" --set model.emulate_bf16=true || return
  IMAGELORA_KERNELS=x86-64-v3 train "v3-$1" --set "model.precision=$1" --set model.emulate_bf16=true || return
  same_state "$work/chosen-$1/step-00000006.h5" "$work/v3-$1/step-00000006.h5"
}
if [[ $level == x86-64-v4 ]]; then
  for precision in fp32 bf16; do
    check "both programs: the same numbers in $precision" same_numbers "$precision"
  done
  refuses_another_build() {
    local status=0
    IMAGELORA_STARTED_BY=another "$unpacked/lib/imagelora/x86-64-v4/imagelora" --version >out 2>err || status=$?
    test "$status" = 64 && grep -q '^imagelora: the program for x86-64-v4 was built from commit .*, bin/' err
  }
  check "the second program refuses a first of another build" refuses_another_build
else
  echo "  note  this processor has no AVX-512: the program for x86-64-v4 was not run"
fi

# inside SUITE COMMAND...
inside() {
  local root=$work/$1
  shift
  env -i HOME=/root PATH=/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 \
    ${OPENBLAS_CORETYPE:+OPENBLAS_CORETYPE=$OPENBLAS_CORETYPE} \
    MPIRUN="mpirun --allow-run-as-root --oversubscribe --bind-to none" chroot "$root" "$@"
}
has_no_swift() {
  ! find "$work/$1" -xdev \
    \( -name 'libswift*' -o -name 'libFoundation*' -o -name 'libopenblas*' -o -name 'libhdf5*' \) | grep .
}
reference=
# quickstart NAME SUITE COMMAND: and what it must have left.
quickstart() {
  local name=$1 suite=$2 out=$work/$2/tmp/$1
  if ! inside "$suite" "$3" "/tmp/$name" >"$work/$name.log" 2>&1; then
    fail "$name: the quickstart" "$work/$name.log"
    return
  fi
  ok "$name: the quickstart, $(sed -n 's/.*Done in \([0-9]* s\) .*/\1/p' "$work/$name.log")"
  check "$name: killed, and gone on with" grep -q 'resumed from .* at step [0-9]' "$work/$name.log"
  check "$name: a report" grep -q '</html>' "$out/report.html"
  check "$name: an adapter" test -s "$out/adapter/adapter.safetensors"
  if [[ -z $reference ]]; then
    reference=$work/reference.h5
    cp "$out/checkpoints/step-00000160.h5" "$reference"
  else
    check "$name: the same numbers as from the tarball" same_state "$reference" "$out/checkpoints/step-00000160.h5"
  fi
}

for line in "${suites[@]}"; do
  suite=${line%% *}
  section "$suite"
  reference='' # another libm may leave other bits
  if ! system "$suite"; then
    fail "$suite: a bare system"
    continue
  fi
  check "$suite: neither Swift nor the libraries are there" has_no_swift "$suite"
  cp -r "$unpacked" "$work/$suite/opt/imagelora"
  check "$suite, tarball: --version" inside "$suite" /opt/imagelora/bin/imagelora --version
  grep MPI "$work/check.out"
  quickstart "$suite-tarball" "$suite" /opt/imagelora/share/imagelora/quickstart.sh
  if [[ -z $quick ]]; then
    rm -rf "$work/$suite/opt/imagelora"
    cp "$deb" "$work/$suite/tmp/imagelora.deb"
    check "$suite, .deb: installed, with all that it depends on" inside "$suite" dpkg --install /tmp/imagelora.deb
    quickstart "$suite-deb" "$suite" /usr/share/imagelora/quickstart.sh
    check "$suite, .deb: removed" inside "$suite" dpkg --purge imagelora
    check "$suite, .deb: nothing is left" sh -c "! find '$work/$suite/usr' -name '*imagelora*' | grep ."
  fi
  release
  rm -rf --one-file-system "${work:?}/$suite"
done
finish
