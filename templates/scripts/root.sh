#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The entry of a flavor with rootEntry: true. The pod starts as root of a user namespace of its own; here root installs the
# lists packages.apt or packages.yum beside everything else, and everything else becomes the ordinary user's (start.sh).
# What is installed lives in the container and is downloaded again for each new one: apt takes a file that is there by its name and size
# alone, so none is kept where the user can write.
set -u
umask 022
user_path=${PATH:-}
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PATH=$system_path
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
# root runs and reads nothing from a folder that the user can write
PATH=$system_path:$toolbox/sbin:$toolbox/bin:$toolbox/busybox
user_home=$HOME
HOME=/root
# shellcheck source=templates/scripts/jobs.sh
. "$scripts/jobs.sh"
both='packages.apt packages.yum'
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND

ids=$(sed -n 's|^[^:]*:[^:]*:\([0-9]*\):\([0-9]*\):[^:]*:/home/dev:.*|\1 \2|p' "$scripts/passwd" | head -n 1)
setpriv=$(find_own setpriv) || { say 'no setpriv in the image or the toolbox: root cannot become the user'; exit 1; }
[ "${ids%% *}" -gt 0 ] 2>/dev/null || { say "no user with the home /home/dev in $scripts/passwd"; exit 1; }

# as_user COMMAND...: leaving uid 0 takes all capabilities with it
as_user() { env HOME="$user_home" PATH="$user_path" "$setpriv" --reuid "${ids%% *}" --regid "${ids##* }" --clear-groups "$@"; }

tell() {
    # shellcheck disable=SC2016 # expanded by the shell that is started
    as_user "$(own_sh)" -c '. "$0/lib.sh" && status system-packages "$1"' "$scripts" "$1"
}

apt_run() {
    apt-get install -y --no-install-recommends -o APT::Keep-Downloaded-Packages=false -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=60 -o Acquire::Retries=3 \
        -- "$@" >>"$log" 2>&1 </dev/null
}

apt_ready() {
    command -v apt-get >/dev/null || { failed='apt: the image has no apt-get'; return 1; }
    dpkg --configure -a >>"$log" 2>&1 </dev/null
    apt-get update -o Acquire::Retries=3 -o APT::Update::Error-Mode=any >>"$log" 2>&1 </dev/null || { failed='apt: the package index cannot be read'; return 1; }
}

yum_run() { "$yum" -y install "$@" >>"$log" 2>&1 </dev/null; }

yum_ready() { yum=$(find_tool dnf microdnf yum) || { failed='yum: the image has neither dnf nor yum'; return 1; }; }

# install_system MANAGER: all at once; when that fails, each by itself, so that one wrong name does not take the others along
install_system() {
    manager=$1
    [ "$(count "packages.$manager")" -gt 0 ] || return 0
    "${manager}_ready" || return 1
    set --
    while IFS= read -r name || [ -n "$name" ]; do
        case $name in '' | -*) continue ;; esac
        set -- "$@" "$name"
    done <"$lists/packages.$manager"
    tell "installing $# ($manager)"
    "${manager}_run" "$@" && return 0
    item=0 wrong=
    for name in "$@"; do
        item=$((item + 1))
        tell "installing $item of $# ($manager)"
        "${manager}_run" "$name" || wrong="$wrong $name"
    done
    failed="$manager:$wrong"
    [ -z "$wrong" ]
}

# shellcheck disable=SC2086 # two names
install_all() {
    marker=/var/lib/berth/packages
    mkdir -p /var/lib/berth
    while :; do
        was=$(fingerprint $both)
        if [ "$(count $both)" -gt 0 ] && [ "$(cat "$marker" 2>/dev/null)" != "$was" ]; then
            new_log /var/log/berth-packages.log
            if install_system apt && install_system yum; then
                printf '%s\n' "$was" >"$marker.new" && mv "$marker.new" "$marker"
                tell "ready: $(count $both)"
                pause=${BERTH_PAUSE:-10}
            else
                tell "failed: $failed: see $log, again in $pause s"
                ! rest "$pause" "$was" $both || pause_more
                continue
            fi
        fi
        together sleep "$every"
    done
}

cd / || exit 1
unset BERTH_UID BERTH_GID # from here on nobody is to become somebody else
install_all &
exec env HOME="$user_home" PATH="$user_path" "$setpriv" --reuid "${ids%% *}" --regid "${ids##* }" --clear-groups "$(own_sh)" "$scripts/start.sh"
