# Ranks that find different files, as on nodes with copies of their own: one line on every rank's behalf, and no hang.
source "$top/Tests/EndToEnd/refusals.sh"
checkpoints

# apart CLAIM CAUSE ARGUMENT...: rank 0 trains the run as it is, rank 1 with the arguments.
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
apart "examples that are cut on one node" 'rank 1 .*rows.jsonl' --set data.train=data/torn-rows.jsonl
apart "fewer examples on one node" 'rank 1 .*rows.jsonl' --set data.train=data/fewer.jsonl
apart "other validation examples on one node" 'rank 1 .*validation.jsonl' --set data.validation=data/fewer-validation.jsonl
apart "another seed on one node" 'rank 1 .*run.yaml' --set training.seed=1
mkdir -p empty
apart "checkpoints that only rank 0 sees" 'rank 1 .*checkpoint' --set checkpoint.directory=empty
rm -rf run empty
