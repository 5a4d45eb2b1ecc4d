#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a command under torchrun on this node: sh /etc/berth/scripts/torch.sh train.py ARGS...
# Number of nodes, rank, processes a node and meeting point come from the PET_* variables of the environment. Start it
# on every node; rank 0 is waited for.
set -eu
[ $# -gt 0 ] || { echo "usage: torch.sh SCRIPT [ARGUMENTS]" >&2; exit 2; }
: "${PET_MASTER_ADDR:?this environment is not distributed}"

# A pod's name is published some seconds after the pod starts; torchrun would give up at once.
tries=60
while ! getent hosts "$PET_MASTER_ADDR" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "torch.sh: $PET_MASTER_ADDR has no address" >&2; exit 1; }
    sleep 2
done
echo "torch.sh: node ${PET_NODE_RANK} of ${PET_NNODES}, ${PET_NPROC_PER_NODE} processes, meeting at $PET_MASTER_ADDR:$PET_MASTER_PORT" >&2
exec torchrun "$@"
