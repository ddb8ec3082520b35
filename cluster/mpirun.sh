#!/bin/bash
# Trains on several hosts without a batch system, and starts again on the hosts that are left when one is lost.
# Usage: mpirun.sh HOSTFILE RANKS RUN.yaml [train's options]
# HOSTFILE has a line "name slots=CORES" for each host; start it on one of them. ssh must work between them without a
# password. Where fewer slots are left than RANKS, there are as many ranks as slots; the bytes are the same.
#   kill -USR1 PID (of mpirun.sh)   saves and goes on;  -USR2, -TERM, -INT, -HUP: save and end; a second one kills
# Variables: IMAGELORA, the program; MPI_OPTIONS, how mpirun places ranks, and its other options; LAUNCH_AGENT, in place
# of ssh; MAX_STARTS (100); MAX_IDLE_STARTS (3), starts in a row that leave no new checkpoint.
set -euo pipefail
if (($# < 3)); then sed -n 3,9p "$0" >&2; exit 64; fi
hostfile=$1 wanted=$2 run=$3; shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
imagelora=${IMAGELORA:-$here/.build/release/imagelora}
read -ra options <<<"${MPI_OPTIONS:---map-by slot --bind-to core}"
read -ra agent <<<"${LAUNCH_AGENT:-ssh -o BatchMode=yes -o ConnectTimeout=10}"
end_seconds=${END_SECONDS:-60} # for mpirun to end, once no rank lives on this host
say() { echo "mpirun.sh: $*" >&2; }
if ! [[ $wanted =~ ^[1-9][0-9]*$ ]]; then say "$wanted ranks: give a whole number above 0"; exit 64; fi
if ! [[ -r $hostfile ]]; then
  say "$hostfile: cannot be read; give a file with a line \"name slots=CORES\" for each host"
  exit 65
fi

# newest: the checkpoint from which --resume auto goes on; nothing where there is none.
settings=()
for ((i = 2; i <= $#; i++)); do
  case ${!i} in
    --set) i=$((i + 1)) && settings+=(--set "${!i-}") ;;
    --set=*) settings+=("${!i}") ;;
  esac
done
newest() { "$imagelora" inspect "$run" "${settings[@]}" --newest; }

# answering: the lines of HOSTFILE whose hosts answer within 20 seconds, into $left, and their slots into $slots.
here_is=" localhost $(hostname) $(hostname -s) $(hostname -I 2>/dev/null || true) "
answers() { [[ $here_is == *" $1 "* ]] || timeout 20 "${agent[@]}" "$1" true </dev/null >/dev/null 2>&1; }
answering() {
  local host rest number=0 checks=() lines=()
  while read -r host rest; do
    if [[ -z $host || $host == '#'* ]]; then continue; fi
    lines+=("$host $rest")
    answers "$host" &
    checks+=($!)
  done <"$hostfile"
  slots=0 lost=()
  : >"$left"
  for host in "${lines[@]}"; do
    if wait "${checks[number++]}"; then
      echo "$host" >>"$left"
      if [[ $host =~ slots=([0-9]+) ]]; then slots=$((slots + BASH_REMATCH[1])); else slots=$((slots + 1)); fi
    else
      lost+=("${host%% *}")
    fi
  done
}

# Whether ranks of this start live on this host.
live() {
  local files
  files=$(grep -lsz '^OMPI_COMM_WORLD_RANK=' /proc/[0-9]*/environ) || true
  # shellcheck disable=SC2086 # a list
  [[ -n $files ]] && grep -qszx "IMAGELORA_START=$$-$starts" $files
}

left=$(mktemp)
trap 'rm -f "$left"' EXIT
ranks='' ended=''
pass() { if [[ -n $ranks ]]; then kill -"$1" "$ranks" 2>/dev/null || true; fi; }
end() {
  if [[ -z $ranks ]]; then exit 1; fi
  if [[ -n $ended ]]; then pass KILL; else pass USR2; fi
  ended=1
}
trap 'pass USR1' USR1
trap end USR2 TERM INT HUP

starts=0 idle=0 take_over=()
before=$(newest)
answering
while true; do
  if [[ ${#lost[@]} -gt 0 ]]; then say "no answer from ${lost[*]}: left out"; fi
  if ((slots == 0)); then say "no host of $hostfile answers; see whether \"${agent[*]} HOST true\" works"; exit 1; fi
  starts=$((starts + 1)) hosts=$(<"$left")
  # mpirun must not see TERM and INT, which may reach the ranks of this host as well: the ranks save and end, and would
  # be killed a moment later. A host that no longer answers is given up after half a minute, not after eight.
  env --block-signal=TERM --block-signal=INT mpirun -n $((wanted < slots ? wanted : slots)) --hostfile "$left" \
    "${options[@]}" --mca plm_rsh_agent "${agent[*]}" -x "IMAGELORA_START=$$-$starts" \
    --mca oob_tcp_keepalive_time 15 --mca oob_tcp_keepalive_intvl 5 --mca oob_tcp_keepalive_probes 3 \
    "$imagelora" train "$@" --resume auto "${take_over[@]}" &
  ranks=$!
  # mpirun would wait for ever for a daemon on a host that is gone, also after every other rank has ended.
  end_by='' turns=0
  while kill -0 "$ranks" 2>/dev/null; do
    sleep 1 & wait $! || true
    if ((++turns % 5 == 0)) && live; then end_by=$((SECONDS + end_seconds)); fi
    if [[ -n $end_by ]] && ((SECONDS > end_by)); then
      say "mpirun goes on without ranks on this host: killed"
      pass KILL
      end_by=
    fi
  done
  status=0
  wait "$ranks" 2>/dev/null || status=$?
  ranks=

  if [[ -n $ended || $status == 0 || $status == 64 || $status == 65 ]]; then exit "$status"; fi
  answering
  why=
  if ((status > 128)); then why="a rank or a host was lost"; fi
  if ((status == 75)); then why="the ranks did not get on"; fi
  # A rank may notice the loss of another one's host before mpirun does, as an error of MPI.
  if [[ $(<"$left") != "$hosts" ]]; then why="other hosts answer than before"; fi
  if [[ -z $why ]]; then exit "$status"; fi
  after=$(newest) idle=$((idle + 1)) limit=
  if [[ $after != "$before" ]]; then idle=0; fi
  before=$after
  if ((starts >= ${MAX_STARTS:-100})); then limit="$starts starts (MAX_STARTS)"; fi
  if ((idle >= ${MAX_IDLE_STARTS:-3})); then limit="$idle starts without a new checkpoint (MAX_IDLE_STARTS)"; fi
  if [[ -n $limit ]]; then
    say "not started again after $limit; find the cause above, then give the same command to continue"
    exit "$status"
  fi
  say "start $starts ended with status $status: $why; starting again"
  # The start that held the folder is over; its host, if it was lost, cannot say so.
  take_over=(--take-over)
done
