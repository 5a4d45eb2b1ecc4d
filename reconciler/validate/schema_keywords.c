/* SPDX-License-Identifier: Apache-2.0 */
/* The table of JSON Schema keywords, and small things that the compiler's files share. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "validate/schema_node.h"

#define AT(field) offsetof(struct node, field)
#define NOTE(name) { name, SHAPE_NONE, TAKE_NOTHING, 0, 0, false }

/* Sorted by name. Every keyword of the 2020-12 dialect is here. */
static const struct keyword keywords[] = {
	NOTE("$anchor"),
	NOTE("$comment"),
	{ "$defs", SHAPE_MAP, TAKE_NOTHING, 0, 0, false },
	NOTE("$dynamicAnchor"),
	{ "$dynamicRef", SHAPE_NONE, TAKE_DYNAMIC_REF, AT(dynamic_ref), 0, false },
	NOTE("$id"),
	{ "$ref", SHAPE_NONE, TAKE_REF, AT(ref), 0, false },
	NOTE("$schema"),
	NOTE("$vocabulary"),
	{ "additionalProperties", SHAPE_ONE, TAKE_NODE, AT(additional), HAS_MAP, false },
	{ "allOf", SHAPE_LIST, TAKE_NODES, AT(all_of), HAS_BRANCHES, false },
	{ "anyOf", SHAPE_LIST, TAKE_NODES, AT(any_of), HAS_BRANCHES, false },
	{ "const", SHAPE_NONE, TAKE_VALUE, AT(constant), 0, true },
	{ "contains", SHAPE_ONE, TAKE_NODE, AT(contains), HAS_LIST, false },
	NOTE("contentEncoding"),
	NOTE("contentMediaType"),
	{ "contentSchema", SHAPE_ONE, TAKE_NOTHING, 0, 0, false },
	NOTE("default"),
	{ "dependentRequired", SHAPE_NONE, TAKE_DEPENDENCIES, AT(dependencies), HAS_MAP, true },
	{ "dependentSchemas", SHAPE_MAP, TAKE_NAMED, AT(dependents), HAS_MAP, false },
	NOTE("deprecated"),
	{ "description", SHAPE_NONE, TAKE_TEXT, AT(description), 0, false },
	{ "else", SHAPE_ONE, TAKE_NODE, AT(else_), 0, false },
	{ "enum", SHAPE_NONE, TAKE_ENUM, AT(allowed), 0, true },
	{ "examples", SHAPE_NONE, TAKE_VALUE, AT(examples), 0, false },
	{ "exclusiveMaximum", SHAPE_NONE, TAKE_NUMBER, AT(below), HAS_NUMBER, true },
	{ "exclusiveMinimum", SHAPE_NONE, TAKE_NUMBER, AT(above), HAS_NUMBER, true },
	NOTE("format"),
	{ "if", SHAPE_ONE, TAKE_NODE, AT(if_), HAS_BRANCHES, false },
	{ "items", SHAPE_ONE, TAKE_NODE, AT(items), HAS_LIST, false },
	{ "maxContains", SHAPE_NONE, TAKE_COUNT, AT(max_contains), 0, true },
	{ "maxItems", SHAPE_NONE, TAKE_COUNT, AT(max_items), HAS_LIST, true },
	{ "maxLength", SHAPE_NONE, TAKE_COUNT, AT(max_length), HAS_STRING, true },
	{ "maxProperties", SHAPE_NONE, TAKE_COUNT, AT(max_members), HAS_MAP, true },
	{ "maximum", SHAPE_NONE, TAKE_NUMBER, AT(maximum), HAS_NUMBER, true },
	{ "minContains", SHAPE_NONE, TAKE_COUNT, AT(min_contains), 0, true },
	{ "minItems", SHAPE_NONE, TAKE_COUNT, AT(min_items), HAS_LIST, true },
	{ "minLength", SHAPE_NONE, TAKE_COUNT, AT(min_length), HAS_STRING, true },
	{ "minProperties", SHAPE_NONE, TAKE_COUNT, AT(min_members), HAS_MAP, true },
	{ "minimum", SHAPE_NONE, TAKE_NUMBER, AT(minimum), HAS_NUMBER, true },
	{ "multipleOf", SHAPE_NONE, TAKE_NUMBER, AT(multiple_of), HAS_NUMBER, true },
	{ "not", SHAPE_ONE, TAKE_NODE, AT(not_), HAS_BRANCHES, false },
	{ "oneOf", SHAPE_LIST, TAKE_NODES, AT(one_of), HAS_BRANCHES, false },
	{ "pattern", SHAPE_NONE, TAKE_PATTERN, AT(pattern), HAS_STRING, true },
	{ "patternProperties", SHAPE_MAP, TAKE_PATTERNS, AT(patterns), HAS_MAP, false },
	{ "prefixItems", SHAPE_LIST, TAKE_NODES, AT(prefix), HAS_LIST, false },
	{ "properties", SHAPE_MAP, TAKE_NAMED, AT(members), HAS_MAP, false },
	{ "propertyNames", SHAPE_ONE, TAKE_NODE, AT(names), HAS_MAP, false },
	NOTE("readOnly"),
	{ "required", SHAPE_NONE, TAKE_NAMES, AT(required), HAS_MAP, true },
	{ "then", SHAPE_ONE, TAKE_NODE, AT(then_), 0, false },
	{ "title", SHAPE_NONE, TAKE_TEXT, AT(title), 0, false },
	{ "type", SHAPE_NONE, TAKE_TYPE, AT(types), 0, true },
	{ "unevaluatedItems", SHAPE_ONE, TAKE_NODE, AT(unevaluated_items), 0, false },
	{ "unevaluatedProperties", SHAPE_ONE, TAKE_NODE, AT(unevaluated_members), 0, false },
	{ "uniqueItems", SHAPE_NONE, TAKE_BOOL, AT(unique), HAS_LIST, true },
	NOTE("writeOnly"),
};

