/* SPDX-License-Identifier: Apache-2.0 */
/* lib/kube/config: tokens that change, what the redactor knows of them, credential plugins; base64 and times. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/redact.h"
#include "lib/doc/json.h"
#include "unit/kube_files.h"

/* -- tokens -------------------------------------------------------------------------------------------------------- */

static void
rotation(void **state)
{
	struct kube_config c = { .token.file = path_of("token") };
	struct kube_tokens *t = kube_tokens_new(&c);
	const char *token = NULL;

	(void)state;
	assert_int_equal(kube_token_read_at(t, false, 5, 1, &token, &e), ERR_NOTFOUND);
	check_error(ERR_NOTFOUND);
	put("token", "s3cr3t-first\n", 0600);
	assert_int_equal(kube_token_read_at(t, false, 5, 1, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-first");
	put("token", "s3cr3t-second\n", 0600);
	assert_int_equal(kube_token_read_at(t, false, 60004, 61, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-first"); /* 59.999 s later */
	assert_int_equal(kube_token_read_at(t, false, 60005, 61, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-second");
	put("token", "s3cr3t-third\n", 0600);
	assert_int_equal(kube_token_read_at(t, true, 60006, 61, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-third"); /* after a 401 */
	/* half written or gone: the old one until the server refuses it, another look soon */
	put("token", "", 0600);
	assert_int_equal(kube_token_read_at(t, false, 200000, 200, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-third");
	assert_int_equal(kube_token_read_at(t, true, 200001, 200, &token, &e), ERR_INVALID);
	check_error(ERR_INVALID);
	put("token", "s3cr3t-fourth", 0600);
	assert_int_equal(kube_token_read_at(t, false, 209999, 210, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-third");
	assert_int_equal(kube_token_read_at(t, false, 210000, 210, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-fourth");
	/* the clock of this program's own calls */
	assert_int_equal(kube_token_read(t, true, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-fourth");
	kube_tokens_free(t);
}

static void
fixed_and_none(void **state)
{
	struct kube_config c = { .token.text = "s3cr3t-fixed" }, none = { 0 };
	struct kube_tokens *t = kube_tokens_new(&c);
	const char *token = NULL;

	(void)state;
	assert_int_equal(kube_token_read(t, true, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-fixed");
	kube_tokens_free(t);
	t = kube_tokens_new(&none);
	assert_int_equal(kube_token_read(t, false, &token, &e), 0);
	assert_null(token);
	kube_tokens_free(t);
	kube_tokens_free(NULL);
}

/* Whatever way a credential came in, a text that repeats it goes out without it. */
static void
redaction(void **state)
{
	static const char *const secrets[] = { "s3cr3t-inline-1", "s3cr3t-file-1", "czNjcjN0LWtleS0x" };
	struct kube_config c;

	(void)state;
	put("token", "s3cr3t-file-1\n", 0600);
	must_load(around(SERVER, "    token: s3cr3t-inline-1\n    tokenFile: token\n"), &c);
	put("me.crt", CERT, 0600);
	put("me.key", "-----BEGIN PRIVATE KEY-----\nczNjcjN0LWtleS0x\n-----END PRIVATE KEY-----\n", 0600);
	must_load(around(SERVER, "    client-certificate: me.crt\n    client-key: me.key\n"), &c);
	for (size_t i = 0; i < 2; i++) {
		struct buf AUTO_BUF out = BUF_INIT(0);
		const char *text = arena_printf(mem, "Unauthorized: %s and %s", secrets[i], b64(secrets[i]));

		redact(text, strlen(text), &out);
		assert_string_equal(buf_cstr(&out), "Unauthorized: [redacted] and [redacted]");
	}
	{
		struct buf AUTO_BUF out = BUF_INIT(0);

		redact(c.key, strlen(c.key), &out);
		assert_null(strstr(buf_cstr(&out), secrets[2]));
		buf_reset(&out);
		redact(b64(c.key), strlen(b64(c.key)), &out); /* as client-key-data has it */
		assert_string_equal(buf_cstr(&out), "[redacted]");
	}
	/* a token that is refused is a secret too */
	assert_int_equal(load(around(SERVER, "    token: \"s3cr3t-bad one\"\n"), &c), ERR_INVALID);
	{
		struct buf AUTO_BUF out = BUF_INIT(0);

		redact("said s3cr3t-bad one", 19, &out);
		assert_string_equal(buf_cstr(&out), "said [redacted]");
	}
}

/* -- plugins ------------------------------------------------------------------------------------------------------- */

static int
load_exec(const char *members, const char *allow, struct kube_config *c)
{
	const char *const list[] = { "/opt/other/plugin-x", allow };

	return load_with(around("    server: https://10.0.0.1:6443\n    tls-server-name: kube\n    extensions:\n    - "
	                        "name: client.authentication.k8s.io/exec\n"
	                        "      extension: {audience: berth}\n",
	                        arena_printf(mem, PLUGIN "%s", members)),
	                 (struct kube_config_options){ .exec_allow = list, .nexec_allow = allow ? 2 : 0 }, c);
}

static void
exec_allow_list(void **state)
{
	const char *plugin = path_of("plugin");
	struct kube_config c;

	(void)state;
	assert_int_equal(load_exec(arena_printf(mem, "      command: %s\n", plugin), NULL, &c), ERR_DENIED);
	assert_non_null(strstr(e.text, "is not on the allow-list"));
	assert_non_null(strstr(e.text, plugin));
	assert_non_null(strstr(e.text, "/config:20: exec is refused"));
	assert_int_equal(load_exec(arena_printf(mem, "      command: %s\n", plugin), plugin, &c), 0);
	assert_string_equal(c.exec[0], plugin);
	assert_null(c.exec[1]);
	/* a relative name counts from the kubeconfig's folder, a bare one is looked up in the list and never in PATH */
	assert_int_equal(load_exec("      command: ./plugin\n", plugin, &c), 0);
	assert_string_equal(c.exec[0], plugin);
	assert_int_equal(load_exec("      command: plugin\n", plugin, &c), 0);
	assert_string_equal(c.exec[0], plugin);
	assert_int_equal(load_exec("      command: sub/../plugin\n", plugin, &c), ERR_DENIED);
	assert_int_equal(load_exec("      command: sh\n", plugin, &c), ERR_DENIED);
	assert_int_equal(load_exec("      command: /bin/sh\n", plugin, &c), ERR_DENIED);
	assert_int_equal(load_exec("      command: lugin\n", plugin, &c), ERR_DENIED);
	assert_int_equal(load_exec("      command: plugin\n", "plugin", &c), ERR_USAGE);
	assert_non_null(strstr(e.text, "no absolute path"));
}

static void
exec_refusals(void **state)
{
	static const struct {
		const char *members;
		int code;
		const char *want;
	} rows[] = {
		{ "      args: []\n", ERR_INVALID, "exec has no command" },
		{ "      command: plugin\n      interactiveMode: Always\n", ERR_DENIED, "wants to ask somebody" },
		{ "      command: plugin\n      args: [1]\n", ERR_INVALID, "args[0] must be a string" },
		{ "      command: plugin\n      args: {a: b}\n", ERR_INVALID, "exec.args is not a list" },
		{ "      command: plugin\n      env: [{value: x}]\n", ERR_INVALID, "has no name" },
		{ "      command: plugin\n      env: [{name: A=B, value: x}]\n", ERR_INVALID, "'='" },
		{ "      command: plugin\n      env: [A]\n", ERR_INVALID, "no map" },
		{ "      command: plugin\n      env: [{name: LD_PRELOAD, value: /tmp/x.so}]\n", ERR_DENIED,
		  "LD_PRELOAD" },
		{ "      command: plugin\n      env: [{name: PATH, value: /tmp}]\n", ERR_DENIED, "PATH" },
		{ "      command: plugin\n      env: [{name: API_TOKEN, value: [s3cr3t]}]\n", ERR_INVALID,
		  "value must be a string" },
		{ "      command: plugin\n      provideClusterInfo: 1\n", ERR_INVALID,
		  "provideClusterInfo must be a boolean" },
	};
	struct kube_config c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", str_line(mem, rows[i].members));
		assert_int_equal(load_exec(rows[i].members, path_of("plugin"), &c), rows[i].code);
		assert_non_null(strstr(e.text, rows[i].want));
	}
	{
		const char *const allow[] = { path_of("plugin") };
		struct kube_config_options o = { .exec_allow = allow, .nexec_allow = 1 };

		assert_int_equal(load_with(around(SERVER, "    exec: {command: plugin}\n"), o, &c), ERR_INVALID);
		assert_non_null(strstr(e.text, "no apiVersion"));
		assert_int_equal(
		    load_with(
			around(SERVER,
		               "    exec: {command: plugin, apiVersion: client.authentication.k8s.io/v1alpha1}\n"),
			o, &c),
		    ERR_INVALID);
	}
}

/* What a plugin prints: a JSON answer with these members of status, after `before`. */
static void
plugin(const char *before, const char *status)
{
	put("plugin",
	    arena_printf(mem,
	                 "#!/bin/sh\n%s\ncat "
	                 "<<EOT\n{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
	                 "\"status\":{%s}}\nEOT\n",
	                 before, status),
	    0700);
}

static void
exec_runs(void **state)
{
	struct value *info = NULL;
	const char *token = NULL;
	struct kube_tokens *t;
	struct kube_config c;
	char *seen;
	size_t n;

	(void)state;
	plugin("printf '%s' \"$KUBERNETES_EXEC_INFO\" >\"$SEEN\"; echo \"$#:$1:$2:$WORD\" >>\"$SEEN.args\"; N=$(wc -l "
	       "<\"$SEEN.args\")",
	       "\"token\":\"s3cr3t-run-$N\",\"expirationTimestamp\":\"2026-11-22T12:00:00Z\"");
	assert_int_equal(
	    load_exec(
		arena_printf(
		    mem,
		    "      command: plugin\n      args: [get-token, \"a b;$(id)\"]\n      provideClusterInfo: true\n"
		    "      interactiveMode: IfAvailable\n      env:\n      - {name: WORD, value: w}\n"
		    "      - {name: SEEN, value: \"%s\"}\n",
		    path_of("seen")),
		path_of("plugin"), &c),
	    0);
	t = kube_tokens_new(&c);
	/* 2026-11-22T12:00:00Z is 1795348800 */
	assert_int_equal(kube_token_read_at(t, false, 0, 1795348000, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-run-1");
	assert_int_equal(kube_token_read_at(t, false, 900000, 1795348789, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-run-1");
	assert_int_equal(kube_token_read_at(t, false, 900000, 1795348790, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-run-2"); /* 10 s before its end */
	assert_int_equal(kube_token_read_at(t, true, 900000, 1795348000, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-run-3"); /* after a 401 */
	assert_int_equal(kube_token_read_at(t, false, 900000, 1795348800, &token, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "expired already"));
	check_error(ERR_INVALID);
	assert_int_equal(fs_read(path_of("seen.args"), 4096, mem, &seen, &n, &e), 0);
	assert_true(str_starts(seen, "2:get-token:a b;$(id):w\n"));
	assert_int_equal(fs_read(path_of("seen"), 65536, mem, &seen, &n, &e), 0);
	assert_int_equal(json_read(mem, seen, n, &info, &e), 0);
	assert_string_equal(value_as_str(value_get(info, "kind"), ""), "ExecCredential");
	assert_string_equal(value_as_str(value_get(info, "apiVersion"), ""), "client.authentication.k8s.io/v1");
	assert_false(value_as_bool(value_at(info, "spec.interactive"), true));
	assert_string_equal(value_as_str(value_at(info, "spec.cluster.server"), ""), "https://10.0.0.1:6443");
	assert_string_equal(value_as_str(value_get(value_at(info, "spec.cluster"), "tls-server-name"), ""), "kube");
	assert_string_equal(value_as_str(value_at(info, "spec.cluster.config.audience"), ""), "berth");
	kube_tokens_free(t);
}

static void
exec_answers(void **state)
{
	static const struct {
		const char *before, *status;
		int code;
		const char *want, *hint;
	} rows[] = {
		{ "", "\"token\":\"s3cr3t-a1\",\"clientCertificateData\":\"s3cr3t\",\"clientKeyData\":\"s3cr3t\"",
		  ERR_INVALID, "gives a client certificate", "client-certificate" },
		{ "", "\"clientKeyData\":\"s3cr3t\"", ERR_INVALID, "gives a client certificate", "client-certificate" },
		{ "", "", ERR_INVALID, "no status.token", "by hand" },
		{ "", "\"token\":7", ERR_INVALID, "no status.token", "by hand" },
		{ "", "\"token\":\"\"", ERR_INVALID, "status.token is empty", "update" },
		{ "", "\"token\":\"s3cr3t\\r\\nX: y\"", ERR_INVALID, "not one word", "update" },
		{ "", "\"token\":\"s3cr3t-a2\",\"expirationTimestamp\":\"tomorrow\"", ERR_INVALID, "no time",
		  "2026-01-31" },
		{ "", "\"token\":\"s3cr3t-a3\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"", ERR_INVALID,
		  "expired already", "clock" },
		{ "echo oops", "\"token\":\"s3cr3t-a4\"", ERR_INVALID, "not JSON", "ExecCredential" },
		{ "exit 0", "", ERR_INVALID, "not JSON", "" },
		{ "echo '{\"kind\":\"Pod\"}'; exit 0", "", ERR_INVALID, "not an ExecCredential", "apiVersion" },
		{ "echo "
		  "'{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/"
		  "v1beta1\",\"status\":{\"token\":\"s3cr3t-a5\"}}'; exit 0",
		  "", ERR_INVALID, "of the version that was asked", "apiVersion" },
		{ "echo first >&2; echo 'profile bo not found' >&2; exit 3", "", ERR_UNAVAILABLE,
		  "exit status 3: profile bo not found", "login" },
		{ "echo '{\"status\":{\"token\":\"s3cr3t-a6\"}}'; echo 'cannot store s3cr3t-a6' >&2; exit 1", "",
		  ERR_UNAVAILABLE, "exit status 1: cannot store [redacted]", "login" },
		{ "kill -9 $$", "", ERR_UNAVAILABLE, "ended by signal 9", "login" },
		{ "yes | head -c 300000; exit 0", "", ERR_INVALID, "not JSON", "" },
	};
	const char *token = NULL;
	struct kube_tokens *t;
	struct kube_config c;

	(void)state;
	assert_int_equal(load_exec("      command: plugin\n", path_of("plugin"), &c), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s %s\n", str_line(mem, rows[i].before), rows[i].status);
		plugin(rows[i].before, rows[i].status);
		t = kube_tokens_new(&c);
		assert_int_equal(kube_token_read_at(t, false, 0, 1700000000, &token, &e), rows[i].code);
		check_error(rows[i].code);
		if (!strstr(e.text, rows[i].want) || !strstr(e.hint, rows[i].hint))
			fail_msg("said \"%s\" and \"%s\"", e.text, e.hint);
		assert_null(token);
		kube_tokens_free(t);
	}
	/* an answer without an end is kept; a failure while it is good changes nothing until somebody insists */
	plugin("", "\"token\":\"s3cr3t-kept\"");
	t = kube_tokens_new(&c);
	assert_int_equal(kube_token_read_at(t, false, 0, 1700000000, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-kept");
	plugin("exit 1", "");
	assert_int_equal(kube_token_read_at(t, false, 90000000, 1800000000, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-kept");
	assert_int_equal(kube_token_read_at(t, true, 90000000, 1800000000, &token, &e), ERR_UNAVAILABLE);
	kube_tokens_free(t);
	assert_int_equal(unlink(path_of("plugin")), 0);
	t = kube_tokens_new(&c);
	assert_int_equal(kube_token_read(t, false, &token, &e), ERR_NOTFOUND);
	check_error(ERR_NOTFOUND);
	kube_tokens_free(t);
}

/* -- small parts --------------------------------------------------------------------------------------------------- */

static void
times(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-22T12:00:00Z", 1795348800 },
		{ "2026-11-22T12:00:00.123456Z", 1795348800 },
		{ "2026-11-22T14:30:00+02:30", 1795348800 },
		{ "2026-11-22t07:00:00-05:00", 1795348800 },
		{ "2026-11-22 12:00:00Z", -1 },
		{ "2026-11-22T12:00:00", -1 },
		{ "2026-11-22T12:00:00.Z", -1 },
		{ "2026-13-22T12:00:00Z", -1 },
		{ "2026-11-22T25:00:00Z", -1 },
		{ "2026-11-22T12:00:00Zx", -1 },
		{ "2026-11-22T12:00:00+2", -1 },
		{ "26-11-22T12:00:00Z", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t got = -1;
		int rc = clock_parse_time(rows[i].text, &got);

		if (rc != (rows[i].want < 0 ? ERR_INVALID : 0) || got != rows[i].want)
			fail_msg("%s: %lld", rows[i].text, (long long)got);
	}
}

static void
base64(void **state)
{
	static const char *const good[][2] = { { "", "" },
		                               { "Zg==", "f" },
		                               { "Zm8=", "fo" },
		                               { "Zm9v", "foo" },
		                               { "Zm9vYg==", "foob" },
		                               { "Zm9v\nYmE=\r\n", "fooba" },
		                               { "Zm9v YmFy\t", "foobar" },
		                               { "+/+/", "\xfb\xff\xbf" } };
	static const char *const bad[] = { "Z", "Zg",   "Zg=",      "Zg===", "Zh==", "Zm9=",   "Zm9v=",
		                           "=", "====", "Zg==Zg==", "Zm9-",  "Zm9_", "Zm\x80v" };
	unsigned char bytes[256];
	size_t n;
	char *out;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(base64_decode(mem, good[i][0], strlen(good[i][0]), &out, &n), 0);
		assert_int_equal(n, strlen(good[i][1]));
		assert_string_equal(out, good[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64_decode(mem, bad[i], strlen(bad[i]), &out, &n) != ERR_INVALID)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(base64_decode(mem, "Zm\0v", 4, &out, &n), ERR_INVALID);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		const char *text = base64_encode(mem, bytes, len);

		assert_int_equal(strlen(text), (len + 2) / 3 * 4);
		assert_int_equal(base64_decode(mem, text, strlen(text), &out, &n), 0);
		assert_int_equal(n, len);
		assert_memory_equal(out, bytes, len);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)
	const struct CMUnitTest tests[] = {
		T(rotation),
		T(fixed_and_none),
		T(redaction),
		T(exec_allow_list),
		T(exec_refusals),
		T(exec_runs),
		T(exec_answers),
		T(times),
		T(base64),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
