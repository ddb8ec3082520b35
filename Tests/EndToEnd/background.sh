# Runs that a part stops: begin, await and end, or all three in stop_at.

# begin N [ARGUMENT...]: a run in the background.
begin() {
  rm -rf run
  : >out
  train "$@" &
  job=$!
}

# Waits until a line of the run's output matches; false if it ends before, or after a minute.
await() {
  local deadline=$((SECONDS + 60))
  until grep -qE "$1" out; do
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

# stop_at PATTERN SIGNAL WHICH: a run on two ranks until a line matches, then the signal to the ranks that sed's address
# picks; its exit status in status. A run that came to its end before the signal did is made once more.
stop_at() {
  local pids attempt
  for attempt in 1 2 3 4 5; do
    begin 2
    await "$1" || true
    pids=$(processes "$job" imagelora | sed -n "$3p")
    [[ -z $pids ]] || kill -"$2" $pids 2>/dev/null || true
    end
    [[ -e run/$last ]] || return 0
  done
  fail "a run stopped by SIG$2 at: $1" out err
}
