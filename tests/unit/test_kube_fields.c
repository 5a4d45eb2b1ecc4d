/* SPDX-License-Identifier: Apache-2.0 */
/* Whose hand was in an object: managedFields as a 1.36 API server left them after each verb of kubectl (data/kube). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/fs.h"
#include "lib/doc/json.h"
#include "lib/kube/fields.h"
#include "with_arena.h"

#define MAIN "spec.template.spec.containers[main]"

static struct value *
parse(const char *json)
{
	struct value *v = NULL;
	struct err e = { 0 };

	if (json_read(mem, json, strlen(json), &v, &e) < 0)
		fail_msg("%s: %s", json, e.text);
	return v;
}

static struct value *
load(const char *file)
{
	const char *path = arena_printf(mem, "tests/unit/data/kube/%s", file);
	struct err e = { 0 };
	char *text;
	size_t len;

	if (fs_read(path, (size_t)1 << 20, mem, &text, &len, &e) < 0)
		fail_msg("%s: %s", path, e.text);
	return parse(text);
}

static const struct value *
recorded(const struct value *all, const char *name)
{
	const struct value *v = value_get(all, name);

	if (!v)
		fail_msg("%s is not in the recording", name);
	return v;
}

static struct fields_view
look(const struct value *object)
{
	struct fields_view v;

	fields_look(mem, value_get(object, "metadata"), value_as_str(value_get(object, "kind"), ""), "berth", &v);
	return v;
}

static struct value *
take_over(const struct value *object)
{
	return fields_take_over(mem, value_get(object, "metadata"), value_as_str(value_get(object, "kind"), ""),
	                        value_as_str(value_get(object, "apiVersion"), ""), "berth");
}

static const struct {
	const char *verb, *manager, *what;
	bool timed;
} hands[] = {
	{ "set-env", "kubectl-set", MAIN ".env[DEBUG]", true },
	{ "set-image", "kubectl-set", MAIN ".image", true },
	{ "scale-2", "kubectl", "spec.replicas", false },
	{ "label", "kubectl-label", "metadata.labels.team", true },
	{ "label-own", "kubectl-label", "metadata.labels[berth.dev/owner]", true },
	{ "annotate", "kubectl-annotate", "metadata.annotations.note", true },
	{ "patch-merge", "kubectl-patch", "spec.template.spec.priorityClassName", true },
	{ "patch-strategic", "kubectl-patch", MAIN ".image", true },
	{ "ssa-other", "eve", "spec.replicas", true },
	{ "update-berth", "berth", "spec.replicas", true },
	{ "rollout", "kubectl-rollout", "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]", true },
	{ "apply-client", "kubectl-client-side-apply",
	  "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]", true },
	{ "edit", "kubectl-edit", MAIN ".image", true },
	{ "status-label", "kubectl-patch", "metadata.labels.team", true },
};

static void
every_verb_is_seen(void **state)
{
	const struct value *all = load("statefulset-hands.json");

	(void)state;
	for (size_t i = 0; i < sizeof(hands) / sizeof(hands[0]); i++) {
		struct fields_view v = look(recorded(all, hands[i].verb));

		print_message("# %s\n", hands[i].verb);
		assert_true(v.ours);
		assert_int_equal(v.nforeign, 1);
		assert_string_equal(v.foreign, hands[i].manager);
		assert_string_equal(v.what, hands[i].what);
		assert_int_equal(v.foreign_time != NULL, hands[i].timed);
	}
}

/* The digest knows what no entry tells: a field that is gone, and an apply under our own name. */
static void
removals_and_our_own_name_change_the_digest(void **state)
{
	static const char *const silent[] = { "scale-0", "label-remove", "json-remove", "json-remove-toleration", "ssa-berth" };
	const struct value *all = load("statefulset-hands.json"), *untouched = recorded(all, "untouched");
	struct value *same;

	(void)state;
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		const struct value *o = recorded(all, silent[i]);
		struct value *before = value_copy(mem, untouched), *entry;
		struct fields_view was, is = look(o);

		/* the recordings are seconds apart: what is left must differ even if the times were the same */
		entry = value_item(value_at(before, "metadata.managedFields"), 0);
		value_set(mem, entry, "time", value_get(value_item(value_at(o, "metadata.managedFields"), 0), "time"));
		was = look(before);
		print_message("# %s\n", silent[i]);
		assert_null(is.foreign);
		assert_int_equal(is.nforeign, 0);
		assert_memory_not_equal(was.digest.b, is.digest.b, sizeof(is.digest.b));
	}
	/* what controllers do to the status does not */
	same = value_copy(mem, untouched);
	value_set(mem, value_item(value_at(same, "metadata.managedFields"), 1), "time", value_str(mem, "2030-01-01T00:00:00Z"));
	assert_memory_equal(look(same).digest.b, look(untouched).digest.b, sizeof(struct digest));
	value_set(mem, value_item(value_at(same, "metadata.managedFields"), 0), "time", value_str(mem, "2030-01-01T00:00:00Z"));
	assert_memory_not_equal(look(same).digest.b, look(untouched).digest.b, sizeof(struct digest));
}

