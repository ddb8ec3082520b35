# What a batch system sends: SIGTERM saves and ends, SIGUSR1 saves and goes on, whichever rank it reaches.
source "$top/Tests/EndToEnd/background.sh"
declare -F resumed >/dev/null || source "$top/Tests/EndToEnd/resume.sh"

# Both an odd and an even step: a validation is due at even ones.
for step in 5 8; do
  stop_at TERM 2 reached "$step"
  check "SIGTERM to one rank: status 1" test "$status" = 1
  stopped=$(basename "$(ls run/step-*.h5 | tail -n 1)" .h5) # the newest checkpoint
  stopped=$((10#${stopped#step-}))
  check "SIGTERM: the run stopped after its last step, which is saved (step $stopped)" \
    test "$stopped" -ge "$step" -a "$(column run/metrics.jsonl step | tail -n 1)" = "$stopped"
  check "SIGTERM: one line says so" sh -c \
    "test \$(grep -c '^imagelora: ' err) = 1 && grep -q '^imagelora: .*signal.*step $stopped\\b' err"
  resumed 2 "SIGTERM after step $stopped"
  check "SIGTERM: every byte of the last checkpoint of the run never stopped" cmp "whole-2/$last" "run/$last"
done

# mpirun passes SIGUSR1 on; ranks that notice it at different steps save one checkpoint each.
for attempt in 1 2 3 4 5; do
  begin 2 --set checkpoint.every_steps=1000 --set data.validation=null
  await reached 4 || true
  kill -USR1 $(processes "$job" mpirun | head -1) 2>/dev/null || true
  end
  [[ $(ls run/step-*.h5 | wc -l) -lt 2 ]] || break
done
check "SIGUSR1: the run goes on to its end" test "$status" = 0 -a -e "run/$last"
check "SIGUSR1: a checkpoint in addition to the last" test "$(ls run/step-*.h5 | wc -l)" -ge 2
check "SIGUSR1: the bytes of a run without" same_state "whole-2/$last" "run/$last"
rm -rf run
