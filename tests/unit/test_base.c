/* SPDX-License-Identifier: Apache-2.0 */
/* lib/base: errors, arena, buffer, map, strings, digests, file lists, time, log lines, compiled-in files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/files.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/redact.h"
#include "lib/base/share.h"
#include "lib/base/str.h"

static void
err_chain(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, ERR_INVALID, "no field '%s'", "gpus"), ERR_INVALID);
	assert_int_equal(err_hint(&e, "Write gpu."), ERR_INVALID);
	assert_int_equal(err_wrap(&e, "template %s:%d", "x.yaml", 14), ERR_INVALID);
	assert_int_equal(err_wrap(&e, "render %s", "alice/train"), ERR_INVALID);
	assert_string_equal(e.text, "render alice/train: template x.yaml:14: no field 'gpus'");
	assert_string_equal(e.hint, "Write gpu.");
	assert_int_equal(err_set(&e, ERR_DENIED, "no"), ERR_DENIED);
	assert_string_equal(e.hint, "");
	assert_int_equal(err_set(NULL, ERR_CONFLICT, "no"), ERR_CONFLICT);
	assert_int_equal(err_wrap(NULL, "x"), ERR_INTERNAL);
}

static void
err_long(void **state)
{
	char long_text[3000];
	struct err e;

	(void)state;
	/* three-byte characters: a cut anywhere must leave valid UTF-8 */
	for (size_t shift = 0; shift < 3; shift++) {
		memset(long_text, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(long_text); i += 3)
			memcpy(long_text + i, "\xe2\x82\xac", 4);
		(void)err_set(&e, ERR_INVALID, "%s", long_text);
		assert_true(strlen(e.text) < sizeof(e.text));
		assert_true(str_utf8_valid(e.text, strlen(e.text)));
		assert_true(str_ends(e.text, "\xe2\x80\xa6"));
		(void)err_wrap(&e, "a");
		assert_true(str_utf8_valid(e.text, strlen(e.text)));
		assert_true(str_starts(e.text, "a: "));
		(void)err_hint(&e, "%s", long_text);
		assert_true(str_utf8_valid(e.hint, strlen(e.hint)));
	}
}

static void
err_codes(void **state)
{
	static const struct {
		int no, code;
	} rows[] = {
		{ ENOENT, ERR_NOTFOUND }, { EACCES, ERR_DENIED }, { EROFS, ERR_DENIED }, { EIO, ERR_UNAVAILABLE },
		{ ENOSPC, ERR_UNAVAILABLE },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		errno = rows[i].no;
		assert_int_equal(err_errno(&e, "open %s", "f"), rows[i].code);
		assert_true(str_starts(e.text, "open f: "));
	}
	assert_true(err_retryable(ERR_UNAVAILABLE) && err_retryable(ERR_CONFLICT));
	assert_false(err_retryable(ERR_INVALID) || err_retryable(ERR_DENIED) || err_retryable(0));
	assert_string_equal(err_name(ERR_CANCELLED), "cancelled");
	assert_string_equal(err_name(0), "ok");
	assert_string_equal(err_name(-99), "unknown");
	assert_string_equal(err_name(7), "unknown");
}

static int freed[4], freed_n;

static void
note(void *p)
{
	freed[freed_n++] = *(int *)p;
}

static void
arena_blocks(void **state)
{
	struct arena *a = arena_new((size_t)1 << 20);
	static int one = 1, two = 2;
	char *first = arena_strdup(a, "first"), *big;
	int *v;

	(void)state;
	for (size_t n = 0; n < 300; n++) {
		char *p = arena_alloc(a, n);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 'x', n);
	}
	big = arena_alloc(a, 400000);
	memset(big, 'x', 400000);
	assert_string_equal(first, "first");
	v = arena_array(a, 3, sizeof(*v));
	v[2] = 7;
	v = arena_regrow(a, v, 3, 100, sizeof(*v));
	assert_int_equal(v[2], 7);
	assert_int_equal(v[99], 0);
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	assert_string_equal(arena_printf(a, "%s-%d", "x", 5), "x-5");
	assert_true(arena_used(a) > 400000);
	freed_n = 0;
	arena_defer(a, note, &one);
	arena_defer(a, note, &two);
	arena_reset(a);
	assert_int_equal(freed_n, 2);
	assert_int_equal(freed[0], 2);
	assert_int_equal(arena_used(a), 0);
	assert_string_equal(arena_strdup(a, "again"), "again");
	arena_defer(a, note, &one);
	arena_free(a);
	assert_int_equal(freed_n, 3);
	arena_free(NULL);
}

