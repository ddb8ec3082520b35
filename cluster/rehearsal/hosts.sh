#!/usr/bin/env bash
# Rehearses cluster/mpirun.sh on four pretend hosts of this machine, with ranks over TCP: delay and loss of packets, a
# slow host, stopped ranks and hosts, links that are cut, hosts that are lost and come back, signals.
#
#   cluster/rehearsal/hosts.sh [PART...]      IMAGELORA names the program; without it the release build is made
#
# Parts: network slow stopped cut lost signals refusals; all of them where none is named, in about 20 minutes. One line
# a claim, "ok" or "FAIL"; the status is 1 if any failed. "The same bytes" compares all datasets of the last checkpoint
# with those of a run that nothing disturbed.
#
# It needs root, for namespaces, and the packages iproute2 openssh-server openmpi-bin hdf5-tools python3. It writes in a
# folder of its own in TMPDIR alone, which it removes (KEEP=1 keeps it). Its network namespaces are named
# imagelora-rehearsal-*; their addresses, REHEARSAL_NETWORK.1 to .4 (10.77.87), are seen there alone.
set -euo pipefail
part=hosts
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=cluster/rehearsal/support.sh
source "$top/cluster/rehearsal/support.sh"
need sshd openssh-server ssh openssh-client
source "$top/cluster/rehearsal/hosts-network.sh"
source "$top/cluster/rehearsal/hosts-events.sh"
refuse_others
trap 'stop_network; [[ -n ${KEEP:-} ]] || rm -rf "$work"' EXIT
start_network

(($#)) || set -- network slow stopped cut lost signals refusals
rehearse "$@"
