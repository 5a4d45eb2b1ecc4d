#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# berth-status: one line a tool of this environment, `ssh ready on port 2222`. Without a terminal of its own:
# kubectl exec POD -- sh /etc/berth/scripts/status.sh
found=
for file in "${BERTH_RUN:-/tmp}"/.berth/status/*; do
    [ -r "$file" ] || continue
    found=1
    IFS= read -r text <"$file"
    printf '%s %s\n' "${file##*/}" "$text"
done
[ -n "$found" ] || printf 'nothing was started yet\n'
