# MPI is started where a launcher says that there are several processes, and nowhere else.
source "$top/Tests/EndToEnd/refusals.sh"

# MPI cannot start with this setting, so whatever works does without it.
without_mpi() { env OMPI_MCA_pml=none "$@"; }
# As a variable of a test, since checks run commands.
imagelora() { without_mpi "$IMAGELORA" "$@"; }

check "the setting keeps MPI from starting" sh -c \
  "! OMPI_MCA_pml=none timeout 60 mpirun ${mpi_options[*]} -n 2 '$IMAGELORA' train run.yaml >out 2>err"
rm -rf run
printf '%s\n' '{"model": {"path": "model", "min_pixels": 784}, "data": {"train": "data/rows.jsonl", "image_root": "data"}, '\
'"adapter": {"heads": {"select": "all"}}, "training": {"steps": 2}, "checkpoint": {"directory": "run"}}' >two.json
check "train alone, without MPI" imagelora train two.json
check "probe" imagelora probe two.json --output alone.h5
check "evaluate" imagelora evaluate two.json --set data.validation=data/validation.jsonl --base --no-generate
check "plan" imagelora plan two.json
check "inspect a run, a checkpoint, a model" sh -c \
  'for path in two.json run/latest.h5 model; do OMPI_MCA_pml=none "$0" inspect $path >/dev/null || exit 1; done' "$IMAGELORA"
check "export" imagelora export run/latest.h5 --output exported
check "scores select" imagelora scores select alone.h5 --num-heads 2 --output selected.json
check "generate" imagelora generate --model model --prompt "2 + 2" --max-new-tokens 2
check "report" imagelora report run --output alone.html
check "mpirun of one process starts none either" sh -c \
  "OMPI_MCA_pml=none timeout 60 mpirun ${mpi_options[*]} -n 1 '$IMAGELORA' plan two.json >out"

# Commands of one process under mpirun: the first works and the others are silent, with MPI or without.
check "inspect on three processes prints once" sh -c \
  "OMPI_MCA_pml=none timeout 60 mpirun ${mpi_options[*]} -n 3 '$IMAGELORA' inspect model >out && '$IMAGELORA' inspect model | cmp - out"
COUNTS=3 refused 65 "a model that is not there" 'nowhere' 'no such' inspect nowhere

# alone_in STATUS CLAIM CAUSE VARIABLE=VALUE...: a run in this environment, without mpirun.
alone_in() {
  local wanted=$1 claim=$2 cause=$3 found=0
  shift 3
  rm -rf run
  timeout 60 env "$@" "$IMAGELORA" train two.json >out 2>err || found=$?
  if [[ $found -ne $wanted ]]; then
    fail "$claim: status $found, wanted $wanted" out err
  elif [[ $wanted -ne 0 ]] && { [[ $(grep -c '^imagelora: ' err) -ne 1 ]] || ! grep -qE -- "$cause" err; }; then
    fail "$claim: not one line with /$cause/" err
  elif [[ $wanted -ne 0 && -e run ]]; then
    fail "$claim: a run was begun"
  else
    ok "$claim"
  fi
}
alone_in 64 "another MPI's mpirun, whose processes are no ranks" 'started by MPICH.s mpiexec \(PMI_SIZE=2\), but built against Open MPI .*MPICC=mpicc.mpich' \
  PMI_SIZE=2 PMI_RANK=0
alone_in 64 "a task of srun without an MPI plugin" 'SLURM_NTASKS=4.*--mpi' SLURM_STEP_ID=0 SLURM_NTASKS=4 SLURM_PROCID=0
alone_in 0 "a batch script of Slurm" '' SLURM_JOB_ID=1 SLURM_NTASKS=4 SLURM_PROCID=0
check "a second process of another mpirun is silent in a command of one" sh -c \
  "test -z \"\$(PMI_SIZE=2 PMI_RANK=1 '$IMAGELORA' inspect nowhere 2>&1)\" && PMI_SIZE=2 PMI_RANK=1 '$IMAGELORA' inspect nowhere"
rm -rf run exported two.json alone.html
