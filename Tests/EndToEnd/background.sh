# Runs in the background that a part stops: begin N, await PATTERN, signal_ranks NAME, end.

begin() {
  train "$@" &
  job=$!
}

# Waits until a line of the run's output matches; a minute at most.
await() {
  local deadline=$((SECONDS + 60))
  until grep -qE "$1" out 2>/dev/null; do
    if ! kill -0 "$job" 2>/dev/null || [[ $SECONDS -ge $deadline ]]; then
      fail "waiting for: $1" out err
      return
    fi
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

# signal_ranks SIGNAL [WHICH]: to all ranks, or as sed's address says.
signal_ranks() {
  local pids
  pids=$(processes "$job" imagelora | sed -n "${2:-1,\$}p")
  [[ -n $pids ]] || { fail "no rank to send SIG$1 to" out err; return; }
  kill -"$1" $pids
}

# Waits for the run; its exit status in status.
end() {
  status=0
  wait "$job" || status=$?
}