static void
controllers_are_no_strangers(void **state)
{
	const struct value *all = load("controller-hands.json");

	(void)state;
	for (size_t i = 0; i < all->map.n; i++) {
		struct fields_view v = look(all->map.items[i].value);

		print_message("# %s\n", all->map.items[i].key);
		assert_true(v.ours);
		assert_null(v.foreign);
		assert_null(take_over(all->map.items[i].value));
	}
}

/* `fields` of an Update entry of this manager on an object of this kind. */
static const char *
stranger(const char *kind, const char *manager, const char *subresource, const char *fields)
{
	struct value *o = parse("{\"apiVersion\":\"v1\"}");
	struct value *e = parse(arena_printf(mem, "{\"operation\":\"Update\",\"fieldsV1\":%s}", fields));
	struct fields_view v;

	value_set(mem, e, "manager", value_str(mem, manager));
	if (subresource)
		value_set(mem, e, "subresource", value_str(mem, subresource));
	value_set(mem, o, "managedFields", value_list(mem));
	value_push(mem, value_get(o, "managedFields"), e);
	fields_look(mem, o, kind, "berth", &v);
	return v.foreign ? v.what : "allowed";
}

static void
cowriters_stay_in_their_fields(void **state)
{
	static const char volume_name[] = "{\"f:spec\":{\"f:volumeName\":{}}}";
	static const char finalizer[] = "{\"f:metadata\":{\"f:finalizers\":{\".\":{},\"v:\\\"%s\\\"\":{}}}}";

	(void)state;
	assert_string_equal(stranger("PersistentVolumeClaim", "kube-controller-manager", NULL, volume_name), "allowed");
	assert_string_equal(stranger("PersistentVolumeClaim", "kubectl-edit", NULL, volume_name), "spec.volumeName");
	assert_string_equal(stranger("StatefulSet", "kube-controller-manager", NULL, volume_name), "spec.volumeName");
	/* an autoscaler that writes replicas of ours is in the way, through /scale or not */
	assert_string_equal(stranger("StatefulSet", "kube-controller-manager", "scale", "{\"f:spec\":{\"f:replicas\":{}}}"),
	                    "spec.replicas");
	assert_string_equal(stranger("StatefulSet", "kueue", NULL, "{\"f:spec\":{\"f:replicas\":{}}}"), "spec.replicas");
	assert_string_equal(stranger("StatefulSet", "kueue", NULL,
	                             "{\"f:spec\":{\"f:template\":{\"f:metadata\":{\"f:annotations\":{\".\":{},"
	                             "\"f:kueue.x-k8s.io/pod-suspending-parent\":{}}}}}}"), "allowed");
	assert_string_equal(stranger("StatefulSet", "kueue", NULL,
	                             "{\"f:spec\":{\"f:template\":{\"f:metadata\":{\"f:annotations\":{\"f:other\":{}}}}}}"),
	                    "spec.template.metadata.annotations.other");
	assert_string_equal(stranger("JobSet", "kueue-admission", NULL,
	                             "{\"f:spec\":{\"f:suspend\":{},\"f:replicatedJobs\":{\"k:{\\\"name\\\":\\\"w\\\"}\":{\"f:template\":"
	                             "{\"f:spec\":{\"f:template\":{\"f:spec\":{\"f:nodeSelector\":{\"f:a\":{}}}}}}}}}}"), "allowed");
	assert_string_equal(stranger("ClusterQueue", "kueue", NULL, arena_printf(mem, finalizer, "kueue.x-k8s.io/resource-in-use")),
	                    "allowed");
	assert_string_equal(stranger("Service", "aws-cloud-controller-manager", NULL,
	                             arena_printf(mem, finalizer, "service.kubernetes.io/load-balancer-cleanup")), "allowed");
	assert_string_equal(stranger("Service", "kubectl-patch", NULL,
	                             arena_printf(mem, finalizer, "service.kubernetes.io/load-balancer-cleanup")),
	                    "metadata.finalizers[\"service.kubernetes.io/load-balancer-cleanup\"]");
	assert_string_equal(stranger("Widget", "anybody", NULL, "{\"f:status\":{\"f:phase\":{}}}"), "allowed");
	assert_string_equal(stranger("Namespace", "kubectl-label", NULL, "{\"f:metadata\":{\"f:labels\":{\"f:istio-injection\":{}}}}"),
	                    "metadata.labels.istio-injection");
	assert_string_equal(stranger("Service", "x", NULL, "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":22,\\\"protocol\\\":\\\"TCP\\\"}\":"
	                                                   "{\"f:nodePort\":{}}}}}"), "spec.ports[22/TCP].nodePort");
}

