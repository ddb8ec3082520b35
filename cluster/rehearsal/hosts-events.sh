# Runs of the hosts rehearsal, and what is claimed of each event. Sourced by hosts.sh.
# shellcheck shell=bash disable=SC2154

# launch RUN [OPTION...]: a run of four ranks from the first host, in the background.
export LAUNCH_AGENT="ssh -F $work/ssh_config"
export MPI_OPTIONS="--map-by slot --bind-to none --mca btl tcp,self --mca btl_tcp_if_include eth0 \
  --mca oob_tcp_if_include eth0"
launch() {
  run=$1 agains=0
  shift
  on "${FROM:-1}" "$top/cluster/mpirun.sh" hostfile 4 "$run.yaml" "$@" >"$run.out" 2>&1 &
  job=$!
}
# begin RUN: a new run of $steps steps that has saved a checkpoint.
begin() {
  run_file "$1" "$steps"
  sed -i "s/stall_limit_seconds: 10/stall_limit_seconds: ${STALL_LIMIT:-10}/" "$1.yaml"
  launch "$1"
  until_true 240 saved "$1" || fail "$1: a checkpoint within four minutes" "$1.out"
}
# of_script: the process of mpirun.sh.
of_script() { pgrep -f "^/bin/bash $top/cluster/mpirun.sh hostfile 4 $run.yaml" | head -n 1; }
over() { ! kill -0 "$job" 2>/dev/null; }
# ends STATUS [SECONDS]: the script comes to its end with that status.
ends() {
  status=0
  until_true "${2:-240}" over || return 1
  wait "$job" || status=$?
  [[ $status -eq $1 ]]
}
said() { grep -qE "$1" "$run.out"; }
ranks_were() { [[ $(sed -nE 's/^ranks +([0-9]+),.*/\1/p' "$run.out" | tr '\n' ' ') == "$1 " ]]; }
hosts_without_ranks() { test -z "$(pgrep -f "^$IMAGELORA train $run.yaml")"; }

# finishes_the_same HOW RANKS: the run ends with the bytes of one that nothing disturbed; RANKS of each start.
finishes_the_same() {
  if ends 0; then ok "$1: goes on by itself and ends"; else fail "$1: status $status" "$run.out"; fi
  check "$1: starts with $2 ranks" ranks_were "$2"
  check "$1: with the same bytes" same "$run"
}
# again HOW WHY: the script starts the run once more, for that reason.
again() {
  local start=$SECONDS
  agains=$((agains + 1))
  if until_true 120 test_agains &&
    [[ $(grep "starting again" "$run.out" | tail -n 1) =~ ended\ with\ status\ $2 ]]; then
    ok "$1: started again after $((SECONDS - start)) s ($(grep -oE 'ended with status.*' "$run.out" | tail -n 1))"
  else
    fail "$1: started again" "$run.out"
  fi
}
test_agains() { [[ $(grep -c '; starting again$' "$run.out") -ge $agains ]]; }

rehearse_network() {
  local steps=200
  undisturbed "$steps"
  run_file quiet "$steps"
  launch quiet
  finishes_the_same "four hosts" 4
  conditions 10 0.01
  run_file noisy "$steps"
  launch noisy
  finishes_the_same "10 ms from host to host, 1% of packets lost" 4
  conditions 0 0
}

rehearse_slow() {
  local slow
  undisturbed "$steps"
  begin slow
  slow=$(program_processes slow 2)
  # Half of the time it is stopped.
  while kill -STOP "$slow" 2>/dev/null; do sleep 0.05; kill -CONT "$slow" 2>/dev/null || true; sleep 0.05; done &
  finishes_the_same "a host of half the speed" 4
}

