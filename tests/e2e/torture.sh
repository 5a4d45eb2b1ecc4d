#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make torture: the long version of t4_torture.sh. KILLS and TORTURE_SEED may be set.
set -eu
exec python3 "$(dirname "$0")/torture.py" "${KILLS:-200}"
