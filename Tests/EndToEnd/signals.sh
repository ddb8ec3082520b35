# What a batch system sends: SIGTERM saves and ends, SIGUSR1 saves and goes on, whichever rank it reaches.
source "$top/Tests/EndToEnd/background.sh"
declare -F resumed >/dev/null || source "$top/Tests/EndToEnd/resume.sh"

# Both an odd and an even step: a validation is due at even ones.
for step in 5 8; do
  stop_at "^step $step/40" TERM 2
  check "SIGTERM to one rank: status 1" test "$status" = 1
  check "SIGTERM: one line says where it stopped" test \
    "$(grep -c '^imagelora: stopped by a signal after step' err)" = 1
  stopped=$(sed -nE 's/.*after step ([0-9]+);.*/\1/p' err)
  check "SIGTERM: the step it stopped after (${stopped:-none}) is saved" \
    grep -q "^saved .*step-0*${stopped:-none}.h5" out
  resumed 2 "SIGTERM after step ${stopped:-none}"
  check "SIGTERM: every byte of the last checkpoint of the run never stopped" cmp "whole-2/$last" "run/$last"
done

# mpirun passes SIGUSR1 on; ranks that notice it at different steps save one checkpoint each.
for attempt in 1 2 3 4 5; do
  begin 2 --set checkpoint.every_steps=1000 --set data.validation=null
  await '^step 4/40' || true
  kill -USR1 $(processes "$job" mpirun | head -1) 2>/dev/null || true
  end
  [[ $(ls run/step-*.h5 | wc -l) -lt 2 ]] || break
done
check "SIGUSR1: the run goes on to its end" test "$status" = 0 -a -e "run/$last"
check "SIGUSR1: a checkpoint besides the last" test "$(ls run/step-*.h5 | wc -l)" -ge 2
check "SIGUSR1: the bytes of a run without" same_state "whole-2/$last" "run/$last"
rm -rf run
