#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Secrets of an environment, made usable for sshd, ssh and git. Where there are any this stands in the place of ssh.sh, and the ordinary one beside it
# as ssh-plain.sh: start.sh reads it after lib.sh. What is copied is in memory, never on the home volume or in the container's own files.
# shellcheck disable=SC2154 # variables of lib.sh and ssh-plain.sh
secrets=${BERTH_SECRETS:-/etc/berth}         # ssh/NAME/ssh-privatekey, git/NAME/…: mounted, and new by themselves when they change in git
private=${BERTH_PRIVATE:-/run/berth/private} # memory, for as long as the pod lives

# shellcheck source=templates/scripts/ssh.sh
. "$scripts/ssh-plain.sh"

# The host key's certificate, before what ssh-plain.sh gives: sshd takes the first of what may stand once. Read again in a child it is its own.
sshd_config() {
    for file in "${BERTH_HOSTKEYS:-/etc/berth/hostkeys}"/*_key; do
        [ ! -s "$file-cert.pub" ] || printf 'HostCertificate "%s"\n' "$file-cert.pub"
    done
    echo "PidFile $private/sshd.pid"
    # shellcheck source=templates/scripts/ssh.sh
    (. "$scripts/ssh-plain.sh" && sshd_config)
}

# Digest of a mounted folder: what has changed is seen by it.
seen() { for file in "$1"/*; do [ ! -f "$file" ] || cat "$file"; done 2>/dev/null | "$(find_tool sha256sum cksum)"; }

# Files of a Secret are root's and readable for the group, and ssh takes no key that others can read. The text goes from one builtin to another: no
# argument list shows it. A last line without its end is mended, which ssh would refuse.
copy_keys() {
    wrong=
    unset key # should somebody have exported a variable of that name
    for file in "$secrets"/ssh/*/ssh-privatekey; do
        [ -s "$file" ] || continue
        key_name=${file%/*} key_name=${key_name##*/}
        key=$(cat "$file")
        if [ "$key" != "$(cat "$private/ssh/$key_name" 2>/dev/null)" ]; then
            (umask 077 && printf '%s\n' "$key" >"$private/ssh/$key_name.new") && mv "$private/ssh/$key_name.new" "$private/ssh/$key_name"
        fi
        unset key
        ! tool=$(find_own ssh-keygen) || "$tool" -y -P '' -f "$private/ssh/$key_name" >/dev/null 2>&1 </dev/null || wrong="$wrong $key_name"
    done
}

# IdentityFile in a configuration takes the default ones away: those that are there are named too.
ssh_client_config() {
    echo '# made by berth: keys of spec.secrets with as: ssh'
    for file in "$private"/ssh/*; do
        case $file in *.new | *'*') ;; *) printf 'IdentityFile "%s"\n' "$file" ;; esac
    done
    for file in "$HOME"/.ssh/id_ed25519 "$HOME"/.ssh/id_ecdsa "$HOME"/.ssh/id_rsa "$HOME"/.ssh/id_ed25519_sk "$HOME"/.ssh/id_ecdsa_sk; do
        [ ! -f "$file" ] || printf 'IdentityFile "%s"\n' "$file"
    done
}

# One line in ~/.ssh/config, the first: everything before a Host line is for all hosts. A link is somebody's dotfiles and stays as it is.
include_config() {
    client=$HOME/.ssh/config line="Include $private/ssh_config"
    if grep -qsxF "$line" "$client"; then return 0; fi
    if [ -L "$client" ]; then
        missing=" for ssh add '$line' to the link ~/.ssh/config;"
        return 0
    fi
    mkdir -p "$HOME/.ssh" && chmod 700 "$HOME/.ssh"
    (umask 077 && { printf '# berth: keys of spec.secrets (as: ssh)\n%s\n\n' "$line" && { [ ! -s "$client" ] || cat "$client"; }; } >"$client.berth-new") &&
        mv "$client.berth-new" "$client"
}

has_keys() { for file in "$secrets"/ssh/*/ssh-privatekey; do [ ! -e "$file" ] || return 0; done; return 1; }

refresh_keys() {
    missing=
    has_keys || return 0
    copy_keys
    ssh_client_config >"$private/ssh_config.new" && mv "$private/ssh_config.new" "$private/ssh_config"
    include_config
}

tell_secrets() {
    has_keys || return 0
    [ -z "$wrong" ] || missing="$missing no private keys that ssh can use without a passphrase:$wrong;"
    if [ -n "$missing" ]; then status secrets "failed:${missing%;}"; else status secrets 'ready: keys for ssh'; fi
}

# A new certificate: sshd reads its files again when it is told to; sessions go on.
refresh_sshd() {
    now=$(seen "${BERTH_HOSTKEYS:-/etc/berth/hostkeys}")
    [ "$now" != "$host_seen" ] || return 0
    host_seen=$now
    [ ! -s "$private/sshd.pid" ] || kill -HUP "$(cat "$private/sshd.pid")" 2>/dev/null || say 'ssh: sshd could not be told of its new host key'
}

follow_secrets() {
    together sleep 1
    while :; do
        refresh_keys
        tell_secrets
        refresh_sshd
        together sleep "${BERTH_EVERY:-10}"
    done
}

# For every git of the environment: the helper is asked when a server wants a password, after those of the person's own configuration.
git_credentials() {
    for file in "$secrets"/git/*; do [ -d "$file" ] || return 0; done
    count=${GIT_CONFIG_COUNT:-0}
    export "GIT_CONFIG_KEY_$count=credential.helper" "GIT_CONFIG_VALUE_$count=!'$(own_sh)' '$scripts/secrets-git.sh'"
    GIT_CONFIG_COUNT=$((count + 1))
    export GIT_CONFIG_COUNT
}

secrets_begin() {
    git_credentials
    rm -rf "$private/run"
    (umask 077 && mkdir -p "$private/run" "$private/ssh") || { say "secrets: cannot write $private"; return 0; }
    # what our tools keep while the pod lives is in memory too: sessions read the pod's variables from it
    [ -e "$run" ] || ln -sfn "$private/run" "$run"
    wrong='' missing='' host_seen=$(seen "${BERTH_HOSTKEYS:-/etc/berth/hostkeys}")
    refresh_keys
    beside follow_secrets
}

secrets_begin
