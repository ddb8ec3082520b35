# Ranks that find different files, as on nodes with copies of their own: one line on every rank's behalf, and no hang.
source "$top/Tests/EndToEnd/refusals.sh"
checkpoints

# apart CLAIM CAUSE ARGUMENT...: rank 0 trains the run as it is, rank 1 with the arguments besides.
apart() {
  local claim=$1 cause=$2 found=0
  shift 2
  timeout --kill-after 5 "$limit" mpirun "${mpi_options[@]}" -n 1 "$IMAGELORA" train run.yaml --resume auto : \
    -n 1 "$IMAGELORA" train run.yaml --resume auto "$@" >out 2>err || found=$?
  if [[ $found -ne 65 ]]; then
    fail "$claim: status $found, wanted 65" out err
  elif [[ $(grep -c '^imagelora: ' err) -ne 1 ]] || ! grep -qE -- "$cause" err; then
    fail "$claim: not one line with /$cause/" err
  else
    ok "$claim: $(grep '^imagelora: ' err | cut -c 1-160)"
  fi
}

head -c -20 data/rows.jsonl >data/torn-rows.jsonl
head -39 data/rows.jsonl >data/fewer.jsonl
head -4 data/validation.jsonl >data/fewer-validation.jsonl
apart "rows that are cut on one node" 'rank 1 .*content of .*rows.jsonl' --set data.train=data/torn-rows.jsonl
apart "fewer rows on one node" 'rank 1 .*content of .*rows.jsonl' --set data.train=data/fewer.jsonl
apart "other rows of validation on one node" 'rank 1 .*content of .*validation.jsonl' --set data.validation=data/fewer-validation.jsonl
apart "another seed on one node" 'rank 1 .*run, model or data' --set training.seed=1
mkdir -p empty
apart "checkpoints that only rank 0 sees" 'rank 1 .*newest checkpoint' --set checkpoint.directory=empty
rm -rf run empty
