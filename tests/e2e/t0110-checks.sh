#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The checks check: tests/run.sh counts every way of failing, layers.sh and lint.sh find what they are there for.
set -u
tests=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0 failed=0
check() { # NAME, then a command that must succeed
	name=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n - $name"; else
		echo "not ok $n - $name"
		sed 's/^/#   /' "$dir/said"
		failed=1
	fi
}

# one NAME SCRIPT WANTED-SUMMARY WANTED-STATUS
one() {
	printf '%s\n' "$2" >"$dir/$1.sh"
	TEST_TIMEOUT=2 sh "$tests/run.sh" "$dir" "$dir/$1.sh" >"$dir/said" 2>&1
	[ $? = "$4" ] && [ "$(tail -n 1 "$dir/said")" = "$3" ]
}
check "a good program" one good 'echo 1..2; echo ok 1; echo "ok 2 - x # SKIP no tool"' "1 passed, 0 failed, 1 skipped" 0
check "a failing test" one bad 'echo 1..2; echo ok 1; echo "not ok 2 - x"; echo "# why"; exit 1' "1 passed, 1 failed, 0 skipped" 1
check "its diagnosis comes again at the end" sh -c "tail -n 3 '$dir/said' | grep -q '# why'"
check "no plan" one noplan 'echo ok 1' "1 passed, 1 failed, 0 skipped" 1
check "nothing at all" one nothing 'true' "0 passed, 1 failed, 0 skipped" 1
check "fewer tests than planned" one short 'echo 1..2; echo ok 1' "1 passed, 1 failed, 0 skipped" 1
check "an exit status" one status 'echo 1..1; echo ok 1; exit 3' "1 passed, 1 failed, 0 skipped" 1
check "a signal" one signal 'echo 1..1; echo ok 1; kill -SEGV $$' "1 passed, 1 failed, 0 skipped" 1
check "a hang" one hang 'echo 1..1; exec sleep 60' "0 passed, 1 failed, 0 skipped" 1
check "a whole program skipped is not a success by itself" one skip 'echo "1..0 # SKIP no tool"' "0 passed, 0 failed, 1 skipped" 1

# two at once: what took long the last time begins first, and what they take now is kept
mkdir "$dir/peers"
printf 'brief.sh 1\nlong.sh 1009\nlonger.sh 1011\n' >"$dir/peers/seconds"
for name in brief long longer; do
	[ $name = brief ] && until=true || until="[ -e '$dir/begun.long' ] && [ -e '$dir/begun.longer' ]"
	echo "echo $name >>'$dir/order'; : >'$dir/begun.$name'; until $until; do sleep 0.1; done; echo ok 1; echo 1..1" >"$dir/$name.sh"
done
three() {
	BERTH_PEERS=$dir/peers TEST_JOBS=2 TEST_TIMEOUT=60 sh "$tests/run.sh" "$dir" "$dir/brief.sh" "$dir/long.sh" "$dir/longer.sh" >"$dir/said" 2>&1
	[ "$(tail -n 1 "$dir/said")" = "3 passed, 0 failed, 0 skipped" ] && [ "$(tail -n 1 "$dir/order")" = brief ]
}
check "the longest begin first" three
check "the seconds are kept" sh -c "[ \$(wc -l <'$dir/peers/seconds') = 3 ] && ! grep -q ' 10..$' '$dir/peers/seconds'"

mkdir -p "$dir/t/tests" "$dir/t/reconciler/parse" "$dir/t/reconciler/lib/base"
cp "$tests/layers.sh" "$tests/lint.sh" "$tests/layers.txt" "$dir/t/tests/"
head2='/* SPDX-License-Identifier: Apache-2.0 */
/* Text. */'
file() { # PATH, further lines on standard input
	{ echo "$head2"; cat; } >"$dir/t/reconciler/$1"
}
layers() { sh "$dir/t/tests/layers.sh" >"$dir/said" 2>&1; }
lint() { sh "$dir/t/tests/lint.sh" >"$dir/said" 2>&1; }
file lib/base/a.c </dev/null
file parse/p.c <<'END'
#include <stdio.h>
#include "lib/doc/value.h"
#include "parse/doc.h"
END
check "layers: what is allowed passes" layers
check "lint: what is fine passes" lint
echo '#include "render/render.h"' | file parse/p.c
check "layers: a later stage is refused, with its place" sh -c "! sh '$dir/t/tests/layers.sh' >'$dir/said' && grep -q 'parse/p.c:3: parse may not include render/render.h' '$dir/said'"
echo '#include <git2/oid.h>' | file parse/p.c
check "layers: a foreign header is refused" sh -c "! sh '$dir/t/tests/layers.sh' >'$dir/said' && grep -q '<git2/>' '$dir/said'"
printf '/* strcpy(a) */ char *s = "gets(x)";\n\tsystem(s);\n' | file parse/p.c
check "lint: a banned function, not its name in text" sh -c "! sh '$dir/t/tests/lint.sh' >'$dir/said' && [ \$(wc -l <'$dir/said') = 1 ] && grep -q 'p.c:4: .*system' '$dir/said'"
{ echo '{'; seq 101 | sed 's/.*/\t;/'; echo '}'; } | file parse/p.c
check "lint: a function of 101 lines" sh -c "! sh '$dir/t/tests/lint.sh' >'$dir/said' && grep -q 'function of 101 lines' '$dir/said'"
seq 799 | sed 's/.*//' | file parse/p.c
check "lint: a file of 801 lines" sh -c "! sh '$dir/t/tests/lint.sh' >'$dir/said' && grep -q '801 lines' '$dir/said'"
echo 'int x;' >"$dir/t/reconciler/parse/p.c"
check "lint: a file without licence line" sh -c "! sh '$dir/t/tests/lint.sh' >'$dir/said' && grep -q SPDX '$dir/said'"
echo "1..$n"
exit $failed