static void
the_newest_stranger_is_named(void **state)
{
	struct fields_view v;

	(void)state;
	fields_look(mem, parse("{\"managedFields\":[{\"manager\":\"a\",\"operation\":\"Update\",\"time\":\"2026-11-25T10:00:01Z\","
	                       "\"fieldsV1\":{\"f:spec\":{\"f:a\":{}}}},{\"manager\":\"b\",\"operation\":\"Update\",\"time\":"
	                       "\"2026-11-25T10:00:00Z\",\"fieldsV1\":{\"f:spec\":{\"f:b\":{}}}},{\"manager\":\"c\\u0007\","
	                       "\"operation\":\"Update\",\"subresource\":\"scale\",\"fieldsV1\":{\"f:spec\":{\"f:c\\n\":{}}}}]}"),
	            "StatefulSet", "berth", &v);
	assert_false(v.ours);
	assert_string_equal(v.foreign, "a");
	assert_string_equal(v.foreign_time, "2026-11-25T10:00:01Z");
	assert_string_equal(v.what, "spec.a");
	assert_int_equal(v.nforeign, 3);
}

/* After taking over, only ours is left, and it owns what the stranger wrote. */
static void
taking_over_leaves_no_stranger(void **state)
{
	const struct value *all = load("statefulset-hands.json");

	(void)state;
	assert_null(take_over(recorded(all, "untouched")));
	for (size_t i = 0; i < sizeof(hands) / sizeof(hands[0]); i++) {
		struct value *o = value_copy(mem, recorded(all, hands[i].verb)), *list = take_over(o);

		print_message("# %s\n", hands[i].verb);
		assert_non_null(list);
		value_set(mem, value_get(o, "metadata"), "managedFields", list);
		assert_true(look(o).ours);
		assert_null(look(o).foreign);
		/* the controller's status entry is untouched */
		assert_string_equal(value_as_str(value_get(value_item(list, value_len(list) - 1), "subresource"), ""), "status");
		assert_int_equal(value_len(list), 2);
	}
}

static void
what_cowriters_own_stays_theirs(void **state)
{
	struct value *meta = parse("{\"managedFields\":[{\"manager\":\"kube-controller-manager\",\"operation\":\"Update\","
	                           "\"fieldsV1\":{\"f:spec\":{\"f:volumeName\":{},\"f:x\":{}},\"f:status\":{\"f:phase\":{}}}},"
	                           "{\"manager\":\"eve\",\"operation\":\"Apply\",\"apiVersion\":\"v1\",\"fieldsV1\":{\"f:spec\":"
	                           "{\"f:x\":{\"f:y\":{}}}}}]}");
	struct value *list = fields_take_over(mem, meta, "PersistentVolumeClaim", "v1", "berth");

	(void)state;
	assert_int_equal(value_len(list), 2);
	assert_true(value_equal(value_item(list, 0),
	                        parse("{\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"manager\":\"berth\",\"operation\":\"Apply\","
	                              "\"fieldsV1\":{\"f:spec\":{\"f:x\":{\".\":{},\"f:y\":{}}}}}")));
	assert_true(value_equal(value_get(value_item(list, 1), "fieldsV1"),
	                        parse("{\"f:spec\":{\"f:volumeName\":{}},\"f:status\":{\"f:phase\":{}}}")));
}

