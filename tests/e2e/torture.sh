#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make torture: the long versions of t4_torture.sh, t78_kube_kill.py and t79_kube_lease.py. KILLS, KUBE_KILLS, PAUSES, PAIRS and
# TORTURE_SEED may be set; each part goes on when another has failed.
set -u
here=$(dirname "$0")
rc=0
python3 "$here/torture.py" "${KILLS:-200}" || rc=1
python3 "$here/kube_torture.py" "${KUBE_KILLS:-500}" || rc=1
python3 "$here/kube_pauses.py" "${PAUSES:-200}" "${PAIRS:-8}" || rc=1
exit $rc
