/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and bundles: names, namespaces, labels, order, digest, what is written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/doc/json.h"
#include "render/bundle_build.h"
#include "with_arena.h"

static struct value *
parse(const char *json)
{
	struct value *v = NULL;
	struct err e;

	if (json_read(mem, json, strlen(json), &v, &e) < 0)
		fail_msg("%s: %s", json, e.text);
	return v;
}

static struct bundle_unit
unit(const char *namespace_, bool only)
{
	return (struct bundle_unit){ "unit", namespace_, only, parse("{\"berth.dev/owner\": \"alice\"}") };
}

static void
namespaces_follow_kind_and_unit(void **state)
{
	/* unit's namespace; only objects of a namespace; object -> namespace ("-": none, NULL: refused) */
	static const struct {
		const char *unit;
		bool only;
		const char *object, *want;
	} rows[] = {
		{ "dev-a", true, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"x\"}}", "dev-a" },
		{ "dev-a", true, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"x\",\"namespace\":\"kube-system\"}}", "dev-a" },
		{ "dev-a", true, "{\"apiVersion\":\"scheduling.k8s.io/v1\",\"kind\":\"PriorityClass\",\"metadata\":{\"name\":\"x\"}}", NULL },
		{ "dev-a", false, "{\"apiVersion\":\"scheduling.k8s.io/v1\",\"kind\":\"PriorityClass\",\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"}}", "-" },
		{ "dev-a", false, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"dev-a\"}}", "-" },
		{ "dev-a", false, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"dev-b\"}}", NULL },
		{ NULL, false, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"x\",\"namespace\":\"shared\"}}", "shared" },
		{ NULL, false, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"x\"}}", NULL },
		{ NULL, false, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"x\",\"namespace\":\"A B\"}}", NULL },
		/* the group counts, not the word alone */
		{ NULL, false, "{\"apiVersion\":\"example.org/v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"x\"}}", NULL },
		{ NULL, false, "{\"apiVersion\":\"kueue.x-k8s.io/v1beta2\",\"kind\":\"ClusterQueue\",\"metadata\":{\"name\":\"x\"}}", "-" },
		{ NULL, false, "{\"apiVersion\":\"kueue.x-k8s.io.evil/v1\",\"kind\":\"ClusterQueue\",\"metadata\":{\"name\":\"x\"}}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bundle_unit u = unit(rows[i].unit, rows[i].only);
		struct object o = { 0 };
		struct err e = { 0 };
		int rc = object_make(mem, &u, parse(rows[i].object), &o, &e);
		const char *got = rc < 0 ? NULL : o.namespace_ ? o.namespace_ : "-";

		if ((got == NULL) != (rows[i].want == NULL) || (got && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: %s (%s), want %s", rows[i].object, got ? got : "refused", e.text, rows[i].want ? rows[i].want : "refused");
		if (rc == 0 && !o.namespace_)
			assert_null(value_at(o.value, "metadata.namespace"));
	}
}

static void
what_a_template_gave_is_not_changed(void **state)
{
	struct value *given = parse("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"labels\":{\"b\":\"1\","
	                            "\"berth.dev/owner\":\"bob\"}},\"data\":{\"z\":null,\"y\":{\"q\":null},\"a\":[null,1]}}");
	struct value *before = value_copy(mem, given);
	struct bundle_unit u = unit("n", true);
	struct object o;
	struct buf text AUTO_BUF = BUF_INIT(0);
	struct err e;

	(void)state;
	assert_int_equal(object_make(mem, &u, given, &o, &e), 0);
	assert_true(value_equal(given, before));
	assert_string_equal(given->map.items[0].key, "kind");
	json_write(o.value, 0, &text);
	assert_string_equal(buf_cstr(&text),
	                    "{\"apiVersion\":\"v1\",\"data\":{\"a\":[null,1],\"y\":{}},\"kind\":\"ConfigMap\",\"metadata\":{\"labels\":"
	                    "{\"b\":\"1\",\"berth.dev/owner\":\"alice\"},\"name\":\"x\",\"namespace\":\"n\"}}");
	assert_string_equal(o.file, "configmap-x.yaml");
}

static struct bundle *
bundle_of(const char *const *objects, size_t n, struct err *e)
{
	struct made *made = arena_array(mem, n + 1, sizeof(*made));
	struct bundle_unit u = unit("n", false);
	struct bundle *b = NULL;

	for (size_t i = 0; i < n; i++) {
		made[i].template = arena_printf(mem, "t%zu.yaml", i);
		made[i].at = (struct place){ made[i].template, 3, 5 };
		assert_int_equal(object_make(mem, &u, parse(objects[i]), &made[i].object, e), 0);
	}
	return bundle_make(mem, "unit", made, n, &b, e) == 0 ? b : NULL;
}

#define OBJECT(kind, name, extra) \
	"{\"apiVersion\":\"v1\",\"kind\":\"" kind "\",\"metadata\":{\"name\":\"" name "\"}" extra "}"

static void
bundles_are_sorted_and_named_once(void **state)
{
	const char *const objects[] = { OBJECT("Service", "b", ""), OBJECT("ConfigMap", "z", ""), OBJECT("Service", "a", "") };
	const char *const turned[] = { objects[2], objects[0], objects[1] };
	const char *const changed[] = { objects[0], objects[1], OBJECT("Service", "a", ",\"spec\":1") };
	const char *const twice[] = { objects[0], objects[1], OBJECT("Service", "b", ",\"spec\":1") };
	struct err e = { 0 };
	struct bundle *b = bundle_of(objects, 3, &e), *t = bundle_of(turned, 3, &e), *c = bundle_of(changed, 3, &e);
	struct buf text AUTO_BUF = BUF_INIT(0);

	(void)state;
	assert_non_null(b);
	bundle_kustomization(b, &text);
	assert_string_equal(buf_cstr(&text), "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
	                                     "- configmap-z.yaml\n- service-a.yaml\n- service-b.yaml\n");
	assert_memory_equal(&b->digest, &t->digest, sizeof(b->digest));
	assert_memory_not_equal(&b->digest, &c->digest, sizeof(b->digest));
	assert_null(bundle_of(twice, 3, &e));
	assert_string_equal(e.text, "t2.yaml:3:5: Service b is given twice: by t0.yaml and by t2.yaml");
}

static void
an_empty_bundle_is_one_too(void **state)
{
	struct err e = { 0 };
	struct bundle *b = bundle_of(NULL, 0, &e);
	struct buf text AUTO_BUF = BUF_INIT(0);

	(void)state;
	assert_non_null(b);
	assert_int_equal(b->n, 0);
	bundle_kustomization(b, &text);
	assert_string_equal(buf_cstr(&text), "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n");
}

static void
too_deep_is_refused(void **state)
{
	struct value *v = parse(OBJECT("ConfigMap", "x", "")), *at = v;
	struct bundle_unit u = unit("n", true);
	struct object o;
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct value *next = value_map(mem);

		value_set(mem, at, "a", next);
		at = next;
	}
	assert_int_equal(object_make(mem, &u, v, &o, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "levels"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(namespaces_follow_kind_and_unit, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_template_gave_is_not_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(bundles_are_sorted_and_named_once, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_bundle_is_one_too, setup, teardown),
		cmocka_unit_test_setup_teardown(too_deep_is_refused, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