static int
by_name(const void *key, const void *row)
{
	return strcmp(key, ((const struct keyword *)row)->name);
}

const struct keyword *
keyword_find(const char *name)
{
	return bsearch(name, keywords, sizeof(keywords) / sizeof(*keywords), sizeof(*keywords), by_name);
}

int
schema_error(struct err *e, const struct value *v, const char *fmt, ...)
{
	char text[700];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		text[0] = '\0';
	if (v && v->at.line)
		return err_set(e, ERR_INVALID, "%s:%u:%u: %s", v->at.file ? v->at.file : "schema", v->at.line, v->at.col, text);
	return err_set(e, ERR_INVALID, "schema: %s", text);
}

static size_t
table_slot(const struct table *t, const void *key)
{
	uint64_t h = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(h >> 32) & (t->cap - 1);

	while (t->keys[i] && t->keys[i] != key)
		i = (i + 1) & (t->cap - 1);
	return i;
}

void *
table_get(const struct table *t, const void *key)
{
	return t->cap ? t->values[table_slot(t, key)] : NULL;
}

void
table_put(struct arena *mem, struct table *t, const void *key, void *value)
{
	size_t i;

	if (t->n * 2 >= t->cap) {
		struct table bigger = { .n = t->n, .cap = t->cap ? t->cap * 2 : 64 };

		bigger.keys = arena_array(mem, bigger.cap, sizeof(*bigger.keys));
		bigger.values = arena_array(mem, bigger.cap, sizeof(*bigger.values));
		for (i = 0; i < t->cap; i++) {
			size_t to = t->keys[i] ? table_slot(&bigger, t->keys[i]) : 0;

			if (!t->keys[i])
				continue;
			bigger.keys[to] = t->keys[i];
			bigger.values[to] = t->values[i];
		}
		*t = bigger;
	}
	i = table_slot(t, key);
	t->keys[i] = key;
	t->values[i] = value;
	t->n++;
}
