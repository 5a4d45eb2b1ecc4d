#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What ttyd runs for each visitor: asks for the password, then becomes a login shell.
scripts=${0%/*}
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
printf 'password (over SSH: cat ~/.berth/web-password): '
stty -echo 2>/dev/null
IFS= read -r given
stty echo 2>/dev/null
printf '\n'
if [ -s "$state/web-password" ] && [ "$given" = "$(cat "$state/web-password")" ]; then
    unset given
    exec "$(own_sh)" "$scripts/shell.sh"
fi
sleep 3
say 'wrong password'
exit 1