static void
buf_grows(void **state)
{
	struct buf AUTO_BUF b = BUF_INIT(1000);
	struct err e;

	(void)state;
	assert_string_equal(buf_cstr(&b), "");
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "%02d,", i);
	assert_int_equal(b.len, 300);
	assert_memory_equal(b.data + 297, "99,", 4);
	buf_pad(&b, '.', 700);
	assert_int_equal(buf_check(&b, "x", &e), 0);
	buf_char(&b, '!');
	assert_int_equal(b.len, 1000);
	assert_int_equal(buf_check(&b, "the list", &e), ERR_INVALID);
	assert_string_equal(e.text, "the list is larger than 1000 bytes");
	/* once something is missing nothing more is added: half a text is not text */
	b.len = 10;
	buf_str(&b, "x");
	assert_int_equal(b.len, 10);
	buf_reset(&b);
	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_int_equal(buf_check(&b, "x", &e), 0);
	buf_free(&b);
	buf_str(&b, "again");
	assert_string_equal(buf_cstr(&b), "again");
}

static void
map_order(void **state)
{
	struct map AUTO_MAP m = MAP_INIT;
	static int values[2000];
	const char *key;
	void *value;
	char name[16];
	size_t seen = 0;
	int last = -1;

	(void)state;
	assert_null(map_get(&m, "x"));
	assert_null(map_del(&m, "x"));
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i * 7919 % 2000);
		assert_null(map_put(&m, name, &values[i]));
	}
	for (int i = 0; i < 2000; i += 2) {
		(void)snprintf(name, sizeof(name), "k%d", i * 7919 % 2000);
		assert_ptr_equal(map_del(&m, name), &values[i]);
		assert_false(map_has(&m, name));
		assert_null(map_del(&m, name));
	}
	assert_int_equal(m.live, 1000);
	for (size_t i = 0; map_next(&m, &i, &key, &value); seen++) {
		int at = (int)((int *)value - values);

		assert_true(at > last && at % 2 == 1);
		last = at;
		assert_ptr_equal(map_get(&m, key), value);
	}
	assert_int_equal(seen, 1000);
	assert_ptr_equal(map_put(&m, "k7919", NULL), NULL);
	assert_true(map_has(&m, "k7919"));
	map_free(&m);
	assert_null(map_put(&m, "a", &values[0]));
	assert_ptr_equal(map_put(&m, "a", &values[1]), &values[0]);
}

static void
map_churn(void **state)
{
	struct map AUTO_MAP m = MAP_INIT;
	static int v;
	char name[16];

	(void)state;
	/* put and delete for ever must not grow the table */
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		assert_null(map_put(&m, name, &v));
		assert_ptr_equal(map_del(&m, name), &v);
	}
	assert_int_equal(m.live, 0);
	assert_true(m.cap < 1000 && m.index_size < 1000);
}

