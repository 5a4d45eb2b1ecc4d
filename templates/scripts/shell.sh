#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The login shell that passwd names: gives a session the variables of the pod, then becomes a shell that exists.
# Its arguments are those of a shell: none for a login, -c COMMAND for `ssh host command`.
if [ -z "${BERTH_SESSION:-}" ] && [ -r /tmp/.berth/session-env ]; then
    # shellcheck source=/dev/null
    . /tmp/.berth/session-env
    BERTH_SESSION=1
    export BERTH_SESSION
fi
# a person's choice, where chsh cannot work: one line with the path of another shell
chosen=
[ ! -r "$HOME/.berth/shell" ] || read -r chosen <"$HOME/.berth/shell"
for SHELL in "$chosen" /bin/bash /usr/bin/bash /usr/local/bin/bash /opt/berth/bin/bash /bin/sh /opt/berth/bin/sh; do
    [ ! -x "$SHELL" ] || break
done
export SHELL
# ours does not count: bash reads ~/.bashrc for `ssh host command` only when it is the first
unset SHLVL
# programs of the toolbox look for terminals where Debian has them
[ -d /lib/terminfo ] || [ -d /usr/share/terminfo ] || [ ! -d /opt/berth/share/terminfo ] || export TERMINFO_DIRS="${TERMINFO_DIRS:-/etc/terminfo:/opt/berth/share/terminfo}"
[ $# -gt 0 ] || exec "$SHELL" -l
exec "$SHELL" "$@"
