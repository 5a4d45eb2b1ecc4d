/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects, events and managedFields from a cluster: "A\n---\nB" are two JSON texts that are also compared with each other, anything
 * else is one. Whatever they hold, a view has a reason of the table and one short clean line.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "apply/health.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kube/fields.h"

#define MEM ((size_t)512 << 20)
#define INPUT_MAX ((size_t)64 * 1024)
#define NOW 1795644000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_line(const char *s)
{
	require(str_utf8_valid(s, strlen(s)));
	for (; *s; s++)
		require(!iscntrl((unsigned char)*s));
}

static void
check_view(const struct health_view *v)
{
	require(v->reason && health_reason_help(v->reason));
	require((v->message == NULL) == (v->health == HEALTH_READY));
	if (!v->message)
		return;
	require(strlen(v->message) <= 240);
	check_line(v->message);
}

/* Nothing of a stranger may be left after taking over; what is nobody's stays nobody's. */
static void
check_take_over(struct arena *mem, const struct value *object, const struct value *metadata)
{
	const char *kind = value_as_str(value_get(object, "kind"), "StatefulSet");
	struct fields_view view, after;
	struct value *list, *copy;

	fields_look(mem, metadata, kind, "berth", &view);
	require((view.foreign != NULL) == (view.nforeign > 0) && (view.what != NULL) == (view.nforeign > 0));
	if (view.what)
		check_line(view.what);
	list = fields_take_over(mem, metadata, kind, "v1", "berth");
	require((list != NULL) == (view.nforeign > 0));
	if (!list)
		return;
	copy = value_map(mem);
	value_set(mem, copy, "managedFields", list);
	fields_look(mem, copy, kind, "berth", &after);
	require(after.ours && after.nforeign == 0);
}

static void
check_one(struct arena *mem, const struct value *v)
{
	struct health_view view;

	health_of_object(mem, v, NOW, &view);
	check_view(&view);
	if (health_of_event(mem, v, &view))
		check_view(&view);
	check_take_over(mem, v, value_get(v, "metadata"));
	(void)fields_extra(mem, v, value_get(v, "metadata"), "berth", NULL);
}

static void
check_pair(struct arena *mem, const struct value *a, const struct value *b)
{
	const char *where = NULL;

	require(fields_subset(mem, a, b, &where) == (where == NULL));
	if (where)
		check_line(where);
	where = NULL;
	require(fields_extra(mem, a, value_get(b, "metadata"), "berth", &where) == (where != NULL));
	/* nothing differs from itself */
	require(fields_subset(mem, a, a, NULL) && fields_subset(mem, b, b, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n---\n";
	AUTO_ARENA struct arena *mem = arena_new(MEM);
	const char *text = (const char *)data, *split = size ? memmem(text, size, mark, strlen(mark)) : NULL;
	size_t first = split ? (size_t)(split - text) : size;
	struct value *a = NULL, *b = NULL;

	if (size > INPUT_MAX)
		return 0;
	if (json_read(mem, text, first, &a, NULL) == 0)
		check_one(mem, a);
	if (!split || json_read(mem, split + strlen(mark), size - first - strlen(mark), &b, NULL) < 0)
		return 0;
	check_one(mem, b);
	if (a)
		check_pair(mem, a, b);
	return 0;
}