rehearse_stopped() {
  local rank
  undisturbed "$steps"
  for rank in 3 0; do
    begin "stopped-$rank"
    signal STOP "$rank"
    again "rank $rank stopped for ever" '75: the ranks did not get on'
    finishes_the_same "rank $rank stopped for ever" '4 4'
  done
  END_SECONDS=10 begin frozen
  # shellcheck disable=SC2046 # a list
  kill -STOP $(processes_on 3)
  again "all processes of a host stopped" '(75|137|205): .*'
  finishes_the_same "all processes of a host stopped" '4 3'
  lose_host 3
  start_host 3
}

rehearse_cut() {
  undisturbed "$steps"
  STALL_LIMIT=0 begin silent
  cut_link 3
  again "a link cut, no stall limit" '205: .*'
  finishes_the_same "a link cut, no stall limit" '4 3'
  mend_link 3

  END_SECONDS=10 begin cut
  cut_link 3
  again "a link cut" '(75|137|205): .*'
  check "a link cut: the host is left out" until_true 30 said "no answer from $network.3: left out"
  until_true 60 has_ranks 3 || fail "a link cut: three ranks" "$run.out"
  sleep 1
  mend_link 3
  signal KILL 2
  again "the link mended and a rank killed" '137: .*'
  finishes_the_same "a link cut and mended" '4 3 4'

  # A rank that is killed meanwhile makes mpirun wait for the daemon that it cannot reach.
  END_SECONDS=10 begin cut-and-killed
  cut_link 4
  signal KILL 1
  again "a link cut, and a rank of another host killed" '(137|205): .*'
  finishes_the_same "a link cut, and a rank of another host killed" '4 3'
  mend_link 4
}
has_ranks() { [[ $(sed -nE 's/^ranks +([0-9]+),.*/\1/p' "$run.out" | tail -n 1) == "$1" ]]; }

rehearse_lost() {
  undisturbed "$steps"
  begin lost
  lose_host 4
  again "a host lost" '(1|75|137|205|255): .*'
  finishes_the_same "a host lost" '4 3'
  run_file absent "$steps"
  launch absent
  finishes_the_same "a host that is not there at the start" 3
  check "a host that is not there at the start: says so" said "no answer from $network.4: left out"
  start_host 4

  begin first
  lose_host 1
  ends 0 60 || true
  check "the first host lost: no rank is left" until_true 60 hosts_without_ranks
  FROM=2 launch first
  check "the first host lost: another one does not take its folder by itself" ends 65
  check "the first host lost: the line says how" said 'is in use by process [0-9]+ on host1 .*--take-over'
  FROM=2 launch first --take-over
  finishes_the_same "the first host lost, --take-over" 3
  start_host 1
}

rehearse_signals() {
  local signal step
  undisturbed "$steps"
  begin signals
  sed -i 's/every_steps: 20,/every_steps: 10000,/' signals.yaml
  for signal in TERM INT HUP USR2; do
    step=$(newest_step signals)
    kill "-$signal" "$(of_script)"
    check "SIG$signal to mpirun.sh: saves, ends with status 1, is not started again" ends 1 60
    check "SIG$signal: a newer checkpoint" test "$(newest_step signals)" -gt "$step"
    launch signals
    until_true 60 said '^ranks' || fail "starts after SIG$signal" signals.out
    sleep 1
  done
  step=$(newest_step signals)
  kill -USR1 "$(of_script)"
  check "SIGUSR1 to mpirun.sh: a checkpoint" until_true 30 saved signals $((step + 1))
  finishes_the_same "after SIGUSR1 the run goes on" 4
}

rehearse_refusals() {
  local count=0
  run_file refused 100
  sed -i 's/rank: 4/rank: none/' refused.yaml
  launch refused
  check "a bad run file: status 65, not started again" ends 65 60
  run_file infinite 100
  sed -i 's/rank: 4/rank: 4, alpha: 1e38/' infinite.yaml
  launch infinite
  check "values that are not finite: status 1, not started again" ends 1 60
  count=$(grep -c '^ranks ' infinite.out)
  check "values that are not finite: one start" test "$count" = 1
}
