/* SPDX-License-Identifier: Apache-2.0 */
/* What YAML 1.2 forbids and libyaml lets pass, found in the text around its events. Only yaml_read.c needs it. */
#pragma once

#include <yaml.h>

#include "lib/doc/value.h"

/* The text, a cursor that turns libyaml's character numbers into byte offsets, and the end of the last event. */
struct yaml_text {
	const char *s;
	size_t len;
	bool ascii;                /* then both are the same */
	size_t cursor_char, cursor_byte;
	size_t seen;               /* bytes up to here belong to events already looked at */
	uint32_t seen_line, seen_col; /* of `seen`, from 0 */
};

struct yaml_flaw {
	struct place at;
	const char *what;
};

/* Bytes before the character of this number; moves the cursor, so that a pass over all events is linear. */
size_t yaml_text_offset(struct yaml_text *t, size_t character);

/*
 * Looks at the text between the last event and `start`, then moves on to `end`. True with *flaw when it holds a comment
 * without a blank before it, a '?' that libyaml would take for an indicator, or (in flow) a tab as indentation.
 */
bool yaml_gap_flaw(struct yaml_text *t, yaml_mark_t start, yaml_mark_t end, bool flow, struct yaml_flaw *flaw);

/*
 * What is wrong with a scalar, or NULL: continuation lines of quoted text that are not indented beyond `block_col`, a
 * block scalar whose header runs into a comment or whose first blank lines are indented too much, a lone '-'.
 */
const char *yaml_scalar_flaw(struct yaml_text *t, const yaml_event_t *ev, int block_col);
