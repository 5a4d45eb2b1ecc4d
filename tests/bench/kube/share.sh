#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the folder that BERTH_SHARE names when the Kubernetes part is measured: berth's own schema and repository, and templates that
# turn one user with one environment into 8 objects. Usage: share.sh NEW-FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
mkdir "${1:?NEW-FOLDER}"
cp -R "$top/schema" "$top/envs-repo-template" "$here/templates" "$1/"
