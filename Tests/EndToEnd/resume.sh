# A run that was killed goes on as if it had never stopped, on any number of ranks.
source "$top/Tests/EndToEnd/background.sh"
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# resumed N WHAT: --resume auto on N ranks ends with the bytes of the run that nobody stopped.
resumed() {
  if train "$1" --resume auto; then ok "$2: goes on on $1 ranks"; else fail "$2: goes on on $1 ranks" out err; fi
  check "$2: says from which checkpoint" grep -q '^resumed from .*/run/step-000000' out
  check "$2: on $1 ranks the bytes of the run never stopped" same_state "whole-2/$last" "run/$last"
  check "$2: and its metrics.jsonl" same_log whole-2/metrics.jsonl run/metrics.jsonl
}

stop_at KILL '1,$' reached 7
check "killed after step 7, before the end" test "$status" != 0 -a ! -e "run/$last"
check "killed: complete checkpoints are left and nothing else" sh -c \
  'for f in run/step-*.h5; do (cd run && sha256sum --check --status "${f#run/}.sha256") || exit 1; done'
mv run killed
for count in 2 1 3; do
  rm -rf run
  cp -r killed run
  resumed "$count" "killed after step 7"
done
rm -rf run
cp -r killed run
train 2 --resume auto || true
check "killed after step 7: on as many ranks every byte of the last checkpoint" cmp "whole-2/$last" "run/$last"

# Five steps are an epoch: step 10 is the last of one.
stop_at KILL '1,$' test -e run/step-00000010.h5
rm -f run/step-0000001[1-9].h5* run/step-000000[2-4]?.h5*
resumed 3 "killed at the end of an epoch"
check "killed at the end of an epoch: from step 10" test "$(field run/sessions.jsonl -1.after_step)" = 10
rm -rf run

# Hosts are lost and come back: three ranks, one, four.
stop_at_on() {
  rm -f out
  train "$1" --resume auto &
  job=$!
  await reached "$2" || true
  kill -KILL $(processes "$job" imagelora | tail -n 1) 2>/dev/null || true
  end
}
stop_at_on 3 7
stop_at_on 1 21
check "killed on 3 ranks and on 1, before the end" test ! -e "run/$last"
resumed 4 "killed on 3 ranks and on 1"
check "the sessions had 3, 1 and 4 ranks" test "$(column run/sessions.jsonl world_size | tr '\n' ' ')" = "3 1 4 "
rm -rf run
