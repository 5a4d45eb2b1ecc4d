#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the scripts of an environment share: where things are, the log, the status, looking for programs, supervision.
# Read by `. lib.sh`; does nothing by itself. `scripts` is the folder of the scripts.
# shellcheck disable=SC2034 # used by those who read it
scripts=${scripts:-/etc/berth/scripts}
# where the entry is root, the variables of the spec are for those who have become the user
# shellcheck source=/dev/null
if [ -r "$scripts/user-env.sh" ]; then
    case $(PATH=/usr/bin:/bin:/opt/berth/busybox id -u) in 0 | '') ;; *) . "$scripts/user-env.sh" ;; esac
fi
HOME=${HOME:-/home/dev}
state=$HOME/.berth # kept: on the home volume
# as they are in a pod, unless a test says otherwise
run=${BERTH_RUN:-/tmp}/.berth # gone with the pod
ready=${BERTH_RUN:-/tmp}/.berth-ready
toolbox=${BERTH_TOOLBOX:-/opt/berth}
ssh_port=${BERTH_SSH_PORT:-2222}
# The image's own programs come first; the toolbox fills gaps, and busybox those that are left. Before them what pip installed
# for the user, after them what conda did, whose python must not stand in for the image's. Where root still runs (BERTH_UID
# says whom it becomes) nothing comes from a folder that the user can write.
case :${PATH:-}: in
*:"$toolbox/busybox":*) ;;
*)
    PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$toolbox/bin:$toolbox/busybox
    [ -n "${BERTH_UID:-}" ] || PATH=$HOME/.local/bin:$PATH:$run/bin:$HOME/.conda/envs/berth/bin
    ;;
esac
export HOME PATH
children=
child=

say() { printf 'berth: %s\n' "$*"; }

# status NAME TEXT...: what `berth-status` shows of a tool; also said in the log when it changed
status() {
    status_name=$1
    shift
    mkdir -p "$run/status"
    [ "$(cat "$run/status/$status_name" 2>/dev/null)" != "$*" ] || return 0
    printf '%s\n' "$*" >"$run/status.$status_name.new" && mv "$run/status.$status_name.new" "$run/status/$status_name"
    say "$status_name $*"
}

# find_tool NAME...: the first one that can be run, as the image has it, else from the toolbox
find_tool() {
    for tool_name in "$@"; do
        command -v "$tool_name" && return 0
    done
    return 1
}

# find_own NAME: from the toolbox, else as the image has it
find_own() {
    for tool_dir in "$toolbox/sbin" "$toolbox/bin"; do
        [ ! -x "$tool_dir/$1" ] || { printf '%s\n' "$tool_dir/$1"; return 0; }
    done
    command -v "$1"
}

# what scripts are run by: the same everywhere when there is a toolbox
own_sh() {
    if [ -x "$toolbox/bin/sh" ]; then printf '%s\n' "$toolbox/bin/sh"; else printf '/bin/sh\n'; fi
}

# listening PORT: asked of the kernel, so that nobody has to connect
listening() {
    hex=$(printf '%04X' "$1")
    for table in /proc/net/tcp /proc/net/tcp6; do
        [ -r "$table" ] || continue
        while read -r _ address _ tcp_state _; do
            case $address/$tcp_state in *:"$hex"/0A) return 0 ;; esac
        done <"$table"
    done
    return 1
}

# nap: as short as this sleep can
nap() { sleep 0.2 2>/dev/null || sleep 1; }

# together COMMAND...: its status; ends with us when `end_child` is the trap for signals
together() {
    "$@" &
    child=$!
    wait "$child"
}

end_child() {
    trap '' TERM INT
    [ -z "$child" ] || kill "$child" 2>/dev/null
    wait
    exit 0
}

# supervise NAME PORT COMMAND...: never returns. Ready when something listens on the port; started again when it ends,
# after 1 s, 2 s, 4 s ... 60 s, and from 1 s again when it had run for a minute.
supervise() {
    name=$1 port=$2 pause=1
    shift 2
    while :; do
        begun=$(date +%s)
        "$@" &
        child=$!
        until listening "$port" || ! kill -0 "$child" 2>/dev/null; do nap; done
        ! kill -0 "$child" 2>/dev/null || status "$name" "ready on port $port"
        wait "$child"
        ended=$?
        [ $(($(date +%s) - begun)) -lt 60 ] || pause=1
        status "$name" "failed: it ended with status $ended, again in $pause s"
        together sleep "$pause"
        pause=$((pause * 2))
        [ "$pause" -le 60 ] || pause=60
    done
}

# beside COMMAND...: runs a function or program beside us until we are stopped
beside() {
    (
        child=
        trap end_child TERM INT
        "$@"
    ) &
    children="$children $!"
}
