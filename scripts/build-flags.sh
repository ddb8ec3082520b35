#!/usr/bin/env bash
# Finds the MPI, the BLAS and the oneDNN to build against, and prints how Package.swift is told of them.
# Usage: eval "$(scripts/build-flags.sh)" && swift build -c release (from any folder)
#
# MPI      as scripts/mpi-flags.sh says: MPICC, IMAGELORA_MPI, mpicc of a loaded module, pkg-config
# BLAS     IMAGELORA_BLAS_LIBS, with IMAGELORA_BLAS_CFLAGS: stated already
#          IMAGELORA_BLAS: a name of pkg-config, which tells its kind as well: openblas (unless said otherwise),
#          scipy-openblas, blis, mkl-dynamic-lp64-seq, mkl-dynamic-lp64-gomp, ...
# oneDNN   IMAGELORA_ONEDNN_LIBS, with IMAGELORA_ONEDNN_CFLAGS: stated already
#          IMAGELORA_ONEDNN=none: built without, and so without bf16
#          oneapi/dnnl/dnnl.h and libdnnl where the compiler looks; without them as with none, and a line says so
#
# IMAGELORA_PREFIX names folders with include and lib, divided by colons, where these and all other libraries are looked
# for first: it becomes CPATH, LIBRARY_PATH and PKG_CONFIG_PATH, which may be set instead, and the program finds its
# libraries there when it runs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

say() { printf 'export %s=%q\n' "$1" "$2"; }
miss() { echo "scripts/build-flags.sh: $*" >&2; status=1; }
fail() { miss "$*"; exit 1; }
compiler=$(command -v "${CC:-clang}" || command -v cc || command -v gcc || true)

# add VARIABLE FOLDER: before what the variable has.
add() { export "$1=$2${!1:+:${!1}}"; }

runtime=()
IFS=: read -ra prefixes <<<"${IMAGELORA_PREFIX:-}"
for ((i = ${#prefixes[@]} - 1; i >= 0; i--)); do
  prefix=${prefixes[i]}
  [[ -d $prefix ]] || fail "IMAGELORA_PREFIX: no folder $prefix"
  prefix=$(cd "$prefix" && pwd)
  for folder in "$prefix"/include "$prefix"/include/*-linux-gnu; do
    if [[ -d $folder ]]; then add CPATH "$folder"; fi
  done
  for folder in "$prefix"/lib "$prefix"/lib64 "$prefix"/lib/*-linux-gnu; do
    if [[ ! -d $folder ]]; then continue; fi
    add LIBRARY_PATH "$folder"
    # RPATH, which holds for the libraries of libraries too.
    runtime=("-L$folder" -Xlinker -rpath -Xlinker "$folder" "${runtime[@]}")
    if [[ -d $folder/pkgconfig ]]; then add PKG_CONFIG_PATH "$folder/pkgconfig"; fi
  done
done
if [[ ${#runtime[@]} -gt 0 ]]; then
  say IMAGELORA_PREFIX_LIBS "-Xlinker --disable-new-dtags ${runtime[*]}"
  for variable in CPATH LIBRARY_PATH PKG_CONFIG_PATH; do
    if [[ -n ${!variable:-} ]]; then say "$variable" "${!variable}"; fi
  done
fi

# All that is missing is said, and then the status is 1.
status=0
mpi=$("$here/mpi-flags.sh") || status=1
if [[ -n $mpi ]]; then echo "$mpi"; fi

# sorted FLAG...: pkg-config's words, for the compiler in `compile`, for Swift as it links in `link`.
sorted() {
  local word parts part
  compile=() link=()
  for word in "$@"; do
    case $word in
      -I* | -D*) compile+=("$word") ;;
      -L* | -l*) link+=("$word") ;;
      # By its path, which Swift takes for a file of its own.
      /*) link+=(-Xlinker "$word") ;;
      -Wl,*)
        IFS=, read -ra parts <<<"${word#-Wl,}"
        for part in "${parts[@]}"; do link+=(-Xlinker "$part"); done
        ;;
    esac
  done
}

blas=${IMAGELORA_BLAS:-openblas}
case $blas in
  openblas* | *-openblas* | blis* | mkl*) ;;
  *) fail "IMAGELORA_BLAS: $blas is neither OpenBLAS, BLIS nor MKL by its name" ;;
esac
if [[ -z ${IMAGELORA_BLAS_LIBS:-} ]]; then
  # SwiftPM asks for openblas itself; of others it refuses words for the linker.
  if ! pkg-config --exists "$blas" 2>/dev/null; then
    miss "no BLAS: pkg-config knows no $blas; install libopenblas-dev, name another (IMAGELORA_BLAS=blis), or state" \
      "IMAGELORA_BLAS_CFLAGS and IMAGELORA_BLAS_LIBS"
  elif [[ $blas != openblas ]]; then
    mapfile -t words < <(pkg-config --cflags --libs "$blas" | xargs -n 1)
    sorted "${words[@]}"
    # A library that is not where the system looks must be found when the program runs.
    folder=$(pkg-config --variable=libdir "$blas")
    case $folder in
      '' | /usr/lib* | /lib*) ;;
      *) link+=(-Xlinker -rpath -Xlinker "$(cd "$folder" && pwd)") ;;
    esac
    say IMAGELORA_BLAS_CFLAGS "${compile[*]}"
    say IMAGELORA_BLAS_LIBS "${link[*]}"
  fi
fi
if [[ $blas != openblas ]]; then say IMAGELORA_BLAS "$blas"; fi

# links FLAG...: whether a program that asks oneDNN for its version compiles and links.
links() {
  local work status=0
  [[ -n $compiler ]] || fail "no C compiler: clang comes with Swift's toolchain"
  work=$(mktemp -d)
  printf '#include <oneapi/dnnl/dnnl.h>\nint main(void) { return dnnl_version()->major; }\n' >"$work/try.c"
  "$compiler" "$work/try.c" -o "$work/try" "$@" 2>/dev/null || status=1
  rm -rf "$work"
  return "$status"
}

if [[ ${IMAGELORA_ONEDNN:-} != none && -z ${IMAGELORA_ONEDNN_LIBS:-} ]]; then
  if ! links -ldnnl; then
    echo "scripts/build-flags.sh: no oneDNN (libdnnl-dev, onednn-devel): built without it, and so without bf16" >&2
    say IMAGELORA_ONEDNN none
  else
    # By its path, since other libraries' folders, which come first, may have a oneDNN of another version.
    IFS=: read -ra folders <<<"${LIBRARY_PATH:-}"
    for folder in "${folders[@]}"; do
      if [[ -e $folder/libdnnl.so ]]; then say IMAGELORA_ONEDNN_LIBS "-Xlinker $folder/libdnnl.so" && break; fi
    done
    # Said as a flag, so that a build with another header is another build to SwiftPM.
    IFS=: read -ra folders <<<"${CPATH:-}"
    for folder in "${folders[@]}"; do
      if [[ -e $folder/oneapi/dnnl/dnnl.h ]]; then say IMAGELORA_ONEDNN_CFLAGS "-I$folder" && break; fi
    done
  fi
fi
exit "$status"
