/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers for findings that the parse and validate stages share. */
#pragma once

#include "lib/doc/report.h"
#include "parse/doc.h"

/* An error at `at`; help and note follow by finding_help() and finding_note(). */
#define say(r, code, at, ...) report_add((r), FINDING_##code, SEVERITY_ERROR, (at), __VA_ARGS__)

/* The file as a whole. */
static inline struct place
say_file(const char *path)
{
	return (struct place){ .file = path };
}

/* A user's text for a message: cut after 80 bytes, at a character's end. */
const char *say_text(struct arena *mem, const char *s);

/* Where `v` stands ("flavors/big.yaml:9:14"), for notes; "the built-in defaults" when the program made it. */
const char *say_place(struct arena *mem, const struct value *v);

/* What to write when `name` names no document of `k`: the nearest name, else those there are, else that there are none. */
void say_nearest(struct report *r, struct finding *f, const struct site *s, enum kind k, const char *name);
