#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sshd as an ordinary user: its host keys, its configuration, and the variables of the pod for its sessions.
# Read by start.sh after lib.sh.
# shellcheck disable=SC2154 # variables of lib.sh

# Keys of the optional Secret <environment>--hostkeys; else one that is made once and kept on the home volume, since a
# host that changes its key looks like an attack. Prints the files; 1 when there is none.
host_keys() {
    secret=${BERTH_HOSTKEYS:-/etc/berth/hostkeys}
    found=
    for file in "$secret"/*_key; do
        [ -s "$file" ] || continue
        # sshd wants nothing but its key in it, and no mode that others could read when the file is its own
        if "$keygen" -y -P '' -f "$file" >/dev/null 2>&1 </dev/null; then
            printf '%s\n' "$file"
            found=1
        else
            say "ssh: ${file##*/} of the Secret is no private key that I can read" >&2
        fi
    done
    [ -z "$found" ] || return 0
    file=$state/ssh/host_ed25519
    mkdir -p "$state/ssh"
    chmod 700 "$state/ssh"
    # a volume that changed its group may have opened the file to it, and sshd would refuse it
    [ ! -e "$file" ] || chmod 600 "$file"
    if ! "$keygen" -y -P '' -f "$file" >/dev/null 2>&1 </dev/null; then
        [ ! -s "$file" ] || { say 'ssh: the host key on the home volume is broken: a new one takes its place' >&2 && mv "$file" "$file.broken"; }
        # made aside and renamed: killed in the middle, nothing half stays
        rm -f "$file.new" "$file.new.pub"
        "$keygen" -q -t ed25519 -N '' -C berth -f "$file.new" >&2 || return 1
        sync "$file.new" 2>/dev/null || sync
        mv "$file.new.pub" "$file.pub" && mv "$file.new" "$file" || return 1
    fi
    printf '%s\n' "$file"
}

sshd_config() {
    echo "Port $ssh_port"
    printf '%s\n' "$host_key_files" | while IFS= read -r file; do printf 'HostKey "%s"\n' "$file"; done
    echo 'AuthorizedKeysFile /etc/berth/keys/authorized_keys'
    # The keys are a mounted folder that everybody may write by its mode bits; mounted whole, so that new keys arrive.
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
}

# sshd starts sessions with an empty environment: they read the pod's from a file that goes with the pod. shell.sh reads
# it; where the image names another login shell, its profiles do.
session_env() {
    # shellcheck disable=SC2030 # gone for this line alone
    (umask 077 && unset PWD OLDPWD SHLVL TERM _ && export -p >"$run/session-env.new") && mv "$run/session-env.new" "$run/session-env"
    grep -qs "^[^:]*:[^:]*:$(id -u):.*\(/shell\.sh\|/login-shell\)\$" /etc/passwd && return 0
    for file in "$HOME/.profile" "$HOME/.bashrc"; do
        grep -qs 'berth/session-env' "$file" && continue
        # shellcheck disable=SC2016 # expanded by the login shell
        line='[ -z "${SSH_CONNECTION:-}" ] || [ -n "${BERTH_SESSION:-}" ] || [ ! -r '"$run/session-env"' ] || { . '"$run/session-env"'; export BERTH_SESSION=1; }'
        # first: many a .bashrc returns early when not interactive
        { printf '%s\n' "$line"; [ ! -s "$file" ] || cat "$file"; } >"$file.berth-new" && mv "$file.berth-new" "$file"
    done
}

# The shell that /etc/passwd gives us; sshd would refuse everybody without a word to them when it is not there.
login_shell() {
    line=$(grep -m 1 "^[^:]*:[^:]*:$(id -u):" /etc/passwd)
    printf '%s\n' "${line##*:}"
}

start_ssh() {
    sshd=$(find_own sshd) || { status ssh 'missing: no sshd in the image or the toolbox'; return 0; }
    keygen=$(find_own ssh-keygen) || { status ssh 'missing: no ssh-keygen in the image or the toolbox'; return 0; }
    shell=$(login_shell)
    if [ -n "$shell" ] && [ ! -x "$shell" ]; then
        status ssh "failed: there is no $shell: is the toolbox image (berth.yaml: toolbox.image) older than berth's templates?"
        return 0
    fi
    host_key_files=$(host_keys) || { status ssh 'failed: no host key could be made on the home volume'; return 0; }
    sshd_config >"$run/sshd_config"
    # Newer ones lock out the address of a client that fails; behind a bastion that is everybody's address.
    { cat "$run/sshd_config"; echo 'PerSourcePenalties no'; } >"$run/sshd_config.new"
    if "$sshd" -t -f "$run/sshd_config.new" 2>/dev/null; then mv "$run/sshd_config.new" "$run/sshd_config"; else rm -f "$run/sshd_config.new"; fi
    "$sshd" -t -f "$run/sshd_config" || { status ssh 'failed: sshd refuses its configuration, see the log of the pod'; return 0; }
    session_env
    status ssh starting
    ports="$ports $ssh_port"
    beside supervise ssh "$ssh_port" "$sshd" -D -e -f "$run/sshd_config"
}
