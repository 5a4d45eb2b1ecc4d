#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The entry of a batch environment (distributed.engine: jobset with a command): job.sh SCRIPT [ARGUMENTS]
# torchrun in front, the tools of start.sh beside it for whoever wants to look; ends with torchrun, and with its status. The
# arguments are those of the spec as they stand there.
set -u
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
job=

# An entry that is root (packages that need it) is so for start.sh; training is the user's.
as_user() {
    if [ "$(id -u)" = 0 ] && [ -n "${BERTH_UID:-}" ]; then
        set -- "$(find_own setpriv)" --reuid "$BERTH_UID" --regid "${BERTH_GID:-$BERTH_UID}" --clear-groups "$@"
    fi
    exec "$@"
}

# shellcheck disable=SC2317 # called by the trap
end() {
    trap '' TERM INT
    # shellcheck disable=SC2086 # empty before it runs
    kill -TERM $job "$tools" 2>/dev/null
    wait
    exit 143
}

trap end TERM INT
"$(own_sh)" "$scripts/start.sh" &
tools=$!
cd "$HOME" || exit 1
(BERTH_TORCH_KEEP=0 as_user "$(own_sh)" "$scripts/torch.sh" "$@") &
job=$!
wait "$job"
ended=$?
trap '' TERM INT
kill -TERM "$tools" 2>/dev/null
wait "$tools"
exit "$ended"
