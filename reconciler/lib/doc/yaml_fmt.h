/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical layout of a document that people write: as yaml_write() spells it, with their comments and flow kept. */
#pragma once

#include "lib/doc/report.h"

/*
 * Formats one document into `out` (empty before). The layout, for files that people and programs both write:
 * - Block style, two spaces, keys in their order, lists at their key's column, as yaml_write(). One trailing line break,
 *   LF only; byte order mark, %YAML, "---" and "..." go. A document without content keeps its comments only.
 * - { } and [ ] of the source stay so on one line when they fit in YAML_FMT_WIDTH columns and hold no comment; else they
 *   become block style, and what is inside them is looked at again.
 * - At most one blank line is kept between entries and between comments; none at the start of a block.
 * - A comment on a line of its own stays before the key or item it precedes, with its indentation. At the end of a block it
 *   stays in the deepest block that is not indented more than it; below an empty value it stays there. So modelines
 *   (# yaml-language-server: $schema=…) stay first.
 * - A comment behind a value, or behind a key or dash whose value follows in a block, stays there, two blanks away; those of
 *   adjacent lines are aligned, and lines of their own that continue one at its column follow it. Where two would
 *   meet on one line, the first moves to a line of its own before the key. Text of comments is never changed,
 *   but for blanks at its end.
 * - Strings are quoted as yaml_write() does: exactly when some reader could take them for something else (so the quotes
 *   the reader asks for are kept, or added where it warns), in { } and [ ] also when they hold one of ",[]{}:"; digits with
 *   one letter (90d, 10T) are never quoted. Numbers stay as written; nulls become null, booleans true and false.
 * - | and > become | with the same bytes; quoted text of several lines becomes | as yaml_write() does, outside { } and [ ].
 * The text made is read back: the value must be equal (value_equal) and no comment lost. Formatting it again changes
 * nothing.
 * ERR_INVALID when the document has errors, or the result would be larger than one may be or would not read back the same:
 * the findings are in `r`, `out` is meaningless. `r` gets warnings too. Time is linear in len.
 */
int yaml_fmt(struct arena *mem, const char *file, const char *bytes, size_t len, struct report *r, struct buf *out) MUST_USE;

#define YAML_FMT_WIDTH 120
