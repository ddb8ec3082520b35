#!/usr/bin/env bash
# Rehearses cluster/train.sbatch and cluster/probe.sbatch on a Slurm cluster of two nodes that it starts on this machine
# and stops again: time limits, preemption, lost nodes, killed and stopped ranks, cancelled jobs, limits on starts.
#
#   cluster/rehearsal/slurm.sh [PART...]      IMAGELORA names the program; without it the release build is made
#
# Parts: limit requeue cancel preempt grace ranks nodes refusals limits probe; all of them where none is named, in about
# half an hour. One line a claim, "ok" or "FAIL"; the status is 1 if any failed. "The same bytes" compares all datasets
# of the last checkpoint with those of a run that nothing disturbed.
#
# It needs root, for namespaces, and the packages slurm-wlm munge openmpi-bin hdf5-tools python3. It writes in a folder
# of its own in TMPDIR alone, which it removes (KEEP=1 keeps it), takes ports from REHEARSAL_PORT (17817) on, and
# refuses to run beside another Slurm.
set -euo pipefail
part=slurm
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=cluster/rehearsal/support.sh
source "$top/cluster/rehearsal/support.sh"
need slurmctld slurmctld slurmd slurmd sbatch slurm-client munged munge
source "$top/cluster/rehearsal/slurm-cluster.sh"
source "$top/cluster/rehearsal/slurm-jobs.sh"
trap 'stop_cluster; [[ -n ${KEEP:-} ]] || rm -rf "$work"' EXIT
start_cluster

(($#)) || set -- limit requeue cancel preempt grace ranks nodes refusals limits probe
rehearse "$@"
