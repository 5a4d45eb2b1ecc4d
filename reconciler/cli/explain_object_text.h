/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of berth render --explain, as text for a person and as data. */
#pragma once

#include "lib/base/buf.h"
#include "lib/doc/value.h"
#include "render/bundle.h"

#define EXPLAIN_INPUTS_MAX 64

struct explain_input {
	const char *field; /* "env.spec.resources.gpu"; NULL: the value itself stands at `at` */
	struct place at;   /* line 0: a default of berth */
	bool set;          /* false: nobody wrote it and it has no default */
};

struct explain_row {
	const char *path; /* "spec.template.spec.containers[0].image" */
	const struct value *value;
	struct place at;  /* in the template or patch; file NULL: set by berth itself */
	bool ours;
	size_t number;    /* in the order of the object */
	const char *item; /* "spec.template.spec.volumes[shm]": the item of a list that this is a part of, or NULL; and its value */
	const struct value *item_value;
	const char *const *vars; /* that the template reads there */
	size_t nvars;
	struct explain_input inputs[EXPLAIN_INPUTS_MAX];
	size_t n;
};

struct explain_rows {
	struct explain_row **items;
	size_t n, cap;
};

struct explain_row *explain_row_new(struct arena *mem, struct explain_rows *rows);

/* By template, line and the object's order; what berth sets itself last. */
void explain_rows_sort(struct explain_rows *rows);

void explain_rows_text(struct arena *mem, const struct explain_rows *rows, const char *unit, const struct object *o, struct buf *out);
struct value *explain_rows_value(struct arena *mem, const struct explain_rows *rows, const char *unit, const struct object *o);
