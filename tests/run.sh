#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs everything that prints TAP: built unit, conformance and fuzz replay programs of $1 (build/asan) and the
# end-to-end scripts. With more arguments only those programs and scripts are run.
# A crash, a non-zero exit, a missing or wrong plan count as failures. Last line: N passed, N failed, N skipped.
# What is to be run on a real control plane gets it built first, once (tests/peers/install.sh); BERTH_PEERS=none leaves
# those tests out. Where it cannot be built they are skipped, with CI=true they fail.
# TEST_JOBS (3) run at once, those that took longest the last time first. TEST_JOBS=1: one after the other, shown as they go.
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
real_home=${HOME:-/}
real_config=${XDG_CONFIG_HOME:-$real_home/.config}
export BERTH_PEERS="${BERTH_PEERS:-${XDG_CACHE_HOME:-$real_home/.cache}/berth-peers}"
case $BERTH_PEERS in /* | none) ;; *) BERTH_PEERS=$PWD/$BERTH_PEERS ;; esac
export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1
unset XDG_CONFIG_HOME GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE BERTH_SHARE
jobs=${TEST_JOBS:-3}
[ $# -gt 1 ] || [ -n "${TEST_JOBS:-}" ] || { [ $# -eq 1 ] && jobs=1; }

# one NAME COMMAND...
one() {
	name=$1
	shift
	start=$(date +%s)
	{
		printf '# %s\n' "$name"
		timeout -k 10 "${TEST_TIMEOUT:-600}" "$@" 2>&1 </dev/null
		echo $? >"$mine/rc"
	} | if [ "$jobs" = 1 ]; then tee "$mine/out"; else cat >"$mine/out"; fi
	awk -v name="$name" -v limit="${TEST_TIMEOUT:-600}" -v rc="$(cat "$mine/rc")" -v secs=$(($(date +%s) - start)) -v failures="$mine/failures" '
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
	}' "$mine/out" >"$mine/sum"
	cat "$mine/sum" >>"$mine/sums"
	read -r good bad skip secs <"$mine/sum"
	echo "${name##*/} $secs" >>"$mine/seconds"
	{
		flock 9 # what two tests print does not mix
		[ "$jobs" = 1 ] || cat "$mine/out"
		printf '# %s: %d passed, %d failed, %d skipped, %d s\n' "$name" "$good" "$bad" "$skip" "$secs"
	} 9>"$work/lock"
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

# needs MODULE: does a test on the list import it?
needs() { grep '^tests/e2e/.*\.py$' "$work/list" | xargs grep -lE "^(import|from) ($1)\\b" /dev/null >/dev/null 2>&1; }

# the peers, in the caches of the person's own home and with progress on the terminal
if [ "$BERTH_PEERS" != none ] && needs 'kube|node'; then
	if ! HOME=$real_home XDG_CONFIG_HOME=$real_config tests/peers/install.sh k8s; then
		export BERTH_PEERS_FAILED="the programs of a control plane could not be built here (see above)"
	elif needs node && tests/peers/node.sh may >"$work/node"; then
		HOME=$real_home XDG_CONFIG_HOME=$real_config tests/peers/install.sh realnode ||
			export BERTH_NODE_FAILED="the programs and images of a node could not be built here (see above)"
	fi
fi

# the real sops, likewise
if [ "$BERTH_PEERS" != none ] && needs sops && ! HOME=$real_home XDG_CONFIG_HOME=$real_config tests/peers/install.sh sops; then
	export BERTH_SOPS_FAILED="sops could not be built here (see above)"
fi

# the forge, likewise
if [ "$BERTH_PEERS" != none ] && needs 'gitea|forge_site' && ! HOME=$real_home XDG_CONFIG_HOME=$real_config tests/peers/install.sh gitea; then
	export BERTH_GITEA_FAILED="Gitea could not be built here (see above)"
fi

# root file systems, likewise
! needs roots || HOME=$real_home XDG_CONFIG_HOME=$real_config python3 tests/e2e/roots.py

