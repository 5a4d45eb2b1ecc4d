#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks that need no compiler: banned functions, O_CLOEXEC, lengths of files and functions, the first two lines.
set -eu
cd "$(dirname "$0")/.."
find reconciler tests -name '*.[ch]' | LC_ALL=C sort | xargs awk '
function bad(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failed = 1 }
function end_of_file() { if (lines > 800) { printf "%s: %d lines, at most 800\n", last, lines; failed = 1 } }
FNR == 1 {
	end_of_file()
	last = FILENAME; comment = 0; start = 0
	if (!/SPDX-License-Identifier: Apache-2\.0/) bad("the first line names the licence (SPDX)")
}
FNR == 2 && !/^\/\*/ { bad("the second line says in one sentence what the file is") }
{
	lines = FNR
	code = $0
	gsub(/\\./, "", code); gsub(/"[^"]*"/, "\"\"", code); gsub(/\/\*[^*]*\*\//, "", code)
	if (comment) { if (!sub(/^.*\*\//, "", code)) next; comment = 0 }
	if (sub(/\/\*.*$/, "", code)) comment = 1
	if (match(code, /(^|[^A-Za-z0-9_])(strcpy|strcat|sprintf|vsprintf|strtok|atoi|gets|system|popen|gmtime|localtime|rand) *\(/))
		bad("banned function: " substr(code, RSTART, RLENGTH))
	if (code ~ /[^a-z_]open(at)?\(.*O_(RDONLY|WRONLY|RDWR)/ && code !~ /O_CLOEXEC/) bad("open without O_CLOEXEC")
}
/^\{/ { start = FNR }
/^\}/ { if (start && FNR - start > 101) bad("function of " FNR - start - 1 " lines, at most 100"); start = 0 }
END { end_of_file(); exit failed }
'
