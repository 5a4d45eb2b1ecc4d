#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs lifecycle.checkpointCommand before the pod ends: at a pause, a restart, a drain, the end of a spot machine. What it says
# goes to ~/.berth/checkpoint.log. It has the pod's grace period but for the last 55 s, in which start.sh ends everything.
set -u
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
limit=$((${BERTH_GRACE:-60} - 55))
log=$HOME/.berth/checkpoint.log
[ -n "${BERTH_CHECKPOINT_COMMAND:-}" ] || exit 0
if [ "$(id -u)" = 0 ] && [ -n "${BERTH_UID:-}" ]; then # the command is the user's, like everything but packages
    exec env BERTH_UID= "$(find_own setpriv)" --reuid "$BERTH_UID" --regid "${BERTH_GID:-$BERTH_UID}" --clear-groups "$(own_sh)" "$0"
fi
mkdir -p "$HOME/.berth"
cd "$HOME" || exit 0
exec >>"$log" 2>&1
printf '%s begins, %s s at most\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$limit"
"$(find_tool bash sh)" -c "$BERTH_CHECKPOINT_COMMAND" &
command=$!
(
    trap 'kill "$nap" 2>/dev/null; exit 0' TERM
    sleep "$limit" &
    nap=$!
    wait "$nap"
    echo "still running after $limit s: it is told to end"
    kill -TERM "$command" 2>/dev/null
) &
guard=$!
wait "$command"
ended=$?
kill -TERM "$guard" 2>/dev/null
printf '%s ended with status %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$ended"
# a hook that fails ends the pod all the same
exit 0