static const char *
subset(const char *want, const char *live)
{
	const char *where = NULL;
	bool same = fields_subset(mem, parse(want), parse(live), &where);

	assert_int_equal(same, where == NULL);
	return same ? "same" : where;
}

static void
subset_forgives_what_the_server_adds(void **state)
{
	(void)state;
	assert_string_equal(subset("{\"a\":1,\"b\":null,\"c\":{},\"d\":[]}", "{\"a\":1,\"z\":2}"), "same");
	assert_string_equal(subset("{\"a\":1}", "{\"a\":2}"), "a");
	assert_string_equal(subset("{\"a\":{\"b\":[1,2]}}", "{\"a\":{\"b\":[1,2,3]}}"), "a.b");
	assert_string_equal(subset("{\"a\":[]}", "{\"a\":[1]}"), "a");
	assert_string_equal(subset("{\"containers\":[{\"name\":\"m\",\"ports\":[{\"containerPort\":22}]}]}",
	                           "{\"containers\":[{\"name\":\"side\"},{\"name\":\"m\",\"image\":\"x\",\"ports\":"
	                           "[{\"containerPort\":22,\"protocol\":\"UDP\"},{\"containerPort\":22,\"protocol\":\"TCP\"}]}]}"), "same");
	assert_string_equal(subset("{\"containers\":[{\"name\":\"m\",\"ports\":[{\"containerPort\":22}]}]}",
	                           "{\"containers\":[{\"name\":\"m\",\"ports\":[{\"containerPort\":22,\"protocol\":\"UDP\"}]}]}"),
	                    "containers[m].ports[0]");
	assert_string_equal(subset("{\"env\":[{\"name\":\"A\",\"value\":\"\"}]}", "{\"env\":[{\"name\":\"A\"}]}"), "same");
	assert_string_equal(subset("{\"publishNotReadyAddresses\":false}", "{}"), "same");
	/* absent is true here: somebody took it out */
	assert_string_equal(subset("{\"automountServiceAccountToken\":false}", "{}"), "automountServiceAccountToken");
	assert_string_equal(subset("{\"metadata\":{\"labels\":{\"value\":\"\"}}}", "{\"metadata\":{}}"), "metadata.labels.value");
	/* lists that belong to one writer as a whole */
	assert_string_equal(subset("{\"tolerations\":[{\"key\":\"a\"}]}", "{\"tolerations\":[{\"key\":\"a\"},{\"key\":\"b\"}]}"),
	                    "tolerations");
	assert_string_equal(subset("{\"ingress\":[{\"ports\":[{\"port\":22}]}]}",
	                           "{\"ingress\":[{\"ports\":[{\"port\":22,\"protocol\":\"TCP\"},{\"port\":23}]}]}"), "ingress[0].ports");
	assert_string_equal(subset("{\"ingress\":[{\"from\":[{\"podSelector\":{}}]}]}",
	                           "{\"ingress\":[{\"from\":[{\"podSelector\":{},\"namespaceSelector\":{}}]}]}"), "ingress[0].from");
	assert_string_equal(subset("{\"ingress\":[{\"from\":[{\"podSelector\":{}}]}]}", "{\"ingress\":[{}]}"), "ingress[0].from");
}

