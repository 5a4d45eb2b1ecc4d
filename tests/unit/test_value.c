/* SPDX-License-Identifier: Apache-2.0 */
/* The value tree: order, index, merging, equality, digest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/doc/json.h"
#include "lib/doc/value.h"
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

static void
assert_json(const struct value *v, const char *want)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	json_write(v, 0, &b);
	assert_string_equal(buf_cstr(&b), want);
}

static void
maps_keep_order_and_find(void **state)
{
	enum { N = 5000 };
	struct value *map = value_map(mem);
	char key[32];

	(void)state;
	for (int i = 0; i < N; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i * 7919 % N);
		value_set(mem, map, key, value_int(mem, i));
	}
	assert_int_equal(value_len(map), N);
	for (int i = 0; i < N; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i * 7919 % N);
		assert_string_equal(map->map.items[i].key, key);
		assert_int_equal(value_as_int(value_get(map, key), -1), i);
	}
	assert_null(value_get(map, "k"));
	assert_null(value_get(map, ""));
	value_set(mem, map, "k0", value_str(mem, "again"));
	assert_int_equal(value_len(map), N);
	assert_string_equal(map->map.items[0].key, "k0");
	assert_string_equal(value_as_str(value_get(map, "k0"), ""), "again");
}

static void
removed_keys_are_gone(void **state)
{
	struct value *map = value_map(mem), *copy;
	char key[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		value_set(mem, map, key, value_int(mem, i));
	}
	copy = value_copy(mem, map);
	for (int i = 0; i < 100; i += 2) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		assert_true(value_del(map, key));
		assert_false(value_del(map, key));
	}
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(value_as_int(value_get(map, key), -1), i % 2 ? i : -1);
		assert_int_equal(value_as_int(value_get(copy, key), -1), i);
	}
	value_sort(map);
	assert_string_equal(map->map.items[0].key, "k1");
	assert_string_equal(map->map.items[1].key, "k11");
	assert_int_equal(value_as_int(value_get(map, "k39"), -1), 39);
}

static void
paths_and_typed_reads(void **state)
{
	struct value *v = parse("{\"spec\":{\"resources\":{\"gpu\":4,\"x\":null},\"name\":\"a\"},\"on\":true,\"l\":[1,2]}");

	(void)state;
	assert_int_equal(value_as_int(value_at(v, "spec.resources.gpu"), -1), 4);
	assert_null(value_at(v, "spec.resources.cpu"));
	assert_null(value_at(v, "spec.name.first"));
	assert_null(value_at(v, "spe.resources.gpu"));
	assert_null(value_at(v, "spec.resources.gpu."));
	assert_null(value_at(NULL, "a.b"));
	assert_string_equal(value_as_str(value_at(v, "spec.name"), "-"), "a");
	assert_string_equal(value_as_str(value_at(v, "spec.resources.gpu"), "-"), "-");
	assert_int_equal(value_as_int(value_at(v, "spec.resources.x"), 7), 7);
	assert_true(value_as_bool(value_get(v, "on"), false));
	assert_int_equal(value_as_int(value_item(value_get(v, "l"), 1), 0), 2);
	assert_null(value_item(value_get(v, "l"), 2));
	assert_null(value_item(v, 0));
	assert_int_equal(value_len(value_get(v, "l")), 2);
	assert_int_equal(value_len(NULL), 0);
	assert_string_equal(value_type_name(VALUE_REAL), "number");
}

static void
equality_is_that_of_json(void **state)
{
	static const struct { const char *x, *y; bool equal; } rows[] = {
		{ "1", "1.0", true }, { "0", "-0.0", true }, { "1", "1.5", false }, { "1", "\"1\"", false },
		{ "9007199254740993", "9007199254740992", false }, { "true", "1", false }, { "null", "false", false },
		{ "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1.0}", true }, { "{\"a\":1}", "{\"a\":1,\"b\":2}", false },
		{ "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false }, { "[1,2]", "[2,1]", false }, { "[]", "{}", false },
		{ "[1]", "[1,1]", false }, { "\"a\"", "\"a\"", true }, { "1e300", "1e300", true }, { "1e300", "1e301", false },
		{ "0.5", "0.25", false }, { "[[1,{\"x\":[]}]]", "[[1.0,{\"x\":[]}]]", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value *x = parse(rows[i].x), *y = parse(rows[i].y);
		struct digest dx, dy;

		value_digest(x, &dx);
		value_digest(y, &dy);
		if (value_equal(x, y) != rows[i].equal || value_equal(y, x) != rows[i].equal)
			fail_msg("%s and %s", rows[i].x, rows[i].y);
		if ((memcmp(&dx, &dy, sizeof(dx)) == 0) != rows[i].equal)
			fail_msg("digests of %s and %s", rows[i].x, rows[i].y);
	}
	assert_false(value_equal(parse("1"), NULL));
	assert_true(value_equal(NULL, NULL));
}

static void
overlays_and_patches(void **state)
{
	static const struct { const char *base, *over, *overlay, *patch; } rows[] = {
		{ "{\"a\":1}", "{\"a\":2,\"b\":3}", "{\"a\":2,\"b\":3}", "{\"a\":2,\"b\":3}" },
		{ "{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":3}}", "{\"a\":{\"x\":1,\"y\":3}}", "{\"a\":{\"x\":1,\"y\":3}}" },
		{ "{\"a\":1,\"b\":2}", "{\"a\":null}", "{\"a\":null,\"b\":2}", "{\"b\":2}" },
		{ "{\"a\":[1]}", "{\"a\":[2]}", "{\"a\":[2]}", "{\"a\":[2]}" },
		{ "{\"a\":1}", "[1]", "[1]", "[1]" },
		{ "[1]", "{\"a\":null,\"b\":{\"c\":null}}", "{\"a\":null,\"b\":{\"c\":null}}", "{\"b\":{}}" },
		{ "{}", "{\"a\":{\"b\":{\"c\":null}}}", "{\"a\":{\"b\":{\"c\":null}}}", "{\"a\":{\"b\":{}}}" },
		{ "1", "null", "null", "null" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value *base = parse(rows[i].base), *over = parse(rows[i].over);

		assert_json(value_overlay(mem, base, over), rows[i].overlay);
		assert_json(value_merge_patch(mem, base, over), rows[i].patch);
		assert_json(base, rows[i].base);
		assert_json(over, rows[i].over);
	}
	assert_json(value_overlay(mem, NULL, parse("1")), "1");
	assert_json(value_overlay(mem, parse("1"), NULL), "1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_keep_order_and_find), cmocka_unit_test(removed_keys_are_gone),
		cmocka_unit_test(paths_and_typed_reads), cmocka_unit_test(equality_is_that_of_json),
		cmocka_unit_test(overlays_and_patches),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
