#!/usr/bin/env bash
# That the research scripts still run, on tiny inputs. Usage: scripts/research/smoke-test.sh [--full] (from any folder)
#
# Without --full: the standard library of Python and the program alone, in about half a minute. IMAGELORA names the
# program; the release build is made where it is not given.
# --full: also what needs packages of PyPI (a virtual environment in .build-tests/research, made from requirements.txt),
# Chromium and the network: renders pages, trains a base for seconds, compares it with transformers, judges clicks,
# checks that text is untouched. Some minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
research=$top/scripts/research

full=
[[ ${1:-} != --full ]] || full=1
if [[ -n $full ]]; then scripts/install-dependencies.sh --research; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source scripts/test-support.sh
export IMAGELORA PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1

# Compiled in memory: nothing is left in the folder.
compiles() {
  python3 - "$@" <<'PYTHON'
import sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        compile(file.read(), path, "exec")
PYTHON
}

mapfile -t scripts < <(find "$research" -name '*.py' | sort)
check "all ${#scripts[@]} Python scripts compile" compiles "${scripts[@]}"
for script in "$research"/*.sh "$research"/*/*.sh; do
  check "${script#"$research/"} parses" bash -n "$script"
done
check "pages and questions of the base's training" python3 "$research/tests/test_pretrain.py"
check "examples, images and tables of the comparison" python3 "$research/tests/test_evidence.py"
check "the comparison's jobs and the atlas, by the program" python3 "$research/tests/test_compare.py"

if [[ -n $full ]]; then
  environment=$top/.build-tests/research
  # Made again where the requirements are newer.
  if [[ ! $environment/made -nt $research/requirements.txt ]]; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install -q -r "$research/requirements.txt"
    touch "$environment/made"
  fi
  # shellcheck source=scripts/research/tests/full.sh
  source "$research/tests/full.sh"
fi
finish