static void
str_numbers(void **state)
{
	static const struct {
		const char *in;
		int rc;
		int64_t want;
	} rows[] = {
		{ "0", 0, 0 }, { "-7", 0, -7 }, { "9223372036854775807", 0, INT64_MAX },
		{ "-9223372036854775808", 0, INT64_MIN }, { "9223372036854775808", ERR_INVALID, -1 },
		{ "", ERR_INVALID, -1 }, { "-", ERR_INVALID, -1 }, { " 1", ERR_INVALID, -1 }, { "1 ", ERR_INVALID, -1 },
		{ "+1", ERR_INVALID, -1 }, { "0x10", ERR_INVALID, -1 }, { "1e3", ERR_INVALID, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t v = -1;

		assert_int_equal(str_to_i64(rows[i].in, &v), rows[i].rc);
		assert_int_equal(v, rows[i].want);
	}
}

static void
str_near(void **state)
{
	static const char *const fields[] = { "flavor", "image", "resources", "gpu", "lifecycle", "idleTimeout", "x" };
	static const struct {
		const char *word, *want;
	} rows[] = {
		{ "flavour", "flavor" }, { "falvor", "flavor" }, { "Image", "image" }, { "resource", "resources" },
		{ "gpus", "gpu" }, { "gpuCount", "gpu" }, { "idletimeout", "idleTimeout" }, { "kubernetes", NULL },
		{ "", NULL }, { "y", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = str_nearest(rows[i].word, fields, sizeof(fields) / sizeof(fields[0]));

		if (!str_eq(got, rows[i].want))
			fail_msg("%s: got %s", rows[i].word, got ? got : "nothing");
	}
	assert_true(str_starts("alice", "") && str_starts("alice", "ali") && !str_starts("ali", "alice"));
	assert_true(str_ends("a.yaml", ".yaml") && !str_ends("yaml", ".yaml"));
	assert_true(str_eq(NULL, NULL) && !str_eq(NULL, "") && !str_eq("", NULL));
}

static void
str_utf8(void **state)
{
	static const struct {
		const char *s;
		bool valid;
	} rows[] = {
		{ "", true }, { "abc", true }, { "\xc3\xa9", true }, { "\xe2\x82\xac", true }, { "\xf0\x9f\x98\x80", true },
		{ "\xf4\x8f\xbf\xbf", true }, { "\xed\x9f\xbf", true }, { "\x80", false }, { "\xc0\xaf", false },
		{ "\xc1\xbf", false }, { "\xe0\x80\xaf", false }, { "\xed\xa0\x80", false }, { "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false }, { "\xe2\x82", false }, { "\xe2\x28\xa1", false }, { "\xff", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_utf8_valid(rows[i].s, strlen(rows[i].s)) != rows[i].valid)
			fail_msg("row %zu", i);
}

static void
str_globs(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool want;
	} rows[] = {
		{ "ubuntu:*", "ubuntu:24.04", true }, { "ubuntu:*", "ubuntu", false }, { "company/*", "company/pytorch:1", true },
		{ "company/*", "company/a/b", false }, { "company/**", "company/a/b", true }, { "*", "a/b", false },
		{ "**", "a/b", true }, { "a?c", "abc", true }, { "a?c", "a/c", false }, { "", "", true }, { "", "a", false },
		{ "*a*b", "xaxxb", true }, { "*a*b", "xaxxbc", false }, { "**a", "x/y/a", true }, { "**/x*y", "a/xb/xy", true },
		{ "a/*/c**e", "a/b/c/d/e", true }, { "a*/b", "ax/y/b", false }, { "**b*c", "ab/abxc", true },
		{ "nvidia/cuda:*", "docker.io/nvidia/cuda:12", false }, { "*/**/*", "a/b", false }, { "*/**/*", "a//b", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_glob(rows[i].pattern, rows[i].s) != rows[i].want)
			fail_msg("%s on %s", rows[i].pattern, rows[i].s);
}

static void
glob_is_fast(void **state)
{
	char pattern[201], s[201];

	(void)state;
	/* a pattern that a naive matcher takes for ever on */
	for (size_t i = 0; i < 200; i += 2)
		memcpy(pattern + i, i % 4 ? "*a" : "a*", 3);
	memset(s, 'a', 200);
	s[199] = 'b';
	s[200] = '\0';
	assert_false(str_glob(pattern, s));
}

static void
digests(void **state)
{
	char hex[DIGEST_HEX];
	struct hash_state h;
	struct digest d, d2;

	(void)state;
	/* FIPS 180-4 examples */
	hash_bytes("", 0, &d);
	digest_hex(&d, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_bytes("abc", 3, &d);
	digest_hex(&d, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_init(&h);
	hash_field_str(&h, "ab");
	hash_field_str(&h, "c");
	hash_final(&h, &d);
	hash_init(&h);
	hash_field_str(&h, "a");
	hash_field_str(&h, "bc");
	hash_final(&h, &d2);
	assert_memory_not_equal(&d, &d2, sizeof(d));
}

/* Short pieces are held back: however a text is cut, the digest is the same. */
static void
digests_by_pieces(void **state)
{
	char text[1500];
	struct digest whole, d;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 % 251);
	hash_bytes(text, sizeof(text), &whole);
	for (size_t piece = 1; piece <= 600; piece++) {
		struct hash_state h;

		hash_init(&h);
		for (size_t i = 0, n; i < sizeof(text); i += n) {
			n = i % 3 == 1 ? 255 : piece;
			n = n < sizeof(text) - i ? n : sizeof(text) - i;
			hash_add(&h, text + i, n);
		}
		hash_final(&h, &d);
		assert_memory_equal(&d, &whole, sizeof(d));
	}
}

static void
file_lists(void **state)
{
	static const struct file_entry entries[] = {
		{ "berth.yaml", { { 0 } }, FILE_REGULAR }, { "envs/alice/a.yaml", { { 1 } }, FILE_REGULAR },
		{ "envs/alice/b.yaml", { { 2 } }, FILE_REGULAR }, { "envs/bo/a.yaml", { { 3 } }, FILE_REGULAR },
		{ "users/bo.yaml", { { 4 } }, FILE_REGULAR },
	};
	struct files f = { entries, 5, NULL, NULL };
	size_t n;

	(void)state;
	assert_ptr_equal(files_find(&f, "envs/bo/a.yaml"), &entries[3]);
	assert_null(files_find(&f, "envs/bo"));
	assert_null(files_find(&f, "zzz"));
	assert_ptr_equal(files_under(&f, "envs/alice/", &n), &entries[1]);
	assert_int_equal(n, 2);
	assert_ptr_equal(files_under(&f, "", &n), &entries[0]);
	assert_int_equal(n, 5);
	assert_null(files_under(&f, "teams/", &n));
	assert_int_equal(n, 0);
}

static void
object_ids(void **state)
{
	static const char hex[] = "0123456789abcdef0123456789abcdef01234567";
	struct oid id = { { 0 } }, same;
	char back[OID_HEX];

	(void)state;
	assert_true(oid_zero(&id));
	assert_int_equal(oid_parse(hex, &id), 0);
	assert_false(oid_zero(&id));
	oid_hex(&id, back);
	assert_string_equal(back, hex);
	same = id;
	assert_int_equal(oid_parse("0123", &id), ERR_INVALID);
	assert_int_equal(oid_parse("0123456789ABCDEF0123456789abcdef01234567", &id), ERR_INVALID);
	assert_int_equal(oid_parse("g123456789abcdef0123456789abcdef01234567", &id), ERR_INVALID);
	assert_true(oid_eq(&id, &same));
}

static void
times(void **state)
{
	static const struct {
		int64_t s;
		const char *want;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" }, { 951827696, "2000-02-29T12:34:56Z" }, { 4102444799, "2099-12-31T23:59:59Z" },
		{ -5, "1970-01-01T00:00:00Z" }, { INT64_MAX, "9999-12-31T23:59:59Z" },
	};
	char out[RFC3339_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		clock_rfc3339(rows[i].s, out);
		assert_string_equal(out, rows[i].want);
	}
	assert_int_equal(clock_backoff(250, 0, 8000), 250);
	assert_int_equal(clock_backoff(250, 3, 8000), 2000);
	assert_int_equal(clock_backoff(200, 7, 15000), 15000);
	assert_int_equal(clock_backoff(2000, 4000000000u, 60000), 60000);
	assert_true(clock_now() > 1700000000);
	assert_true(clock_mono_ms() <= clock_mono_ms());
}

static void
durations(void **state)
{
	static const struct {
		const char *in;
		int64_t want; /* -1: refused */
	} rows[] = {
		{ "30m", 1800000 }, { "8h", 28800000 }, { "30d", INT64_C(2592000000) }, { "15s", 15000 }, { "200ms", 200 },
		{ "3600", 3600000 }, { "0", 0 }, { "36525d", INT64_C(3155760000000) }, { "36526d", -1 }, { "", -1 },
		{ "h", -1 }, { "-1h", -1 }, { "1.5h", -1 }, { "1h30m", -1 }, { " 1h", -1 }, { "1H", -1 }, { "1 h", -1 },
		{ "9223372036854775807d", -1 }, { "99999999999999999999999999s", -1 }, { "1w", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = -1;
		int rc = clock_parse_duration(rows[i].in, &ms);

		if (ms != rows[i].want || (rc == 0) != (rows[i].want >= 0))
			fail_msg("%s: %lld", rows[i].in, (long long)ms);
	}
}

/* What `fn` writes to stderr. */
static char *
stderr_of(void (*fn)(void), char *out, size_t cap)
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(f);
	assert_true(saved >= 0 && dup2(fileno(f), STDERR_FILENO) >= 0);
	fn();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	rewind(f);
	n = fread(out, 1, cap - 1, f);
	out[n] = '\0';
	(void)fclose(f);
	return out;
}

static void
some_lines(void)
{
	struct log_about about = { "4f1c", "alice/train", "apply" };
	struct err e = { 0 };

	(void)err_set(&e, ERR_INVALID, "bad \"value\"");
	(void)err_hint(&e, "Look at line 3.");
	log_line(LOG_INFO, &about, "one\ntwo token=%s", "hunter2hunter2");
	log_line(LOG_DEBUG, &about, "never");
	log_err(LOG_ERROR, NULL, &e);
}

static void
log_lines(void **state)
{
	char out[4096], *second;

	(void)state;
	redact_add("hunter2hunter2", 14);
	log_setup(LOG_INFO, LOG_TEXT);
	(void)stderr_of(some_lines, out, sizeof(out));
	second = strchr(out, '\n');
	assert_non_null(second);
	*second++ = '\0';
	assert_string_equal(out + 20, " info run=4f1c env=alice/train stage=apply one\\ntwo token=[redacted]");
	assert_string_equal(second + 20, " error bad \"value\" hint=\"Look at line 3.\"\n");
	log_setup(LOG_WARN, LOG_JSON);
	(void)stderr_of(some_lines, out, sizeof(out));
	assert_true(str_starts(out, "{\"time\":\"20"));
	assert_non_null(strstr(out, "Z\",\"level\":\"error\",\"msg\":\"bad \\\"value\\\"\",\"hint\":\"Look at line 3.\"}\n"));
	assert_null(strstr(out, "never"));
	assert_null(strstr(out, "info"));
	log_setup(LOG_INFO, LOG_TEXT);
}

static void
bad_bytes(void)
{
	char big[20000];

	log_line(LOG_INFO, NULL, "a\xff\x1b[31m\"\r");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_line(LOG_INFO, NULL, "%s", big);
}

static void
log_bytes(void **state)
{
	char out[16384];
	enum log_level level;

	(void)state;
	log_setup(LOG_INFO, LOG_JSON);
	(void)stderr_of(bad_bytes, out, sizeof(out));
	assert_non_null(strstr(out, "\"msg\":\"a??[31m\\\"?\"}\n"));
	assert_true(str_ends(out, "xxx\"}\n"));
	log_setup(LOG_INFO, LOG_TEXT);
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("loud", &level), ERR_INVALID);
}

static void
shared_files(void **state)
{
	const struct share_file *files, *one;
	struct err e;
	size_t n;

	(void)state;
	assert_int_equal(share_files(&files, &n, &e), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(files[i].bytes[files[i].len], '\0');
		assert_true(i == 0 || strcmp(files[i - 1].path, files[i].path) < 0);
		assert_int_equal(share_get(files[i].path, &one, &e), 0);
		assert_ptr_equal(one, &files[i]);
	}
	assert_int_equal(share_get("envs-repo-template/berth.yaml", &one, &e), 0);
	assert_non_null(strstr(one->bytes, "kind: Organization"));
	assert_int_equal(share_get("no/such", &one, &e), ERR_NOTFOUND);
	assert_string_equal(e.text, "no built-in file no/such");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_chain),    cmocka_unit_test(err_long),    cmocka_unit_test(err_codes),
		cmocka_unit_test(arena_blocks), cmocka_unit_test(buf_grows),   cmocka_unit_test(map_order),
		cmocka_unit_test(map_churn),    cmocka_unit_test(str_numbers), cmocka_unit_test(str_near),
		cmocka_unit_test(str_utf8),     cmocka_unit_test(str_globs),   cmocka_unit_test(glob_is_fast),
		cmocka_unit_test(digests), cmocka_unit_test(digests_by_pieces),      cmocka_unit_test(file_lists),  cmocka_unit_test(object_ids),
		cmocka_unit_test(times),        cmocka_unit_test(durations),   cmocka_unit_test(log_lines),
		cmocka_unit_test(log_bytes),    cmocka_unit_test(shared_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
