# shellcheck shell=bash
# What scripts/install-dependencies.sh --check asks: compiler, pkg-config and programs, not a list of packages, so that
# it holds on any distribution and for libraries in folders of their own (IMAGELORA_PREFIX, CPATH, PKG_CONFIG_PATH).
# Sourced; check_dependencies prints a line for each need and returns 1 if something that a build needs is missing.

# check_dependencies FOLDER-OF-SCRIPTS
check_dependencies() {
  local here=$1 family=debian missing=() optional=() compiler version work flags
  # shellcheck source=/dev/null
  case "$( (. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}") 2>/dev/null)" in
    *rhel* | *fedora* | *centos*) family=fedora ;;
  esac
  work=$(mktemp -d)
  # What it prints even where it fails: the folders of the prefix.
  flags=$("$here/build-flags.sh" 2>"$work/flags") || true
  eval "$flags"
  compiler=$(command -v clang || command -v cc || command -v gcc || true)

  # state NAME WHAT FOUND DEBIAN FEDORA: FOUND is empty where it is missing.
  state() {
    local package=$4
    [[ $family == debian ]] || package=$5
    if [[ -n $3 ]]; then
      printf 'ok       %-12s %s\n' "$1" "$3"
    else
      printf 'missing  %-12s %s: install %s\n' "$1" "$2" "$package"
      missing+=("$package")
    fi
  }
  # linked HEADER LIBRARY: whether a program with both compiles and links.
  linked() {
    [[ -n $compiler ]] || return 1
    printf '#include <stdio.h>\n#include <%s>\nint main(void) { return 0; }\n' "$1" >"$work/try.c"
    "$compiler" "$work/try.c" -o "$work/try" ${2:+"-l$2"} 2>/dev/null
  }
  # library NAME WHAT HEADER LIBRARY DEBIAN FEDORA
  library() {
    local found=
    if linked "$3" "$4"; then found="$3, -l$4"; fi
    state "$1" "$2" "$found" "$5" "$6"
  }
  # by_pkg_config NAME WHAT MODULE DEBIAN FEDORA: as SwiftPM asks.
  by_pkg_config() {
    local found=
    if pkg-config --exists "$3" 2>/dev/null; then found="$3 $(pkg-config --modversion "$3")"; fi
    state "$1" "$2" "$found" "$4" "$5"
  }
  # command_ NAME WHAT PROGRAM DEBIAN FEDORA
  command_() { state "$1" "$2" "$(command -v "$3" || true)" "$4" "$5"; }

  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -1) || true
  if ! printf '6.1\n%s\n' "${version:-0}" | sort --version-sort --check=quiet; then version=; fi
  state swift "a toolchain of version 6.1 or newer" "$version" "that of swift.org/install, unpacked anywhere" \
    "that of swift.org/install, unpacked anywhere"
  state compiler "clang comes with Swift's toolchain" "$compiler" clang clang
  command_ pkg-config "says where libraries are" pkg-config pkg-config pkgconf-pkg-config
  local mpi='' blas='' onednn=''
  if ! grep -q 'mpi-flags.sh: ' "$work/flags"; then
    mpi=${IMAGELORA_MPI_LIBS:-${IMAGELORA_MPI:-ompi-c} of pkg-config}
  fi
  state MPI "ranks; or load its module, or set MPICC" "$mpi" "libopenmpi-dev openmpi-bin" openmpi-devel
  if [[ -n ${IMAGELORA_BLAS_LIBS:-} ]]; then
    blas="${IMAGELORA_BLAS:-openblas}: $IMAGELORA_BLAS_LIBS"
  elif pkg-config --exists "${IMAGELORA_BLAS:-openblas}" 2>/dev/null; then
    blas="${IMAGELORA_BLAS:-openblas} $(pkg-config --modversion "${IMAGELORA_BLAS:-openblas}")"
  fi
  state BLAS "GEMM; or another, IMAGELORA_BLAS" "$blas" libopenblas-dev openblas-devel
  by_pkg_config HDF5 "checkpoints, scores" hdf5 libhdf5-dev hdf5-devel
  by_pkg_config OpenSSL SHA-256 libcrypto libssl-dev openssl-devel
  by_pkg_config PNG images libpng libpng-dev libpng-devel
  library JPEG images jpeglib.h jpeg libjpeg-dev libjpeg-turbo-devel
  library WebP images webp/decode.h webp libwebp-dev libwebp-devel
  library TIFF images tiffio.h tiff libtiff-dev libtiff-devel
  library zlib "compressed files" zlib.h z zlib1g-dev zlib-devel
  library zstd "compressed files" zstd.h zstd libzstd-dev libzstd-devel
  command_ xz "the quickstart's images" xz xz-utils xz
  if [[ ${IMAGELORA_ONEDNN:-} != none ]]; then onednn="libdnnl, oneapi/dnnl/dnnl.h"; fi
  if [[ -n $onednn ]]; then
    printf 'ok       %-12s %s\n' oneDNN "$onednn"
  else
    optional+=(oneDNN)
    printf 'without  %-12s %s\n' oneDNN "bf16 is refused; install $(
      [[ $family == debian ]] && echo libdnnl-dev || echo onednn-devel
    )"
  fi
  rm -rf "$work"
  if [[ ${#missing[@]} -eq 0 ]]; then
    echo "nothing that a build needs is missing${optional[*]:+; without ${optional[*]}}"
    return 0
  fi
  echo "missing ${#missing[@]}: ${missing[*]}"
  return 1
}
