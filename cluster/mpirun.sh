#!/bin/bash
# Trains on several hosts without a batch system. Usage: mpirun.sh HOSTFILE RANKS RUN.yaml [train's options]
# HOSTFILE has a line "name slots=CORES" for each host. ssh must work between them without a password.
set -euo pipefail
if (($# < 3)); then sed -n 2,3p "$0" >&2; exit 64; fi
hostfile=$1 ranks=$2; shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
imagelora=${IMAGELORA:-$here/.build/release/imagelora}
exec mpirun -n "$ranks" --hostfile "$hostfile" --map-by core --bind-to core "$imagelora" train "$@" --resume auto
