#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the jobs beside readiness share: the lists of the environment, logs, waiting. A list is a file of the ConfigMap with
# one item a line, cells with a tab between them. It is data: nothing in it is ever evaluated or expanded.
# Read by `. jobs.sh` after lib.sh.
# shellcheck disable=SC2034,SC2154 # used by those who read it; variables of lib.sh
lists=${BERTH_LISTS:-$scripts} # the mounted ConfigMap: a change in git arrives here while the pod runs
every=${BERTH_EVERY:-10}       # seconds between two looks at it
tab=$(printf '\t')
digest=$(find_tool sha256sum cksum)

# fingerprint LIST...: of names and content; a list that is not there counts as empty
fingerprint() {
    for list in "$@"; do
        [ ! -f "$lists/$list" ] || { printf '%s\n' "$list" && cat "$lists/$list"; }
    done | "$digest"
}

# count LIST...: items in all of them
count() {
    for list in "$@"; do
        [ ! -f "$lists/$list" ] || cat "$lists/$list"
    done | grep -c .
}

# finished JOB FINGERPRINT: nothing to do until the list changes; follow.sh reads it
finished() {
    mkdir -p "$run/jobs"
    printf '%s\n' "$2" >"$run/jobs/$1.new" && mv "$run/jobs/$1.new" "$run/jobs/$1"
}

# rest SECONDS FINGERPRINT LIST...: false as soon as the lists are not what they were
rest() {
    rest_left=$1 rest_was=$2
    shift 2
    while [ "$rest_left" -gt 0 ]; do
        [ "$(fingerprint "$@")" = "$rest_was" ] || return 1
        rest_now=$every
        [ "$rest_now" -le "$rest_left" ] || rest_now=$rest_left
        together sleep "$rest_now"
        rest_left=$((rest_left - rest_now))
    done
}

# pause_more: after 10 s, 20 s, 40 s ... half an hour
pause=${BERTH_PAUSE:-10}
pause_more() {
    pause=$((pause * 2))
    [ "$pause" -le 1800 ] || pause=1800
}

# new_log FILE: the one before is kept beside it
new_log() {
    log=$1
    [ ! -s "$log" ] || mv "$log" "$log.before"
    : >"$log"
}

note() { printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$log"; }

# offline LINE: whether the log says from this line on that somebody could not be reached
offline() {
    tail -n "+$1" "$log" | grep -Eiq 'connection ?(refused|reset|aborted|broken|error|failed|timed)|timed out|name resolution|resolve host|unreachable|no route to|could not connect'
}

log_lines() { wc -l <"$log"; }
