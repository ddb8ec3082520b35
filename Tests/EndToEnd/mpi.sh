# A program built against another MPI, started by that MPI's launcher (MPIRUN): the bytes of REFERENCE, which was built
# against Debian's Open MPI, through a kill and a stop as well; each program under the other's launcher is refused in one
# line. Run by scripts/test-mpi.sh; it is no part of scripts/test.sh.
source "$top/Tests/EndToEnd/background.sh"
: "${REFERENCE:?Tests/EndToEnd/mpi.sh: a build of imagelora against Open MPI}"
open_mpi=(mpirun.openmpi --allow-run-as-root --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none)
launcher=$(basename "${mpirun[0]}")

# The loaded library's version, on the fourth line of --version.
"$IMAGELORA" --version >version
echo "      $(sed -n 4p version); started by ${mpirun[*]}"
check "40 steps on 2 ranks by Debian's Open MPI" \
  timeout 120 "${open_mpi[@]}" -n 2 "$REFERENCE" train run.yaml
mv run reference

rm -rf run
if train 2; then ok "40 steps on 2 ranks"; else fail "40 steps on 2 ranks" out err; fi
check "nothing on stderr" test ! -s err
check "every byte of the last checkpoint that Open MPI's ranks left" cmp "reference/$last" "run/$last"
check "the same metrics.jsonl" same_log reference/metrics.jsonl run/metrics.jsonl

stop_at KILL '1,$' reached 7
check "killed after step 7, before the end (status $status)" test "$status" != 0 -a ! -e "run/$last"
cp -r run killed
if train 2 --resume auto; then ok "goes on"; else fail "goes on" out err; fi
check "says from which checkpoint" grep -q '^resumed from .*/run/step-000000' out
check "every byte of the run never stopped" cmp "reference/$last" "run/$last"
rm -rf run && mv killed run
check "Open MPI's ranks go on with what these left" \
  timeout 120 "${open_mpi[@]}" -n 2 "$REFERENCE" train run.yaml --resume auto
check "to every byte as well" cmp "reference/$last" "run/$last"
rm -rf run
if train 3; then ok "40 steps on 3 ranks"; else fail "40 steps on 3 ranks" out err; fi
check "with the bytes of 2" same_state "reference/$last" "run/$last"

# What a scheduler sends, to one rank.
stop_at TERM 2 reached 5
check "TERM to one rank: status 1 (status $status) and one line" sh -c \
  "[ $status = 1 ] && [ \$(grep -c '^imagelora: .*stopped by a signal after step' err) = 1 ]"
# What a launcher does with signals is not the program's: said, not claimed.
for signal in USR1 USR2; do
  begin 2 --set checkpoint.every_steps=1000 --set data.validation=null
  await reached 4 || true
  # Open MPI 5's mpirun becomes prterun.
  kill -"$signal" $({ processes "$job" "$launcher"; processes "$job" prterun; } | head -n 1) 2>/dev/null || true
  end
  case $signal in
    USR1) if [[ $(ls run/step-*.h5 2>/dev/null | wc -l) -ge 2 ]]; then passed_on=yes; else passed_on=no; fi ;;
    USR2) if grep -q '^imagelora: .*stopped by a signal after step' err; then passed_on=yes; else passed_on=no; fi ;;
  esac
  echo "      $signal to $launcher: passed on to the ranks: $passed_on; status $status"
done
stop_at USR2 1 reached 5
check "USR2 to one rank: status 1 (status $status) and one line" sh -c \
  "[ $status = 1 ] && [ \$(grep -c '^imagelora: .*stopped by a signal after step' err) = 1 ]"
train 2 --resume auto
check "after it: every byte of the run never stopped" cmp "reference/$last" "run/$last"

# A rank that is killed, and one that stops for ever: how the launcher's status comes out.
stop_at KILL 2 reached 5
echo "      one rank of two killed: status $status"
check "one rank killed ends the job with a status that is not 0, 64 or 65" sh -c "case $status in 0|64|65) exit 1;; esac"
begin 2 --set logging.stall_limit_seconds=3
await reached 3 || true
stopped=$(processes "$job" imagelora | sort -n | sed -n 2p)
kill -STOP "$stopped" 2>/dev/null || true
end
kill -KILL "$stopped" 2>/dev/null || true
check "one that is stopped for ever ends the job, with status 75 (status $status)" test "$status" = 75
found=0
ranks 2 "$IMAGELORA" train nowhere.yaml >out 2>err || found=$?
check "a run file that is not there: status 65 and one line (status $found)" sh -c \
  "[ $found = 65 ] && [ \$(grep -c '^imagelora: ' err) = 1 ]"

# crossed CLAIM PATTERN COMMAND...: status 64 and one line.
crossed() {
  local claim=$1 pattern=$2 found=0
  shift 2
  rm -rf run
  timeout 120 "$@" train run.yaml >out 2>err || found=$?
  grep '^imagelora: ' err | sed 's/^/      /' || true
  if [[ $found -eq 64 && $(grep -c '^imagelora: ' err) -eq 1 && ! -e run ]] && grep -qE "$pattern" err; then
    ok "$claim"
  else
    fail "$claim (status $found)" out err
  fi
}
if ! grep -q '^Open MPI' <(sed -n 4p version); then
  crossed "a program of Open MPI under this launcher is refused in one line" \
    "started by .*mpi.* \(PMI_SIZE=2\), but built against Open MPI" "${mpirun[@]}" -n 2 "$REFERENCE"
  crossed "this program under Open MPI's mpirun as well" \
    "started by Open MPI's mpirun \(OMPI_COMM_WORLD_SIZE=2\), but built against" "${open_mpi[@]}" -n 2 "$IMAGELORA"
fi
rm -rf run reference
