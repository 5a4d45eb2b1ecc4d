/* SPDX-License-Identifier: Apache-2.0 */
/* Our schemas against good and bad documents, and the engine behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fs.h"
#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml.h"
#include "validate/schema_node.h"
#include "validate/validate.h"

#define DATA "tests/unit/data/schema"
#define MEM ((size_t)64 << 20)

static struct schemas *schemas;

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	if (schemas_load(&schemas, &e) == 0)
		return 0;
	print_error("%s\n", e.text);
	return -1;
}

static int
tear_down(void **state)
{
	(void)state;
	schemas_free(schemas);
	return 0;
}

static enum kind
kind_of_file(const char *file)
{
	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (strncmp(file, kinds[k].noun, strcspn(file, "-.")) == 0)
			return k;
	fail_msg("%s: the name does not begin with a kind", file);
	return KIND_COUNT;
}

/* One file as the only one of a tree, so that reports can show its lines. */
struct one_file {
	struct file_entry entry;
	const char *bytes;
	size_t len;
};

static int
read_one(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len,
         struct err *e)
{
	const struct one_file *one = ctx;

	(void)f, (void)max, (void)mem, (void)e;
	*bytes = one->bytes;
	*len = one->len;
	return 0;
}

/* Reads and checks a document; the findings as text. Returns the number of errors. */
static size_t
check_file(struct arena *mem, const char *dir, const char *file, enum kind kind, struct buf *text)
{
	struct one_file one = { .entry = { .path = file, .mode = FILE_REGULAR } };
	struct files files = { .entries = &one.entry, .n = 1, .ctx = &one, .read = read_one };
	struct doc d = { .kind = kind, .path = file, .ok = true };
	struct report r;
	struct err e = { 0 };
	char *bytes;

	report_init(&r, mem);
	if (fs_read(arena_printf(mem, "%s/%s", dir, file), FILE_DOC_MAX, mem, &bytes, &one.len, &e) < 0)
		fail_msg("%s", e.text);
	one.bytes = bytes;
	if (yaml_read(mem, file, bytes, one.len, NULL, &r, &d.root) == 0) {
		validate_doc(schemas, &d, &r);
		assert_int_equal(d.ok, r.errors == 0);
	}
	report_sort(&r);
	report_text(&r, &files, false, text);
	return r.errors;
}

static void
each_file(const char *dir, void (*fn)(struct arena *mem, const char *dir, const char *file))
{
	AUTO_ARENA struct arena *mem = arena_new(MEM);
	const char **paths;
	unsigned int *modes;
	struct err e = { 0 };
	size_t n, seen = 0;

	if (fs_list(dir, 1000, mem, &paths, &modes, &n, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n; i++)
		if (!strchr(paths[i], '/') && str_ends(paths[i], ".yaml")) {
			fn(mem, dir, paths[i]);
			seen++;
		}
	assert_true(seen >= 15);
}

static void
is_good(struct arena *mem, const char *dir, const char *file)
{
	AUTO_BUF struct buf text = BUF_INIT(0);

	if (check_file(mem, dir, file, kind_of_file(file), &text))
		fail_msg("%s should be valid:\n%s", file, buf_cstr(&text));
}

static void
good_documents(void **state)
{
	(void)state;
	each_file(DATA, is_good);
}

/* What is shipped: every document of examples/ and of the template repository. */
static void
shipped_documents(void **state)
{
	static const char *const roots[] = { "examples", "envs-repo-template" };
	AUTO_ARENA struct arena *mem = arena_new(MEM);
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char **paths;
		unsigned int *modes;
		struct err e = { 0 };
		size_t n;

		if (fs_list(roots[i], 1000, mem, &paths, &modes, &n, &e) < 0)
			fail_msg("%s", e.text);
		for (size_t k = 0; k < n; k++) {
			AUTO_BUF struct buf text = BUF_INIT(0);
			struct path_info p;

			path_classify(mem, paths[k], &p);
			if (p.class != PATH_DOC)
				continue;
			if (check_file(mem, roots[i], paths[k], p.kind, &text))
				fail_msg("%s/%s should be valid:\n%s", roots[i], paths[k], buf_cstr(&text));
			seen |= 1U << p.kind;
		}
	}
	assert_int_equal(seen, (1U << KIND_COUNT) - 1);
}

