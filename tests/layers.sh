#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks every #include of reconciler/ against tests/layers.txt. Prints each violation as file:line; exit 1 when any.
set -eu
cd "$(dirname "$0")/../reconciler"
find . -name '*.[ch]' | sed 's|^\./||' | LC_ALL=C sort | xargs awk '
function folder(path) { return path ~ /\// ? substr(path, 1, match(path, /\/[^\/]*$/) - 1) : "." }
function deny(what) { printf "reconciler/%s:%d: %s may not include %s\n", FILENAME, FNR, folder(FILENAME), what; bad = 1 }
FILENAME == "../tests/layers.txt" {
	if (/^#/ || NF == 0) next
	key = $1
	sub(/:$/, "", key)
	known[key] = 1
	for (i = 2; i <= NF; i++) may[key, $i] = 1
	next
}
/^#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	from = folder(FILENAME); to = folder(part[2])
	if (!(from in known)) deny(part[2] " (" from " is not in tests/layers.txt)")
	else if (from != to && !((from, to) in may)) deny(part[2])
	key = "\"" part[2] "\""
	if ((key in known) && !((key, from) in may) && !((key, FILENAME) in may)) deny(key)
}
/^#[ \t]*include[ \t]*</ {
	split($0, part, /[<>]/)
	key = "<" part[2] ">"
	if (part[2] ~ /\//) { split(part[2], dir, "/"); if (("<" dir[1] "/>") in known) key = "<" dir[1] "/>" }
	if ((key in known) && !((key, folder(FILENAME)) in may) && !((key, FILENAME) in may)) deny(key)
}
END { exit bad }
' ../tests/layers.txt
