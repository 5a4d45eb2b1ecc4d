#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Keeps the newest checkpoints (the list checkpoints: how many, path) and deletes older ones. follow.sh runs it every five
# minutes. A checkpoint is a file or folder directly in the path whose name begins with checkpoint, ckpt, step, epoch, iter
# or global_step and has a digit in it: so `best`, `last.ckpt` and `checkpoint_final` stay for ever. Never deleted: what has
# changed within the last hour, also inside, and what a link beside it (latest -> step_900) leads to. On node 0 alone.
set -u
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=templates/scripts/jobs.sh
. "$scripts/jobs.sh"

# shellcheck disable=SC2012 # by time; a name with a newline gives lines that are no checkpoint, and stays
newest_first() {
    set --
    for entry in ./checkpoint*[0-9]* ./ckpt*[0-9]* ./step*[0-9]* ./epoch*[0-9]* ./iter*[0-9]* ./global_step*[0-9]*; do
        if [ ! -e "$entry" ] || [ -L "$entry" ]; then continue; fi
        set -- "$@" "$entry"
    done
    [ $# = 0 ] || ls -dt -- "$@"
}

[ "${NODE_RANK:-0}" = 0 ] || exit 0
IFS=$tab read -r keep path <"$lists/checkpoints" || exit 0
case $keep in '' | 0 | *[!0-9]*) exit 0 ;; esac
cd "$path" || { status checkpoints "failed: no folder $path"; exit 1; }
log=$state/checkpoints.log
[ "$(log_lines 2>/dev/null || echo 0)" -lt 10000 ] || mv "$log" "$log.before"
seen=0
newest_first | {
    set -- # the links of this folder, looked for once
    for link in ./* ./.[!.]*; do
        [ ! -L "$link" ] || set -- "$@" "$link"
    done
    while IFS= read -r entry; do
        [ -e "$entry" ] || continue
        seen=$((seen + 1))
        [ "$seen" -gt "$keep" ] || continue
        [ -z "$(find "$entry" -mmin -60 -print 2>&1 | head -n 1)" ] || continue
        linked=
        for link in "$@"; do
            # shellcheck disable=SC3013 # dash, bash and busybox know -ef
            [ ! "$link" -ef "$entry" ] || linked=$link
        done
        [ -z "$linked" ] || continue
        note "deleting $path/${entry#./}"
        rm -rf -- "$entry" 2>>"$log"
    done
}
status checkpoints "keeping the newest $keep in $path"
