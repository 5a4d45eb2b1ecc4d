/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies, keys and identities of the Kubernetes target. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/doc/json.h"
#include "with_arena.h"

#define OBJECT                                                                                                         \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{\"a\":\"b\"},\"labels\":{\"l\":\"m\"},\"name\":\"x\"," \
	"\"namespace\":\"dev-alice\"},\"data\":{\"k\":\"quote \\\" and \\u0007\"}}"

static struct target_kube target = { .id = "applyset-test-v1" };

static struct object
object_of(const char *json)
{
	struct object o = { .api_version = "v1", .kind = "ConfigMap", .name = "x", .namespace_ = "dev-alice" };
	struct value *v;

	assert_int_equal(json_read(mem, json, strlen(json), &v, NULL), 0);
	o.value = v;
	return o;
}

static struct value *
parsed(const char *body, size_t len)
{
	struct value *v;

	assert_int_equal(json_read(mem, body, len, &v, NULL), 0);
	return v;
}

static void
test_body(void **state)
{
	struct object o = object_of(OBJECT);
	struct kbody body, other;
	char text[2 * HASH_LEN + 1];
	struct value *v;
	uint8_t uid[16];

	(void)state;
	body_make(&target, mem, &o, "envs/alice/train", &body);
	v = parsed(body.json, body.len);
	hash_text(body.digest, text);
	assert_string_equal(value_as_str(value_get(value_at(v, "metadata.annotations"), NOTE_DIGEST), ""), text);
	assert_string_equal(value_as_str(value_get(value_at(v, "metadata.annotations"), NOTE_UNIT), ""), "envs/alice/train");
	assert_string_equal(value_as_str(value_get(value_at(v, "metadata.annotations"), "a"), ""), "b");
	assert_string_equal(value_as_str(value_get(value_at(v, "metadata.labels"), LABEL_PART_OF), ""), "applyset-test-v1");
	assert_string_equal(value_as_str(value_get(value_get(v, "data"), "k"), ""), "quote \" and \a");
	assert_null(value_at(v, "metadata.resourceVersion"));
	assert_null(body.parts);
	/* each guard replaces the one before, and nothing else changes */
	body_guard_new(body.json);
	v = parsed(body.json, body.len);
	assert_string_equal(value_as_str(value_at(v, "metadata.resourceVersion"), ""), "1");
	assert_true(uid_parse("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", uid));
	body_guard_uid(body.json, uid);
	v = parsed(body.json, body.len);
	assert_null(value_at(v, "metadata.resourceVersion"));
	assert_string_equal(value_as_str(value_at(v, "metadata.uid"), ""), "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
	body_guard_none(body.json);
	/* the same object gives the same bytes; another unit or one other value another digest */
	body_make(&target, mem, &o, "envs/alice/train", &other);
	assert_int_equal(body.len, other.len);
	assert_memory_equal(body.json, other.json, other.len);
	assert_memory_equal(body.digest, other.digest, HASH_LEN);
	body_free(&other);
	body_make(&target, mem, &o, "envs/alice/other", &other);
	assert_memory_not_equal(body.digest, other.digest, HASH_LEN);
	body_free(&other);
	body_free(&body);
	/* an annotation of a template under our name does not stand */
	o = object_of("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{\"" NOTE_DIGEST "\":\"x\"},\"name\":\"x\"}}");
	body_make(&target, mem, &o, "org", &body);
	hash_text(body.digest, text);
	assert_string_equal(value_as_str(value_get(value_at(parsed(body.json, body.len), "metadata.annotations"), NOTE_DIGEST), ""), text);
	body_free(&body);
}

/* A Secret: its body has no data, its parts go beside it, and what counts is the values' digests, not the ciphertext. */
static void
test_sealed_body(void **state)
{
	struct object o = object_of("{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"x\"},\"type\":\"Opaque\"}");
	struct sealed one = { .place = { .scope = PLACE_SITE }, .bytes = "first", .n = 5, .generation = 1 }, two = one;
	const struct part first = { .key = "k", .sealed = &one, .value = "" }, second = { .key = "k", .sealed = &two, .value = "" },
		named = { .key = "l", .sealed = &one, .value = "" };
	const char *const digest[] = { "aaaa" }, *const changed[] = { "bbbb" };
	struct kbody body, other;
	struct part *parts;
	size_t n;

	(void)state;
	two.bytes = "second, sealed again";
	two.n = strlen(two.bytes);
	o.parts = &first;
	o.digests = digest;
	o.nparts = 1;
	body_make(&target, mem, &o, "envs/alice/train", &body);
	assert_null(value_get(parsed(body.json, body.len), "data"));
	assert_int_equal(body.json[body.len - 1], '}');
	assert_true(parts_unpack(mem, body.parts, body.parts_len, &parts, &n));
	assert_int_equal(n, 1);
	assert_string_equal(parts[0].key, "k");
	assert_memory_equal(parts[0].sealed->bytes, "first", 5);
	o.parts = &second;
	body_make(&target, mem, &o, "envs/alice/train", &other);
	assert_memory_equal(body.digest, other.digest, HASH_LEN);
	body_free(&other);
	o.digests = changed;
	body_make(&target, mem, &o, "envs/alice/train", &other);
	assert_memory_not_equal(body.digest, other.digest, HASH_LEN);
	body_free(&other);
	o.parts = &named;
	o.digests = digest;
	body_make(&target, mem, &o, "envs/alice/train", &other);
	assert_memory_not_equal(body.digest, other.digest, HASH_LEN);
	body_free(&other);
	body_free(&body);
}

static void
test_keys(void **state)
{
	static const struct {
		const char *key;
		bool good;
	} rows[] = { { "apps/StatefulSet/dev-alice/train", true }, { "/Namespace//dev-alice", true }, { "/ConfigMap/a/b/c", false }, { "x", false },
		{ "", false }, { "a/b/c", false } };
	struct kube_kind namespaced = { .group = "apps", .kind = "StatefulSet", .namespaced = true }, cluster = { .group = "", .kind = "Namespace" };
	char buf[512], long_key[700];
	struct key_parts k;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(key_split(rows[i].key, buf, &k), rows[i].good);
	memset(long_key, 'a', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	assert_false(key_split(long_key, buf, &k));
	assert_string_equal(kobj_key(mem, &namespaced, "dev-alice", "train"), "apps/StatefulSet/dev-alice/train");
	assert_string_equal(kobj_key(mem, &cluster, "ignored", "dev-alice"), "/Namespace//dev-alice");
	assert_true(key_split("/Namespace//dev-alice", buf, &k));
	assert_string_equal(k.group, "");
	assert_null(k.ns);
	assert_string_equal(k.name, "dev-alice");
}

static void
test_identities(void **state)
{
	static const char *const bad[] = { "", "0f1e2d3c", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f00",
		"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fg", "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0 " };
	uint8_t uid[16], hash[HASH_LEN];
	char text[2 * HASH_LEN + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(uid_parse(bad[i], uid));
	assert_false(uid_parse(NULL, uid));
	assert_true(hash_parse("000102030405060708090a0b0c0d0eff", hash));
	hash_text(hash, text);
	assert_string_equal(text, "000102030405060708090a0b0c0d0eff");
	assert_false(hash_parse("000102030405060708090a0b0c0d0e", hash));
	assert_false(hash_parse("000102030405060708090a0b0c0d0eff00", hash));
	assert_false(hash_parse("-000102030405060708090a0b0c0d0eff", hash));
}

/* Two objects of one unit; the order of stages is what `may go` needs. */
static void
test_store(void **state)
{
	struct kube_kind sts = { .group = "apps", .kind = "StatefulSet", .namespaced = true }, ns = { .group = "", .kind = "Namespace" };
	struct target_kube t = { .ndirty = 0 };
	struct kunit *u = unit_make(&t, "envs/alice/train"), *v = unit_make(&t, "users/alice");
	struct kobj *o = kobj_make(&t, "apps/StatefulSet/dev-alice/train", &sts, u);

	(void)state;
	assert_ptr_equal(unit_make(&t, "envs/alice/train"), u);
	assert_ptr_equal(kobj_make(&t, "apps/StatefulSet/dev-alice/train", &sts, u), o);
	assert_int_equal(o->stage, STAGE_WORK);
	assert_int_equal(stage_of(&ns), STAGE_FIRST);
	kobj_move(o, v);
	assert_ptr_equal(o->unit, v);
	assert_true(unit_empty(u));
	unit_dirty(&t, v, 100);
	unit_dirty(&t, v, 50); /* once, at the earlier time */
	assert_int_equal(t.ndirty, 1);
	assert_int_equal(v->due, 50);
	kobj_forget(&t, o); /* the last one: nothing is left to put, and that it went is to be told */
	assert_int_equal(t.ndirty, 0);
	assert_int_equal(t.nchanged, 1);
	assert_null(kobj_get(&t, "apps/StatefulSet/dev-alice/train"));
	store_free(&t);
}

/* What a stranger may write into an annotation must not become a path, two units, or a line of a message. */
static void
test_unit_names(void **state)
{
	static const char *const good[] = { "org", "users/alice", "teams/vision", "envs/alice/train", "envs/u00001/dev-2" };
	static const char *const bad[] = { "", "orgs", "users/", "users/a/b", "envs/alice", "envs/alice/", "envs/alice/train/x", "envs/../x",
		"envs/zed/y\nenvs/alice/two", "envs/a/\033[31m", "envs/A/b", "envs/-a/b", "envs/a-/b", "envs//b", "teams/a.b", "tmp/x" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(unit_name_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(unit_name_valid(bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sealed_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_unit_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
