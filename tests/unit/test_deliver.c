/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to a delivery child and comes back: nothing is lost, nothing cut or forged is believed, no value leaves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "apply/deliver_wire.h"
#include "lib/doc/json.h"
#include "with_arena.h"

static const char *const names[] = { "train--alice.dev.example.com", "train--alice" };
static const struct seal_place env = { .scope = PLACE_ENV, .owner = "alice", .uid = "7f3a", .env = "train" };
static const struct sealed sops = { .place = { .scope = PLACE_ENV, .owner = "alice", .uid = "7f3a", .env = "train" },
	.format = SEAL_SOPS_YAML, .bytes = "a: \0ENC", .n = 7, .generation = 3, .oldest = 2 };
static const struct sealed age = { .place = { .scope = PLACE_SITE }, .format = SEAL_AGE, .bytes = "age-encryption.org/v1", .n = 21,
	.generation = 3, .oldest = 2 };
static const struct part parts[] = {
	{ .key = "user", .kind = PART_VALUE, .sealed = &sops, .value = "git.user" },
	{ .key = "pass.word", .kind = PART_VALUE, .sealed = &sops, .value = "git.password" },
	{ .key = ".dockerconfigjson", .kind = PART_DOCKER, .sealed = &age, .value = "" },
	{ .key = "ssh_host_ed25519_key-cert.pub", .kind = PART_HOST_CERT, .env = &env, .names = names, .nnames = 2 },
};

static void
same_place(const struct seal_place *a, const struct seal_place *b)
{
	assert_int_equal(a->scope, b->scope);
	assert_true(!a->owner == !b->owner && (!a->owner || strcmp(a->owner, b->owner) == 0));
	assert_true(!a->uid == !b->uid && (!a->uid || strcmp(a->uid, b->uid) == 0));
	assert_true(!a->env == !b->env && (!a->env || strcmp(a->env, b->env) == 0));
}

static void
test_parts(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(65536);
	struct part *got;
	size_t n;

	(void)state;
	parts_pack(parts, 4, &b);
	assert_true(parts_unpack(mem, b.data, b.len, &got, &n));
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(got[i].key, parts[i].key);
		assert_int_equal(got[i].kind, parts[i].kind);
		assert_true(!got[i].value == !parts[i].value && (!got[i].value || strcmp(got[i].value, parts[i].value) == 0));
		assert_int_equal(got[i].nnames, parts[i].nnames);
		assert_true(!got[i].sealed == !parts[i].sealed);
		if (!got[i].sealed)
			continue;
		same_place(&got[i].sealed->place, &parts[i].sealed->place);
		assert_int_equal(got[i].sealed->n, parts[i].sealed->n);
		assert_memory_equal(got[i].sealed->bytes, parts[i].sealed->bytes, parts[i].sealed->n);
		assert_int_equal(got[i].sealed->format, parts[i].sealed->format);
		assert_int_equal(got[i].sealed->generation, 3);
		assert_int_equal(got[i].sealed->oldest, 2);
	}
	assert_ptr_equal(got[0].sealed, got[1].sealed); /* a file that two parts are of travels once */
	assert_null(got[0].env);
	same_place(got[3].env, &env);
	assert_string_equal(got[3].names[1], "train--alice");
}

static void
test_parts_cut(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(65536);
	struct part *got;
	size_t n;

	(void)state;
	parts_pack(parts, 4, &b);
	for (size_t i = 0; i < b.len; i++) {
		char *copy = arena_memdup(mem, b.data, i + 1); /* one block each, so that a sanitizer sees a step over its end */

		assert_false(parts_unpack(mem, copy, i, &got, &n));
	}
	buf_char(&b, 'x');
	assert_false(parts_unpack(mem, b.data, b.len, &got, &n));
}

