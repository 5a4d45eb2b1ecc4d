#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Clones the list repositories (path, URL, ref), each once: only where the folder is absent or empty. What is there belongs
# to a person and is never touched. A clone appears by one rename when it is complete; one that was cut off is made again.
set -u
umask 022
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=templates/scripts/jobs.sh
. "$scripts/jobs.sh"
# shellcheck source=templates/scripts/git.sh
. "$scripts/git.sh"
trap end_child TERM INT

# settled PATH: somebody's files are there; a new disk's own folder is nobody's
settled() {
    [ -e "$1" ] || [ -L "$1" ] || return 1
    [ -d "$1" ] || return 0
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        [ -e "$entry" ] || [ -L "$entry" ] || continue
        case ${entry##*/} in lost+found | "$inner") ;; *) return 0 ;; esac
    done
    return 1
}

# into_mount PATH URL REF: the folder is a volume, which cannot be renamed over: the clone is made inside and moved up,
# .git last, so that a clone that is moved half way is seen and moved on
into_mount() {
    if [ ! -e "$1/$inner/.git/berth-complete" ]; then
        rm -rf "${1:?}/$inner"
        git_clone "$2" "$3" "$1/$inner" && : >"$1/$inner/.git/berth-complete" || return 1
    fi
    for entry in "$1/$inner"/* "$1/$inner"/.[!.]* "$1/$inner"/..?*; do
        [ -e "$entry" ] || [ -L "$entry" ] || continue
        [ "${entry##*/}" != .git ] || continue
        [ ! -e "$1/${entry##*/}" ] || { note "$1/${entry##*/} is somebody else's"; return 1; }
        mv "$entry" "$1/" || return 1
    done
    mv "$1/$inner/.git" "$1/.git" && rmdir "$1/$inner" && rm -f "$1/.git/berth-complete"
}

# one PATH URL REF
one() {
    inner=.berth-clone
    # being moved up when we were cut off
    if [ -e "$1/$inner/.git/berth-complete" ]; then into_mount "$@"; return; fi
    if settled "$1"; then return 0; fi
    parent=${1%/*}
    mkdir -p "${parent:-/}" || return 1
    temporary=$parent/.berth-clone.${1##*/}.$host
    if [ -d "$1" ] && ! rmdir "$1" 2>>"$log"; then
        into_mount "$@"
        return
    fi
    rm -rf "$temporary"
    git_clone "$2" "$3" "$temporary" || { rm -rf "$temporary"; return 1; }
    # a folder that was made meanwhile is a person's, and mv would move into it
    if settled "$1"; then rm -rf "$temporary"; return 0; fi
    [ ! -d "$1" ] || rmdir "$1" || return 1
    mv "$temporary" "$1"
}

attempt() {
    failed='' item=0
    while IFS=$tab read -r path url ref; do
        item=$((item + 1))
        [ -n "$url" ] || continue
        status repositories "cloning $item of $total: $path"
        one "$path" "$url" "$ref" </dev/null || failed="$failed $path"
    done <"$lists/repositories"
    [ -z "$failed" ]
}

host=$(hostname 2>/dev/null || uname -n)
while :; do
    was=$(fingerprint repositories)
    total=$(count repositories)
    new_log "$state/repositories.log"
    if ! git_find; then failed=' there is no git in the image or the toolbox'; elif attempt; then break; fi
    note "failed:$failed"
    status repositories "failed:$failed: see ~/.berth/repositories.log, again in $pause s"
    rest "$pause" "$was" repositories || exit 0
    pause_more
done
status repositories "ready: $total"
finished repositories "$was"
