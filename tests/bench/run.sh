#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench: figures as ratios to what was measured beside them. BENCH_FULL=1 adds 10,000 environments. Never a test.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$top/build/bench"
"${BENCH_VALIDATE:-$top/build/release/tests/bench/bench_validate}" | tee "$top/build/bench/validate.txt"
exec python3 "$top/tests/bench/bench.py" "$top/build/bench"
