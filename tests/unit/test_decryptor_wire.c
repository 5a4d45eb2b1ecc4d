/* SPDX-License-Identifier: Apache-2.0 */
/* The decryptor's messages, whole and broken; registries' documents. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/seal/decryptor_priv.h"
#include "with_arena.h"

static struct err e;

static const struct seal_place alice = { PLACE_OWNER, "alice", "7f3a9c12", NULL };
static const struct seal_place train = { PLACE_ENV, "alice", "7f3a9c12", "train" };
static const struct seal_place site = { PLACE_SITE, NULL, NULL, NULL };

/* -- messages ------------------------------------------------------------------------------------------------------------ */

static const char *const some_names[] = { "train--alice", "train.alice.svc" };

#define SAMPLES 9

static size_t
samples(struct request out[SAMPLES])
{
	static struct sealed s = { .format = SEAL_SOPS_JSON, .bytes = "{\"a\":1}", .n = 7, .generation = 3, .oldest = 2 };
	static struct sealed files[2];
	static struct part parts[3] = { { .key = "token", .kind = PART_VALUE, .sealed = &s, .value = "a.b" },
		{ .key = ".dockerconfigjson", .kind = PART_DOCKER, .sealed = &s, .value = "" },
		{ .key = "ssh_host_ed25519_key", .kind = PART_HOST_KEY, .value = "", .env = &train, .names = some_names, .nnames = 2 } };

	s.place = train;
	files[0] = files[1] = s;
	files[1].place = site;
	out[0] = (struct request){ .op = OP_HELLO, .generation = 1, .text = "/etc/berth/key" };
	out[1] = (struct request){ .op = OP_LOOK, .sealed = s };
	out[2] = (struct request){ .op = OP_RECIPIENT, .place = site, .generation = 4000000000u };
	out[3] = (struct request){ .op = OP_SIGN, .text = "recipients@berth", .bytes = "a\0b", .n = 3 };
	out[4] = (struct request){ .op = OP_HOST, .place = train, .names = some_names, .nnames = 2 };
	out[5] = (struct request){ .op = OP_CHANNEL };
	out[6] = (struct request){ .op = OP_PART, .parts = parts + 1, .nparts = 1 };
	out[7] = (struct request){ .op = OP_LOOKS, .files = files, .nfiles = 2 };
	out[8] = (struct request){ .op = OP_RESEAL, .text = "age1x", .bytes = "kind: Secret\n", .n = 13, .parts = parts, .nparts = 3 };
	return SAMPLES;
}

static void
messages_read_back(void **state)
{
	struct request all[SAMPLES], back;
	size_t n = samples(all);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct buf AUTO_BUF one = BUF_INIT(0), two = BUF_INIT(0);

		assert_int_equal(request_write(&all[i], &one, &e), 0);
		assert_int_equal(msg_length((const unsigned char *)one.data), one.len - WIRE_HEAD);
		assert_int_equal(request_read(mem, one.data + WIRE_HEAD, one.len - WIRE_HEAD, &back, &e), 0);
		assert_int_equal(back.op, all[i].op);
		assert_int_equal(request_write(&back, &two, &e), 0);
		assert_int_equal(one.len, two.len);
		assert_memory_equal(one.data, two.data, one.len);
	}
	assert_int_equal(back.nparts, 3);
	assert_ptr_equal(back.parts[0].sealed, back.parts[1].sealed); /* sent once */
	assert_string_equal(back.parts[0].value, "a.b");
	assert_string_equal(back.parts[2].names[1], "train.alice.svc");
	assert_string_equal(back.parts[2].env->env, "train");
}

/* Cut anywhere, with anything behind it, and with any byte made another one: refused or read, never read past its end. */
static void
broken_messages(void **state)
{
	struct request all[SAMPLES], back;
	size_t n = samples(all), read = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct buf AUTO_BUF b = BUF_INIT(0);
		size_t len;

		assert_int_equal(request_write(&all[i], &b, &e), 0);
		buf_char(&b, 'x');
		len = b.len - WIRE_HEAD;
		for (size_t cut = 0; cut <= len; cut++) {
			char *exact = malloc(cut ? cut : 1);

			assert_non_null(exact);
			memcpy(exact, b.data + WIRE_HEAD, cut);
			if (cut != len - 1)
				assert_int_equal(request_read(mem, exact, cut, &back, &e), ERR_INVALID);
			for (size_t k = 0; k < cut; k++) {
				exact[k] = (char)(exact[k] ^ (char)(1 + cut % 255));
				read += request_read(mem, exact, cut, &back, &e) == 0;
				exact[k] = (char)(exact[k] ^ (char)(1 + cut % 255));
			}
			free(exact);
		}
	}
	assert_true(read > 0);
}

