#!/usr/bin/env bash
# Installs the Debian packages that building and testing need, where it may (root, or sudo without a password);
# otherwise says which are missing. Quick if nothing is missing.
# Usage: scripts/install-dependencies.sh [--check|--tests|--package|--research] (from any folder)
# --check: installs nothing, on any distribution: a line for each need, and status 1 where something is missing; of
# IMAGELORA_PREFIX and MPICC as well (scripts/build-flags.sh).
# --tests: also what scripts/test.sh needs. --package: also what scripts/package.sh needs. --research: also what all of
# the research scripts need.
set -euo pipefail

if [[ ${1:-} == --check ]]; then
  here=$(cd "$(dirname "$0")" && pwd)
  # shellcheck source=scripts/check-dependencies.sh
  source "$here/check-dependencies.sh"
  check_dependencies "$here"
  exit
fi

packages=(
  pkg-config
  libopenmpi-dev openmpi-bin  # ranks
  libopenblas-dev             # GEMM
  libdnnl-dev                 # GEMM in bf16
  libhdf5-dev                 # checkpoints, scores
  libpng-dev libjpeg-dev      # images
  libwebp-dev libtiff-dev     # images
  zlib1g-dev libzstd-dev      # compressed files of examples
  libssl-dev                  # SHA-256
  xz-utils                    # the quickstart's images
)
package=(
  gcc gfortran binutils       # archives of its runtime; what a program needs
  icu-devtools                # the licence of ICU, which is in Swift's runtime
  python3 zstd dpkg           # manual; archives
)
tests=(
  "${package[@]}"
  debootstrap qemu-user       # bare systems and other processors, for packages
  hdf5-tools python3          # h5dump and h5diff; data sets and damaged files
  zstd                        # compressed files of examples
  gcc                         # the library that injects faults
  chromium                    # pages of imagelora report, loaded
  shellcheck python3-venv     # linters of scripts
)
research=(
  python3-venv
  chromium chromium-driver fonts-liberation fonts-dejavu # rendered pages
)
case ${1:-} in
  '') ;;
  --tests) packages+=("${tests[@]}") ;;
  --package) packages+=("${package[@]}") ;;
  --research) packages+=("${research[@]}") ;;
  *) echo "usage: install-dependencies.sh [--check|--tests|--package|--research]" >&2; exit 64 ;;
esac

missing=()
for name in "${packages[@]}"; do
  # libjpeg-dev and its like may be provided by another package.
  dpkg-query --show --showformat '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed ||
    missing+=("$name")
done

if [[ ${#missing[@]} -gt 0 ]]; then
  if ! command -v apt-get >/dev/null; then
    echo "missing, by their names in Debian: ${missing[*]}; install them with this system's package manager" >&2
    exit 1
  elif [[ $EUID -eq 0 ]]; then
    become=(env DEBIAN_FRONTEND=noninteractive)
  elif sudo --non-interactive true 2>/dev/null; then
    become=(sudo --non-interactive env DEBIAN_FRONTEND=noninteractive)
  else
    echo "missing Debian packages; install them: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  echo "installing ${missing[*]}"
  "${become[@]}" apt-get update -qq
  "${become[@]}" apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
fi

version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -1) || true
if ! printf '6.1\n%s\n' "${version:-0}" | sort --version-sort --check=quiet; then
  echo "a Swift toolchain of version 6.1 or newer is needed, found: ${version:-none}; see swift.org/install" >&2
  exit 1
fi
