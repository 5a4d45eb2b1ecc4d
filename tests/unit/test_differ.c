/* SPDX-License-Identifier: Apache-2.0 */
/* Live against wanted, field by field: paths, hands, Secrets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cli/differ.h"
#include "cli/live.h"
#include "lib/doc/json.h"
#include "with_arena.h"

const struct verb *const verbs[] = { NULL }; /* cli/args.c refers to main.c's */
const size_t verbs_n = 0;

static struct value *
json(const char *text)
{
	struct value *v;

	assert_int_equal(json_read(mem, text, strlen(text), &v, NULL), 0);
	return v;
}

static struct differences
between(bool subset, bool secret, const char *live, const char *want)
{
	struct differ d = { .mem = mem, .subset = subset, .secret = secret, .manager = "berth" };
	struct differences out;

	differ_objects(&d, json(live), json(want), &out);
	return out;
}

static const struct difference *
at(const struct differences *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->items[i].path, path) == 0)
			return &d->items[i];
	return NULL;
}

#define FIELDS(manager, op, sub, time, fields)                                                                         \
	"{\"manager\":\"" manager "\",\"operation\":\"" op "\"" sub ",\"time\":\"" time "\",\"fieldsV1\":" fields "}"

static void
test_own_fields(void **state)
{
	struct differences d = between(false, false,
		"{\"kind\":\"X\",\"metadata\":{\"name\":\"a\",\"uid\":\"1\",\"resourceVersion\":\"7\",\"generation\":3},\"status\":{\"n\":1}}",
		"{\"kind\":\"X\",\"metadata\":{\"name\":\"a\",\"uid\":\"2\",\"managedFields\":[]}}");

	(void)state;
	assert_int_equal(d.n, 0);
}

static void
test_paths(void **state)
{
	struct differences d = between(false, false,
		"{\"spec\":{\"c\":[{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"gone\"}],\"n\":1,\"s\":[1,2],\"only\":true}}",
		"{\"spec\":{\"c\":[{\"name\":\"b\"},{\"name\":\"a\",\"image\":\"y\"}],\"n\":2,\"s\":[1,2,3]}}");
	const struct difference *f = at(&d, "spec.c[a].image");

	(void)state;
	assert_non_null(f);
	assert_string_equal(f->live, "x");
	assert_string_equal(f->want, "y");
	assert_string_equal(at(&d, "spec.c[b]")->live, "(none)");
	assert_string_equal(at(&d, "spec.c[gone]")->want, "(none)");
	assert_string_equal(at(&d, "spec.n")->live, "1");
	assert_string_equal(at(&d, "spec.s")->want, "[1,2,3]");
	assert_string_equal(at(&d, "spec.only")->live, "true");
	assert_int_equal(d.n, 6);
}

static void
test_subset(void **state)
{
	struct differences d = between(true, false,
		"{\"spec\":{\"limits\":{\"cpu\":\"1\"},\"default\":true,\"containers\":[{\"name\":\"a\",\"d\":1},{\"name\":\"in\"}],\"x\":1}}",
		"{\"spec\":{\"limits\":{\"cpu\":\"1000m\"},\"empty\":{},\"nothing\":null,\"containers\":[{\"name\":\"a\"}],\"x\":2}}");

	(void)state;
	assert_int_equal(d.n, 1);
	assert_string_equal(d.items[0].path, "spec.x");
	/* an item more in a list that is one whole, and another order */
	d = between(true, false, "{\"spec\":{\"tolerations\":[{\"key\":\"a\"},{\"key\":\"b\"}]}}", "{\"spec\":{\"tolerations\":[{\"key\":\"a\"}]}}");
	assert_int_equal(d.n, 1);
	assert_string_equal(d.items[0].path, "spec.tolerations");
	d = between(false, false, "{\"l\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", "{\"l\":[{\"name\":\"b\"},{\"name\":\"a\"}]}");
	assert_int_equal(d.n, 1);
	assert_string_equal(d.items[0].path, "l");
}

static void
test_hands(void **state)
{
	static const char live[] =
		"{\"metadata\":{\"managedFields\":["
		FIELDS("berth", "Apply", "", "2026-01-01T00:00:00Z", "{\"f:spec\":{\"f:image\":{},\"f:mine\":{}}}") ","
		FIELDS("kubectl", "Update", ",\"subresource\":\"scale\"", "2026-01-02T00:00:00Z", "{\"f:spec\":{\"f:replicas\":{}}}") ","
		FIELDS("old", "Update", "", "2026-01-01T00:00:00Z", "{\"f:spec\":{\"f:map\":{}}}") ","
		FIELDS("new", "Update", "", "2026-01-03T00:00:00Z", "{\"f:spec\":{\"f:map\":{},\"f:c\":{\"k:{\\\"name\\\":\\\"a\\\"}\":{\"f:v\":{}}}}}") ","
		FIELDS("kubelet", "Update", ",\"subresource\":\"status\"", "2026-01-09T00:00:00Z", "{\"f:spec\":{\"f:image\":{}}}")
		"]},\"spec\":{\"image\":1,\"mine\":1,\"replicas\":0,\"lost\":1,\"map\":{\"k\":1},\"c\":[{\"name\":\"z\",\"v\":1},{\"name\":\"a\",\"v\":1}]}}";
	struct differences d = between(false, false, live,
		"{\"spec\":{\"image\":2,\"mine\":2,\"replicas\":4,\"lost\":2,\"map\":{\"k\":2},\"c\":[{\"name\":\"z\",\"v\":1},{\"name\":\"a\",\"v\":2}]}}");

	(void)state;
	assert_null(at(&d, "spec.image")->manager); /* ours: the files changed */
	assert_false(at(&d, "spec.image")->nameless);
	assert_string_equal(at(&d, "spec.replicas")->manager, "kubectl-scale");
	assert_string_equal(at(&d, "spec.map.k")->manager, "new");
	assert_string_equal(at(&d, "spec.c[a].v")->manager, "new");
	assert_string_equal(at(&d, "spec.c[a].v")->time, "2026-01-03T00:00:00Z");
	assert_null(at(&d, "spec.lost")->manager);
	assert_true(at(&d, "spec.lost")->nameless);
}

