# A Slurm cluster of two nodes on one machine, in a folder of its own. Sourced by slurm.sh; $work is the folder.
# shellcheck shell=bash disable=SC2154
#
# Every node is a slurmd with its own host name, processes and shared memory (namespaces), so that it can be lost as a
# whole. Daemons listen on ports of their own, munge has a key of its own, and nothing outside of $work is written.

nodes=(rehearsal1 rehearsal2)
declare -A node_process
port=${REHEARSAL_PORT:-17817}
export SLURM_CONF=$work/slurm.conf

refuse_other_cluster() {
  local process
  for process in $(pgrep -x slurmctld || true) $(pgrep -x slurmd || true); do
    echo "slurm.sh: $(tr '\0' ' ' <"/proc/$process/cmdline")runs here; rehearse on another machine" >&2
    exit 77
  done
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "slurm.sh: port $port is taken; name another one in REHEARSAL_PORT" >&2
    exit 77
  fi
}

write_configuration() {
  local host
  host=$(hostname -s)
  mkdir -p "$work/state"
  cat >"$SLURM_CONF" <<CONF
ClusterName=rehearsal
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CommunicationParameters=NoAddrCache
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool-%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
JobRequeue=1
KillWait=15
MinJobAge=7200
SlurmdTimeout=10
SlurmdParameters=config_overrides
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_interval=2,sched_interval=2
NodeName=${nodes[0]} NodeHostname=${nodes[0]} NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=4 State=UNKNOWN
NodeName=${nodes[1]} NodeHostname=${nodes[1]} NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=4 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1
PartitionName=grace Nodes=ALL MaxTime=INFINITE PriorityTier=1 GraceTime=20
PartitionName=high Nodes=ALL MaxTime=INFINITE PriorityTier=2 PreemptMode=OFF
CONF
}

start_node() {
  mkdir -p "$work/spool-$1"
  unshare --uts --ipc --pid --mount --mount-proc --fork --kill-child bash -c \
    "hostname $1 && mount -t tmpfs tmpfs /dev/shm && exec slurmd -D -f '$SLURM_CONF' -N $1" >"$work/$1.out" 2>&1 &
  node_process[$1]=$!
  disown
}
# The node is gone at once, with all of its processes.
lose_node() { kill -KILL "${node_process[$1]}"; }
node_state() { sinfo --noheader --nodes "$1" --partition low --format %T; }
is_idle() { [[ $(node_state "$1") == idle ]]; }

start_cluster() {
  local node
  refuse_other_cluster
  write_configuration
  (umask 077 && head -c 128 /dev/urandom >"$work/munge.key")
  munged --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munged.pid" \
    --log-file="$work/munged.log" --seed-file="$work/munged.seed"
  slurmctld -f "$SLURM_CONF"
  for node in "${nodes[@]}"; do start_node "$node"; done
  for node in "${nodes[@]}"; do
    if ! until_true 30 is_idle "$node"; then
      tail -n 5 "$work"/slurm*.log >&2
      echo "slurm.sh: Slurm does not start" >&2
      exit 1
    fi
  done
}

stop_cluster() {
  local node file
  for node in "${!node_process[@]}"; do kill -KILL "${node_process[$node]}" 2>/dev/null || true; done
  for file in slurmctld munged; do
    if [[ -s $work/$file.pid ]]; then kill "$(<"$work/$file.pid")" 2>/dev/null || true; fi
  done
  for file in slurmctld munged; do until_true 10 sh -c "! pgrep -F '$work/$file.pid' >/dev/null 2>&1" || true; done
}
