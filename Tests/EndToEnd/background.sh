# Runs that a part stops: begin, await and end, or all three in stop_at.

# begin N [ARGUMENT...]: a run in the background.
begin() {
  rm -rf run
  : >out
  train "$@" &
  job=$!
}

# reached STEP: the run has made that step, as its metrics.jsonl says.
reached() { grep -q "\"step\":$1[,}]" run/metrics.jsonl 2>/dev/null; }

# await COMMAND...: waits until the command succeeds; false if the run ends before, or after a minute.
await() {
  local deadline=$((SECONDS + 60))
  until "$@"; do
    kill -0 "$job" 2>/dev/null && [[ $SECONDS -lt $deadline ]] || return
    sleep 0.01
  done
}

# processes PID NAME: its descendants of that name.
processes() {
  local child
  for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
    [[ $(cat /proc/"$child"/comm 2>/dev/null) != "$2" ]] || echo "$child"
    processes "$child" "$2"
  done
}

# Waits for the run; its exit status in status.
end() {
  status=0
  wait "$job" || status=$?
}

# stop_at SIGNAL WHICH COMMAND...: a run on two ranks until the command succeeds, then the signal to the ranks that
# sed's address picks; its exit status in status. A run that came to its end before the signal did is made once more.
stop_at() {
  local pids attempt signal=$1 which=$2
  shift 2
  for attempt in 1 2 3 4 5; do
    begin 2
    await "$@" || true
    pids=$(processes "$job" imagelora | sed -n "${which}p")
    [[ -z $pids ]] || kill -"$signal" $pids 2>/dev/null || true
    end
    [[ -e run/$last ]] || return 0
  done
  fail "a run stopped by SIG$signal at: $*" out err
}