static void
messages_over_limits(void **state)
{
	const struct { const char *name; struct request r; } rows[] = {
		{ "a large file", { .op = OP_LOOK, .sealed = { .place = alice, .bytes = arena_alloc(mem, AGE_FILE_MAX + 1),
		                                               .n = AGE_FILE_MAX + 1 } } },
		{ "a long name", { .op = OP_RECIPIENT, .place = { PLACE_OWNER, arena_printf(mem, "%0300d", 7), "x", NULL } } },
		{ "an unknown scope", { .op = OP_RECIPIENT, .place = { (enum place_scope)3, "alice", "x", NULL } } },
		{ "an unknown format", { .op = OP_LOOK, .sealed = { .place = alice, .format = (enum seal_format)4 } } },
	};
	struct part none = { .key = "x", .kind = PART_VALUE, .value = "" };
	const struct request too_many = { .op = OP_LOOKS, .files = arena_array(mem, DECRYPTOR_LOOKS_MAX + 1, sizeof(struct sealed)),
		.nfiles = DECRYPTOR_LOOKS_MAX + 1 };
	const struct request nothing = { .op = OP_PART, .parts = &none, .nparts = 1 };
	struct buf AUTO_BUF big = BUF_INIT(0);
	struct request back;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf AUTO_BUF b = BUF_INIT(0);

		print_message("# %s\n", rows[i].name);
		assert_int_equal(request_write(&rows[i].r, &b, &e), 0);
		assert_int_equal(request_read(mem, b.data + WIRE_HEAD, b.len - WIRE_HEAD, &back, &e), ERR_INVALID);
	}
	assert_int_equal(request_write(&nothing, &big, &e), ERR_INTERNAL);
	assert_int_equal(request_write(&too_many, &big, &e), ERR_INVALID);
	assert_int_equal(request_write(&(struct request){ .op = OP_LOOKS }, &big, &e), ERR_INVALID);
	assert_int_equal(request_read(mem, "\x09\x41\0\0\0", 5, &back, &e), ERR_INVALID);
	assert_int_equal(request_write(&(struct request){ .op = OP_SIGN, .text = "n", .bytes = arena_alloc(mem, WIRE_REQUEST_MAX),
	                                                   .n = WIRE_REQUEST_MAX }, &big, &e), ERR_INVALID);
}

/* -- registries' documents -------------------------------------------------------------------------------------------------- */

static void
docker_documents(void **state)
{
	static const struct { const char *text; bool good; } rows[] = {
		{ "{\"auths\":{}}", true },
		{ " { \"a\" : [1, -2.5e+3, true, false, null, {\"x\": \"\\u00e9\\n\"}] , \"auths\" : { \"r\" : { \"auth\" : \"x\" } } } \n", true },
		{ "", false }, { "{}", false }, { "[]", false }, { "\"auths\"", false }, { "{\"auths\":[]}", false },
		{ "{\"x\":{\"auths\":{}}}", false }, { "{\"auths\":{}", false }, { "{\"auths\":{}}x", false }, { "{\"auths\":{},}", false },
		{ "{\"auths\":{\"a\":01}}", false }, { "{\"auths\":{\"a\":1.}}", false }, { "{\"auths\":{\"a\":\"\\x\"}}", false },
		{ "{\"auths\":{\"a\":\"\t\"}}", false }, { "{\"auths\":{\"a\":\"\xff\"}}", false }, { "{'auths':{}}", false },
		{ "{\"auths\":{\"a\":tru}}", false }, { "{\"auths\":{\"a\":\"\\u12g4\"}}", false },
	};
	static const struct docker_login odd = { (const unsigned char *)"r.example:5000", (const unsigned char *)"bo",
		(const unsigned char *)"a\"b\\c\nd\xc3\xa9", 14, 2, 9 };
	static const struct docker_login colon = { (const unsigned char *)"r", (const unsigned char *)"a:b", (const unsigned char *)"", 1, 3, 0 };
	struct secret AUTO_SECRET got = { 0 };
	struct buf AUTO_BUF deep = BUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", rows[i].text);
		assert_int_equal(docker_config_check((const unsigned char *)rows[i].text, strlen(rows[i].text), &e), rows[i].good ? 0 : ERR_INVALID);
	}
	buf_str(&deep, "{\"auths\":{\"a\":");
	buf_pad(&deep, '[', 100000);
	assert_int_equal(docker_config_check((const unsigned char *)deep.data, deep.len, &e), ERR_INVALID);
	assert_int_equal(docker_config_make(&odd, &got, &e), 0);
	assert_int_equal(docker_config_check(got.b, got.n, &e), 0);
	assert_string_equal(arena_strndup(mem, (char *)got.b, got.n),
	                    "{\"auths\":{\"r.example:5000\":{\"username\":\"bo\",\"password\":\"a\\\"b\\\\c\\u000ad\xc3\xa9\","
	                    "\"auth\":\"Ym86YSJiXGMKZMOp\"}}}");
	assert_int_equal(docker_config_make(&colon, &got, &e), ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_over_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(docker_documents, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return seal_init(&e) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
