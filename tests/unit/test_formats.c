/* SPDX-License-Identifier: Apache-2.0 */
/* Formats with a meaning: public keys, addresses, money, and the times of an environment with the place of their limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "validate/sshkey.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"

static struct schemas *schemas;

/* path and text: one more file; want: all findings without "envs/alice/t.yaml:" */
static const struct {
	const char *label, *spec, *path, *text, *want;
} rows[] = {
	{ "all fine", "{flavor: cpu, backup: {schedule: '@daily', keep: 1}, budget: {monthly: 400.50}, lifecycle: {ttl: 30d, "
	              "hours: Mon-Fri 08:00-20:00 Asia/Seoul, keepUntil: '2026-12-31'}}", NULL, NULL, "" },
	{ "a schedule", "{flavor: cpu, backup: {schedule: '0 25 * * *'}}", NULL, NULL,
	  "3:40: error[E204]: backup.schedule '0 25 * * *': hour '25' is not within 0 to 23 "
	  "(write minute hour day month weekday, for example \"0 2 * * *\" for two in the morning, or @daily)\n" },
	{ "a schedule that never comes", "{flavor: cpu, backup: {schedule: 0 2 30 2 *}}", NULL, NULL,
	  "3:40: warning[W904]: backup.schedule '0 2 30 2 *' names days that no month has "
	  "(for the end of a month take 28, which every month has)\n" },
	{ "hours", "{flavor: cpu, lifecycle: {hours: Mon-Fri 08:00-20:00 Asia/Soul}}", NULL, NULL,
	  "3:40: error[E204]: lifecycle.hours 'Mon-Fri 08:00-20:00 Asia/Soul': there is no time zone 'Asia/Soul', did you mean "
	  "'Asia/Seoul'? (for example \"Mon-Fri 08:00-20:00 Asia/Seoul\")\n" },
	{ "too long", "{flavor: cpu, lifecycle: {idleTimeout: 9h, ttl: 91d}}", NULL, NULL,
	  "3:46: error[E401]: lifecycle.idleTimeout is 9h, the organization allows 8h (write at most 8h)\n"
	  "3:55: error[E401]: lifecycle.ttl is 91d, the organization allows 90d (write at most 90d)\n" },
	{ "as long as may be", "{flavor: cpu, lifecycle: {idleTimeout: 28800, ttl: 2160h}}", NULL, NULL, "" },
	{ "no time at all", "{flavor: cpu, lifecycle: {idleTimeout: 0, ttl: 0d}}", NULL, NULL,
	  "3:46: error[E205]: lifecycle.idleTimeout is 0 (write autoShutdown: false for none)\n"
	  "3:54: error[E205]: lifecycle.ttl is 0 (leave it out for none)\n" },
	{ "for ever", "{flavor: cpu, lifecycle: {ttl: 9999999d}}", NULL, NULL,
	  "3:38: error[E204]: lifecycle.ttl is no duration, or longer than 1000 years (write for example 30m, 8h or 30d)\n" },
	{ "a day that is not", "{flavor: cpu, lifecycle: {keepUntil: '2026-02-29'}}", NULL, NULL,
	  "3:44: error[E204]: lifecycle.keepUntil: there is no day '2026-02-29' "
	  "(write a date such as \"2026-12-31\", or with a time \"2026-12-31T18:00Z\")\n" },
	{ "money", "{flavor: cpu, budget: {monthly: 0.1234567}}", NULL, NULL,
	  "3:39: error[E204]: budget.monthly is no amount of money "
	  "(write a plain decimal such as 400 or 0.526: up to 12 digits, and 6 behind the point)\n" },
	{ "much money", "{flavor: cpu, budget: {monthly: 1e3}}", NULL, NULL,
	  "3:39: error[E204]: budget.monthly is no amount of money "
	  "(write a plain decimal such as 400 or 0.526: up to 12 digits, and 6 behind the point)\n" },
	{ "no money", "{flavor: cpu, budget: {monthly: -1}}", NULL, NULL,
	  "3:39: error[E205]: `spec.budget.monthly` must be at least 0, found -1\n" },
	{ "a price", "{flavor: cpu}", "flavors/gpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 1}}, price: {perHour: 1e400}}"), NULL },
	{ "an address", "{flavor: cpu}", "users/bo.yaml", DOC("User", "{email: 'bo@company..com'}"),
	  "users/bo.yaml:3:15: error[E204]: 'bo@company..com' is no mail address "
	  "(write it as name@domain, for example alice@company.com)\n" },
	{ "an address for two", "{flavor: cpu}", "users/bo.yaml", DOC("User", "{email: 'bo,al@company.com'}"),
	  "users/bo.yaml:3:15: error[E204]: 'bo,al@company.com' is no mail address "
	  "(write it as name@domain, for example alice@company.com)\n" },
	{ "a key of the past", "{flavor: cpu}", "users/bo.yaml", DOC("User", "{sshKeys: [ssh-dss AAAAB3NzaC1kc3M= bo]}"),
	  "users/bo.yaml:3:18: error[E204]: spec.sshKeys[0]: DSA keys are too weak, and sshd no longer takes them "
	  "(make a new one: ssh-keygen -t ed25519)\n" },
	{ "a default over its maximum", "{flavor: cpu, lifecycle: {idleTimeout: 1h}}", "berth.yaml",
	  DOC("Organization", "{approvals: {mode: none}, lifecycle: {idleTimeout: {default: 2h, max: 3600}}}"),
	  "berth.yaml: error[E305]: no environment is rendered while berth.yaml has errors\n"
	  "berth.yaml:3:68: error[E401]: lifecycle.idleTimeout: the default is over the maximum (write at most 1h)\n" },
};

