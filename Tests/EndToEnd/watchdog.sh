# A slow rank says what it is computing; where one hangs, another says that it waits and for whom; where it hangs for
# ever, whichever it is, the job ends with status 75. The bytes are those of any run.
source "$top/Tests/EndToEnd/background.sh"
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# waited: rank 0 has said so.
waited() { grep -qE '^imagelora: rank 0 of 2 on .*: waiting in step [0-9]+ for rank 1 on .* so far' err; }

# A run that comes to its end before it is stopped is made once more.
for attempt in 1 2 3 4 5; do
  begin 2 --set logging.stall_timeout_seconds=1
  await reached 3 || true
  stopped=$(processes "$job" imagelora | sort -n | sed -n 2p)
  [[ -z $stopped ]] || kill -STOP $stopped 2>/dev/null || true
  for _ in {1..300}; do
    if waited || ! kill -0 "$job" 2>/dev/null; then break; fi
    sleep 0.1
  done
  found=1
  waited || found=0
  [[ -z $stopped ]] || kill -CONT $stopped 2>/dev/null || true
  end
  [[ $found -eq 0 ]] || break
done
check "rank 0 says which rank it waits for when that rank is stopped" test "$found" = 1
check "the run goes on to its end (status $status)" test "$status" = 0
check "with the bytes of a run that none stopped" same_state "whole-2/$last" "run/$last"

# Images of the largest size, which no probe has seen: the first steps take longer than a hundredth of a second anywhere.
begin 2 --set logging.stall_timeout_seconds=0.01 --set model.min_pixels=100352 --set adapter.heads.select=all --set training.micro_batch=4
end
check "an example that takes longer than the stall timeout is named" \
  grep -qE '^imagelora: rank [01] of 2 .*computing .*(p[0-9]-q[0-9]|two-[0-9]|text-[0-9]).* of step [0-9]+, for [0-9]+ s' err

for rank in 2 0; do
  for attempt in 1 2 3 4 5; do
    begin 3 --set logging.stall_limit_seconds=3
    await reached 3 || true
    stopped=$(processes "$job" imagelora | sort -n | sed -n "$((rank + 1))p")
    [[ -z $stopped ]] || kill -STOP $stopped 2>/dev/null || true
    start=$SECONDS
    end
    [[ $status -eq 0 ]] || break
  done
  check "rank $rank of 3 stopped for ever ends the job (status $status, $((SECONDS - start)) s)" test "$status" = 75
  check "in good time" test $((SECONDS - start)) -lt 20
  for other in 0 1 2; do
    [[ $other != "$rank" ]] || continue
    check "rank $other names rank $rank" \
      grep -qE "^imagelora: rank $other of 3 on .*: no progress for [0-9]+ s: .*rank $rank on .*not heard from" err
  done
  check "no process and no file of heartbeats is left" test -z "$(find . -name '.imagelora-heartbeats*'; pgrep -f "$IMAGELORA train" || true)"
done
train 2 --resume auto
check "the next start goes on to the end" same_state "whole-2/$last" "run/$last"

begin 2 --set logging.stall_limit_seconds=2 --set logging.stall_timeout_seconds=1
await reached 3 || true
stopped=$(processes "$job" imagelora)
kill -STOP $stopped
sleep 4
kill -CONT $stopped
end
check "a job that was suspended as a whole for longer than the limit goes on (status $status)" test "$status" = 0
rm -rf run
