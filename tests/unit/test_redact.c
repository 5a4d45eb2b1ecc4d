/* SPDX-License-Identifier: Apache-2.0 */
/* lib/base/redact: known secrets in every encoding, shapes of credentials, and ordinary text left alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/base/redact.h"

#define SECRET "p@ss w%rd+/=\xc3\xa9!"

static void
check(const char *in, const char *want)
{
	struct buf AUTO_BUF out = BUF_INIT(0);

	redact(in, strlen(in), &out);
	if (strcmp(buf_cstr(&out), want) != 0)
		fail_msg("%s\n  gave %s\n  not  %s", in, buf_cstr(&out), want);
}

static void
shapes(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "fetch https://bo:pw@git.example/x.git failed", "fetch https://[redacted]@git.example/x.git failed" },
		{ "https://tok3n@git.example", "https://[redacted]@git.example" },
		{ "https://a:b@c@git.example/x@y", "https://[redacted]@git.example/x@y" },
		{ "https://git.example/a@b", "https://git.example/a@b" },
		{ "https://git.example?q=a@b", "https://git.example?q=a@b" },
		{ "ssh://git@git.example/x", "ssh://git@git.example/x" },
		{ "ssh://git:pw@git.example/x", "ssh://[redacted]@git.example/x" },
		{ "redis://:pw@cache:6379", "redis://[redacted]@cache:6379" },
		{ "git@git.example:x.git", "git@git.example:x.git" },
		{ "://@", "://[redacted]@" },
		{ "://", "://" },
		{ "key AGE-SECRET-KEY-1QQPQYRZ7X.", "key [redacted]." },
		{ "key BERTH-MASTER-KEY-1QQPQYRZ7X.", "key [redacted]." },
		{ "age-secret-key-1qqpqyrz7x", "[redacted]" },
		{ "AGE-SECRET-KEY-", "AGE-SECRET-KEY-" },
		{ "ghp_0123456789abcdef", "[redacted]" },
		{ "(github_pat_11AA_bb22cc33)", "([redacted])" },
		{ "glpat-abcDEF_123-45", "[redacted]" },
		{ "gho_", "gho_" },
		{ "a branch named aghp_0123456789", "a branch named aghp_0123456789" },
		{ "Authorization: Bearer abc.DEF-123", "Authorization: Bearer [redacted]" },
		{ "authorization: basic dXNlcjpwYXNz", "authorization: basic [redacted]" },
		{ "bearer  eyJhbGciOi.x.y", "bearer  [redacted]" },
		{ "Bearer abcdefghijklmnopqrstuvwxyz", "Bearer [redacted]" },
		{ "Basic authentication is off", "Basic authentication is off" },
		{ "the bearer token.", "the bearer token." },
		{ "Bearer ", "Bearer " },
		{ "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", "[redacted]\nafter" },
		{ "x -----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "x [redacted]" },
		{ "-----BEGIN CERTIFICATE-----\nMIIE", "-----BEGIN CERTIFICATE-----\nMIIE" },
		{ "-----BEGIN PRIVATE KEY-----MIIE-----END PRIVATE KEY----- b", "[redacted] b" },
		{ "a\x1b[31m\r\x7f\n\tb", "a?[31m??\n\tb" },
		{ "c1 \xc2\x9b" "31m end", "c1 ?31m end" },
		{ "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].in, rows[i].want);
}

static void
known_secret(void **state)
{
	(void)state;
	redact_add(SECRET, strlen(SECRET));
	check("is " SECRET "?", "is [redacted]?");
	check("p%40ss%20w%25rd%2B%2F%3D%C3%A9%21", "[redacted]");
	check("p%40ss%20w%25rd%2b%2f%3d%c3%a9!", "[redacted]");
	check("p@ss w%rd", "p@ss w%rd");
	check(SECRET SECRET, "[redacted][redacted]");
	redact_add("short", 5);
	check("short", "short");
	redact_add("secret%41x", 10);
	check("secret%41x", "[redacted]");
	check("secret%2541x", "[redacted]");
}

static void
base64(const char *in, size_t n, const char *digits, char *out)
{
	size_t i;

	for (i = 0; i + 2 < n + 2 && i < n; i += 3) {
		unsigned int b0 = (unsigned char)in[i], b1 = i + 1 < n ? (unsigned char)in[i + 1] : 0,
		             b2 = i + 2 < n ? (unsigned char)in[i + 2] : 0;

		*out++ = digits[b0 >> 2];
		*out++ = digits[(b0 & 3) << 4 | b1 >> 4];
		*out++ = i + 1 < n ? digits[(b1 & 15) << 2 | b2 >> 6] : '=';
		*out++ = i + 2 < n ? digits[b2 & 63] : '=';
	}
	*out = '\0';
}

static void
base64_forms(void **state)
{
	static const char *const alphabets[] = {
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
	};
	static const char *const before[] = { "", "u", "us", "user:" };
	static const char *const after[] = { "", ";", "\n\n", "xyz" };
	static const char secret[] = "\xfb\xef\xbe" "k3y?>?" "\xff";

	(void)state;
	redact_add(secret, strlen(secret));
	/* wherever it stands in a text that was encoded, at most the shared first digit stays */
	for (size_t i = 0; i < 2 * 4 * 4; i++) {
		struct buf AUTO_BUF out = BUF_INIT(0);
		char plain[64], encoded[128];
		size_t start;

		(void)snprintf(plain, sizeof(plain), "%s%s%s", before[i / 2 % 4], secret, after[i / 8]);
		base64(plain, strlen(plain), alphabets[i % 2], encoded);
		redact(encoded, strlen(encoded), &out);
		start = (strlen(before[i / 2 % 4]) * 8 + 5) / 6;
		assert_int_equal(out.len, start + strlen("[redacted]"));
		assert_memory_equal(out.data, encoded, start);
		assert_string_equal(out.data + start, "[redacted]");
	}
}

static void
bounded(void **state)
{
	static char big[200000];
	struct buf AUTO_BUF out = BUF_INIT(1000), nul = BUF_INIT(0);
	struct err e;

	(void)state;
	/* the start of every rule, over and over, must not take quadratic time or read past the end */
	for (size_t i = 0; i + 16 < sizeof(big); i += 16)
		memcpy(big + i, "Bearer -----BEGI", 16);
	redact(big, sizeof(big), &out);
	assert_int_equal(buf_check(&out, "line", &e), ERR_INVALID);
	redact("a\0Bearer \0x", 11, &nul);
	assert_int_equal(nul.len, 11);
	assert_memory_equal(nul.data, "a?Bearer ?x", 11);
	for (size_t n = 0; n < 8; n++)
		redact("ghp_\xc2%4", n, &nul);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(known_secret),
		cmocka_unit_test(base64_forms),
		cmocka_unit_test(bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
