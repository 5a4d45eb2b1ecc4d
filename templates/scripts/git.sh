#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Cloning without anybody at the keyboard: no prompts, new hosts are accepted and remembered, a changed one is refused.
# Read by `. git.sh` after lib.sh and jobs.sh.
# shellcheck disable=SC2154 # variables of lib.sh and jobs.sh
GIT_TERMINAL_PROMPT=0
GIT_ASKPASS=/bin/false
SSH_ASKPASS=/bin/false
GIT_SSH_COMMAND='ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=20'
# only what a URL in the YAML may be; others, such as ext::, run commands
GIT_ALLOW_PROTOCOL=${BERTH_GIT_PROTOCOLS:-https:http:ssh}
# a connection that stands still for a minute is given up
GIT_HTTP_LOW_SPEED_LIMIT=1000
GIT_HTTP_LOW_SPEED_TIME=60
export GIT_TERMINAL_PROMPT GIT_ASKPASS SSH_ASKPASS GIT_SSH_COMMAND GIT_ALLOW_PROTOCOL GIT_HTTP_LOW_SPEED_LIMIT GIT_HTTP_LOW_SPEED_TIME

git_find() { git=$(find_tool git); }

# git_at FOLDER ARGUMENTS...
git_at() {
    git_folder=$1
    shift
    together "$git" -C "$git_folder" "$@" >>"$log" 2>&1
}

# git_clone URL REF FOLDER: REF is a branch, a tag or a commit; empty: what the remote's HEAD names
git_clone() {
    note "cloning $1 ${2:-HEAD}"
    together "$git" clone --no-checkout -- "$1" "$3" >>"$log" 2>&1 || return 1
    if [ -z "$2" ]; then
        # an empty repository has nothing to check out
        "$git" -C "$3" rev-parse -q --verify HEAD >/dev/null || return 0
        git_at "$3" checkout --force
    elif "$git" -C "$3" rev-parse -q --verify "refs/remotes/origin/$2^{commit}" >/dev/null; then
        git_at "$3" checkout --force -B "$2" --track "refs/remotes/origin/$2"
    elif "$git" -C "$3" rev-parse -q --verify "refs/tags/$2^{commit}" >/dev/null; then
        git_at "$3" checkout --force --detach "refs/tags/$2"
    elif "$git" -C "$3" rev-parse -q --verify "$2^{commit}" >/dev/null; then
        git_at "$3" checkout --force --detach "$2"
    else
        # a commit that no branch holds
        git_at "$3" fetch origin "$2" && git_at "$3" checkout --force --detach FETCH_HEAD
    fi
}