/* Any one changed byte is refused or gives parts that can be used: never a wild pointer. */
static void
test_parts_changed(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(65536);

	(void)state;
	parts_pack(parts, 4, &b);
	for (size_t i = 0; i < b.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct part *got;
			size_t n, sum = 0;

			b.data[i] = (char)(b.data[i] ^ (1 << bit));
			if (parts_unpack(mem, b.data, b.len, &got, &n))
				for (size_t j = 0; j < n; j++) {
					sum += strlen(got[j].key) + (got[j].value ? strlen(got[j].value) : 0);
					for (size_t k = 0; got[j].sealed && k < got[j].sealed->n; k++)
						sum += (unsigned char)got[j].sealed->bytes[k];
					for (size_t k = 0; k < got[j].nnames; k++)
						sum += strlen(got[j].names[k]);
				}
			assert_true(sum < 1000000);
			b.data[i] = (char)(b.data[i] ^ (1 << bit));
			arena_reset(mem);
		}
}

static void
test_batch(void **state)
{
	struct wire_cluster c = { .server = "https://127.0.0.1:6443", .ca = "PEM", .token = "abc", .insecure = true, .until_ms = 1LL << 40 }, got;
	struct wire_item item = { .id = 7, .method = "PATCH", .path = "/api/v1/x?y", .content_type = KUBE_APPLY, .body = "{\"a\":1}", .body_len = 7,
		.parts = "p\0q", .parts_len = 3 }, i;
	struct buf b AUTO_BUF = BUF_INIT(65536);
	struct wire_reader r;
	size_t n;

	(void)state;
	batch_begin(&b, &c, 1);
	batch_add(&b, &item);
	r = (struct wire_reader){ .p = b.data, .end = b.data + b.len };
	assert_true(batch_read(&r, &got, &n));
	assert_int_equal(n, 1);
	assert_string_equal(got.server, c.server);
	assert_null(got.cert);
	assert_string_equal(got.token, "abc");
	assert_true(got.insecure);
	assert_true(got.until_ms == c.until_ms);
	assert_true(batch_item(&r, &i));
	assert_int_equal(i.id, 7);
	assert_string_equal(i.path, "/api/v1/x?y");
	assert_int_equal(i.parts_len, 3);
	assert_memory_equal(i.parts, "p\0q", 3);
	assert_false(batch_item(&r, &i)); /* there is no more */
	b.data[0] ^= 1;
	r = (struct wire_reader){ .p = b.data, .end = b.data + b.len };
	assert_false(batch_read(&r, &got, &n));
}

static void
test_answers(void **state)
{
	struct wire_answer a = { .id = 3, .asked = true, .a = { .code = ERR_CONFLICT, .status = 409, .reason = "Conflict", .message = "m", .body = "{}",
		.len = 2, .retry_after_ms = -1, .took_ms = 12 } }, got;
	struct buf b AUTO_BUF = BUF_INIT(65536);
	size_t used, first;

	(void)state;
	answer_write(&b, &a);
	first = b.len;
	a.id = 4;
	a.a.code = 0;
	answer_write(&b, &a);
	for (size_t i = 0; i < first; i++)
		assert_int_equal(answer_parse(b.data, i, &used, &got), 0);
	assert_int_equal(answer_parse(b.data, b.len, &used, &got), 1);
	assert_int_equal(used, first);
	assert_int_equal(got.id, 3);
	assert_true(got.asked);
	assert_int_equal(got.a.code, ERR_CONFLICT);
	assert_int_equal(got.a.status, 409);
	assert_string_equal(got.a.reason, "Conflict");
	assert_true(got.a.retry_after_ms == -1);
	assert_string_equal(got.a.body, "{}");
	assert_int_equal(answer_parse(b.data + first, b.len - first, &used, &got), 1);
	assert_int_equal(got.id, 4);
	assert_int_equal(got.a.code, 0);
	memset(b.data, 0xff, 4); /* a length that nobody means */
	assert_int_equal(answer_parse(b.data, b.len, &used, &got), -1);
	memset(b.data, 0, 4);
	assert_int_equal(answer_parse(b.data, b.len, &used, &got), -1);
}

/* -- what may leave ---------------------------------------------------------------------------------------------------------- */

#define CANARY "c2VjcmV0LXZhbHVl"

static struct kube_answer
clean(int code, long status, const char *reason, const char *message, const char *body)
{
	struct kube_answer in = { .code = code, .status = status, .reason = reason, .message = message, .body = body, .len = strlen(body),
		.retry_after_ms = -1 }, out;

	answer_clean(mem, &in, &out);
	assert_int_equal(out.code, code);
	assert_int_equal(out.status, status);
	assert_null(strstr(out.body, CANARY));
	assert_null(strstr(out.message, CANARY));
	assert_null(strstr(out.reason, CANARY));
	return out;
}

