#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs everything that prints TAP: built unit, conformance and fuzz replay programs of $1 (build/asan), then the
# end-to-end scripts in order. With more arguments only those programs and scripts are run.
# A crash, a non-zero exit, a missing or wrong plan count as failures. Last line: N passed, N failed, N skipped.
set -u
out=${1:-build/asan}
[ $# -gt 0 ] && shift
export LC_ALL=C.UTF-8
export BERTH="${BERTH:-$PWD/$out/berth}"
case $BERTH in /*) ;; *) BERTH=$PWD/$BERTH ;; esac
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
# a person's git configuration must not decide whether tests pass
work=$(mktemp -d "${TMPDIR:-/tmp}/berth-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/home" || exit 1
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1
unset XDG_CONFIG_HOME GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE BERTH_SHARE
passed=0 failed=0 skipped=0

# one NAME COMMAND...
one() {
	name=$1
	shift
	start=$(date +%s)
	printf '# %s\n' "$name"
	{
		timeout -k 10 "${TEST_TIMEOUT:-300}" "$@" 2>&1 </dev/null
		echo $? >"$work/rc"
	} | tee "$work/out"
	awk -v name="$name" -v limit="${TEST_TIMEOUT:-300}" -v rc="$(cat "$work/rc")" -v secs=$(($(date +%s) - start)) -v failures="$work/failures" '
	function fail(text) { bad++; print name ": " text >>failures }
	/^1\.\.[0-9]+/ {
		planned = 1
		plan = substr($1, 4) + 0
		if (plan == 0) { whole = 1; skip++ }
		next
	}
	/^ok/ { seen++; show = 0; if (/# (SKIP|skip)/) skip++; else good++; next }
	/^not ok/ { seen++; if (/# TODO/) { skip++; show = 0; next } fail($0); show = 20; next }
	/^(# (ok|not ok) - tests|TAP version|\[|$)/ { next }
	!/^#/ { stray[strays++] = $0; next }
	/^# / { if (show > 0) { print "    " $0 >>failures; show-- } ; next }
	END {
		if (rc == 124 || (rc == 137 && secs >= limit)) fail("not ok - no end after its time limit")
		else if (rc > 128) fail("not ok - ended by signal " rc - 128)
		else if (!planned) fail("not ok - printed no plan (1..N), exit status " rc)
		else if (!whole && plan != seen) fail("not ok - planned " plan " tests and ran " seen)
		else if (rc != 0 && !bad) fail("not ok - exit status " rc)
		for (i = strays > 30 ? strays - 30 : 0; bad && i < strays; i++) print "    " stray[i] >>failures
		print good + 0, bad + 0, skip + 0, secs
	}' "$work/out" >"$work/sum"
	read -r good bad skip secs <"$work/sum"
	printf '# %s: %d passed, %d failed, %d skipped, %d s\n' "$name" "$good" "$bad" "$skip" "$secs"
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

# program or script by its path
run() {
	case $1 in
	*.py) one "$1" python3 "$1" ;;
	*.sh) if [ -x "$1" ]; then one "$1" "$1"; else one "$1" sh "$1"; fi ;;
	*/tests/fuzz/fuzz_*) one "$1" "$1" "tests/fuzz/corpus/${1##*/fuzz_}" ;;
	*) one "$1" "$1" ;;
	esac
}

if [ $# -eq 0 ]; then
	for src in tests/unit/test_*.c tests/conformance/conf_*.c tests/fuzz/fuzz_*.c tests/e2e/t[0-9]*.sh tests/e2e/t[0-9]*.py; do
		[ -f "$src" ] || continue
		case $src in
		tests/e2e/*) echo "$src" ;;
		*) echo "$out/${src%.c}" ;;
		esac
	done >"$work/list"
else
	printf '%s\n' "$@" >"$work/list"
fi
# the list is on descriptor 3: tests get an empty standard input
while read -r item <&3; do
	run "$item" 3<&-
done 3<"$work/list"

[ -s "$work/failures" ] && printf '\n# failed:\n' && cat "$work/failures"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