static void
formats(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = fixture_new();
		struct buf AUTO_BUF text = BUF_INIT(0);
		const char *got;

		fixture_add(x, "berth.yaml", DOC("Organization", "{approvals: {mode: none}, lifecycle: {idleTimeout: {max: 8h}, ttl: {max: 90d}}}"));
		fixture_add(x, "users/alice.yaml", DOC("User", "{email: alice@company.com}"));
		fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi}}}"));
		if (rows[i].path)
			fixture_add(x, rows[i].path, rows[i].text);
		fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), rows[i].spec));
		fixture_parse(x, schemas);
		fixture_resolve(x, NULL);
		got = fixture_lines(x);
		for (const char *p = got, *end; *p; p = end + 1) {
			end = strchr(p, '\n');
			if (strncmp(p, "envs/alice/t.yaml:", 18) == 0)
				p += 18;
			buf_add(&text, p, (size_t)(end - p) + 1);
		}
		if (rows[i].want ? strcmp(buf_cstr(&text), rows[i].want) != 0 : x->report.errors == 0) {
			print_error("%s:\n%swanted:\n%s", rows[i].label, buf_cstr(&text), rows[i].want);
			bad++;
		}
		fixture_free(x);
	}
	assert_int_equal(bad, 0);
}

static void
limits_name_their_place(void **state)
{
	struct fixture *x = fixture_new();

	(void)state;
	fixture_add(x, "berth.yaml", DOC("Organization", "\n  approvals: {mode: none}\n  lifecycle:\n    ttl:\n      max: 90d"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi}}}"));
	fixture_add(x, "envs/alice/t.yaml", DOC("Environment", "{flavor: cpu, lifecycle: {ttl: 91d}}"));
	fixture_parse(x, schemas);
	fixture_resolve(x, NULL);
	assert_int_equal(x->report.n, 1);
	assert_string_equal(x->report.items[0].note, "limit set at berth.yaml:7:12");
	fixture_free(x);
}

/* -- keys -------------------------------------------------------------------------------------------------------- */

static void
put_string(struct buf *b, const void *p, size_t n)
{
	buf_char(b, 0);
	buf_char(b, (char)(n >> 16));
	buf_char(b, (char)(n >> 8));
	buf_char(b, (char)n);
	buf_add(b, p, n);
}

