#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Clones the user's dotfiles (one line: URL, ref or "-", script) to ~/.dotfiles once, brings the clone forward at each start
# where that loses nothing, and runs its script once for each commit. Its output: ~/.berth/dotfiles.log. Never fatal.
set -u
umask 022
scripts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=templates/scripts/jobs.sh
. "$scripts/jobs.sh"
# shellcheck source=templates/scripts/git.sh
. "$scripts/git.sh"
clone=$HOME/.dotfiles
trap end_child TERM INT

fetch_dotfiles() { # URL REF
    if [ -e "$clone/.git" ]; then
        # without a network, or with changes of a person, it stays as it is
        ! "$git" -C "$clone" symbolic-ref -q HEAD >/dev/null || git_at "$clone" pull --ff-only || note 'not brought forward'
        return 0
    fi
    if [ -e "$clone" ]; then
        note "$clone is there and is no clone"
        return 1
    fi
    rm -rf "$clone.berth-clone"
    git_clone "$1" "$2" "$clone.berth-clone" && mv "$clone.berth-clone" "$clone"
}

find_script() { # SCRIPT
    for name in ${1:+"$1"} install.sh install bootstrap.sh bootstrap setup.sh setup; do
        [ ! -f "$clone/$name" ] || { printf '%s\n' "$name"; return 0; }
        [ "$name" != "$1" ] || return 1
    done
    return 1
}

run_script() { # NAME
    cd "$clone" || return 1
    if [ -x "$1" ]; then
        together "./$1" >>"$log" 2>&1 </dev/null
    else
        together "$(find_tool bash sh)" "./$1" >>"$log" 2>&1 </dev/null
    fi
}

end() { # TEXT
    status dotfiles "$1"
    finished dotfiles "$was"
    exit 0
}

new_log "$state/dotfiles.log"
was=$(fingerprint dotfiles)
IFS=$tab read -r url ref script <"$lists/dotfiles"
[ "$ref" != - ] || ref=
git_find || end 'failed: there is no git in the image or the toolbox'
status dotfiles cloning
until fetch_dotfiles "$url" "$ref"; do
    status dotfiles "failed: cannot be cloned: see ~/.berth/dotfiles.log, again in $pause s"
    rest "$pause" "$was" dotfiles || exit 0
    pause_more
done
commit=$("$git" -C "$clone" rev-parse HEAD 2>/dev/null)
name=$(find_script "$script") || end "ready: in ~/.dotfiles, which has no ${script:-script to run}"
[ "$(cat "$state/dotfiles.done" 2>/dev/null)" != "$commit $name" ] || end "ready: $name was run for this commit"
status dotfiles "running $name"
note "running $name of $commit"
run_script "$name" || end "failed: $name ended with status $?: see ~/.berth/dotfiles.log; run again at the next start"
printf '%s\n' "$commit $name" >"$state/dotfiles.done.new" && mv "$state/dotfiles.done.new" "$state/dotfiles.done"
end "ready: $name was run"
