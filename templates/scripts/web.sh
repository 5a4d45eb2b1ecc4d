#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The web tools of BERTH_WEB: terminal (ttyd, port 7681), jupyter (JupyterLab, 8888), vscode (code-server, 8080).
# All ask for one password. Read by start.sh after lib.sh.
# shellcheck disable=SC2154 # variables of lib.sh

# wants NAME: is it among BERTH_WEB?
wants() {
    case " ${BERTH_WEB:-} " in *" $1 "*) return 0 ;; esac
    return 1
}

# Made once and kept on the home volume: read it with `cat ~/.berth/web-password`.
web_password() {
    if [ ! -s "$state/web-password" ]; then
        (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$state/web-password.new") &&
            [ "$(wc -c <"$state/web-password.new")" -eq 32 ] && mv "$state/web-password.new" "$state/web-password"
    fi
    cat "$state/web-password"
}

# JupyterLab of the image, else the one that jupyter_install made
find_jupyter() { find_tool jupyter-lab || { [ ! -x "$state/jupyter/bin/jupyter-lab" ] || printf '%s\n' "$state/jupyter/bin/jupyter-lab"; }; }

# jupyter_run NAME PORT: never returns
jupyter_run() {
    JUPYTER_TOKEN=$(web_password) || { status "$1" 'failed: no password could be made on the home volume'; return 0; }
    JUPYTER_RUNTIME_DIR=$run/jupyter
    SHELL=$(find_tool bash sh) # of its terminals
    export JUPYTER_TOKEN JUPYTER_RUNTIME_DIR SHELL
    supervise "$1" "$2" "$(find_jupyter)" --ip=0.0.0.0 --port="$2" --ServerApp.port_retries=0 --no-browser --ServerApp.root_dir="$HOME"
}

# JupyterLab in a virtual environment on the home volume, which sees the packages of the image. Installed again only when
# the image brings another Python; what was half done is thrown away. Without a network it tries again, after 5 s ... 5 min.
jupyter_install() {
    python=$(find_tool python3) || { status jupyter 'missing: no jupyter-lab and no python3 in the image'; return 1; }
    venv=$state/jupyter pause=5
    made_for="jupyterlab for $("$python" -c 'import sys; print(sys.executable, sys.version.replace("\n", " "))')" || return 1
    if [ "$(cat "$venv/.made-for" 2>/dev/null)" = "$made_for" ]; then return 0; fi
    while :; do
        status jupyter 'installing into ~/.berth/jupyter'
        rm -rf "$venv"
        if jupyter_venv >"$state/jupyter.log" 2>&1; then
            printf '%s\n' "$made_for" >"$venv/.made-for.new" && mv "$venv/.made-for.new" "$venv/.made-for"
            return 0
        fi
        if ! "$python" -c 'import venv, ensurepip' 2>/dev/null && ! "$python" -m pip --version >/dev/null 2>&1; then
            status jupyter 'missing: no jupyter-lab in the image, and its python3 has neither venv nor pip to install it'
            return 1
        fi
        status jupyter "failed: pip could not install it (~/.berth/jupyter.log), again in $pause s"
        together sleep "$pause"
        pause=$((pause * 2))
        [ "$pause" -le 300 ] || pause=300
    done
}

jupyter_venv() {
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        together "$python" -m venv --system-site-packages "$venv" || return 1
        together "$venv/bin/python" -m pip install --no-input --disable-pip-version-check jupyterlab
    else # Debian without python3-venv, but with pip
        together "$python" -m venv --system-site-packages --without-pip "$venv" || return 1
        together "$python" -m pip --python "$venv/bin/python" install --no-input --disable-pip-version-check jupyterlab
    fi && [ -x "$venv/bin/jupyter-lab" ]
}

jupyter_install_and_run() { ! jupyter_install || jupyter_run jupyter 8888; }

start_jupyter() {
    ports="$ports 8888"
    if find_tool jupyter-lab >/dev/null; then
        status jupyter starting
        beside jupyter_run jupyter 8888
    elif find_tool python3 >/dev/null; then
        beside jupyter_install_and_run
    else
        ports=${ports% 8888}
        status jupyter 'missing: no jupyter-lab and no python3 in the image'
    fi
}

# ttyd asks inside the terminal (web-login.sh): its own -c would show the password to everybody who can list processes.
start_terminal() {
    if tool=$(find_own ttyd); then
        status terminal starting
        ports="$ports 7681"
        beside supervise terminal 7681 "$tool" -W -O -p 7681 "$(own_sh)" "$scripts/web-login.sh"
    elif wants jupyter; then
        status terminal 'missing: no ttyd in the image or the toolbox; use the terminal of JupyterLab on port 8888'
    elif [ -n "$(find_jupyter)" ]; then
        say "no ttyd in the image or the toolbox: JupyterLab and its terminal stand in"
        status terminal starting
        ports="$ports 7681"
        beside jupyter_run terminal 7681
    else
        status terminal 'missing: no ttyd in the image or the toolbox'
    fi
}

start_vscode() {
    tool=$(find_tool code-server) || { status vscode 'missing: no code-server in the image or the toolbox'; return 0; }
    status vscode starting
    ports="$ports 8080"
    beside code_server "$tool"
}

code_server() {
    PASSWORD=$(web_password)
    SHELL=$(find_tool bash sh)
    export PASSWORD SHELL
    supervise vscode 8080 "$1" --bind-addr 0.0.0.0:8080 --auth password --disable-telemetry --disable-update-check "$HOME"
}

start_web() {
    [ -z "${BERTH_WEB:-}" ] || web_password >/dev/null || { say 'no password could be made: no web tools'; return 0; }
    ! wants terminal || start_terminal
    ! wants jupyter || start_jupyter
    ! wants vscode || start_vscode
}
