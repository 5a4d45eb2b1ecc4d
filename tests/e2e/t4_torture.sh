#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A tenth of make torture.
set -eu
exec python3 "$(dirname "$0")/torture.py" 20