static void
put_base64(struct buf *out, const char *type, const struct buf *b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	buf_printf(out, "%s ", type);
	for (size_t i = 0; i < b->len; i += 3) {
		unsigned int bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (i + k < b->len ? (unsigned char)b->data[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_char(out, i + k > b->len ? '=' : digits[bits >> (18 - 6 * k) & 63]);
	}
}

/* Strings behind the type: text, or for NULL `bytes` bytes of 0xc4 behind the byte `lead`. */
struct piece_of {
	const char *text;
	size_t bytes;
	int lead; /* -1: none */
};

static void
keys(void **state)
{
	static const struct {
		const char *type, *inner; /* inner NULL: the same */
		struct piece_of parts[3];
		const char *why; /* NULL: good */
	} made[] = {
		{ "ssh-ed25519", NULL, { { NULL, 32, -1 } }, NULL },
		{ "ssh-ed25519", NULL, { { NULL, 31, -1 } }, "the key is cut or damaged" },
		{ "ssh-ed25519", NULL, { { NULL, 32, -1 }, { "more", 0, 0 } }, "the key is cut or damaged" },
		{ "ssh-ed25519", "ssh-rsa", { { NULL, 32, -1 } }, "the line says ssh-ed25519, the key inside is another type" },
		{ "sk-ssh-ed25519@openssh.com", NULL, { { NULL, 32, -1 }, { "ssh:", 0, 0 } }, NULL },
		{ "sk-ssh-ed25519@openssh.com", NULL, { { NULL, 32, -1 } }, "the key is cut or damaged" },
		{ "ecdsa-sha2-nistp256", NULL, { { "nistp256", 0, 0 }, { NULL, 64, 4 } }, NULL },
		{ "ecdsa-sha2-nistp256", NULL, { { "nistp384", 0, 0 }, { NULL, 64, 4 } }, "the curve inside the key is not that of its type" },
		{ "ecdsa-sha2-nistp384", NULL, { { "nistp384", 0, 0 }, { NULL, 96, 4 } }, NULL },
		{ "ecdsa-sha2-nistp521", NULL, { { "nistp521", 0, 0 }, { NULL, 132, 4 } }, NULL },
		{ "ecdsa-sha2-nistp521", NULL, { { "nistp521", 0, 0 }, { NULL, 132, 3 } }, "the key is cut or damaged" },
		{ "sk-ecdsa-sha2-nistp256@openssh.com", NULL, { { "nistp256", 0, 0 }, { NULL, 64, 4 }, { "ssh:", 0, 0 } }, NULL },
		{ "ssh-rsa", NULL, { { "\1\1\1", 0, 0 }, { NULL, 384, 0 } }, NULL },
		{ "ssh-rsa", NULL, { { "\1\1\1", 0, 0 }, { NULL, 256, 0 } }, "an RSA key of 2048 bits is too weak, from 3072 on they are taken" },
		{ "ssh-rsa", NULL, { { "\1\1\1", 0, 0 }, { NULL, 383, 127 } }, "an RSA key of 3071 bits is too weak, from 3072 on they are taken" },
		{ "ssh-rsa", NULL, { { "\1\1\1", 0, 0 }, { NULL, 2100, 0 } }, "an RSA key of 16800 bits is more than sshd takes" },
		{ "ssh-rsa", NULL, { { "\1\1\1", 0, 0 }, { NULL, 384, -1 } }, "the key is cut or damaged" },
		{ "ssh-rsa", NULL, { { "\1\1\1", 0, 0 } }, "the key is cut or damaged" },
	};
	static const struct {
		const char *line, *why;
	} lines[] = {
		{ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII6l8mzZ0SbcfAY/95UIeROZzZ2Fw0mYyImFazOLWTGT alice", NULL },
		{ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII6l8mzZ0SbcfAY/95UIeROZzZ2Fw0mYyImFazOLWTG", "the key is no whole base64 text" },
		{ "ssh-ed25519 AAAA*3NzaC1lZDI1NTE5AAAAII6l8mzZ0SbcfAY/95UIeROZzZ2Fw0mYyImFazOLWTGT", "the key is no whole base64 text" },
		{ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII6l8mzZ0SbcfAY/95UIeROZzZ2Fw0mYyImFazOLWTF=", "the key is no whole base64 text" },
		{ "ssh-ed25519 ====", "the key is no whole base64 text" },
		{ "ssh-ed25519 ", "the key is no whole base64 text" },
		{ "ssh-ed25519 AAAA", "the key is cut or damaged" },
		{ "ssh-ed25519", "it is no public key: type, key and comment" },
		{ "ssh-foo AAAA", "keys of type ssh-foo are not taken" },
		{ "command=\"x\" ssh-rsa AAAA", "keys of type command=\"x\" are not taken" },
		{ "ssh-dss AAAA", "DSA keys are too weak, and sshd no longer takes them" },
		{ "ssh-ed25519 AAAA x\nssh-rsa AAAA", "it has a line break or a control character" },
	};
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	const char *why, *help;

	(void)state;
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
		struct buf AUTO_BUF blob = BUF_INIT(0), AUTO_BUF line = BUF_INIT(0);
		const char *inner = made[i].inner ? made[i].inner : made[i].type;
		int rc;

		put_string(&blob, inner, strlen(inner));
		for (size_t k = 0; k < 3 && (made[i].parts[k].text || made[i].parts[k].bytes); k++) {
			struct buf AUTO_BUF part = BUF_INIT(0);
			const struct piece_of *p = &made[i].parts[k];

			if (p->text)
				buf_str(&part, p->text);
			else if (p->lead >= 0)
				buf_char(&part, (char)p->lead);
			buf_pad(&part, (char)0xc4, p->bytes);
			put_string(&blob, part.data, part.len);
		}
		put_base64(&line, made[i].type, &blob);
		rc = sshkey_check(mem, line.data, line.len, &why, &help);
		if ((rc == 0) != !made[i].why || (rc < 0 && strcmp(why, made[i].why) != 0))
			fail_msg("%s, row %zu: %s", made[i].type, i, rc ? why : "taken");
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		int rc = sshkey_check(mem, lines[i].line, strlen(lines[i].line), &why, &help);

		if ((rc == 0) != !lines[i].why || (rc < 0 && strcmp(why, lines[i].why) != 0))
			fail_msg("%s: %s", lines[i].line, rc ? why : "taken");
	}
}

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	return schemas_load(&schemas, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	schemas_free(schemas);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(limits_name_their_place),
		cmocka_unit_test(keys),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
