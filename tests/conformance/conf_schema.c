/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Schema 2020-12 suite: one line a case (a schema with its tests). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "parse/kinds.h"
#include "validate/schema_node.h"

#define FILE_MAX ((size_t)4 << 20)
#define ARENA_MAX ((size_t)1 << 30)

/* What is left out, and why; without a group the whole file. */
static const struct skip {
	const char *file, *group, *why;
} skips[] = {
	{ "optional/cross-draft.json", NULL, "other drafts" },
	{ "optional/dependencies-compatibility.json", NULL, "a keyword of other drafts" },
	{ "optional/bignum.json", NULL, "numbers beyond int64 and double" },
	{ "optional/float-overflow.json", NULL, "numbers beyond double" },
	{ "optional/format-assertion.json", NULL, "format is an annotation" },
	{ "optional/ecmascript-regex.json", "ECMA 262 \\s matches whitespace", "\\s is ASCII only, like \\d and \\w" },
	{ "optional/ecmascript-regex.json", "ECMA 262 \\S matches everything but whitespace", "\\S is ASCII only" },
};

struct suite {
	const char *root; /* …/json-schema */
	struct arena *mem;
	size_t cases, tests, required, wrong, skipped;
};

static int
read_json(struct arena *mem, const char *path, struct value **out, struct err *e)
{
	char *bytes;
	size_t len;
	int rc = fs_read(path, FILE_MAX, mem, &bytes, &len, e);

	if (rc < 0)
		return rc;
	/* the reader refuses U+0000; the tests that hold it work with any other character */
	for (char *p = bytes; (p = strstr(p, "\\u0000"));)
		memcpy(p, "\\uE000", 6);
	return json_read(mem, bytes, len, out, e);
}

/* Remote documents from the suite's folders. */
static int
load(void *ctx, const char *uri, const struct value **out, struct err *e)
{
	static const struct {
		const char *prefix, *folder, *suffix;
	} rows[] = {
		{ "http://localhost:1234/", "remotes", "" },
		{ "https://json-schema.org/draft/2020-12/", "metaschema/draft2020-12", ".json" },
	};
	const struct suite *s = ctx;
	struct value *v = NULL;
	int rc;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!str_starts(uri, rows[i].prefix))
			continue;
		rc = read_json(s->mem,
		               arena_printf(s->mem, "%s/%s/%s%s", s->root, rows[i].folder, uri + strlen(rows[i].prefix),
		                            rows[i].suffix),
		               &v, e);
		if (rc == 0)
			*out = v;
		return rc;
	}
	return err_set(e, ERR_NOTFOUND, "no document at %s", uri);
}

static void
run_case(struct suite *s, const char *file, const struct value *group)
{
	const char *name = value_as_str(value_get(group, "description"), "?");
	const struct value *tests = value_get(group, "tests");
	const struct schema_options options = { .load = load, .ctx = s, .lax = true };
	struct schema *schema = NULL;
	struct err e = { 0 };
	size_t wrong = 0;

	s->cases++;
	s->tests += value_len(tests);
	s->required += str_starts(file, "optional/") ? 0 : value_len(tests);
	if (schema_compile_with(s->mem, value_get(group, "schema"), &options, &schema, &e) < 0) {
		printf("not ok %zu - %s: %s\n# does not compile: %s\n", s->cases, file, name, e.text);
		s->wrong += value_len(tests);
		return;
	}
	for (size_t i = 0; i < value_len(tests); i++) {
		const struct value *t = value_item(tests, i), *data = value_get(t, "data");
		bool want = value_as_bool(value_get(t, "valid"), false), got = schema_valid(schema, data);
		struct report r;

		report_init(&r, s->mem);
		if (got != want)
			printf("# %s: wanted %s\n", value_as_str(value_get(t, "description"), "?"), want ? "valid" : "invalid");
		else if ((schema_check(schema, data, &r) == 0) != want || (r.errors == 0) != want)
			printf("# %s: the findings disagree with the verdict\n", value_as_str(value_get(t, "description"), "?"));
		else
			continue;
		wrong++;
	}
	printf("%s %zu - %s: %s\n", wrong ? "not ok" : "ok", s->cases, file, name);
	s->wrong += wrong;
}

static const char *
skip_reason(const char *file, const char *group)
{
	for (size_t i = 0; i < sizeof(skips) / sizeof(*skips); i++)
		if (str_eq(skips[i].file, file) && (!skips[i].group || str_eq(skips[i].group, group)))
			return skips[i].why;
	return NULL;
}

static int
run_file(struct suite *s, const char *file)
{
	AUTO_ARENA struct arena *mem = arena_new(ARENA_MAX);
	struct value *groups = NULL;
	struct err e = { 0 };

	s->mem = mem;
	if (read_json(mem, arena_printf(mem, "%s/tests/draft2020-12/%s", s->root, file), &groups, &e) < 0) {
		printf("Bail out! %s: %s\n", file, e.text);
		return -1;
	}
	for (size_t i = 0; i < value_len(groups); i++) {
		const struct value *group = value_item(groups, i);
		const char *why = skip_reason(file, value_as_str(value_get(group, "description"), ""));

		if (!why) {
			run_case(s, file, group);
			continue;
		}
		s->skipped += value_len(value_get(group, "tests"));
		printf("ok %zu - %s # SKIP %s\n", ++s->cases, file, why);
	}
	return 0;
}

/* Our own schemas against the metaschema. */
static void
run_ours(struct suite *s)
{
	AUTO_ARENA struct arena *mem = arena_new(ARENA_MAX);
	const struct schema_options options = { .load = load, .ctx = s, .lax = true };
	struct value *ref, *document = NULL;
	struct schema *schema = NULL;
	struct err e = { 0 };

	s->mem = mem;
	ref = value_map(mem);
	value_set(mem, ref, "$ref", value_str(mem, "https://json-schema.org/draft/2020-12/schema"));
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		const char *path = arena_printf(mem, "schema/%s", kinds[k].schema);
		bool ok = (schema || schema_compile_with(mem, ref, &options, &schema, &e) == 0) &&
		          read_json(mem, path, &document, &e) == 0 && schema_valid(schema, document);

		s->tests++;
		s->wrong += !ok;
		printf("%s %zu - metaschema: %s %s\n", ok ? "ok" : "not ok", ++s->cases, path, e.text);
	}
}

int
main(void)
{
	AUTO_ARENA struct arena *mem = arena_new(ARENA_MAX);
	const char *vectors = getenv("BERTH_VECTORS"), **paths;
	struct suite s = { 0 };
	struct err e = { 0 };
	unsigned int *modes;
	size_t n;

	if (!vectors || !*vectors) {
		puts("ok 1 - json-schema # SKIP BERTH_VECTORS is not set\n1..1");
		return 0;
	}
	s.root = arena_printf(mem, "%s/json-schema", vectors);
	if (fs_list(arena_printf(mem, "%s/tests/draft2020-12", s.root), 1000, mem, &paths, &modes, &n, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (str_starts(paths[i], "optional/format/"))
			printf("ok %zu - %s # SKIP format is an annotation\n", ++s.cases, paths[i]);
		else if (run_file(&s, paths[i]) < 0)
			return 1;
	}
	run_ours(&s);
	printf("1..%zu\n# json-schema: %zu tests required, %zu others, %zu skipped with a reason, %zu unexplained\n", s.cases,
	       s.required, s.tests - s.required, s.skipped, s.wrong);
	return s.wrong ? 1 : 0;
}
