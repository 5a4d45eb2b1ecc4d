#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts an environment as its ordinary user and keeps it alive: the home, SSH, the web tools asked for, the setup script.
# A tool that the image and the toolbox lack is said and left out. SIGTERM ends everything in order.
#   lib.sh    what all of them share          ssh.sh       sshd and its keys         web.sh   terminal, JupyterLab, VS Code
#   shell.sh  what a login gets               status.sh    the command berth-status  ready.sh the pod's readiness
#   follow.sh packages, repositories, dotfiles, datasets, checkpoints: what the environment's lists ask for
set -u
# with rootEntry: packages of the system are installed as root, everything else is started again as the user
if [ -e "${0%/*}/passwd" ] && [ "$(PATH=/usr/bin:/bin:/opt/berth/busybox id -u)" = 0 ]; then exec /bin/sh "${0%/*}/root.sh"; fi
umask 022
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=templates/scripts/ssh.sh
. "$scripts/ssh.sh"
# shellcheck source=templates/scripts/web.sh
. "$scripts/web.sh"
sleeper=

stop() {
    trap '' TERM INT
    say 'stopping'
    rm -f "$ready" "$run/ready-when"
    # first our tools: nobody new gets in
    # shellcheck disable=SC2086 # a list of process ids
    kill $children $sleeper 2>/dev/null
    # What the user left running gets the signal too, and most of the pod's grace period (60 s) to end by itself. Only
    # where we are init of a container of our own: elsewhere -1 would be everything.
    if [ "$$" = 1 ]; then
        kill -TERM -1 2>/dev/null
        left=50
        while [ "$left" -gt 0 ] && kill -0 -1 2>/dev/null; do
            sleep 1
            left=$((left - 1))
        done
        exit 0
    fi
    wait
    exit 0
}

# An empty home gets the files of /etc/skel, as adduser would do it, else two of ours; what is there is left alone. Once.
new_home() {
    [ ! -e "$state/home-made" ] || return 0
    for file in /etc/skel/.[!.]* /etc/skel/*; do
        if [ ! -e "$file" ] || [ -e "$HOME/${file##*/}" ]; then continue; fi
        rm -rf "$state/skel.new"
        # by a rename: a file that is half there would stay so
        cp -R "$file" "$state/skel.new" && mv "$state/skel.new" "$HOME/${file##*/}"
    done
    if [ ! -e "$HOME/.profile" ] && [ ! -e "$HOME/.bashrc" ]; then
        cat >"$HOME/.bashrc" <<'END'
# for shells that a person types into
case $- in *i*) ;; *) return ;; esac
PS1='\u@${BERTH_ENV:-berth}:\w\$ '
HISTSIZE=10000 HISTFILESIZE=100000 HISTCONTROL=ignoreboth
END
        # shellcheck disable=SC2016 # expanded by the login shell
        printf '%s\n' '[ -z "${BASH_VERSION:-}" ] || [ ! -r "$HOME/.bashrc" ] || . "$HOME/.bashrc"' >"$HOME/.profile"
    fi
    : >"$state/home-made"
}

# The setup script runs at every start, beside readiness: it must not keep a person out.
run_setup() {
    status setup running
    if together "$(find_tool bash sh)" "$scripts/setup.sh" >"$state/setup.log" 2>&1; then
        status setup "done"
    else
        status setup "failed: it ended with status $?, see ~/.berth/setup.log"
    fi
}

# The pod is ready when somebody can get in: as soon as one of these ports is open, at once when nothing was asked for.
when_ready() {
    if [ -n "${ports# }" ]; then
        printf '%s\n' "$ports" >"$run/ready-when.new" && mv "$run/ready-when.new" "$run/ready-when"
    elif [ "${BERTH_SSH:-1}" = 0 ] && [ -z "${BERTH_WEB:-}" ]; then
        : >"$ready"
    else
        say 'nobody can get in: nothing that was asked for is in the image or the toolbox (berth.yaml: toolbox.image)'
    fi
}

command -v sleep >/dev/null || { say 'no sleep in the image or the toolbox: nothing can be kept running'; exit 1; }
trap stop TERM INT
rm -f "$ready" "$run/ready-when"
rm -rf "$run/status"
mkdir -p "$state" "$run/bin" || { say "cannot write $state and $run"; exit 1; }
chmod 700 "$state" "$run"
cd "$HOME" || exit 1
printf '#!%s\nexec %s %s/status.sh "$@"\n' "$(own_sh)" "$(own_sh)" "$scripts" >"$run/bin/berth-status" && chmod 755 "$run/bin/berth-status"
new_home
ports=
[ "${BERTH_SSH:-1}" = 0 ] || start_ssh
start_web
when_ready
[ ! -f "$scripts/setup.sh" ] || beside run_setup
beside together "$(own_sh)" "$scripts/follow.sh"
# a training that the end of the last pod cut off; the other ranks wait for it
if [ -e "$state/torch/1" ] && [ -r "$scripts/torch.sh" ]; then beside together "$(own_sh)" "$scripts/torch.sh" --resume; fi
say "started as $(id -un 2>/dev/null || id -u)"
# A wait that signals interrupt; sleep alone would hold them back.
while :; do
    sleep 3600 &
    sleeper=$!
    wait "$sleeper"
done
