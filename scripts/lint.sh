#!/usr/bin/env bash
# Style and common mistakes in all code: Swift, Python, shell. Usage: scripts/lint.sh (from any folder)
#
# * swift format lint --strict with .swift-format, and lines of at most 120 columns.
# * ruff check and ruff format --check with ruff.toml; the version is scripts/lint-requirements.txt's, from PyPI, in a
#   virtual environment in .build-tests/lint.
# * shellcheck with .shellcheckrc, and lines of at most 120 columns but for Tests/EndToEnd, whose checks are one line
#   each.
#
# Every offence is a line "file:line: what"; the status is 1 if there is any.
set -euo pipefail
cd "$(dirname "$0")/.."

# Files as git knows them, new ones too, without ignored ones and those that are gone.
files() { git ls-files --cached --others --exclude-standard --deduplicate "$@" | while read -r file; do
  [[ ! -f $file ]] || echo "$file"
done; }
mapfile -t swift < <(files '*.swift')
mapfile -t python < <(files '*.py')
mapfile -t shell < <(files '*.sh' '*.sbatch')
mapfile -t wrapped < <(files '*.sh' '*.sbatch' ':!Tests/EndToEnd')

passed=0
failed=0
# lint NAME COMMAND...
lint() {
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1)) && echo "ok    $name"
  else
    failed=$((failed + 1)) && echo "FAIL  $name"
  fi
}

# columns FILE...: lines over 120 columns. In Swift, swift format cares for code; it leaves long comments and strings to
# this. A line may be longer where it is all one string, or lies in a multi-line string: help texts, HTML, expected
# output, whose own line breaks would show.
columns() {
  python3 - "$@" <<'PYTHON'
import re
import sys

offences = 0
for path in sys.argv[1:]:
    inside = False  # a multi-line string
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            code = line.strip()
            string = inside or re.match(r'[=+& ]*#*"', code)
            if path.endswith(".swift") and not code.startswith("//") and code.count('"""') % 2:
                inside = not inside
            if len(line) > 120 and not (path.endswith(".swift") and string):
                print(f"{path}:{number}: {len(line)} columns")
                offences += 1
sys.exit(1 if offences else 0)
PYTHON
}

environment=.build-tests/lint
# Made again where the requirements are newer.
if [[ ! $environment/made -nt scripts/lint-requirements.txt ]]; then
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install -q -r scripts/lint-requirements.txt
  touch "$environment/made"
fi
ruff() { "$environment/bin/ruff" "$@" --cache-dir "$environment/cache"; }

lint "swift format, ${#swift[@]} files" swift format lint --strict "${swift[@]}"
lint "columns of Swift" columns "${swift[@]}"
lint "ruff check, ${#python[@]} files" ruff check --quiet --output-format concise "${python[@]}"
lint "ruff format" ruff format --quiet --check --output-format concise "${python[@]}"
lint "shellcheck, ${#shell[@]} files" shellcheck --format=gcc "${shell[@]}"
lint "columns of shell scripts" columns "${wrapped[@]}"

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
