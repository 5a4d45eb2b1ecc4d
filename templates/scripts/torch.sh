#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a command under torchrun on this node: sh /etc/berth/scripts/torch.sh train.py ARGS...
# Start it on every node. Number of nodes, rank, processes a node and meeting point come from the PET_* variables of the
# environment. It waits until every rank has an address, and says whom it waits for. When one rank dies all are started again
# together: while rank 0 lives torchrun's rendezvous does that, on all nodes; when it was rank 0's pod, the loop below. A pod
# that comes back goes on with what it ran (start.sh: torch.sh --resume), as long as nobody ended it.
#   BERTH_TORCH_WAIT      seconds to wait for the others (900)
#   BERTH_TORCH_RESTARTS  how often all are started again (3)
set -u
# a batch job whose entry is root (job.sh): the variables of the spec are read once that has become the user
user_env=${0%/*}/user-env.sh
# shellcheck source=/dev/null
if [ "${BERTH_TORCH_KEEP:-}" = 0 ] && [ -r "$user_env" ]; then . "$user_env"; fi
kept=$HOME/.berth/torch # the command: one file a word, so that nothing has to be quoted
log=$HOME/.berth/torch.log
child=

say() { printf 'torch.sh: %s\n' "$*" >&2; }

# keep_command WORD...
keep_command() {
    rm -rf "$kept.new"
    mkdir -p "$kept.new" || return 0
    pwd >"$kept.new/folder"
    word_number=0
    for word in "$@"; do
        word_number=$((word_number + 1))
        printf '%s' "$word" >"$kept.new/$word_number"
    done
    rm -rf "$kept"
    mv "$kept.new" "$kept"
}

forget_command() { [ "${BERTH_TORCH_KEEP:-1}" = 0 ] || rm -rf "$kept"; }

# has_address NAME
has_address() {
    if command -v getent >/dev/null; then
        getent hosts "$1" >/dev/null 2>&1
    else
        python3 -c 'import socket, sys; socket.getaddrinfo(sys.argv[1], None)' "$1" 2>/dev/null
    fi
}

# The names of the ranks that have no address yet.
missing() {
    number=0
    while [ "$number" -lt "$PET_NNODES" ]; do
        name=${BERTH_RANKS%%#*}$number${BERTH_RANKS#*#}
        has_address "$name" || printf ' %s' "$name"
        number=$((number + 1))
    done
}

# A pod's name is published some seconds after the pod starts; torchrun would give up at once.
wait_for_all() {
    waited=0
    while absent=$(missing) && [ -n "$absent" ]; do
        if [ "$waited" -ge "${BERTH_TORCH_WAIT:-900}" ]; then
            say "gave up after $waited s: no address for$absent; are these pods running? (berth why)"
            return 1
        fi
        [ $((waited % 10)) -ne 0 ] || say "waits for$absent"
        sleep 2
        waited=$((waited + 2))
    done
}

# RDMA registers the memory that it moves; the limit is the node's to raise, no pod may.
check_locked_memory() {
    [ -n "${BERTH_RDMA:-}" ] || return 0
    # shellcheck disable=SC3045 # where a shell has no such limit to tell, nothing is said
    locked=$(ulimit -l 2>/dev/null || echo unlimited)
    [ "$locked" = unlimited ] || say "only $locked KiB of memory can be locked, $BERTH_RDMA needs more: the node's container runtime must be" \
        "started with LimitMEMLOCK=infinity"
}

# run_once COMMAND...: 0 done, 1 a process of ours failed for good, 2 the meeting point was lost
run_once() {
    host=0
    [ "$PET_NODE_RANK" != 0 ] || host=1
    errors=$(mktemp -d) || return 1
    mkfifo "$errors/pipe" || return 1
    tee "$errors/text" <"$errors/pipe" >&2 &
    tee_pid=$!
    torchrun --rdzv_backend=c10d --rdzv_endpoint="$PET_MASTER_ADDR:$PET_MASTER_PORT" --rdzv_id="$BERTH_ENV" --rdzv_conf="is_host=$host" \
        --max_restarts="${BERTH_TORCH_RESTARTS:-3}" "$@" 2>"$errors/pipe" &
    child=$!
    wait "$child"
    ended=$?
    child=
    wait "$tee_pid"
    outcome=2
    [ "$ended" != 0 ] || outcome=0
    # its own word for: one of the processes here failed, and the restarts are used up
    ! grep -q ChildFailedError "$errors/text" || outcome=1
    rm -rf "$errors"
    return "$outcome"
}

end() {
    trap '' TERM INT
    [ "$1" != forget ] || forget_command
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
    wait
    exit 143
}

if [ "${1:-}" = --resume ]; then
    [ -e "$kept/1" ] || exit 0
    cd "$(cat "$kept/folder")" || exit 1
    shift
    at=1
    while [ -e "$kept/$at" ]; do
        word=$(cat "$kept/$at"; printf x) # or newlines at its end would be lost
        set -- "$@" "${word%x}"
        at=$((at + 1))
    done
    exec >>"$log" 2>&1
    say "goes on with: $*"
fi
[ $# -gt 0 ] || { say 'usage: torch.sh SCRIPT [ARGUMENTS]'; exit 2; }
: "${PET_MASTER_ADDR:?this environment is not distributed}"
command -v torchrun >/dev/null || { say 'no torchrun in this image: choose one with PyTorch'; exit 127; }
trap 'end forget' INT HUP # a person
trap 'end keep' TERM      # the pod
[ "${BERTH_TORCH_KEEP:-1}" = 0 ] || keep_command "$@"
check_locked_memory
left=${BERTH_TORCH_RESTARTS:-3}
while :; do
    wait_for_all || { forget_command; exit 1; }
    say "node $PET_NODE_RANK of $PET_NNODES, $PET_NPROC_PER_NODE processes, meeting at $PET_MASTER_ADDR:$PET_MASTER_PORT"
    run_once "$@"
    case $? in
    0) forget_command; exit 0 ;;
    1) forget_command; exit 1 ;;
    esac
    [ "$left" -gt 0 ] || { say 'the meeting point was lost once too often'; forget_command; exit 1; }
    left=$((left - 1))
    say 'the meeting point was lost: again, together with the others'
    sleep 5
done
