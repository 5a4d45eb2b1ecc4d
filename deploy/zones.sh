#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the table of IANA time zone names that is compiled in (reconciler/parse/zones.def) from Debian's tzdata:
#   sh deploy/zones.sh > reconciler/parse/zones.def
# Compiled in, so that the check of a pull request and the daemon know the same names wherever they run.
set -eu
export LC_ALL=C
zi=${1:-/usr/share/zoneinfo/tzdata.zi}
version=$(sed -n 's/^# version //p' "$zi")
cat <<EOF
/* SPDX-License-Identifier: Apache-2.0 */
/* IANA time zone names, sorted bytewise; made by deploy/zones.sh from tzdata $version, which is in the public domain. */
ZONES_VERSION("$version")
EOF
awk '$1 == "Z" { print $2 } $1 == "L" { print $3 }' "$zi" | sort -u | sed 's/.*/ZONE("&")/'