/* A text that ends before its length says would be another one to whoever compares it. */
static void
test_texts_are_whole(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(65536);
	struct wire_reader r;

	(void)state;
	wire_bytes(&b, "PATCH\0x", 7);
	r = (struct wire_reader){ .p = b.data, .end = b.data + b.len };
	assert_string_equal(wire_get_str(&r), "");
	assert_true(r.bad);
	buf_reset(&b);
	wire_bytes(&b, "PATCH", 5);
	r = (struct wire_reader){ .p = b.data, .end = b.data + b.len };
	assert_string_equal(wire_get_str(&r), "PATCH");
	assert_false(r.bad);
}

static void
test_clean_success(void **state)
{
	struct kube_answer a = clean(0, 201, "", "", "{\"kind\":\"Secret\",\"data\":{\"k\":\"" CANARY "\"},\"metadata\":{\"name\":\"x\",\"uid\":\"u\","
		"\"annotations\":{\"a\":\"b\",\"kubectl.kubernetes.io/last-applied-configuration\":\"{data:{k:" CANARY "}}\"},"
		"\"managedFields\":[{\"manager\":\"berth\",\"fieldsV1\":{\"f:data\":{\"f:k\":{}}}}]}}");
	struct value *v;

	(void)state;
	assert_int_equal(json_read(mem, a.body, a.len, &v, NULL), 0);
	assert_int_equal(v->map.n, 1);
	assert_string_equal(value_as_str(value_at(v, "metadata.uid"), ""), "u");
	assert_string_equal(value_as_str(value_get(value_at(v, "metadata.annotations"), "a"), ""), "b");
	assert_int_equal(value_len(value_at(v, "metadata.managedFields")), 1);
	a = clean(0, 200, "", "", "no JSON " CANARY);
	assert_int_equal(a.len, 0);
}

static void
test_clean_refusal(void **state)
{
	struct kube_answer a = clean(ERR_INVALID, 422, "Invalid", "Secret \"x\" is invalid: data: Invalid value: \"" CANARY "\"",
		"{\"kind\":\"Status\",\"details\":{\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: " CANARY "\","
		"\"field\":\"data[.dockerconfigjson]\"},{\"reason\":\"" CANARY " \",\"field\":\"type " CANARY "\"}]}}");
	struct value *v;

	(void)state;
	assert_non_null(strstr(a.message, "422 Invalid: data[.dockerconfigjson]: FieldValueInvalid; a field: refused"));
	assert_int_equal(json_read(mem, a.body, a.len, &v, NULL), 0);
	assert_string_equal(value_as_str(value_item(value_get(v, "fields"), 0), ""), "data[.dockerconfigjson]");
	/* a webhook's own words, in every place that it has */
	a = clean(ERR_DENIED, 403, "value " CANARY, "admission webhook denied: " CANARY, "{\"message\":\"" CANARY "\"}");
	assert_string_equal(a.reason, "refused");
	a = clean(ERR_INVALID, 400, "BadRequest", CANARY, CANARY);
	assert_non_null(strstr(a.message, "400 BadRequest"));
}

/* What callers look for in a message is there, in words of ours. */
static void
test_clean_known(void **state)
{
	struct kube_answer a;

	(void)state;
	a = clean(ERR_DENIED, 403, "Forbidden", "secrets \"x\" is forbidden: exceeded quota: q, " CANARY, "{}");
	assert_non_null(strstr(a.message, "exceeded quota: "));
	a = clean(ERR_DENIED, 403, "Forbidden", "forbidden: unable to create: because it is being terminated " CANARY, "{}");
	assert_non_null(strstr(a.message, "because it is being terminated"));
	a = clean(ERR_DENIED, 403, "Forbidden", "secrets is forbidden: User \"u\" cannot create " CANARY, "{}");
	assert_non_null(strstr(a.message, "forbidden: User "));
	a = clean(ERR_UNAVAILABLE, 0, "", "Connection refused", "");
	assert_string_equal(a.message, "Connection refused");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_texts_are_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_success, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_refusal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_known, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
