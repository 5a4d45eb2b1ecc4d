#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts an environment as its ordinary user and keeps it alive: SSH, the web tools asked for, the setup script.
# A tool that the image and the toolbox lack is said and left out. SIGTERM ends everything in order.
set -u
umask 077
HOME=${HOME:-/home/dev}
state=$HOME/.berth
# both as they are in a pod, unless a test says otherwise
run=${BERTH_RUN:-/tmp}/.berth
ready=${BERTH_RUN:-/tmp}/.berth-ready
toolbox=${BERTH_TOOLBOX:-/opt/berth}
PATH=$toolbox/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}
export HOME PATH
children=
sleeper=

say() { printf 'berth: %s\n' "$*"; }

# find_tool NAME...: the first one that can be run, toolbox first
find_tool() {
    for name in "$@"; do
        for dir in "$toolbox/sbin" "$toolbox/bin"; do
            [ -x "$dir/$name" ] && { printf '%s\n' "$dir/$name"; return 0; }
        done
        command -v "$name" && return 0
    done
    return 1
}

# keep NAME COMMAND...: runs it beside us; started again when it ends, not more than once in 5 s
keep() {
    keep_name=$1
    shift
    (
        trap 'kill "$child" 2>/dev/null; exit 0' TERM INT
        while :; do
            "$@" &
            child=$!
            wait "$child"
            say "$keep_name ended with status $?, again in 5 s"
            sleep 5 &
            child=$!
            wait "$child"
        done
    ) &
    children="$children $!"
    say "started $keep_name"
}

stop() {
    trap '' TERM INT
    say 'stopping'
    rm -f "$ready"
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

# wants NAME: is it among BERTH_WEB?
wants() {
    case " ${BERTH_WEB:-} " in *" $1 "*) return 0 ;; esac
    return 1
}

# One password for the web tools, made once and kept on the home volume: read it with `cat ~/.berth/web-password`.
web_password() {
    [ -s "$state/web-password" ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$state/web-password"
    cat "$state/web-password"
}

# What ttyd runs for each visitor: the password, then the shell.
web_login() {
    printf 'password (over SSH: cat ~/.berth/web-password): '
    stty -echo 2>/dev/null
    IFS= read -r given
    stty echo 2>/dev/null
    printf '\n'
    if [ "$given" = "$(web_password)" ]; then
        unset given
        exec "$(find_tool bash sh)" -l
    fi
    sleep 3
    say 'wrong password'
    exit 1
}

start_ssh() {
    sshd=$(find_tool sshd) || { say 'no sshd in the image or the toolbox: no SSH'; return 0; }
    keygen=$(find_tool ssh-keygen) || { say 'no ssh-keygen in the image or the toolbox: no SSH'; return 0; }
    mkdir -p "$state/ssh"
    # Made once: a host that changes its key looks like an attack. Each node of a distributed environment has a home.
    [ -s "$state/ssh/host_ed25519" ] || "$keygen" -q -t ed25519 -N '' -C berth -f "$state/ssh/host_ed25519" || return 0
    {
        echo 'Port 2222'
        echo "HostKey $state/ssh/host_ed25519"
        echo 'AuthorizedKeysFile /etc/berth/keys/authorized_keys'
        # The keys are a mounted directory that everybody may write by its mode bits.
        echo 'StrictModes no'
        echo 'UsePAM no'
        echo 'PidFile none'
        echo 'PasswordAuthentication no'
        echo 'KbdInteractiveAuthentication no'
        echo 'PrintMotd no'
        echo 'ClientAliveInterval 30'
        echo 'ClientAliveCountMax 4'
        echo 'AcceptEnv LANG LC_*'
        [ "${BERTH_SFTP:-1}" = 0 ] || echo 'Subsystem sftp internal-sftp'
    } >"$run/sshd_config"
    "$sshd" -t -f "$run/sshd_config" || { say 'sshd refuses its configuration: no SSH'; return 0; }
    write_session_env
    keep sshd "$sshd" -D -e -f "$run/sshd_config"
}

# sshd starts sessions with an empty environment: give them what the pod was given.
write_session_env() {
    export -p >"$state/session-env"
    for file in "$HOME/.profile" "$HOME/.bashrc"; do
        grep -qs 'berth/session-env' "$file" && continue
        # shellcheck disable=SC2016 # expanded by the login shell
        line='[ -z "${SSH_CONNECTION:-}" ] || [ -n "${BERTH_SESSION:-}" ] || { . "$HOME/.berth/session-env"; export BERTH_SESSION=1; }'
        if [ -s "$file" ]; then
            # first: many a .bashrc returns early when not interactive
            { printf '%s\n' "$line"; cat "$file"; } >"$run/profile" && cat "$run/profile" >"$file"
        else
            printf '%s\n' "$line" >"$file"
        fi
    done
}

start_web() {
    shell=$(find_tool bash sh)
    if wants terminal; then
        if tool=$(find_tool ttyd); then
            # asked for inside the terminal: ttyd's own -c would show it to everybody who can list processes
            web_password >/dev/null
            keep ttyd "$tool" -W -O -p 7681 sh "$0" web-login
        else
            say 'no ttyd in the image or the toolbox: no web terminal'
        fi
    fi
    if wants jupyter; then
        if tool=$(find_tool jupyter-lab); then
            JUPYTER_TOKEN=$(web_password)
            export JUPYTER_TOKEN
            keep jupyter "$tool" --ip=0.0.0.0 --port=8888 --no-browser --ServerApp.root_dir="$HOME"
            unset JUPYTER_TOKEN
        else
            say 'no jupyter-lab in the image or the toolbox: no JupyterLab'
        fi
    fi
    if wants vscode; then
        if tool=$(find_tool code-server); then
            PASSWORD=$(web_password)
            export PASSWORD
            keep code-server "$tool" --bind-addr 0.0.0.0:8080 --auth password --disable-telemetry --disable-update-check "$HOME"
            unset PASSWORD
        else
            say 'no code-server in the image or the toolbox: no VS Code'
        fi
    fi
}

# The setup script runs at every start, beside readiness: it must not keep a person out.
start_setup() {
    setup=/etc/berth/scripts/setup.sh
    [ -f "$setup" ] || return 0
    (
        shell=$(find_tool bash sh)
        if "$shell" "$setup" >"$state/setup.log" 2>&1; then
            say 'setup script done'
        else
            say "setup script failed with status $?: see ~/.berth/setup.log"
        fi
    ) &
    children="$children $!"
}

[ "${1:-}" != web-login ] || web_login
trap stop TERM INT
rm -f "$ready"
mkdir -p "$state" "$run" || { say "cannot write $state"; exit 1; }
cd "$HOME" || exit 1
[ "${BERTH_SSH:-1}" = 0 ] || start_ssh
start_web
start_setup
: >"$ready"
say "ready as $(id -un 2>/dev/null || id -u)"
# A wait that signals interrupt; sleep alone would hold them back.
while :; do
    sleep 3600 &
    sleeper=$!
    wait "$sleeper"
done