/* The whole report stands beside each bad document; UPDATE=1 writes it anew. */
static void
is_bad(struct arena *mem, const char *dir, const char *file)
{
	AUTO_BUF struct buf text = BUF_INIT(0);
	char *path = arena_printf(mem, "%s/%.*s.txt", dir, (int)(strlen(file) - 5), file), *want = NULL;
	size_t len = 0;
	struct err e = { 0 };

	assert_true(check_file(mem, dir, file, kind_of_file(file), &text) > 0);
	if (getenv("UPDATE")) {
		if (fs_write_atomic(path, text.data, text.len, 0644, &e) < 0)
			fail_msg("%s", e.text);
		return;
	}
	if (fs_read(path, FILE_OTHER_MAX, mem, &want, &len, &e) < 0)
		fail_msg("%s", e.text);
	if (strcmp(want, buf_cstr(&text)) != 0)
		fail_msg("%s\n--- wanted\n%s--- got\n%s", file, want, buf_cstr(&text));
}

static void
bad_documents(void **state)
{
	(void)state;
	each_file(DATA "/bad", is_bad);
}

/* -- our schema files -------------------------------------------------------------------------------------------- */

struct library {
	struct arena *mem;
	struct value *documents[KIND_COUNT];
};

static int
load_ours(void *ctx, const char *uri, const struct value **out, struct err *e)
{
	const struct library *lib = ctx;

	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (str_eq(uri, kinds[k].schema)) {
			*out = lib->documents[k];
			return 0;
		}
	return err_set(e, ERR_NOTFOUND, "no schema %s", uri);
}

/* An example or default must be valid where it stands. */
static void
check_example(struct library *lib, const char *ref, const struct value *example)
{
	AUTO_ARENA struct arena *mem = arena_new(MEM);
	const struct schema_options o = { .load = load_ours, .ctx = lib };
	struct value *v = value_map(mem);
	struct schema *s = NULL;
	struct err e = { 0 };

	value_set(mem, v, "$ref", value_str(mem, ref));
	if (schema_compile_with(mem, v, &o, &s, &e) < 0)
		fail_msg("%s: %s", ref, e.text);
	if (!schema_valid(s, example)) {
		AUTO_BUF struct buf text = BUF_INIT(0);

		json_write(example, 0, &text);
		fail_msg("%s: the example %s is not valid", ref, buf_cstr(&text));
	}
}

static bool
is_described(const struct value *v)
{
	return value_get(v, "title") && value_get(v, "description") && (value_get(v, "examples") || value_get(v, "enum"));
}

/* Fields have title, description, and examples or enum, here or where their $ref leads; examples and defaults are valid. */
static void
check_subschema(struct library *lib, const struct value *v, const char *ref, bool is_field)
{
	static const char *const maps[] = { "properties", "$defs" };
	static const char *const ones[] = { "items", "additionalProperties", "propertyNames" };
	const struct value *examples = value_get(v, "examples"), *fallback = value_get(v, "default");

	if (!value_is(v, VALUE_MAP))
		return;
	if (is_field && !value_get(v, "$ref") && !is_described(v))
		fail_msg("%s: title, description, and examples or enum are wanted", ref);
	for (size_t i = 0; i < value_len(examples); i++)
		check_example(lib, ref, value_item(examples, i));
	if (fallback)
		check_example(lib, ref, fallback);
	for (size_t i = 0; i < 2; i++) {
		const struct value *map = value_get(v, maps[i]);

		for (size_t k = 0; k < value_len(map); k++)
			check_subschema(lib, map->map.items[k].value, arena_printf(lib->mem, "%s/%s/%s", ref, maps[i], map->map.items[k].key),
			                true);
	}
	for (size_t i = 0; i < 3; i++)
		check_subschema(lib, value_get(v, ones[i]), arena_printf(lib->mem, "%s/%s", ref, ones[i]), true);
}

