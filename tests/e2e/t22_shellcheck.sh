#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck over the scripts that run in environments and over those of deploy/; the first also as each shell that runs them reads them.
set -u
cd "$(dirname "$0")/../.."
if ! command -v shellcheck >/dev/null; then
	echo '1..0 # SKIP NOT TESTED: there is no shellcheck (deploy/setup.sh test installs it)'
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/berth-shellcheck.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
n=0 bad=0
check() { # NAME COMMAND...
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$work/out" 2>&1; then echo "ok $n - $name"; else echo "not ok $n - $name" && sed 's/^/# /' "$work/out" && bad=1; fi
}

scripts='templates/scripts/*.sh'
for file in $scripts; do
	check "$file" shellcheck -x "$file"
	for shell in dash bash; do
		! command -v $shell >/dev/null || check "$file: $shell can read it" $shell -n "$file"
	done
	check "$file says its licence and what it is" sh -c 'sed -n 2p "$1" | grep -qx "# SPDX-License-Identifier: Apache-2.0" && sed -n 3p "$1" | grep -q "^# ."' sh "$file"
done
for file in $(find deploy -type f | LC_ALL=C sort); do
	case $(head -c 12 "$file") in '#!/bin/sh'* | '#!/bin/bash') check "$file" shellcheck -x "$file" ;; esac
done
printf 'echo $1\n[ 1 == 1 ]\n' >"$work/bad.sh"
check 'what is wrong is found' sh -c '! shellcheck -s sh "$1"' sh "$work/bad.sh"
echo "1..$n"
exit $bad
