#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Follows the lists of the environment and starts what they ask for, beside readiness: packages.sh, repositories.sh,
# dotfiles.sh and datasets.sh once for each content of their lists, checkpoints.sh every five minutes. Started by start.sh.
# A change of a list in git reaches the mounted ConfigMap within a minute or two and is taken up here without a restart.
set -u
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=templates/scripts/jobs.sh
. "$scripts/jobs.sh"
cleaning=${BERTH_CLEANING:-300}

# shellcheck disable=SC2031 # the child of this shell
stop_jobs() {
    trap '' TERM INT
    for file in "$run"/jobs/*.pid; do
        [ ! -r "$file" ] || kill "$(cat "$file")" 2>/dev/null
    done
    [ -z "$child" ] || kill "$child" 2>/dev/null
    wait
    exit 0
}

running() { [ -r "$run/jobs/$1.pid" ] && read -r pid <"$run/jobs/$1.pid" && kill -0 "$pid" 2>/dev/null; }

begin() {
    "$(own_sh)" "$scripts/$1.sh" &
    printf '%s\n' "$!" >"$run/jobs/$1.pid"
}

# job NAME LIST...: runs unless it is running, or has finished with what the lists are now
job() {
    name=$1 wanted=
    shift
    # most environments have few lists, and this is every 10 s in each of them
    for list in "$@"; do [ ! -s "$lists/$list" ] || wanted=1; done
    if [ -z "$wanted" ] || running "$name"; then return 0; fi
    [ "$(cat "$run/jobs/$name" 2>/dev/null)" = "$(fingerprint "$@")" ] || begin "$name"
}

command -v sleep >/dev/null || { say 'no sleep in the image or the toolbox: lists are not followed'; exit 1; }
trap stop_jobs TERM INT
rm -rf "$run/jobs"
mkdir -p "$run/jobs" "$state" || exit 1
since=$cleaning
while :; do
    job repositories repositories
    job dotfiles dotfiles
    job packages packages.conda packages.pip
    job datasets datasets
    since=$((since + every))
    if [ "$since" -ge "$cleaning" ] && [ -f "$lists/checkpoints" ] && ! running checkpoints; then
        since=0
        begin checkpoints
    fi
    together sleep "$every"
done
