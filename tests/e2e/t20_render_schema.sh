#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The golden manifests of tests/cases/render/ against the API's own schemas (t22 shows that the check can fail).
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/e2e/k8s_schema.py tests/cases/render/*/want