static void
schema_files(void **state)
{
	AUTO_ARENA struct arena *mem = arena_new(MEM);
	struct library lib = { .mem = mem };
	struct err e = { 0 };

	(void)state;
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		const struct share_file *f = NULL;

		if (share_get(arena_printf(mem, "schema/%s", kinds[k].schema), &f, &e) < 0 ||
		    json_read(mem, f->bytes, f->len, &lib.documents[k], &e) < 0)
			fail_msg("%s: %s", kinds[k].schema, e.text);
	}
	for (enum kind k = 0; k < KIND_COUNT; k++)
		check_subschema(&lib, lib.documents[k], arena_printf(mem, "%s#", kinds[k].schema), false);
}

/* -- the engine -------------------------------------------------------------------------------------------------- */

static struct value *
json(struct arena *mem, const char *text)
{
	struct value *v = NULL;
	struct err e = { 0 };

	if (json_read(mem, text, strlen(text), &v, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return v;
}

static void
verdicts(void **state)
{
	static const struct {
		const char *schema, *value;
		bool valid;
	} rows[] = {
		{ "{\"type\":\"integer\"}", "1.0", true },
		{ "{\"type\":\"integer\"}", "1.5", false },
		{ "{\"multipleOf\":0.01}", "4.35", true },
		{ "{\"multipleOf\":0.01}", "4.351", false },
		{ "{\"maximum\":9007199254740992}", "9007199254740993", false },
		{ "{\"minLength\":2}", "\"\xf0\x9f\x92\xa9\"", false },
		{ "{\"pattern\":\"^a$\"}", "\"a\\n\"", false },
		{ "{\"pattern\":\"^\\\\p{Uppercase_Letter}$\"}", "\"\xc3\x84\"", true },
		{ "{\"pattern\":\"^\\\\p{Uppercase_Letter}$\"}", "\"\xc3\xa4\"", false },
		{ "{\"uniqueItems\":true}", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,1.0]", false },
		{ "{\"uniqueItems\":true}", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,\"1\"]", true },
		{ "{\"enum\":[{\"a\":1}]}", "{\"a\":1.0}", true },
		{ "{\"contains\":{\"const\":1},\"maxContains\":1}", "[1,1]", false },
		{ "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", false },
		{ "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]}}", "{\"a\":1}", false },
		{ "{\"allOf\":[{\"properties\":{\"a\":true}}],\"unevaluatedProperties\":false}", "{\"a\":1}", true },
		{ "{\"allOf\":[{\"properties\":{\"a\":true}}],\"unevaluatedProperties\":false}", "{\"b\":1}", false },
		{ "{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"additionalProperties\":false}", "{\"next\":{\"next\":{}}}", true },
		{ "{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"additionalProperties\":false}", "{\"next\":{\"last\":{}}}", false },
		/* endless, so nothing can be said for it */
		{ "{\"$ref\":\"#\"}", "1", false },
		{ "{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", "1", false },
		{ "{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", "1", false },
		/* too much work for the matcher */
		{ "{\"pattern\":\"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", false },
	};
	AUTO_ARENA struct arena *mem = arena_new(MEM);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct schema *s = NULL;
		struct err e = { 0 };
		struct report r;

		report_init(&r, mem);
		if (schema_compile(mem, json(mem, rows[i].schema), &s, &e) < 0)
			fail_msg("%s: %s", rows[i].schema, e.text);
		if (schema_valid(s, json(mem, rows[i].value)) != rows[i].valid)
			fail_msg("%s: %s should be %s", rows[i].schema, rows[i].value, rows[i].valid ? "valid" : "invalid");
		if ((schema_check(s, json(mem, rows[i].value), &r) == 0) != rows[i].valid || (r.errors == 0) != rows[i].valid)
			fail_msg("%s: %s has %zu findings", rows[i].schema, rows[i].value, r.errors);
	}
}

static void
refused_schemas(void **state)
{
	static const struct {
		const char *schema, *text;
	} rows[] = {
		{ "3", "a schema must be a map or a boolean, found a integer" },
		{ "{\"requird\":[]}", "keyword 'requird' is not known" },
		{ "{\"properties\":{\"a\":{\"dependencies\":{}}}}", "keyword 'dependencies' is not known" },
		{ "{\"type\":\"map\"}", "type must be null, boolean" },
		{ "{\"type\":[]}", "type must not be empty" },
		{ "{\"minLength\":-1}", "minLength must be an integer that is not negative" },
		{ "{\"maximum\":\"3\"}", "maximum must be a number" },
		{ "{\"multipleOf\":0}", "multipleOf must be over 0" },
		{ "{\"required\":\"a\"}", "required must be a list of names" },
		{ "{\"allOf\":[]}", "allOf must be a list of schemas" },
		{ "{\"properties\":[]}", "properties must be a map of schemas" },
		{ "{\"pattern\":\"(\"}", "pattern '(': missing closing parenthesis" },
		{ "{\"patternProperties\":{\"[\":true}}", "pattern '[': missing terminating ]" },
		{ "{\"$ref\":\"#/$defs/a\"}", "$ref #/$defs/a: #/$defs/a leads nowhere" },
		{ "{\"$ref\":\"#a\"}", "there is no anchor 'a'" },
		{ "{\"$ref\":\"other.json\"}", "there is no schema 'other.json' here" },
		{ "{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}",
		  "$schema must be https://json-schema.org/draft/2020-12/schema" },
		{ "{\"uniqueItems\":1}", "uniqueItems must be true or false" },
		{ "{\"enum\":1}", "enum must be a list" },
		{ "{\"$id\":1}", "$id must be a URI" },
	};
	AUTO_ARENA struct arena *mem = arena_new(MEM);
	struct schema *extra = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct schema *s = NULL;
		struct err e = { 0 };

		assert_int_equal(schema_compile(mem, json(mem, rows[i].schema), &s, &e), ERR_INVALID);
		if (s || !strstr(e.text, rows[i].text))
			fail_msg("%s: '%s' does not say '%s'", rows[i].schema, e.text, rows[i].text);
	}
	assert_int_equal(schema_compile(mem, json(mem, "{\"x-order\":1,\"format\":\"email\"}"), &extra, NULL), 0);
}

