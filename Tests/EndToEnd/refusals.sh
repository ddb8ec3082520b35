# How bad input is tested: refused alone and on two ranks, in one line that names file and cause, without a hang, and
# with earlier checkpoints as they were. Causes are tied to names, keys and numbers rather than to wording.

# refused STATUS CLAIM FILE CAUSE ARGUMENT...: imagelora with the arguments ends so; FILE and CAUSE are extended regular
# expressions that its one line on stderr holds. COUNTS: on how many ranks (0: without mpirun).
refused() {
  local status=$1 claim=$2 file=$3 cause=$4 count found lines before=none
  shift 4
  for count in ${COUNTS:-0 2}; do
    before=$(sha256sum run/*.h5 run/*.sha256 2>/dev/null) || true
    found=0
    ranks "$count" "$IMAGELORA" "$@" >out 2>err || found=$?
    lines=$(grep '^imagelora: ' err) || true
    if [[ $found -ne $status ]]; then
      fail "$claim ($count ranks): status $found, wanted $status" out err
    elif [[ $(wc -l <<<"$lines") -ne 1 || -z $lines ]] || { [[ $count -eq 0 ]] && [[ $(wc -l <err) -ne 1 ]]; }; then
      fail "$claim ($count ranks): not one line on stderr" err
    elif ! grep -qE -- "$file" <<<"$lines" || ! grep -qE -- "$cause" <<<"$lines"; then
      fail "$claim ($count ranks): the line lacks /$file/ or /$cause/" err
    elif [[ $before != "$(sha256sum run/*.h5 run/*.sha256 2>/dev/null || true)" ]]; then
      fail "$claim ($count ranks): checkpoints changed"
    else
      ok "$claim ($count ranks): $(cut -c 1-160 <<<"$lines")"
    fi
  done
}

# model NAME CHANGE...: a copy of the model with a change of spoil.py in its weights.
model() {
  cp -r model "$1"
  python3 "$top/Tests/EndToEnd/spoil.py" "${@:2}" "$1/model.safetensors"
}

# rows NAME LINE...: the first ten examples, and these lines after them.
rows() {
  { head -10 data/rows.jsonl; printf '%s\n' "${@:2}"; } >"data/$1.jsonl"
}

# Refusals happen beside a run's checkpoints, which must stay as they are.
checkpoints() {
  declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"
  rm -rf run
  mkdir run
  cp whole-2/step-0000001[02468].h5* "whole-2/$last"* run/
}
