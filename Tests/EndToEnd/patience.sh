# Ranks that take long say on what; where one hangs whole, rank 0 says that it waits; the numbers are those of any run.
source "$top/Tests/EndToEnd/background.sh"
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# waited: rank 0 has said so.
waited() { grep -qE '^imagelora: rank 0 of 2 on [^ ]+: waiting for other ranks, for [1-9][0-9]* s so far$' err; }

begin 2 --set logging.patience_seconds=1
await '^step 3/40' || true
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
check "with the numbers of a run without, byte for byte" same_state "whole-2/$last" "run/$last"

# Pictures of the largest size, which no probe has seen: the first steps take longer than a hundredth of a second anywhere.
begin 2 --set logging.patience_seconds=0.01 --set model.min_pixels=100352 --set adapter.heads.select=all --set training.micro_batch=4
end
check "a row that takes longer than the patience is named" \
  grep -qE '^imagelora: rank [01] of 2 on [^ ]+: computing example [^ ]+( and [0-9]+ more)? of step [0-9]+, for [0-9]+ s so far$' err
rm -rf run
