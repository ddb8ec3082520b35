# Pretend hosts on one machine, joined by a switch: each has a network, a host name, processes, shared memory and an ssh
# server of its own. Sourced by hosts.sh; $work is its folder.
# shellcheck shell=bash disable=SC2154

prefix=imagelora-rehearsal
network=${REHEARSAL_NETWORK:-10.77.87}
processes=$work/hosts # a file for each host with its first process

refuse_others() {
  if ip netns list | grep -q "^$prefix-"; then
    echo "hosts.sh: namespaces $prefix-* exist; wait for the other rehearsal, or remove them: ip netns delete NAME" >&2
    exit 77
  fi
}

# start_network: the switch and four hosts; `hostfile` lists them.
start_network() {
  mkdir "$processes"
  ssh-keygen -q -t ed25519 -N '' -f "$work/key"
  cp "$work/key.pub" "$work/authorized_keys"
  cat >"$work/sshd_config" <<CONF
HostKey $work/key
AuthorizedKeysFile $work/authorized_keys
PidFile none
UsePAM no
StrictModes no
MaxStartups 100
PermitRootLogin prohibit-password
CONF
  cat >"$work/ssh_config" <<CONF
IdentityFile $work/key
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
BatchMode yes
ConnectTimeout 5
CONF
  echo "0 0 0" >"$work/conditions"
  "$top/cluster/rehearsal/switch.py" "$work/conditions" >"$work/switch.out" 2>&1 &
  switch=$!
  disown
  until_true 10 grep -qs ready "$work/switch.out"
  local host
  for host in 1 2 3 4; do
    start_host "$host"
    echo "$network.$host slots=1" >>"$work/hostfile"
  done
}
# conditions DELAY LOSS [SPREAD]: of the network from now on; see switch.py.
conditions() {
  { echo "$1 $2 ${3:-0.5}" && ip netns list | grep -o "^$prefix-[^ ]*"; } >"$work/conditions.new"
  mv "$work/conditions.new" "$work/conditions"
  kill -HUP "$switch"
}
# start_host N: its address is $network.N, its name hostN.
start_host() {
  local name=$prefix-$1 unshared
  ip netns add "$name"
  conditions 0 0
  until_true 10 ip -n "$name" link show dev eth0 >/dev/null 2>&1
  # A host that comes back has the address that the others remember.
  ip -n "$name" link set eth0 address "02:00:00:00:00:0$1"
  ip -n "$name" addr add "$network.$1/24" dev eth0
  ip -n "$name" link set lo up
  ip -n "$name" link set eth0 up
  # The first process stays, and takes its dead children away.
  ip netns exec "$name" unshare --uts --ipc --pid --mount --mount-proc --fork --kill-child bash -c "
    hostname host$1
    mount -t tmpfs tmpfs /dev/shm
    mount -t tmpfs tmpfs /run
    mkdir /run/sshd
    /usr/sbin/sshd -f '$work/sshd_config'
    while true; do sleep 60 & wait; done" >"$work/host$1.out" 2>&1 &
  unshared=$!
  disown
  until_true 10 pgrep -P "$unshared" >/dev/null
  pgrep -P "$unshared" >"$processes/$network.$1"
  until_true 10 reached "$1"
}
reached() { on "$1" ssh -F "$work/ssh_config" "$network.$1" true; }
# The host is gone at once, with all of its processes and its link.
lose_host() {
  kill -KILL "$(<"$processes/$network.$1")"
  ip netns delete "$prefix-$1"
  conditions 0 0
}
cut_link() { ip -n "$prefix-$1" link set eth0 down; }
mend_link() { ip -n "$prefix-$1" link set eth0 up; }
# on N COMMAND...: the command on a host.
on() {
  local process
  process=$(<"$processes/$network.$1")
  shift
  nsenter --target "$process" --pid --uts --ipc --net --mount --wd="$PWD" "$@"
}
# Processes of a host, but for the first.
processes_on() {
  local first host
  first=$(<"$processes/$network.$1")
  host=$(readlink "/proc/$first/ns/pid")
  for process in /proc/[0-9]*; do
    if [[ $process != "/proc/$first" && $(readlink "$process/ns/pid") == "$host" ]]; then echo "${process#/proc/}"; fi
  done
}

stop_network() {
  kill "$switch" 2>/dev/null || true
  local file name
  for file in "$processes"/*; do [[ ! -s $file ]] || kill -KILL "$(<"$file")" 2>/dev/null || true; done
  for name in $(ip netns list | grep -o "^$prefix-[^ ]*"); do ip netns delete "$name"; done
}
