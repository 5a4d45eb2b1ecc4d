/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles compared: what is created, changed, restarted, recreated, deleted, and what data is at stake. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "plan/diff.h"
#include "plan/guard.h"
#include "with_arena.h"

/* A bundle of one object from YAML; NULL for "". */
static struct bundle *
bundle_of(const char *yaml)
{
	struct bundle *b = arena_alloc(mem, sizeof(*b));
	struct value *v;
	struct report r;

	if (!*yaml)
		return NULL;
	report_init(&r, mem);
	assert_int_equal(yaml_read(mem, "x", yaml, strlen(yaml), NULL, &r, &v), 0);
	b->objects = arena_array(mem, 1, sizeof(*b->objects));
	b->n = 1;
	b->objects[0] = (struct object){ .api_version = "v1", .kind = value_as_str(value_get(v, "kind"), "?"),
		.name = value_as_str(value_at(v, "metadata.name"), "?"), .value = v };
	b->objects[0].file = arena_printf(mem, "%s-%s.yaml", b->objects[0].kind, b->objects[0].name);
	return b;
}

#define SET(replicas, image, service)                                                                                  \
	"kind: StatefulSet\nmetadata: {name: a}\nspec: {replicas: " replicas ", serviceName: " service                   \
	", template: {spec: {containers: [{name: dev, image: " image "}]}}}\n"
#define CLAIM(size, mode, notes)                                                                                       \
	"kind: PersistentVolumeClaim\nmetadata: {name: c, annotations: {" notes "}}\nspec: {accessModes: [" mode         \
	"], resources: {requests: {storage: " size "}}}\n"
#define KEEP "kustomize.toolkit.fluxcd.io/prune: disabled"