/* RFC 3986 chapter 5.4, with the base http://a/b/c/d;p?q unless another is given. */
static void
uris(void **state)
{
	static const struct {
		const char *base, *ref, *want, *fragment;
	} rows[] = {
		{ NULL, "g", "http://a/b/c/g", NULL },
		{ NULL, "./g/", "http://a/b/c/g/", NULL },
		{ NULL, "/g", "http://a/g", NULL },
		{ NULL, "//g", "http://g", NULL },
		{ NULL, "?y", "http://a/b/c/d;p?y", NULL },
		{ NULL, "g?y#s", "http://a/b/c/g?y", "s" },
		{ NULL, "", "http://a/b/c/d;p?q", NULL },
		{ NULL, "#s", "http://a/b/c/d;p?q", "s" },
		{ NULL, "..", "http://a/b/", NULL },
		{ NULL, "../../../g", "http://a/g", NULL },
		{ NULL, "g/../h", "http://a/b/c/h", NULL },
		{ NULL, "g:h", "g:h", NULL },
		{ "", "x.json#/a", "x.json", "/a" },
		{ "http://a", "g", "http://a/g", NULL },
		{ "urn:uuid:1", "#a", "urn:uuid:1", "a" },
		{ "berth:/schema/flavor.schema.json", "environment.schema.json#/$defs/spec",
		  "berth:/schema/environment.schema.json", "/$defs/spec" },
	};
	AUTO_ARENA struct arena *mem = arena_new(MEM);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *fragment, *base = rows[i].base ? rows[i].base : "http://a/b/c/d;p?q";

		assert_string_equal(uri_resolve(mem, base, rows[i].ref, &fragment), rows[i].want);
		assert_true(str_eq(fragment, rows[i].fragment));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_documents), cmocka_unit_test(shipped_documents), cmocka_unit_test(bad_documents),
		cmocka_unit_test(schema_files),   cmocka_unit_test(verdicts),          cmocka_unit_test(refused_schemas),
		cmocka_unit_test(uris),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
