#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# git's credential helper for secrets with as: git. Reads what is mounted at each use, so that a new password needs neither a copy nor a restart; keeps
# nothing and forgets nothing. A secret is either `credentials`, lines as git's own store has them, or server, username and password.
set -u
[ "${1:-}" = get ] || exit 0
folder=${BERTH_SECRETS:-/etc/berth}/git
unset first answer asked # should somebody have exported variables of these names
protocol='' host='' user='' asked=
while IFS= read -r line && [ -n "$line" ]; do
    case $line in
    protocol=*) protocol=${line#*=} ;;
    host=*) host=${line#*=} ;;
    username=*) user=${line#*=} ;;
    esac
    asked="$asked$line
"
done

# one FILE: its first line
one() { IFS= read -r first <"$1" || [ -n "$first" ]; }

for secret in "$folder"/*; do
    if [ -r "$secret/credentials" ]; then
        answer=$(printf '%s\n' "$asked" | git credential-store --file "$secret/credentials" get) || answer=
        [ -z "$answer" ] || { printf '%s\n' "$answer"; exit 0; }
    elif [ -r "$secret/server" ] && [ -r "$secret/username" ] && [ -r "$secret/password" ]; then
        one "$secret/server"
        first=${first#https://}
        # never in the clear, and to nobody but this server
        if [ "$protocol" != https ] || [ "$host" != "${first%%/*}" ]; then continue; fi
        one "$secret/username"
        [ -z "$user" ] || [ "$user" = "$first" ] || continue
        printf 'username=%s\n' "$first"
        one "$secret/password"
        printf 'password=%s\n' "$first"
        exit 0
    fi
done
