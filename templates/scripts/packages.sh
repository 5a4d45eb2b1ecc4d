#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the lists packages.conda (into ~/.conda/envs/berth) and packages.pip (into ~/.local, where every python of the
# image with the same version sees it). Done once for a list and a version of python; what was half done is done again.
# Without a network it tries again, after 10 s ... half an hour. apt and yum need root: root.sh.
set -u
umask 022
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=templates/scripts/jobs.sh
. "$scripts/jobs.sh"
both='packages.conda packages.pip'
done_dir=$state/packages
prefix=$HOME/.conda/envs/berth
: "${PIP_CACHE_DIR:=$HOME/.cache/pip}" "${CONDA_PKGS_DIRS:=$HOME/.conda/pkgs}" "${MAMBA_ROOT_PREFIX:=$HOME/.conda}"
: "${PIP_RETRIES:=2}"
# packages of the user's own do not touch those of the system, which is what Debian's marker protects
PIP_BREAK_SYSTEM_PACKAGES=1
PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_CACHE_DIR PIP_RETRIES PIP_BREAK_SYSTEM_PACKAGES PIP_DISABLE_PIP_VERSION_CHECK CONDA_PKGS_DIRS MAMBA_ROOT_PREFIX
trap end_child TERM INT

fail() { # WHY
    failed="${failed:+$failed; }$1"
    return 1
}

# -- conda: find, key, run ---------------------------------------------------------------------------------------------

conda_find() {
    conda=$(find_tool mamba conda micromamba "${CONDA_EXE:-/opt/conda/bin/conda}" /opt/conda/bin/conda) ||
        fail 'conda: neither conda, mamba nor micromamba is in the image'
}

conda_key() { fingerprint packages.conda; }

# The prefix is its own: the base of an image cannot be written, and its python must stay the image's.
conda_run() {
    conda_verb=install
    [ -e "$prefix/conda-meta/history" ] || { conda_verb=create && rm -rf "$prefix"; }
    together "$conda" "$conda_verb" --yes --quiet --prefix "$prefix" --channel conda-forge "$@" >>"$log" 2>&1 </dev/null
}

# -- pip ---------------------------------------------------------------------------------------------------------------

pip_find() {
    python=$(find_tool python3 python) || { fail 'pip: there is no python3 in the image'; return 1; }
    "$python" -c 'import pip' >>"$log" 2>&1 || { fail 'pip: python3 of the image has no pip'; return 1; }
    # a virtual environment of the image has no place for packages of a user
    pip_user=
    ! "$python" -c 'import site, sys; sys.exit(0 if site.ENABLE_USER_SITE else 1)' || pip_user=--user
}

pip_key() {
    "$python" -c 'import sys; print(sys.executable, sys.version_info[:3])'
    fingerprint packages.pip
}

pip_run() {
    # shellcheck disable=SC2086 # one word or none
    together "$python" -m pip install $pip_user --no-input --no-warn-script-location -- "$@" >>"$log" 2>&1 </dev/null
}

# -- both --------------------------------------------------------------------------------------------------------------

# one_by_one MANAGER ITEM...: says which of them cannot be installed
one_by_one() {
    manager=$1 item=$before wrong=
    shift
    for name in "$@"; do
        item=$((item + 1))
        status packages "installing $item of $total ($manager)"
        note "$manager: $name"
        "${manager}_run" "$name" || wrong="$wrong $name"
    done
    [ -z "$wrong" ] || fail "$manager:$wrong"
}

# install MANAGER: the list at once, so that versions fit each other; when that fails, each by itself
install() {
    manager=$1
    [ "$(count "packages.$manager")" -gt 0 ] || return 0
    "${manager}_find" || return 1
    key=$("${manager}_key") || { fail "$manager: its python does not run"; return 1; }
    if [ "$(cat "$done_dir/$manager" 2>/dev/null)" = "$key" ]; then return 0; fi
    rm -f "$done_dir/$manager"
    set --
    while IFS= read -r name || [ -n "$name" ]; do
        # an option cannot get past validation; should one all the same, it is none here
        case $name in '' | -*) continue ;; esac
        set -- "$@" "$name"
    done <"$lists/packages.$manager"
    if [ $# = 1 ]; then item=$((before + 1)); else item=$((before + 1))-$((before + $#)); fi
    status packages "installing $item of $total ($manager)"
    note "$manager: $*"
    from=$(log_lines)
    if ! "${manager}_run" "$@"; then
        if offline "$((from + 1))"; then
            fail "$manager: no connection"
            return 1
        fi
        if [ $# = 1 ]; then fail "$manager: $1"; else one_by_one "$manager" "$@"; fi || return 1
    fi
    mkdir -p "$done_dir" && printf '%s\n' "$key" >"$done_dir/$manager.new" && mv "$done_dir/$manager.new" "$done_dir/$manager"
}

attempt() {
    failed='' before=0 good=0
    install conda || good=1
    before=$(count packages.conda)
    install pip || good=1
    return "$good"
}

# shellcheck disable=SC2086 # two names
while :; do
    was=$(fingerprint $both)
    total=$(count $both)
    new_log "$state/packages.log"
    attempt && break
    note "failed: $failed"
    status packages "failed: $failed: see ~/.berth/packages.log, again in $pause s"
    rest "$pause" "$was" $both || exit 0
    pause_more
done
status packages "ready: $total"
finished packages "$was"
