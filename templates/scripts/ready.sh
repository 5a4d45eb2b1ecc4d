#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The readiness of the pod: 0 when a person can get in. start.sh writes on which ports that is seen; one is enough.
scripts=${0%/*}
# shellcheck source=templates/scripts/lib.sh
. "$scripts/lib.sh"
[ ! -e "$ready" ] || exit 0
[ -r "$run/ready-when" ] || exit 1
read -r wanted <"$run/ready-when"
for one in $wanted; do
    ! listening "$one" || exit 0
done
exit 1