# The longest first, so that none is what all wait for at the end: by the seconds of the last run, which are kept beside the peers;
# what has none there takes as long as a guess by what it starts.
kept=$BERTH_PEERS/seconds
longest_first() {
	if [ -f "$kept" ]; then cp "$kept" "$work/took"; else : >"$work/took"; fi
	grep '^tests/e2e/' "$work/list" | xargs grep -lE '^(import|from) (kube|node|gitea|forge_site)|\bDaemon\b' /dev/null >"$work/starts"
	awk '
		FILENAME ~ /took$/ { took[$1] = $2; next }
		FILENAME ~ /starts$/ { starts[$0]; next }
		{ name = $0; sub(".*/", "", name); print name in took ? took[name] : $0 in starts ? 40 : /^tests\/e2e\// ? 10 : 1, $0 }
		' "$work/took" "$work/starts" "$work/list" | sort -k1,1nr -s | cut -d' ' -f2- >"$work/sorted" && mv "$work/sorted" "$work/list"
}
# Another run may do the same: the file is a whole one, of either.
keep_seconds() {
	[ -d "$BERTH_PEERS" ] || return 0
	cat "$work/took" "$work"/lane*/seconds | awk '{ took[$1] = $2 } END { for (name in took) print name, took[name] }' | sort >"$kept.$$" &&
		mv "$kept.$$" "$kept"
}

# claim FILE: runs what is on it and nobody has begun. The list is on descriptor 3: tests get an empty standard input.
claim() {
	while read -r item <&3; do
		mkdir "$work/begun/$(echo "$item" | tr / .)" 2>/dev/null && run "$item" 3<&-
	done 3<"$1"
}

[ "$jobs" = 1 ] || longest_first

# Tests mostly wait: more than there are processors. Those on a real node count what the machine has before and after, so they follow
# each other.
grep '^tests/e2e/.*\.py$' "$work/list" | xargs grep -lE '^(import|from) node\b' /dev/null >"$work/alone" 2>/dev/null
grep -vxFf "$work/alone" "$work/list" >"$work/others"
lane() {
	mine=$work/lane$1
	mkdir "$mine" && : >"$mine/sums" && : >"$mine/failures" && : >"$mine/seconds"
	[ "$1" != 1 ] || claim "$work/alone"
	claim "$work/others"
}
mkdir "$work/begun"
if [ "$jobs" = 1 ]; then
	lane 1
else
	lanes=
	for n in $(seq "$jobs"); do
		lane "$n" &
		lanes="$lanes $!"
	done
	# shellcheck disable=SC2064,SC2086 # these very processes
	trap "kill $lanes 2>/dev/null; exit 130" INT TERM
	# shellcheck disable=SC2086
	wait $lanes
	keep_seconds
fi
cat "$work"/lane*/failures >"$work/failures"
read -r passed failed skipped <<-END
	$(cat "$work"/lane*/sums | awk '{ good += $1; bad += $2; skip += $3 } END { print good + 0, bad + 0, skip + 0 }')
END

[ -z "${BERTH_PEERS_FAILED:-}" ] || printf '\n# NOT TESTED: the Kubernetes target. %s\n' "$BERTH_PEERS_FAILED"
[ -z "${BERTH_SOPS_FAILED:-}" ] || printf '\n# NOT TESTED: the real sops. %s\n' "$BERTH_SOPS_FAILED"
[ -z "${BERTH_NODE_FAILED:-}" ] || printf '\n# NOT TESTED: a real node. %s\n' "$BERTH_NODE_FAILED"
[ ! -s "$work/node" ] || printf '\n# NOT TESTED: a real node. %s\n' "$(cat "$work/node")"
[ "$BERTH_PEERS" != none ] || printf '\n# NOT TESTED: the Kubernetes target, by BERTH_PEERS=none\n'
[ -s "$work/failures" ] && printf '\n# failed:\n' && cat "$work/failures"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
