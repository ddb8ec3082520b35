#!/usr/bin/env bash
# Finds the MPI to build against, and prints how Package.swift is told of it.
# Usage: eval "$(scripts/mpi-flags.sh)" && swift build -c release (from any folder)
#
# In this order:
#   IMAGELORA_MPI_LIBS, with IMAGELORA_MPI_CFLAGS: stated already
#   MPICC           the MPI's own compiler, as MPICC=mpicc.mpich, which says its flags with -show
#   IMAGELORA_MPI   a name of pkg-config, as mpich
#   mpicc in PATH, but not in /usr/bin, where a distribution has a default that pkg-config knows: what a module loaded
#   ompi-c, mpich   of pkg-config, whichever is there
# Nothing is printed where Package.swift finds it by itself, by pkg-config's ompi-c.
set -euo pipefail

if [[ -n ${IMAGELORA_MPI_LIBS:-} ]]; then exit; fi

compiler=${MPICC:-}
if [[ -z $compiler && -z ${IMAGELORA_MPI:-} ]]; then
  found=$(command -v mpicc || true)
  case $found in
    '' | /usr/bin/* | /bin/*) ;;
    *) compiler=$found ;;
  esac
fi

if [[ -z $compiler ]]; then
  names=("${IMAGELORA_MPI:-ompi-c}")
  if [[ -z ${IMAGELORA_MPI:-} ]]; then names+=(mpich); fi
  for name in "${names[@]}"; do
    if pkg-config --exists "$name" 2>/dev/null; then
      if [[ $name != ompi-c ]]; then echo "export IMAGELORA_MPI=$name"; fi
      exit
    fi
  done
  echo "scripts/mpi-flags.sh: no MPI: pkg-config knows no ${names[*]}; install libopenmpi-dev, load the module of an" \
    "MPI, or name its compiler: MPICC=mpicc" >&2
  exit 1
fi

if ! shown=$("$compiler" -show 2>&1) || [[ $shown != *-l* ]]; then
  echo "scripts/mpi-flags.sh: \"$compiler -show\" does not say how to link with MPI; set MPICC to an MPI's mpicc," \
    "or IMAGELORA_MPI_CFLAGS and IMAGELORA_MPI_LIBS" >&2
  exit 1
fi
# Packages of Intel MPI for Python leave their folder to be filled in.
root=$(cd "$(dirname "$(command -v "$compiler")")/.." && pwd)
shown=${shown//I_MPI_SUBSTITUTE_INSTALLDIR/${I_MPI_ROOT:-$root}}

# Swift's compiler links, and takes options for the linker by -Xlinker alone. Fortran's library is of no use here.
mapfile -t words < <(xargs -n 1 <<<"$shown")
compile=() link=()
for ((i = 1; i < ${#words[@]}; i++)); do
  word=${words[i]}
  case $word in
    -I | -D) compile+=("$word" "${words[++i]}") ;;
    -I* | -D*) compile+=("$word") ;;
    -l*fort*) ;;
    -L* | -l* | /*) link+=("$word") ;;
    -Xlinker) link+=("$word" "${words[++i]}") ;;
    -Wl,*)
      IFS=, read -ra parts <<<"${word#-Wl,}"
      for part in "${parts[@]}"; do link+=(-Xlinker "$part"); done
      ;;
  esac
done
# By their paths, since other libraries' folders, which come first, may have an MPI of the same name.
library() {
  local word
  for word in "${link[@]}"; do
    if [[ $word == -L* && -e ${word#-L}/lib${1#-l}.so ]]; then echo "${word#-L}/lib${1#-l}.so" && return; fi
  done
}
for ((i = 0; i < ${#link[@]}; i++)); do
  if [[ ${link[i]} == -lmpi* ]]; then
    path=$(library "${link[i]}")
    if [[ -n $path ]]; then link[i]="-Xlinker $path"; fi
  fi
done
printf 'export IMAGELORA_MPI_CFLAGS=%q IMAGELORA_MPI_LIBS=%q\n' "${compile[*]}" "${link[*]}"
