#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One pass of `berth run --once` over the example repository under valgrind: definite leaks, invalid accesses and
# uninitialised reads fail. Run by `make valgrind` with BERTH=build/debug/berth.
set -eu
berth=$(cd "$(dirname "$BERTH")" && pwd)/$(basename "$BERTH")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work"

under() {
	valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite \
		--track-fds=no --child-silent-after-fork=yes "$@"
}
"$berth" init "$work/repo" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
git clone -q --bare "$work/repo" "$work/repo.git"
for pass in first second; do
	under "$berth" run --once --repo "$work/repo.git" --target git --state "$work/state" >"$work/out" 2>&1 ||
		{ rc=$?; cat "$work/out"; echo "valgrind: the $pass pass ended with status $rc"; exit 1; }
done
under "$berth" validate -C "$work/repo" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
under "$berth" plan -C "$work/repo" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
echo "valgrind: two passes, validate and plan: no definite leak, no invalid access"