static void
test_added(void **state)
{
	struct differ d = { .mem = mem, .manager = "berth" };
	struct differences out = { 0 };
	struct value *live = json(
		"{\"apiVersion\":\"v1\",\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"managedFields\":["
		FIELDS("berth", "Apply", "", "2026-01-01T00:00:00Z", "{\"f:metadata\":{\"f:labels\":{\"f:a\":{}}}}") ","
		FIELDS("kubectl-label", "Update", "", "2026-01-02T00:00:00Z",
		       "{\"f:metadata\":{\"f:labels\":{\"f:b\":{}}},\"f:spec\":{\"f:e\":{\"k:{\\\"name\\\":\\\"SPY\\\"}\":{\".\":{},\"f:name\":{},\"f:value\":{}}}}}")
		"]},\"spec\":{\"e\":[{\"name\":\"SPY\",\"value\":\"1\"}]}}");

	(void)state;
	differ_added(&d, "StatefulSet", live, json("{\"metadata\":{\"labels\":{\"a\":\"1\"}},\"spec\":{\"e\":[]}}"), &out);
	assert_int_equal(out.n, 2);
	assert_string_equal(at(&out, "metadata.labels.b")->live, "2");
	assert_string_equal(at(&out, "metadata.labels.b")->manager, "kubectl-label");
	assert_string_equal(at(&out, "spec.e[SPY]")->want, "(none)");
	assert_string_equal(at(&out, "spec.e[SPY]")->manager, "kubectl-label");
}

static void
test_secret(void **state)
{
	struct differences d = between(false, true, "{\"kind\":\"Secret\",\"data\":{\"p\":\"aHVudGVyMg==\",\"q\":\"eA==\"},\"type\":\"a\"}",
	                               "{\"kind\":\"Secret\",\"data\":{\"p\":\"c3dvcmRmaXNo\",\"r\":\"aHVudGVyMg==\"},\"type\":\"b\"}");

	(void)state;
	assert_int_equal(d.n, 4);
	for (size_t i = 0; i < d.n; i++) {
		assert_true(!strncmp(d.items[i].live, "digest:", 7) || !strcmp(d.items[i].live, "(none)"));
		assert_true(!strncmp(d.items[i].want, "digest:", 7) || !strcmp(d.items[i].want, "(none)"));
	}
	assert_string_not_equal(at(&d, "data.p")->live, at(&d, "data.p")->want);
	assert_string_equal(at(&d, "data.p")->live, at(&d, "data.r")->want); /* the same value can be told within one call */
}

/* The server's words on a Secret may quote it. */
static void
test_secret_causes(void **state)
{
	struct question q = { .status = 422, .reason = "Invalid", .message = "Secret \"x\" is invalid: data[p]: Invalid value: \"hunter2\"" };
	const char **lines;
	size_t n;

	(void)state;
	q.answer = json("{\"details\":{\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: \\\"hunter2\\\"\","
	                        "\"field\":\"data[p]\"},{\"message\":\"hunter2\"}]}}");
	live_causes(mem, &q, true, &lines, &n);
	assert_int_equal(n, 2);
	assert_string_equal(lines[0], "data[p]: FieldValueInvalid");
	assert_string_equal(lines[1], "not accepted");
	live_causes(mem, &q, false, &lines, &n);
	assert_string_equal(lines[0], "data[p]: Invalid value: \"hunter2\"");
	q.answer = NULL;
	q.status = 400;
	live_causes(mem, &q, true, &lines, &n);
	assert_int_equal(n, 1);
	assert_null(strstr(lines[0], "hunter2"));
}

static void
test_show(void **state)
{
	struct differ d = { .mem = mem };
	char longer[200];

	(void)state;
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_string_equal(differ_show(&d, NULL), "(none)");
	assert_string_equal(differ_show(&d, value_str(mem, "")), "\"\"");
	assert_string_equal(differ_show(&d, value_str(mem, "two\nlines\x1b")), "two?lines?");
	assert_non_null(strstr(differ_show(&d, value_str(mem, longer)), "(199 bytes, digest:"));
	assert_null(strstr(differ_show(&d, value_str(mem, "https://u:pass@host/")), "pass"));
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_own_fields),
		T(test_paths),
		T(test_subset),
		T(test_hands),
		T(test_added),
		T(test_secret),
		T(test_secret_causes),
		T(test_show),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
