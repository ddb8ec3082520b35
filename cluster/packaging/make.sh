#!/usr/bin/env bash
# Writes the recipes of this folder with the version, hash and place of a tarball of scripts/package.sh.
# Usage: cluster/packaging/make.sh TARBALL PREFIX FOLDER (PREFIX: where modules find it unpacked)
set -euo pipefail
[[ $# -eq 3 && -f $1 ]] || { echo "usage: make.sh TARBALL PREFIX FOLDER" >&2; exit 64; }
tarball=$(realpath "$1") prefix=$2 out=$3
file=${tarball##*/}
version=${file#imagelora-}
version=${version%-linux-*}
hash=$(sha256sum "$tarball" | cut -d ' ' -f 1)

cd "$(dirname "$0")"
# filled FROM TO
filled() {
  mkdir -p "$(dirname "$out/$2")"
  sed -e "s#TARBALL#${tarball#/}#g" -e "s#VERSION#$version#g" -e "s#SHA256#$hash#g" -e "s#PREFIX#$prefix#g" \
    "$1" >"$out/$2"
  echo "$out/$2"
}
filled Dockerfile Dockerfile
filled imagelora.def imagelora.def
filled spack/repo.yaml spack/spack_repo/imagelora/repo.yaml
filled spack/packages/imagelora/package.py spack/spack_repo/imagelora/packages/imagelora/package.py
filled easybuild/imagelora.eb "easybuild/imagelora-$version-gompi-2023b.eb"
filled modules/imagelora.lua "modules/lua/imagelora/$version.lua"
filled modules/imagelora.tcl "modules/tcl/imagelora/$version"
