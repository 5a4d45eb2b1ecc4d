/* SPDX-License-Identifier: Apache-2.0 */
/* What all targets share. */
#include "plan/target.h"

void
target_note(struct target *t, struct arena *mem, const struct target_change *c)
{
	struct target_changes *l = &t->changes;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 32;

		l->items = arena_regrow(mem, l->items, l->n, cap, sizeof(*l->items));
		l->cap = cap;
	}
	l->items[l->n++] = *c;
}

void
unit_state_rendered(struct unit_state *out)
{
	*out = (struct unit_state){
		.there = true, .phase = UNIT_RENDERED,
		.applied = true, .applied_reason = "Committed", .applied_message = "on branch berth/rendered",
		.ready = "Unknown", .ready_reason = "NotObserved",
		.ready_message = "target git: berth does not see what runs",
	};
}

const char *
object_id(struct arena *mem, const struct value *object)
{
	const struct value *meta = value_get(object, "metadata");
	const char *ns = value_as_str(value_get(meta, "namespace"), NULL);

	return arena_printf(mem, "%s/%s/%s%s%s", value_as_str(value_get(object, "apiVersion"), "?"),
	                    value_as_str(value_get(object, "kind"), "?"), ns ? ns : "", ns ? "/" : "",
	                    value_as_str(value_get(meta, "name"), "?"));
}
