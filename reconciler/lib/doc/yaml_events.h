/* SPDX-License-Identifier: Apache-2.0 */
/* The reader with a listener: for what needs to know how a document was written, not only what it says. */
#pragma once

#include "lib/doc/yaml.h"
#include "lib/doc/yaml_gap.h"

/* Called for each event as long as nothing was refused; t->s is the text without byte order mark, marks count in it. */
struct yaml_listener {
	void (*event)(void *ctx, struct yaml_text *t, const yaml_event_t *ev);
	void *ctx;
};

/* As yaml_read(). The text and all that the listener was given are gone or meaningless when it fails. */
int yaml_read_events(struct arena *mem, const char *file, const char *bytes, size_t len, const struct yaml_limits *limits,
                     const struct yaml_listener *l, struct report *r, struct value **out) MUST_USE;
