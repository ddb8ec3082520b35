#!/usr/bin/env bash
# Copies the program, completions for bash, zsh and fish, and the manual page to DIR (default: /usr/local); the manual
# takes python3.
# Usage: scripts/install.sh [--prefix DIR] (from any folder)
#
# The release build is made, against the MPI that scripts/build-flags.sh finds (MPICC names another). On x86-64 there
# are two programs, for x86-64-v3 and for x86-64-v4 beside it, and the first begins the second where the processor can
# run it; IMAGELORA_MARCH names one to build instead. IMAGELORA names a program that is there: it is installed, and
# with IMAGELORA_V4 that for x86-64-v4. It needs the Swift runtime and Debian's libraries where it runs. Completions
# and manual are what the program's own parser says.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)

prefix=/usr/local
case ${1:-} in
  '') ;;
  --prefix) prefix=${2:?scripts/install.sh: --prefix needs a folder} ;;
  *) echo "usage: install.sh [--prefix DIR]" >&2; exit 64 ;;
esac

program=${IMAGELORA:-} second=${IMAGELORA_V4:-}
if [[ -z $program ]]; then
  flags=$("$repository/scripts/build-flags.sh")
  eval "$flags"
  IMAGELORA_COMMIT=$(git -C "$repository" describe --always --dirty --abbrev=12 2>/dev/null || true)
  export IMAGELORA_COMMIT
  # build SCRATCH: prints the program's path.
  build() {
    local options=(-c release --scratch-path "$repository/$1")
    (cd "$repository" && swift build "${options[@]}" --product imagelora) >&2
    echo "$(cd "$repository" && swift build "${options[@]}" --show-bin-path)/imagelora"
  }
  program=$(build .build)
  if [[ $(uname -m) == x86_64 && -z ${IMAGELORA_MARCH:-} ]]; then
    second=$(IMAGELORA_MARCH=x86-64-v4 build .build-v4)
  fi
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
# Of an installation before.
rm -rf "$prefix/lib/imagelora/x86-64-v4"
if [[ -n $second ]]; then
  install -D -m 755 "$second" "$prefix/lib/imagelora/x86-64-v4/imagelora"
  echo "$prefix/lib/imagelora/x86-64-v4/imagelora"
fi
put share/bash-completion/completions/imagelora "$program" --generate-completion-script bash
put share/zsh/site-functions/_imagelora "$program" --generate-completion-script zsh
put share/fish/vendor_completions.d/imagelora.fish "$program" --generate-completion-script fish
put share/man/man1/imagelora.1 manual
