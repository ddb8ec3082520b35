# A slow rank says what it is computing; where one hangs, rank 0 says that it is waiting; the bytes are those of any
# run.
source "$top/Tests/EndToEnd/background.sh"
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# waited: rank 0 has said so.
waited() { grep -qE '^imagelora: rank 0 of 2 .*waiting for other ranks, for [1-9][0-9]* s' err; }

begin 2 --set logging.stall_timeout_seconds=1
await reached 3 || true
stopped=$(processes "$job" imagelora | sed -n 2p)
kill -STOP $stopped
for attempt in {1..300}; do
  ! waited || break
  sleep 0.1
done
check "rank 0 says how long it has waited for a rank that is stopped" waited
kill -CONT $stopped
end
check "the run goes on to its end (status $status)" test "$status" = 0
check "with the bytes of a run that none stopped" same_state "whole-2/$last" "run/$last"

# Images of the largest size, which no probe has seen: the first steps take longer than a hundredth of a second anywhere.
begin 2 --set logging.stall_timeout_seconds=0.01 --set model.min_pixels=100352 --set adapter.heads.select=all --set training.micro_batch=4
end
check "an example that takes longer than the stall timeout is named" \
  grep -qE '^imagelora: rank [01] of 2 .*computing .*(p[0-9]-q[0-9]|two-[0-9]|text-[0-9]).* of step [0-9]+, for [0-9]+ s' err
rm -rf run
