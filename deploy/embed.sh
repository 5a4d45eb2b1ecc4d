#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes an assembler file that holds the files named as arguments and a table of them (read by lib/base/share.c):
# share_table is {path, bytes, length, mode} a row, sorted by path; share_table_n the number of rows.
set -eu
export LC_ALL=C
printf '%s\n' '.section .note.GNU-stack,"",@progbits' '.section .rodata'
n=0
for f in "$@"; do
	n=$((n + 1))
	printf '.balign 16\nbytes_%d: .incbin "%s"\nend_%d: .byte 0\npath_%d: .asciz "%s"\n' $n "$f" $n $n "$f"
done
# the table holds addresses, so a position-independent program needs it where the loader may write
printf '%s\n' '.section .data.rel.ro,"aw",@progbits' '.balign 8' '.globl share_table' '.hidden share_table' 'share_table:'
n=0
for f in "$@"; do
	n=$((n + 1))
	mode=420
	[ -x "$f" ] && mode=493
	printf '.quad path_%d, bytes_%d, end_%d - bytes_%d, %d\n' $n $n $n $n $mode
done
printf '%s\n' '.globl share_table_n' '.hidden share_table_n' 'share_table_n:'
printf '.quad %d\n' $n
