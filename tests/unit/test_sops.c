/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SOPS files: what is written opens again, what was changed does not, what is too much is refused. With arguments it is
 * the tool that tests/e2e/t92_sops.py holds against the real sops.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/base64.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/seal/sops_priv.h"
#include "with_arena.h"
#include "sops_same.h"

#define ENC_TAIL ",iv:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:"
#define ENC(type) "ENC[AES256_GCM,data:AA==" ENC_TAIL #type "]"

static struct age_identity alice, bo;
static const uint8_t seed[32] = "a seed that only a test has, 32.";

static int
prepare(void **state)
{
	uint8_t s[32];
	struct err e;

	(void)state;
	if (seal_init(&e) < 0 || sops_init(&e) < 0)
		return -1;
	memset(s, 0x41, sizeof(s));
	age_identity_from_seed(s, &alice);
	memset(s, 0x42, sizeof(s));
	age_identity_from_seed(s, &bo);
	return 0;
}

/* -- numbers ------------------------------------------------------------------------------------------------------ */

/* What Go's strconv.FormatFloat(d, 'f', -1, 64) gives. */
static void
reals_are_spelt_as_go_does(void **state)
{
	static const struct { double d; const char *text; } rows[] = {
		{ 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { 3.25, "3.25" }, { -2.5, "-2.5" }, { 0.1, "0.1" }, { 1e-6, "0.000001" },
		{ 1e21, "1000000000000000000000" }, { 12345678901234567890.0, "12345678901234567000" }, { 100, "100" },
		{ 9007199254740993.0, "9007199254740992" }, { 5.684341886080802e-14, "0.00000000000005684341886080802" },
	};
	char text[SOPS_SCALAR_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(sops_real(rows[i].d, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
	/* the longest ones fit */
	assert_int_equal(sops_real(0x1p-1074, text), 326);
	assert_string_equal(text + 320, "000005");
	assert_int_equal(sops_real(-0x1.fffffffffffffp1023, text), 310);
	assert_true(sops_real(-0x1.fffffffffffffp-1022, text) < SOPS_SCALAR_MAX);
}

/* -- writing ------------------------------------------------------------------------------------------------------ */

static const char document[] = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: train--secret-wandb\n  labels:\n    a: \"1\"\n    n: 0.10\ntype: Opaque\n";

static const struct sops_value two[] = {
	{ (const char *const[]){ "data", "KEY" }, 2, (const unsigned char *)"c2VjcmV0", 8 },
	{ (const char *const[]){ "stringData", "tls.crt" }, 2, (const unsigned char *)"line\nline\n", 10 },
	{ (const char *const[]){ "data", "EMPTY" }, 2, (const unsigned char *)"", 0 },
};

static const char *
seal_text(const char *doc, const struct sops_value *values, size_t n, const uint8_t *s, size_t *len)
{
	struct buf AUTO_BUF out = BUF_INIT(0);
	struct err e = { 0 };

	if (sops_seal(doc, strlen(doc), values, n, alice.pk, s, &out, &e) < 0)
		fail_msg("%s", e.text);
	*len = out.len;
	return arena_strndup(mem, buf_cstr(&out), out.len);
}

static const char *
value_named(const struct sops_open *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (str_eq(o->leaves[i].name, name))
			return arena_strndup(mem, (const char *)o->values[i].b, o->values[i].n);
	fail_msg("no value %s", name);
	return NULL;
}

static void
what_is_written_opens(void **state)
{
	size_t n, k, nleaves, which;
	const char *text = seal_text(document, two, 3, seed, &n), *again = seal_text(document, two, 3, seed, &k), *other;
	const struct age_identity ids[] = { bo, alice };
	struct sops_leaf *leaves;
	struct sops_open o;
	uint8_t s[32] = { 1 };
	enum age_why why;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(n, k);
	assert_memory_equal(text, again, n);
	other = seal_text(document, two, 3, s, &k);
	assert_string_not_equal(text, other);
	assert_null(strstr(text, "c2VjcmV0"));
	assert_non_null(strstr(text, "name: train--secret-wandb\n"));
	assert_non_null(strstr(text, "EMPTY: \"\"\n"));
	if (sops_leaves(mem, SEAL_SOPS_YAML, text, n, &leaves, &nleaves, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(nleaves, 2);
	assert_string_equal(leaves[0].name, "data.KEY");
	assert_string_equal(leaves[1].name, "stringData.tls.crt");
	assert_string_equal(leaves[1].keys[1], "tls.crt");
	assert_int_equal(leaves[1].nkeys, 2);
	assert_string_equal(leaves[0].type, "str");
	assert_int_equal(leaves[0].line, 10);
	if (sops_open(mem, SEAL_SOPS_YAML, text, n, ids, 2, &which, &o, &why, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(which, 1);
	assert_int_equal(why, AGE_FINE);
	assert_int_equal(o.n, 2);
	assert_string_equal(value_named(&o, "data.KEY"), "c2VjcmV0");
	assert_string_equal(value_named(&o, "stringData.tls.crt"), "line\nline\n");
	secret_free(&o.block);
	assert_int_equal(sops_open(mem, SEAL_SOPS_YAML, text, n, ids, 1, NULL, &o, &why, &e), ERR_DENIED);
	assert_int_equal(why, AGE_NO_MATCH);
}

/* What stands below data and stringData in the document is sealed too, as sops would do it, with its type. */
static void
all_below_data_is_sealed(void **state)
{
	static const char doc[] = "a: 1\ndata:\n  i: -42\n  f: 1.50\n  b: true\n  s: text\n  none: null\n  list:\n  - x\n  - y: z\nb: {data: deep}\n";
	size_t n;
	const char *text = seal_text(doc, NULL, 0, seed, &n);
	struct sops_open o;
	struct err e = { 0 };

	(void)state;
	if (sops_open(mem, SEAL_SOPS_YAML, text, n, &alice, 1, NULL, &o, NULL, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(o.n, 7);
	assert_string_equal(value_named(&o, "data.i"), "-42");
	assert_string_equal(value_named(&o, "data.f"), "1.5");
	assert_string_equal(value_named(&o, "data.b"), "true");
	assert_string_equal(value_named(&o, "data.list.0"), "x");
	assert_string_equal(value_named(&o, "data.list.0.y"), "z");
	assert_string_equal(value_named(&o, "b.data"), "deep");
	secret_free(&o.block);
}

static void
what_cannot_be_written_is_refused(void **state)
{
	static const char *const data_a[] = { "data", "a" }, *const meta[] = { "metadata", "a" }, *const through[] = { "data", "a", "b" };
	static const unsigned char x[] = "x";
	static const struct { const char *doc; struct sops_value values[2]; size_t n; const char *says; } rows[] = {
		{ "a: [\n", { { 0 } }, 0, "not a YAML file" }, { "[]\n", { { 0 } }, 0, "not a map" }, { "sops: {}\n", { { 0 } }, 0, "sealed already" },
		{ "a: ENC[x\n", { { 0 } }, 0, "begins as sealed text does" },
		{ "a: 1\n", { { meta, 2, x, 1 } }, 1, "stands neither in `data`" }, { "a: 1\n", { { data_a, 0, x, 1 } }, 1, "has no path" },
		{ "a: 1\n", { { data_a, 2, x, 1 }, { data_a, 2, x, 1 } }, 2, "something else stands" },
		{ "a: 1\n", { { data_a, 2, x, 1 }, { through, 3, x, 1 } }, 2, "not a map" },
		{ "a: 1\n", { { through, 3, x, 1 }, { data_a, 2, x, 1 } }, 2, "something else stands" },
		{ "data: text\n", { { data_a, 2, x, 1 } }, 1, "not a map" }, { "a: 1\n", { { data_a, 2, x, SOPS_WRITTEN_MAX + 1 } }, 1, "over the limits" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf AUTO_BUF out = BUF_INIT(0);
		struct err e = { 0 };

		assert_int_equal(sops_seal(rows[i].doc, strlen(rows[i].doc), rows[i].values, rows[i].n, alice.pk, seed, &out, &e), ERR_INVALID);
		if (!strstr(e.text, rows[i].says))
			fail_msg("%zu: %s", i, e.text);
		assert_int_equal(out.len, 0);
	}
}

/* -- refusals ----------------------------------------------------------------------------------------------------- */

/* `text` with the first `old` replaced. */
static const char *
replaced(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);

	if (!at)
		fail_msg("no %s in the file", old);
	return arena_printf(mem, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

static void
expect_refusal(enum seal_format format, const char *text, size_t n, const char *says)
{
	struct sops_leaf *leaves = NULL;
	struct sops_open o = { 0 };
	size_t nleaves = 0;
	struct err e = { 0 }, open = { 0 };
	int rc = sops_leaves(mem, format, text, n, &leaves, &nleaves, &e);

	if (rc != ERR_INVALID || !strstr(e.text, says))
		fail_msg("want %s: %d %s", says, rc, e.text);
	rc = sops_open(mem, format, text, n, &alice, 1, NULL, &o, NULL, &open);
	if (rc != ERR_INVALID || strcmp(open.text, e.text) != 0)
		fail_msg("opening says something else than %s: %d %s", e.text, rc, open.text);
	assert_null(o.block.b);
}

static void
expect_refusal_of(enum seal_format format, const char *text, const char *says)
{
	expect_refusal(format, text, strlen(text), says);
}

static void
files_are_refused_by_what_is_wrong(void **state)
{
	static const struct { const char *old, *new, *says; } rows[] = {
		{ "\nsops:", "\nsoap:", "not sealed by SOPS" }, { "\nsops:\n", "\nsops: text\nx:\n", "is not a map" },
		{ "\nsops:\n", "\nsops:\n  shamir_threshold: 2\n", "key groups" },
		{ "\nsops:\n", "\nsops:\n  key_groups:\n  - age: []\n", "key groups" }, { "  age:\n", "  agent:\n", "nobody can open it" },
		{ "  age:\n", "  pgp:\n", "OpenPGP alone" }, { "  age:\n", "  hc_vault:\n", "Vault alone" },
		{ "recipient: age1", "recipient: age1pq1", "post-quantum" }, { "recipient: age1", "recipient: ssh-ed25519 ", "an SSH key" },
		{ "recipient: age1", "recipient: age1plugin1aaaaaaaaaaaaaaaaa", "plugin" }, { "- enc:", "- nothing:", "recipient 1 of `sops.age` has no `enc`" },
		{ "  mac: ", "  mad: ", "it has no MAC" }, { "  mac: ENC[AES256_GCM", "  mac: ENC[AES128_GCM", "is not sealed by AES256_GCM" },
		{ "  version:", "  revision:", "`sops.version` is missing" }, { "3.13.3", "3.13", "`sops.version`" }, { "3.13.3", "3.13/3", "`sops.version`" }, { "  lastmodified: ", "  last: ", "`sops.lastmodified`" },
		{ "01-01T00:00:00Z", "01-01 00:00:00Z", "`sops.lastmodified`" }, { "01-01T00:00:00Z", "01-01T00:00:00", "`sops.lastmodified`" },
		{ "  encrypted_regex", "  encrypted_suffix: _x\n  encrypted_regex", "more than one rule" },
		{ "  encrypted_regex", "  unknown_rule", "`apiVersion` (line 1) is plain text, which the rules" },
		{ "  encrypted_regex:", "  unencrypted_suffix: _x\n  other:", "is plain text, which the rules" },
		{ "  encrypted_regex:", "  encrypted_suffix: _x\n  other:", "`data.KEY` (line 10) is sealed, which the rules" },
		{ "  KEY: ENC[AES256_GCM,data:", "  KEY: ENC[AES256_GCM,data:=", "`data.KEY` (line 10) is cut or changed: its data" },
		{ ",iv:", ",iv:AAAA", "its iv" }, { ",tag:", ",iv:", "its tag" }, { "type:str]", "type:bytes]", "its type" }, { "type:str]", "type:comment]", "was made a comment" },
		{ "type:str]", "type:str] ]", "its type" }, { "type:str]", "type:str", "its type" }, { "\nkind:", "\napiVersion:", "duplicate key 'apiVersion'" },
		{ "kind: Secret", "kind: &a Secret", "anchors are refused" }, { "kind: Secret", "kind: *a", "aliases are refused" },
		{ "kind: Secret", "kind: !!str Secret", "tags are refused" }, { "kind: Secret", "? [a]\n: b", "map or list as a key" },
	};
	size_t n;
	const char *text = seal_text(document, two, 3, seed, &n);
	struct err e = { 0 };
	struct sops_leaf *leaves;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *bad = replaced(text, rows[i].old, rows[i].new);

		expect_refusal_of(SEAL_SOPS_YAML, bad, rows[i].says);
	}
	expect_refusal_of(SEAL_SOPS_YAML, "", "not sealed by SOPS");
	expect_refusal_of(SEAL_SOPS_YAML, "- a\n", "a SOPS file is a map, not a list");
	expect_refusal_of(SEAL_SOPS_YAML, "a=1\n[sops]\nmac=x\n", "ini format");
	expect_refusal_of(SEAL_SOPS_JSON, "# text\n{}\n", "does not read as JSON");
	expect_refusal_of(SEAL_SOPS_JSON, "{'a': 1}\n", "does not read as JSON");
	expect_refusal_of(SEAL_SOPS_JSON, "[]\n", "it is not the JSON object");
	expect_refusal_of(SEAL_SOPS_JSON, "{\"a\":1,\n\t\"a\":2}\n", "line 2, column 2: duplicate key 'a'");
	expect_refusal_of(SEAL_SOPS_JSON, "{\"a\":\"x\ty\"}\n", "JSON");
	expect_refusal_of(SEAL_SOPS_DOTENV, "A=1\nA=2\n", "line 2: the name stands twice");
	expect_refusal_of(SEAL_SOPS_DOTENV, "A\n", "line 1: not NAME=value");
	expect_refusal_of(SEAL_SOPS_DOTENV, "A=\xff\n", "not UTF-8");
	expect_refusal_of(SEAL_SOPS_DOTENV, "A=1\n", "not sealed by SOPS");
	expect_refusal_of(SEAL_SOPS_DOTENV, "A=1\nsops_age=x\nsops_age__list_0__map_enc=\n", "has no `enc`");
	expect_refusal_of(SEAL_SOPS_DOTENV, "A=1\nsops_pgp__list_0__map_enc=x\n", "OpenPGP alone");
	expect_refusal_of(SEAL_SOPS_DOTENV, "A=1\nsops_key_groups__list_0__map_age=x\n", "key groups");
	assert_int_equal(sops_leaves(mem, SEAL_AGE, "x", 1, &leaves, &n, &e), ERR_INTERNAL);
	assert_non_null(strstr(e.text, "an age file was given"));
}

/* A file without sealed values opens to nothing, and is of no use to anybody who wants one. */
static void
nothing_sealed(void **state)
{
	size_t n, nleaves;
	const char *text = seal_text("a: b\n", NULL, 0, seed, &n);
	struct sops_leaf *leaves;
	struct sops_open o;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(sops_leaves(mem, SEAL_SOPS_YAML, text, n, &leaves, &nleaves, &e), ERR_INVALID);
	assert_string_equal(e.text, "no value of it is sealed");
	if (sops_open(mem, SEAL_SOPS_YAML, text, n, &alice, 1, NULL, &o, NULL, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(o.n, 0);
	secret_free(&o.block);
}

/* -- limits ------------------------------------------------------------------------------------------------------- */

static void
expect_large(enum seal_format format, struct buf *b, const char *says)
{
	expect_refusal(format, buf_cstr(b), b->len, says);
	buf_reset(b);
}

static void
too_much_is_refused(void **state)
{
	struct buf AUTO_BUF b = BUF_INIT(0);

	(void)state;
	buf_pad(&b, '#', SOPS_FILE_MAX + 1);
	expect_large(SEAL_SOPS_YAML, &b, "larger than 1024 KiB");
	for (unsigned i = 0; i <= SOPS_LEAVES_MAX; i++)
		buf_printf(&b, "k%u: " ENC(str) "\n", i);
	expect_large(SEAL_SOPS_YAML, &b, "more than 256 sealed values");
	for (unsigned i = 0; i <= SOPS_LEAVES_MAX; i++)
		buf_printf(&b, "k%u=" ENC(str) "\n", i);
	expect_large(SEAL_SOPS_DOTENV, &b, "more than 256 sealed values");
	buf_str(&b, "k:\n");
	for (unsigned i = 0; i <= SOPS_SEALED_MAX; i++)
		buf_str(&b, "- " ENC(comment) "\n");
	expect_large(SEAL_SOPS_YAML, &b, "more than 4096 sealed values and comments");
	for (unsigned i = 0; i < SOPS_DEPTH_MAX; i++)
		buf_str(&b, "{a: ");
	buf_str(&b, "{a: \"" ENC(str) "\"");
	for (unsigned i = 0; i <= SOPS_DEPTH_MAX; i++)
		buf_char(&b, '}');
	expect_large(SEAL_SOPS_YAML, &b, "more than 16 keys deep");
	buf_pad(&b, 'a', SOPS_PATH_MAX);
	buf_str(&b, "=" ENC(str) "\n");
	expect_large(SEAL_SOPS_DOTENV, &b, "take more than 1024 bytes");
	for (unsigned i = 0; i < 65; i++)
		buf_str(&b, "---\na: 1\n");
	expect_large(SEAL_SOPS_YAML, &b, "more than 64 documents");
	buf_str(&b, "{\"a\": ");
	buf_pad(&b, '[', 70);
	expect_large(SEAL_SOPS_YAML, &b, "levels deep");
	for (unsigned i = 0; i < 5000; i++)
		buf_printf(&b, "k%u=\n", i);
	expect_large(SEAL_SOPS_DOTENV, &b, "more than 4096 lines");
}

/*
 * Files of the largest size that are made to cost most: none may need more memory than there is (the arena would end
 * the program).
 */
static void
costly_files_end(void **state)
{
	struct buf AUTO_BUF b = BUF_INIT(0);

	(void)state;
	buf_str(&b, "{\"a\":[0");
	while (b.len < SOPS_FILE_MAX - 8)
		buf_str(&b, ",0");
	buf_str(&b, "]}");
	expect_large(SEAL_SOPS_JSON, &b, "more than 65552 keys and values");
	buf_str(&b, "{\"a\":[{}");
	for (unsigned i = 0; i < 65000; i++)
		buf_str(&b, ",{}");
	buf_str(&b, "]}");
	expect_large(SEAL_SOPS_JSON, &b, "not sealed by SOPS");
	buf_pad(&b, 'k', 1000); /* readers of simple keys take 1024 */
	buf_str(&b, ":\n");
	while (b.len < SOPS_FILE_MAX - 20)
		buf_printf(&b, " a%zu:\n", b.len);
	expect_large(SEAL_SOPS_YAML, &b, "more than 65552 keys and values");
	for (unsigned i = 0; i < 60; i++) { /* each of them has few enough */
		buf_str(&b, "---\na: [0");
		for (unsigned k = 0; k < 8000; k++)
			buf_str(&b, ",0");
		buf_str(&b, "]\n");
	}
	expect_large(SEAL_SOPS_YAML, &b, "keys and values in one document");
	for (unsigned i = 0; i < 60; i++) { /* a warning for each value */
		buf_str(&b, "---\na: [on");
		for (unsigned k = 0; k < 1080; k++)
			buf_str(&b, ",0x1");
		buf_str(&b, "]\n");
	}
	expect_large(SEAL_SOPS_YAML, &b, "not sealed by SOPS");
	for (unsigned reals = 4096; reals <= 4097; reals++) {
		for (unsigned i = 0; i < reals; i++)
			buf_printf(&b, "a%05u: 1e308\n", i);
		expect_large(SEAL_SOPS_YAML, &b, reals > 4096 ? "line 4097: more than 4096 numbers with a fraction" : "not sealed by SOPS");
	}
	for (unsigned i = 0; i < 4000; i++) {
		buf_printf(&b, "%u=", i);
		buf_pad(&b, 'v', 250);
		buf_char(&b, '\n');
	}
	expect_large(SEAL_SOPS_DOTENV, &b, "not sealed by SOPS");
	buf_str(&b, "a: \"");
	while (b.len < SOPS_FILE_MAX - 20)
		buf_str(&b, "\\n");
	buf_str(&b, "\"\n");
	expect_large(SEAL_SOPS_YAML, &b, "not sealed by SOPS");
}

static void
expect_unsealed(const char *doc, const char *says)
{
	struct buf AUTO_BUF out = BUF_INIT(0);
	struct err e = { 0 };

	assert_int_equal(sops_seal(doc, strlen(doc), NULL, 0, alice.pk, seed, &out, &e), ERR_INVALID);
	if (!strstr(e.text, says))
		fail_msg("want %s: %s", says, e.text);
	assert_int_equal(out.len, 0);
}

/* Names are what others know values by; what could not be read again is not written. */
static void
names_are_told_apart(void **state)
{
	struct buf AUTO_BUF b = BUF_INIT(0);

	(void)state;
	expect_unsealed("data:\n  a: {b: x}\n  a.b: x\n", "two sealed values have the name `data.a.b` (line 4)");
	buf_str(&b, "data:\n");
	for (unsigned i = 0; i < 40; i++) {
		buf_printf(&b, "  k%u", i);
		buf_pad(&b, 'k', 500);
		buf_str(&b, ": x\n");
	}
	expect_unsealed(buf_cstr(&b), "the names of all sealed values take more than 16384 bytes");
}

/* -- tampering ---------------------------------------------------------------------------------------------------- */

/* The start of the line that a bit is in. */
static const char *
line_of(const char *text, size_t at)
{
	while (at && text[at - 1] != '\n')
		at--;
	return text + at;
}

/*
 * What real sops does not authenticate either: labels of the metadata and keys of plain values (the MAC counts values).
 * Here, where all plain values count, nothing else may be changed without notice.
 */
static bool
may_change(const char *text, size_t at)
{
	static const char *const lines[] = { "  version:", "  encrypted_regex:", "    recipient:", "apiVersion:", "kind:", "metadata:", "type:",
		"  name:", "  labels:", "    a:", "    \"n\":", "  EMPTY:" };
	const char *line = line_of(text, at);

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (str_starts(line, lines[i]))
			return true;
	return false;
}

struct flips {
	size_t tried, accepted;
};

/* Changes every step-th bit alone; whatever still opens must say the same. `taken` is told the bit. */
static struct flips
flip_bits(enum seal_format format, const char *text, size_t n, const struct age_identity *id, size_t step, void (*taken)(const char *, size_t))
{
	struct flips f = { 0, 0 };
	struct sops_open good, o;
	struct err e = { 0 };

	if (sops_open(mem, format, text, n, id, 1, NULL, &good, NULL, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t bit = step / 2; bit < n * 8; bit += step) {
		struct arena *AUTO_ARENA one = arena_new((size_t)4 << 20);
		char *bad = arena_strndup(one, text, n);

		bad[bit / 8] = (char)(bad[bit / 8] ^ (1 << bit % 8));
		f.tried++;
		if (sops_open(one, format, bad, n, id, 1, NULL, &o, NULL, &e) < 0)
			continue;
		f.accepted++;
		if (!sops_same(&good, &o))
			fail_msg("bit %zu gives another value, line: %.60s", bit, line_of(text, bit / 8));
		taken(text, bit);
		secret_free(&o.block);
	}
	secret_free(&good.block);
	return f;
}

static void
expect_label(const char *text, size_t bit)
{
	if (!may_change(text, bit / 8))
		fail_msg("bit %zu goes unnoticed, line: %.60s", bit, line_of(text, bit / 8));
}

static void
single_bits_change_nothing(void **state)
{
	struct flips f;
	size_t n;
	const char *text = seal_text(document, two, 3, seed, &n);

	(void)state;
	f = flip_bits(SEAL_SOPS_YAML, text, n, &alice, 7, expect_label); /* 7 and 8 have nothing in common: every bit of a byte is met */
	print_message("# %zu bits changed, one at a time: %zu of them in labels that nobody authenticates, the same values\n", f.tried, f.accepted);
	assert_true(f.tried >= 1000);
	assert_true(f.accepted < f.tried / 8);
}

/* No MAC knows of lists and nulls: whatever is done to them, a name is that of the same value. */
static void
items_keep_their_names(void **state)
{
	static const struct { const char *old, *new; } edits[] = {
		{ "  l:\n  - ", "  l:\n  -\n  - {}\n  - \"\"\n  - " }, { "  m:\n  - k: ", "  m:\n  - []\n  - k: " }, { "    v: ", "  - v: " },
		{ "  o:\n  - - ", "  o:\n  - [[]]\n  - - " },
	};
	static const struct { const char *name, *value; } want[] = {
		{ "data.l.0", "x" }, { "data.l.1", "y" }, { "data.m.0.k", "a" }, { "data.m.0.v", "b" }, { "data.m.1.k", "c" }, { "data.m.1.v", "d" },
		{ "data.o.0", "p" }, { "data.o.1", "q" }, { "data.o.2", "r" },
	};
	size_t n;
	const char *text = seal_text("data:\n  l: [x, y]\n  m: [{k: a, v: b}, {k: c, v: d}]\n  o: [[p, q], [r]]\n", NULL, 0, seed, &n), *bad = text;
	struct sops_open o;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i <= sizeof(edits) / sizeof(edits[0]); i++) {
		if (sops_open(mem, SEAL_SOPS_YAML, bad, strlen(bad), &alice, 1, NULL, &o, NULL, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(o.n, sizeof(want) / sizeof(want[0]));
		for (size_t k = 0; k < o.n; k++)
			assert_string_equal(value_named(&o, want[k].name), want[k].value);
		secret_free(&o.block);
		if (i < sizeof(edits) / sizeof(edits[0]))
			bad = replaced(text, edits[i].old, edits[i].new);
	}
}

/* What `sops.age` says of one recipient is an age file for that one: many stanzas in many of them would take seconds. */
static void
entries_are_for_one_recipient(void **state)
{
	size_t n;
	const char *good = seal_text(document, two, 3, seed, &n), *at = strstr(good, "enc: |"), *end = strstr(good, "-----END");
	static const char stanza[] = "-> none of-ours\\nAAAA\\n", mac[] = "--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\\n";

	(void)state;
	assert_true(at && end);
	for (unsigned stanzas = 8; stanzas <= 9; stanzas++) {
		struct buf AUTO_BUF b = BUF_INIT(0);
		struct sops_open o;
		struct err e = { 0 };

		buf_printf(&b, "%.*senc: \"age-encryption.org/v1\\n", (int)(at - good), good);
		for (unsigned i = 0; i < stanzas; i++)
			buf_str(&b, stanza);
		buf_str(&b, mac);
		buf_printf(&b, "\"%s", strchr(end, '\n'));
		assert_int_equal(sops_open(mem, SEAL_SOPS_YAML, b.data, b.len, &alice, 1, NULL, &o, NULL, &e), stanzas > 8 ? ERR_INVALID : ERR_DENIED);
		assert_true(!strstr(e.text, "more than 8 recipients") == (stanzas == 8));
	}
}

/* A sealed value does not open in another file, or under another key; a MAC of another file does not count. */
static void
values_stay_where_they_are(void **state)
{
	uint8_t s[32] = { 7 };
	size_t n, k;
	const char *a = seal_text(document, two, 3, seed, &n), *b = seal_text(document, two, 3, s, &k), *bad;
	const char *from = strstr(a, "ENC["), *to = strstr(b, "ENC[");
	struct sops_open o;
	struct err e = { 0 };

	(void)state;
	bad = arena_printf(mem, "%.*s%.*s%s", (int)(from - a), a, (int)strcspn(to, "\n"), to, from + strcspn(from, "\n"));
	assert_int_equal(sops_open(mem, SEAL_SOPS_YAML, bad, strlen(bad), &alice, 1, NULL, &o, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "`data.KEY` (line 10) was changed after sealing, or moved there"));
	assert_true(*e.hint);
	bad = replaced(a, "  KEY:", "  KEX:");
	assert_int_equal(sops_open(mem, SEAL_SOPS_YAML, bad, strlen(bad), &alice, 1, NULL, &o, NULL, &e), ERR_INVALID);
	bad = replaced(a, "kind: Secret", "kind: Secrets");
	assert_int_equal(sops_open(mem, SEAL_SOPS_YAML, bad, strlen(bad), &alice, 1, NULL, &o, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "the MAC does not match"));
	bad = replaced(a, "lastmodified: \"2026", "lastmodified: \"2027");
	assert_int_equal(sops_open(mem, SEAL_SOPS_YAML, bad, strlen(bad), &alice, 1, NULL, &o, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "`sops.lastmodified` was changed"));
	bad = replaced(a, "type:str]", "type:int]");
	assert_int_equal(sops_open(mem, SEAL_SOPS_YAML, bad, strlen(bad), &alice, 1, NULL, &o, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "the type of the value `data.KEY` (line 10)"));
}

/* -- the tool ----------------------------------------------------------------------------------------------------- */

static char *
read_whole(const char *path, size_t *n)
{
	struct err e = { 0 };
	char *bytes;

	if (fs_read(path, (size_t)8 << 20, mem, &bytes, n, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		exit(2);
	}
	return bytes;
}

static enum seal_format
format_named(const char *s)
{
	return str_eq(s, "json") ? SEAL_SOPS_JSON : str_eq(s, "dotenv") ? SEAL_SOPS_DOTENV : SEAL_SOPS_YAML;
}

static void
print_bit(const char *text, size_t bit)
{
	(void)text;
	printf("%zu\n", bit);
}

/* key: a throw-away identity, and its recipient */
static int
tool_key(void)
{
	struct secret AUTO_SECRET text = { NULL, 0 };
	char recipient[AGE_TEXT_MAX];

	age_identity_text(&alice, &text);
	age_recipient_text(alice.pk, recipient);
	printf("%s\n%s\n", (const char *)text.b, recipient);
	return 0;
}

/* flip yaml|json|dotenv FILE STEP: the bits that may change unnoticed, then how many were tried */
static int
tool_flip(char **argv)
{
	size_t n;
	char *bytes = read_whole(argv[3], &n);
	struct flips f = flip_bits(format_named(argv[2]), bytes, n, &alice, (size_t)strtoul(argv[4], NULL, 10), print_bit);

	printf("tried %zu\n", f.tried);
	return 0;
}

/* open yaml|json|dotenv FILE: {"name": base64}, or the error and status 1 */
static int
tool_open(char **argv)
{
	struct buf AUTO_BUF out = BUF_INIT(0);
	struct value *all = value_map(mem);
	struct sops_open o;
	struct err e = { 0 };
	size_t n;
	char *bytes = read_whole(argv[3], &n);

	if (sops_open(mem, format_named(argv[2]), bytes, n, &alice, 1, NULL, &o, NULL, &e) < 0) {
		printf("%s\n%s\n", e.text, e.hint);
		return 1;
	}
	for (size_t i = 0; i < o.n; i++)
		value_set(mem, all, o.leaves[i].name, value_str(mem, base64_encode(mem, o.values[i].b, o.values[i].n)));
	json_write(all, 0, &out);
	printf("%s\n", buf_cstr(&out));
	secret_free(&o.block);
	return 0;
}

/* seal DOCUMENT [KEY FILE]...: with data.KEY = the file's bytes */
static int
tool_seal(int argc, char **argv)
{
	struct buf AUTO_BUF out = BUF_INIT(0);
	struct sops_value *values = arena_array(mem, (size_t)argc, sizeof(*values));
	struct err e = { 0 };
	size_t n, k = 0;
	char *doc = read_whole(argv[2], &n);

	for (int i = 3; i + 1 < argc; i += 2, k++) {
		const char **keys = arena_array(mem, 2, sizeof(*keys));

		keys[0] = "data";
		keys[1] = argv[i];
		values[k] = (struct sops_value){ keys, 2, NULL, 0 };
		values[k].b = (const unsigned char *)read_whole(argv[i + 1], &values[k].n);
	}
	if (sops_seal(doc, n, values, k, alice.pk, seed, &out, &e) < 0) {
		printf("%s\n", e.text);
		return 1;
	}
	(void)fwrite(out.data, 1, out.len, stdout);
	return 0;
}

static int
tool(int argc, char **argv)
{
	int rc = 2;

	if (prepare(NULL) < 0 || setup(NULL) < 0)
		return 2;
	if (argc == 2 && str_eq(argv[1], "key"))
		rc = tool_key();
	else if (argc == 4 && str_eq(argv[1], "open"))
		rc = tool_open(argv);
	else if (argc == 5 && str_eq(argv[1], "flip"))
		rc = tool_flip(argv);
	else if (argc >= 3 && str_eq(argv[1], "seal"))
		rc = tool_seal(argc, argv);
	(void)teardown(NULL);
	return rc;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(reals_are_spelt_as_go_does), T(what_is_written_opens), T(all_below_data_is_sealed), T(what_cannot_be_written_is_refused),
		T(files_are_refused_by_what_is_wrong), T(nothing_sealed), T(too_much_is_refused), T(costly_files_end), T(names_are_told_apart),
		T(single_bits_change_nothing), T(items_keep_their_names), T(values_stay_where_they_are),
		T(entries_are_for_one_recipient),
	};

	if (argc > 1)
		return tool(argc, argv);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, prepare, NULL);
}