static void
quantities_are_amounts_where_amounts_stand(void **state)
{
	static const struct {
		const char *want, *live;
		bool same;
	} t[] = {
		{ "\"1000m\"", "\"1\"", true }, { "8", "\"8\"", true }, { "0.5", "\"500m\"", true }, { "\"1024Mi\"", "\"1Gi\"", true },
		{ "\"1e3\"", "\"1k\"", true }, { "\"2Ei\"", "\"2048Pi\"", true }, { "\"1Gi\"", "\"1G\"", false },
		{ "\"\"", "\"0\"", false }, { "\"1x\"", "\"1\"", false }, { "1", "\"true\"", false }, { "\"-1\"", "\"1\"", false },
		{ "\"99999999999999999999\"", "\"99999999999999999998\"", false }, { "\"1e-99\"", "\"0\"", false },
		{ "1e40", "\"1\"", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *want = arena_printf(mem, "{\"limits\":{\"cpu\":%s}}", t[i].want);
		const char *live = arena_printf(mem, "{\"limits\":{\"cpu\":%s}}", t[i].live);

		assert_string_equal(subset(want, live), t[i].same ? "same" : "limits.cpu");
	}
	assert_string_equal(subset("{\"limits\":{\"nvidia.com/gpu\":8}}", "{\"limits\":{\"nvidia.com/gpu\":\"7\"}}"),
	                    "limits[nvidia.com/gpu]");
	assert_string_equal(subset("{\"labels\":{\"v\":\"1.0\"}}", "{\"labels\":{\"v\":\"1\"}}"), "labels.v");
	assert_string_equal(subset("{\"data\":{\"v\":\"1000m\"}}", "{\"data\":{\"v\":\"1\"}}"), "data.v");
	assert_string_equal(subset("{\"env\":[{\"name\":\"A\",\"value\":\"1.0\"}]}", "{\"env\":[{\"name\":\"A\",\"value\":\"1\"}]}"),
	                    "env[A].value");
}

/* What was applied to make the recordings, as it was written there: with a number of GPUs and 16000m. */
static struct value *
wanted(void)
{
	struct value *v = load("statefulset-wanted.json");

	assert_string_equal(value_as_str(value_get(v, "kind"), ""), "StatefulSet");
	return v;
}

static void
without_memory_only_the_untouched_is_as_rendered(void **state)
{
	static const struct {
		const char *verb, *missing, *more;
	} t[] = {
		{ "untouched", NULL, NULL }, { "ssa-same", NULL, NULL },
		{ "set-image", MAIN ".image", NULL }, { "scale-0", "spec.replicas", NULL }, { "scale-2", "spec.replicas", NULL },
		{ "label-own", "metadata.labels[berth.dev/owner]", NULL }, { "label-remove", "metadata.labels[berth.dev/owner]", NULL },
		{ "json-remove", MAIN ".env[RANK]", NULL }, { "json-remove-toleration", "spec.template.spec.tolerations", NULL },
		{ "ssa-berth", "spec.replicas", MAIN ".env[DEBUG]" },
		{ "set-env", NULL, NULL }, /* what was added is found by its writer */
	};
	const struct value *all = load("statefulset-hands.json"), *want = wanted();

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct value *o = recorded(all, t[i].verb);
		const char *where = NULL;

		print_message("# %s\n", t[i].verb);
		assert_int_equal(fields_subset(mem, want, o, &where), t[i].missing == NULL);
		assert_string_equal(where ? where : "", t[i].missing ? t[i].missing : "");
		where = NULL;
		assert_int_equal(fields_extra(mem, want, value_get(o, "metadata"), "berth", &where), t[i].more != NULL);
		assert_string_equal(where ? where : "", t[i].more ? t[i].more : "");
	}
}

static void
nonsense_is_harmless(void **state)
{
	static const char *const texts[] = {
		"null", "[]", "{}", "{\"managedFields\":{}}", "{\"managedFields\":[null,1,\"x\",[],{}]}",
		"{\"managedFields\":[{\"manager\":1,\"operation\":{},\"fieldsV1\":[]}]}",
		"{\"managedFields\":[{\"manager\":\"berth\",\"operation\":\"Apply\",\"fieldsV1\":7}]}",
		"{\"managedFields\":[{\"manager\":\"\",\"operation\":\"Update\",\"fieldsV1\":{\"\":{},\"k:\":{\"k:{\":1},\".\":{\".\":{}}}}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct value *v = parse(texts[i]);
		struct fields_view view;

		fields_look(mem, v, "", "berth", &view);
		assert_int_equal(view.nforeign, i == 7);
		assert_int_equal(fields_take_over(mem, v, "", "v1", "berth") != NULL, i == 7);
		assert_false(fields_extra(mem, v, v, "berth", NULL));
		assert_true(fields_subset(mem, v, v, NULL));
	}
	fields_look(mem, NULL, "", "berth", &(struct fields_view){ 0 });
	assert_true(fields_subset(mem, NULL, NULL, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_verb_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(removals_and_our_own_name_change_the_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(controllers_are_no_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(cowriters_stay_in_their_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(the_newest_stranger_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(taking_over_leaves_no_stranger, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cowriters_own_stays_theirs, setup, teardown),
		cmocka_unit_test_setup_teardown(subset_forgives_what_the_server_adds, setup, teardown),
		cmocka_unit_test_setup_teardown(quantities_are_amounts_where_amounts_stand, setup, teardown),
		cmocka_unit_test_setup_teardown(without_memory_only_the_untouched_is_as_rendered, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_harmless, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