static void
test_actions(void **state)
{
	/* flags: r restarts, p pauses, u resumes, d data at stake, k kept in the cluster */
	static const struct {
		const char *name, *was, *is, *action, *flags, *field;
	} rows[] = {
		{ "new", "", SET("1", "x", "a"), "create", "", NULL },
		{ "gone", SET("1", "x", "a"), "", "delete", "", NULL },
		{ "another image", SET("1", "x", "a"), SET("1", "y", "a"), "change", "r", "spec.template.spec.containers[0].image" },
		{ "another image while paused", SET("0", "x", "a"), SET("0", "y", "a"), "change", "", NULL },
		{ "paused", SET("2", "x", "a"), SET("0", "x", "a"), "change", "p", "spec.replicas" },
		{ "resumed", SET("0", "x", "a"), SET("2", "x", "a"), "change", "u", "spec.replicas" },
		{ "more replicas", SET("1", "x", "a"), SET("2", "x", "a"), "change", "", "spec.replicas" },
		{ "another service", SET("1", "x", "a"), SET("1", "x", "b"), "recreate", "r", "spec.serviceName" },
		{ "claim grows", CLAIM("1Gi", "RWO", KEEP), CLAIM("2Gi", "RWO", KEEP), "change", "", NULL },
		{ "the same size in other words", CLAIM("1Gi", "RWO", KEEP), CLAIM("1024Mi", "RWO", KEEP), "change", "", NULL },
		{ "claim shrinks", CLAIM("2Gi", "RWO", KEEP), CLAIM("1Gi", "RWO", KEEP), "refused", "", NULL },
		{ "claim of another mode", CLAIM("1Gi", "RWO", KEEP), CLAIM("1Gi", "RWX", KEEP), "refused", "", NULL },
		{ "claim in another namespace", "kind: PersistentVolumeClaim\nmetadata: {name: c, namespace: a}\n",
		  "kind: PersistentVolumeClaim\nmetadata: {name: c, namespace: b}\n", "recreate", "d", "metadata.namespace" },
		{ "claim gone but kept", CLAIM("1Gi", "RWO", KEEP), "", "delete", "k", NULL },
		{ "claim gone for good", CLAIM("1Gi", "RWO", ""), "", "delete", "d", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unit_plan p;
		const struct object_change *c;
		char flags[8] = "";

		if (!plan_unit(mem, "envs/alice/a", bundle_of(rows[i].was), bundle_of(rows[i].is), &p))
			fail_msg("%s: no difference seen", rows[i].name);
		assert_int_equal(p.n, 1);
		c = &p.objects[0];
		(void)snprintf(flags, sizeof(flags), "%s%s%s%s%s", c->restarts ? "r" : "", c->pauses ? "p" : "",
		               c->resumes ? "u" : "", c->data ? "d" : "", c->kept ? "k" : "");
		if (strcmp(action_name(c->action), rows[i].action) != 0 || strcmp(flags, rows[i].flags) != 0)
			fail_msg("%s: %s [%s]", rows[i].name, action_name(c->action), flags);
		if (rows[i].field && (c->nfields != 1 || strcmp(c->fields[0], rows[i].field) != 0))
			fail_msg("%s: field %s", rows[i].name, c->nfields ? c->fields[0] : "(none)");
		assert_int_equal(p.restarts, strchr(flags, 'r') != NULL);
		assert_int_equal(p.data, strchr(flags, 'd') != NULL);
	}
}

static void
test_nothing_differs(void **state)
{
	struct unit_plan p;

	(void)state;
	assert_false(plan_unit(mem, "x", bundle_of(SET("1", "x", "a")), bundle_of(SET("1", "x", "a")), &p));
	assert_false(plan_unit(mem, "x", NULL, NULL, &p));
}

static void
test_as_json(void **state)
{
	struct unit_plan p;
	struct value *v;

	(void)state;
	assert_true(plan_unit(mem, "envs/alice/a", bundle_of(SET("1", "x", "a")), bundle_of(SET("1", "y", "a")), &p));
	v = plan_value(mem, &p);
	assert_string_equal(value_as_str(value_get(v, "action"), ""), "change");
	assert_true(value_as_bool(value_get(v, "restarts"), false));
	assert_null(value_get(v, "dataAtStake"));
	assert_string_equal(value_as_str(value_get(value_item(value_get(v, "objects"), 0), "object"), ""), "StatefulSet/a");
}

/* Both sides of a field, for people: one line, short, without tokens. */
static void
test_both_sides(void **state)
{
	static const char *const rows[][4] = {
		{ "data: {a: x}", "data: {a: y}", "x", "y" },
		{ "data: {a: 1}", "data: {a: [1, {b: c}]}", "1", "[1,{\"b\":\"c\"}]" },
		{ "data: {a: x}", "data: {}", "x", NULL },
		{ "data: {}", "data: {a: true}", NULL, "true" },
		{ "data: {a: \"one\\ntwo\\n\"}", "data: {a: \"one\\n\"}", "(2 lines)", "one?" },
		{ "data: {a: \"https://u:hunter2hunter2@git.example/x\"}", "data: {a: \"\\e[31m\"}", "https://[redacted]@git.example/x", "?[31m" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unit_plan p;
		const struct object_change *c = NULL;

		assert_true(plan_unit(mem, "x", bundle_of(arena_printf(mem, "kind: ConfigMap\nmetadata: {name: a}\n%s\n", rows[i][0])),
		                      bundle_of(arena_printf(mem, "kind: ConfigMap\nmetadata: {name: a}\n%s\n", rows[i][1])), &p));
		c = &p.objects[0];
		assert_int_equal(c->nfields, 1);
		assert_string_equal(c->fields[0], "data.a");
		if (!str_eq(c->was[0], rows[i][2]) || !str_eq(c->is[0], rows[i][3]))
			fail_msg("%s: %s -> %s", rows[i][0], c->was[0] ? c->was[0] : "(none)", c->is[0] ? c->is[0] : "(none)");
	}
}

/* A value of a megabyte is shown by its beginning. */
static void
test_long_value(void **state)
{
	struct buf text AUTO_BUF = BUF_INIT(0);
	struct unit_plan p;

	(void)state;
	buf_str(&text, "kind: ConfigMap\nmetadata: {name: a}\ndata: {a: ");
	for (size_t i = 0; i < 10000; i++)
		buf_str(&text, "\xc3\xa4");
	buf_str(&text, "}\n");
	assert_true(plan_unit(mem, "x", bundle_of("kind: ConfigMap\nmetadata: {name: a}\n"), bundle_of(buf_cstr(&text)), &p));
	assert_string_equal(p.objects[0].is[0], "(1 entry)");
	assert_true(plan_unit(mem, "x", bundle_of("kind: ConfigMap\nmetadata: {name: a}\ndata: {}\n"), bundle_of(buf_cstr(&text)), &p));
	assert_true(strlen(p.objects[0].is[0]) <= PLAN_TEXT_MAX);
	assert_true(str_ends(p.objects[0].is[0], "\xc3\xa4…"));
}

static void
test_guard(void **state)
{
	static const struct {
		const char *guards;
		size_t live, allowed;
	} rows[] = {
		{ "{}", 4, 3 },
		{ "{}", 100, 25 },
		{ "{maxDelete: 0, maxDeleteFraction: 0}", 100, 0 },
		{ "{maxDelete: 10}", 20, 10 },
		{ "{maxDelete: 1, maxDeleteFraction: 0.5}", 9, 4 },
		{ "{maxDelete: -5, maxDeleteFraction: 7}", 9, 0 },
		{ "{maxDeleteFraction: 1}", 9, 9 },
	};

	(void)state;
	assert_int_equal(guard_allowed(NULL, 4), 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value *v;
		struct report r;

		report_init(&r, mem);
		assert_int_equal(yaml_read(mem, "x", rows[i].guards, strlen(rows[i].guards), NULL, &r, &v), 0);
		assert_int_equal(guard_allowed(v, rows[i].live), rows[i].allowed);
	}
}

/* A list of a hundred differences is cut, not grown without end. */
static void
test_many_fields(void **state)
{
	struct buf was AUTO_BUF = BUF_INIT(0), is AUTO_BUF = BUF_INIT(0);
	struct unit_plan p;

	(void)state;
	buf_str(&was, "kind: ConfigMap\nmetadata: {name: a}\ndata:\n");
	buf_str(&is, "kind: ConfigMap\nmetadata: {name: a}\ndata:\n");
	for (int i = 0; i < 100; i++) {
		buf_printf(&was, "  k%d: a\n", i);
		buf_printf(&is, "  k%d: b\n", i);
	}
	assert_true(plan_unit(mem, "x", bundle_of(was.data), bundle_of(is.data), &p));
	assert_int_equal(p.objects[0].nfields, 20);
}

static struct bundle *
secret_of(const char *const *keys, const char *const *digests, size_t n)
{
	struct bundle *b = bundle_of("kind: Secret\nmetadata: {name: a--secret-s}\ntype: Opaque\n");
	struct part *parts = arena_array(mem, n + 1, sizeof(*parts));
	static const struct sealed sealed = { .format = SEAL_AGE };

	for (size_t i = 0; i < n; i++)
		parts[i] = (struct part){ .key = keys[i], .kind = PART_VALUE, .sealed = &sealed, .file = "envs/alice/secrets/s.age", .value = "" };
	b->objects[0].parts = parts;
	b->objects[0].digests = digests;
	b->objects[0].nparts = n;
	return b;
}

/* Of a Secret only the names of entries are told. */
static void
test_secret(void **state)
{
	static const char *const ab[] = { "A", "B" }, *const bc[] = { "B", "C" };
	static const char *const one[] = { "0123456789abcdef", "fedcba9876543210" }, *const two[] = { "0123456789abcdef", "aaaaaaaaaaaaaaaa" };
	struct buf text AUTO_BUF = BUF_INIT(0);
	struct unit_plan p;

	(void)state;
	assert_false(plan_unit(mem, "x", secret_of(ab, one, 2), secret_of(ab, one, 2), &p));
	assert_true(plan_unit(mem, "x", secret_of(ab, one, 2), secret_of(ab, two, 2), &p));
	assert_int_equal(p.objects[0].action, ACTION_CHANGE);
	assert_int_equal(p.objects[0].nfields, 1);
	assert_string_equal(p.objects[0].fields[0], "data.B");
	assert_string_equal(p.objects[0].sealed, "envs/alice/secrets/s.age");
	assert_true(plan_unit(mem, "x", secret_of(ab, one, 2), secret_of(bc, two, 2), &p));
	assert_int_equal(p.objects[0].nfields, 3);
	assert_string_equal(p.objects[0].fields[0], "data.A");
	assert_string_equal(p.objects[0].fields[2], "data.C");
	yaml_write(plan_value(mem, &p), &text);
	assert_non_null(strstr(text.data, "sealed: envs/alice/secrets/s.age"));
	assert_null(strstr(text.data, two[0]));
	assert_true(plan_unit(mem, "x", secret_of(ab, one, 2), secret_of(ab, one, 0), &p));
	assert_int_equal(p.objects[0].nfields, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_actions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_differs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_sides, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_value, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_fields, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
