#!/usr/bin/env bash
# Copies the program, completions for bash, zsh and fish, and the manual page to DIR (default: /usr/local); the manual
# takes python3.
# Usage: scripts/install.sh [--prefix DIR] (from any folder)
#
# IMAGELORA names the program to install; the release build is made where it is not given, against the MPI that
# scripts/build-flags.sh finds (MPICC names another). It needs the Swift runtime
# and Debian's libraries where it runs. Completions and manual are what the program's own parser says.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)

prefix=/usr/local
case ${1:-} in
  '') ;;
  --prefix) prefix=${2:?scripts/install.sh: --prefix needs a folder} ;;
  *) echo "usage: install.sh [--prefix DIR]" >&2; exit 64 ;;
esac

program=${IMAGELORA:-}
if [[ -z $program ]]; then
  flags=$("$repository/scripts/build-flags.sh")
  eval "$flags"
  commit=$(git -C "$repository" describe --always --dirty --abbrev=12 2>/dev/null || true)
  (cd "$repository" && IMAGELORA_COMMIT=$commit swift build -c release --product imagelora)
  program=$(cd "$repository" && swift build -c release --show-bin-path)/imagelora
fi

# put FILE COMMAND...: what the command prints, whole or not at all, as PREFIX/FILE.
put() {
  local file=$prefix/$1
  shift
  install -d "${file%/*}"
  "$@" >"$file.partial"
  mv "$file.partial" "$file"
  echo "$file"
}
manual() {
  local version
  version=$("$program" --version | sed -n '1s/^[^0-9]*\([0-9][^ ]*\).*/\1/p')
  "$program" --experimental-dump-help | python3 "$repository/scripts/make-manual.py" "$version"
}

install -D -m 755 "$program" "$prefix/bin/imagelora"
echo "$prefix/bin/imagelora"
put share/bash-completion/completions/imagelora "$program" --generate-completion-script bash
put share/zsh/site-functions/_imagelora "$program" --generate-completion-script zsh
put share/fish/vendor_completions.d/imagelora.fish "$program" --generate-completion-script fish
put share/man/man1/imagelora.1 manual
