#!/usr/bin/env bash
# Holds the model of `imagelora plan --reach` against pretend hosts of this machine with imposed delay.
#
#   cluster/rehearsal/reach.sh
#
# BENCHMARKS names the program benchmarks; the release build is made where it is not given.
#
# First the bandwidth between two hosts and the latency of 2, 3 and 4 are measured without delay. Then the all-reduce of
# several payloads is timed on as many hosts with several delays, and compared with what the model makes of that
# latency, the delay and that bandwidth. One line a claim; the status is 1 if any time is not within a factor of 1.5 of
# its prediction.
#
# It needs what hosts.sh needs, and a machine on which nothing else runs. Ranks that wait give up their core, since the
# hosts share the machine's.
set -euo pipefail
part=reach
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=cluster/rehearsal/support.sh
source "$top/cluster/rehearsal/support.sh"
need sshd openssh-server ssh openssh-client
# shellcheck source=cluster/rehearsal/hosts-network.sh
source "$top/cluster/rehearsal/hosts-network.sh"
if [[ -z ${BENCHMARKS:-} ]]; then
  (cd "$top" && swift build -c release --product benchmarks)
  BENCHMARKS=$(cd "$top" && swift build -c release --show-bin-path)/benchmarks
fi
BENCHMARKS=$(realpath "$BENCHMARKS")
refuse_others
trap 'stop_network; rm -rf "$work"' EXIT
start_network

# allreduce HOSTS [OPTION...]: the table of `benchmarks allreduce` on so many hosts, in the file table.
allreduce() {
  local count=$1
  shift
  on 1 timeout 300 mpirun -n "$count" --hostfile hostfile --map-by slot --bind-to none --mca btl tcp,self \
    --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 --mca plm_rsh_agent "ssh -F $work/ssh_config" \
    --mca mpi_yield_when_idle 1 "$BENCHMARKS" allreduce "$@" >table 2>errors ||
    { fail "an all-reduce on $count hosts" table errors; finish; }
}
# cell BYTES COLUMN: of the table.
cell() { awk -F'|' -v bytes="$1" -v column="$2" '$2 + 0 == bytes { gsub(/ +/, " ", $column); print $column }' table; }
# seconds BYTES: the median of that payload.
seconds() { cell "$1" 5 | awk '{ print $2 == "ms" ? $1 / 1000 : $1 }'; }
# near RATIO: within a factor of 1.5 of 1.
near() { awk -v ratio="$1" 'BEGIN { exit !(ratio > 1 / 1.5 && ratio < 1.5) }'; }

allreduce 2 --bytes 4000000
gigabits=$(seconds 4000000 | awk '{ print 4e6 * 8 / $1 / 1e9 }')
# Hosts share the machine's cores: the more there are, the longer a message takes. Rounds of 1 KB: 1, 3 and 2.
declare -A latency
for count in 2 3 4; do
  allreduce "$count" --bytes 1024
  latency[$count]=$(seconds 1024 | awk -v rounds="$(cut -d ' ' -f "$count" <<<"0 1 3 2")" '{ print $1 * 1e6 / rounds }')
  echo "without delay, $count hosts: ${latency[$count]} us, $gigabits Gbit/s"
done
for delay in 2 5 20; do
  conditions "$delay" 0 0
  for count in 2 3 4; do
    one_way=$(awk -v base="${latency[$count]}" -v delay="$delay" 'BEGIN { print base + 1000 * delay }')
    allreduce "$count" --bytes 1024 32768 400000 --latency-us "$one_way" --gigabits "$gigabits"
    for bytes in 1024 32768 400000; do
      check "$count hosts, $delay ms, $bytes bytes:$(cell "$bytes" 5)measured,$(cell "$bytes" 8)predicted" \
        near "$(cell "$bytes" 9)"
    done
  done
done
finish
