/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: signatures against published examples and against openssl, events of three forges, replays, the secret's file. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/hook.h"
#include "lib/base/base64.h"
#include "lib/base/fs.h"
#include "lib/base/proc.h"

#define NOW 1795644000
#define SECRET "It's a Secret to Everybody"
/* docs.github.com, "Validating webhook deliveries": this secret and the payload "Hello, World!" */
#define HELLO "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

static struct webhook_secrets
secrets(const char *text)
{
	struct webhook_secrets s;

	assert_int_equal(webhook_secrets_parse(text, strlen(text), &s, NULL), 0);
	return s;
}

static struct webhook
hook(enum webhook_forge f, const char *body)
{
	return (struct webhook){ .forge = f, .body = body, .len = strlen(body) };
}

/* The verdict and, when it is no, a word that the reason must have. */
static void
judge(const struct webhook *w, const char *secret, const char *why)
{
	struct webhook_secrets s = secrets(secret);
	struct err e = { 0 };
	int rc = webhook_verify(w, &s, NOW, &e);

	assert_int_equal(rc, why ? ERR_DENIED : 0);
	if (why && !strstr(e.text, why))
		fail_msg("'%s' is not in '%s'", why, e.text);
	assert_null(strstr(e.text, secret));
	webhook_secrets_free(&s);
}

static void
test_github(void **state)
{
	struct webhook w = hook(WEBHOOK_GITHUB, "Hello, World!"), other = hook(WEBHOOK_GITHUB, "Hello, world!");
	char upper[] = "sha256=" HELLO;

	(void)state;
	judge(&w, SECRET, "no X-Hub-Signature-256");
	w.headers[WEBHOOK_HUB_SIGNATURE] = other.headers[WEBHOOK_HUB_SIGNATURE] = "sha256=" HELLO;
	judge(&w, SECRET, NULL);
	judge(&w, "another one, long enough\n" SECRET "\n", NULL);
	judge(&w, "another one, long enough", "does not go with");
	judge(&other, SECRET, "does not go with");
	w.len--;
	judge(&w, SECRET, "does not go with");
	w.len++;
	for (char *p = upper + strlen("sha256="); *p; p++)
		*p = (char)(*p >= 'a' ? *p - 32 : *p);
	w.headers[WEBHOOK_HUB_SIGNATURE] = upper;
	judge(&w, SECRET, NULL);
	w.headers[WEBHOOK_HUB_SIGNATURE] = "";
	judge(&w, SECRET, "empty");
	w.headers[WEBHOOK_HUB_SIGNATURE] = "sha256=";
	judge(&w, SECRET, "empty");
	w.headers[WEBHOOK_HUB_SIGNATURE] = "sha1=" HELLO;
	judge(&w, SECRET, "not of sha256");
	w.headers[WEBHOOK_HUB_SIGNATURE] = "sha256=" HELLO "0";
	judge(&w, SECRET, "not a signature");
	w.headers[WEBHOOK_HUB_SIGNATURE] = NULL;
	w.headers[WEBHOOK_GITEA_SIGNATURE] = HELLO; /* not GitHub's */
	judge(&w, SECRET, "no X-Hub-Signature-256");
}

static void
test_gitea(void **state)
{
	static const enum webhook_header bare[] = { WEBHOOK_GITEA_SIGNATURE, WEBHOOK_FORGEJO_SIGNATURE };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct webhook w = hook(WEBHOOK_GITEA, "Hello, World!");

		w.headers[bare[i]] = HELLO;
		judge(&w, SECRET, NULL);
		w.headers[WEBHOOK_HUB_SIGNATURE] = "sha256=" HELLO;
		judge(&w, SECRET, NULL);
		w.headers[WEBHOOK_HUB_SIGNATURE] = "sha256="; /* one empty signature is not made good by another header */
		judge(&w, SECRET, "empty");
		w.headers[WEBHOOK_HUB_SIGNATURE] = NULL;
		w.headers[bare[i]] = "sha256=" HELLO;
		judge(&w, SECRET, "not a signature");
		w.headers[bare[i]] = "";
		judge(&w, SECRET, "empty");
	}
}

static void
test_gitlab_token(void **state)
{
	struct webhook w = hook(WEBHOOK_GITLAB, "{}");

	(void)state;
	judge(&w, SECRET, "no X-Gitlab-Token");
	w.headers[WEBHOOK_GITLAB_TOKEN] = SECRET;
	judge(&w, SECRET, NULL);
	w.headers[WEBHOOK_GITLAB_TOKEN] = "It's a Secret to Everybod";
	judge(&w, SECRET, "is not the secret");
	w.headers[WEBHOOK_GITLAB_TOKEN] = "";
	judge(&w, SECRET, "no X-Gitlab-Token");
	w.headers[WEBHOOK_GITLAB_TOKEN] = SECRET;
	w.headers[WEBHOOK_SIGNATURE] = "v1,AAAA"; /* judged alone */
	judge(&w, SECRET, "webhook-signature");
}

static const char *
hex_of(struct arena *mem, const char *bytes)
{
	char *hex = arena_alloc(mem, 2 * strlen(bytes) + 1);

	for (size_t i = 0; bytes[i]; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", (unsigned char)bytes[i]);
	return hex;
}

/* What openssl says: base64 of the HMAC with a key in hex over `text`. */
static const char *
openssl_hmac(struct arena *mem, const char *key_hex, const char *text)
{
	const char *argv[] = { "openssl", "dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt", arena_printf(mem, "hexkey:%s", key_hex), NULL };
	struct proc p = { .argv = argv, .input = text, .input_len = strlen(text), .timeout_ms = 60000 };
	struct proc_result r = { 0 };
	struct err e = { 0 };
	const char *out;

	if (proc_run(&p, &r, &e) < 0 || r.exit_code != 0)
		fail_msg("openssl: %s %s", e.text, buf_cstr(&r.err));
	assert_int_equal(r.out.len, 32);
	out = base64_encode(mem, r.out.data, r.out.len);
	proc_result_free(&r);
	return out;
}

#define KEY_HEX "000102030405060708090a0b0c0d0e0f1011121314151617"
#define KEY_WHSEC "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"

static void
test_gitlab_signed(void **state)
{
	AUTO_ARENA struct arena *mem = arena_new((size_t)1 << 20);
	struct webhook w = hook(WEBHOOK_GITLAB, "{\"object_kind\":\"push\"}");
	const char *said = openssl_hmac(mem, KEY_HEX, "msg_1.1795644000.{\"object_kind\":\"push\"}");
	const char *plain = openssl_hmac(mem, hex_of(mem, SECRET), "msg_1.1795644000.{\"object_kind\":\"push\"}");

	(void)state;
	w.headers[WEBHOOK_SIGNATURE] = arena_printf(mem, "v1,%s", said);
	judge(&w, KEY_WHSEC, "without webhook-id");
	w.headers[WEBHOOK_ID] = "msg_1";
	judge(&w, KEY_WHSEC, "without webhook-id");
	w.headers[WEBHOOK_TIMESTAMP] = "1795644000";
	judge(&w, KEY_WHSEC, NULL);
	judge(&w, SECRET, "does not go with");
	w.headers[WEBHOOK_ID] = "msg_2";
	judge(&w, KEY_WHSEC, "does not go with");
	w.headers[WEBHOOK_ID] = "msg_1";
	w.headers[WEBHOOK_TIMESTAMP] = "1795644001";
	judge(&w, KEY_WHSEC, "does not go with");
	w.headers[WEBHOOK_TIMESTAMP] = "1795644000x";
	judge(&w, KEY_WHSEC, "without webhook-id");
	w.headers[WEBHOOK_TIMESTAMP] = "1795644000";
	w.headers[WEBHOOK_SIGNATURE] = arena_printf(mem, "v1a,%s v1,%s", said, openssl_hmac(mem, "00", "x"));
	judge(&w, KEY_WHSEC, "does not go with");
	w.headers[WEBHOOK_SIGNATURE] = arena_printf(mem, "v1,%s v1,%s", openssl_hmac(mem, "00", "x"), said);
	judge(&w, KEY_WHSEC, NULL);
	w.headers[WEBHOOK_SIGNATURE] = arena_printf(mem, "v1,%s", plain); /* a secret without the prefix is its own bytes */
	judge(&w, SECRET, NULL);
	w.headers[WEBHOOK_SIGNATURE] = "";
	judge(&w, KEY_WHSEC, "not a signature");
}

/* The specification's own example (standard-webhooks 1.0.0, libraries' tests). */
static void
test_standard_example(void **state)
{
	static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	struct webhook_secrets s = secrets(secret);
	struct webhook w = hook(WEBHOOK_GITLAB, "{\"test\": 2432232314}");
	struct err e;

	(void)state;
	w.headers[WEBHOOK_ID] = "msg_p5jXN8AQM9LWM0D4loKWxJek";
	w.headers[WEBHOOK_TIMESTAMP] = "1614265330";
	w.headers[WEBHOOK_SIGNATURE] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
	assert_int_equal(webhook_verify(&w, &s, 1614265330, NULL), 0);
	assert_int_equal(webhook_verify(&w, &s, NOW, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "more than 300 s"));
	webhook_secrets_free(&s);
}

static void
test_window(void **state)
{
	static const struct {
		int64_t off;
		const char *why;
	} cases[] = { { -300, NULL }, { 300, NULL }, { -301, "more than 300 s" }, { 301, "more than 300 s" } };
	AUTO_ARENA struct arena *mem = arena_new((size_t)1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct webhook w = hook(WEBHOOK_GITLAB, "{}");
		const char *time = arena_printf(mem, "%lld", (long long)(NOW + cases[i].off));

		w.headers[WEBHOOK_ID] = "msg_1";
		w.headers[WEBHOOK_TIMESTAMP] = time;
		w.headers[WEBHOOK_SIGNATURE] = arena_printf(mem, "v1,%s", openssl_hmac(mem, KEY_HEX, arena_printf(mem, "msg_1.%s.{}", time)));
		judge(&w, KEY_WHSEC, cases[i].why);
	}
}

static void
test_secrets(void **state)
{
	static const char *const bad[] = { "", "\n\n", "# only words of explanation here\n", "fifteen bytes..\n", SECRET "\nshort\n", "whsec_AAECAwQF\n",
		"whsec_!!!!!!!!!!!!!!!!!!!!!!!!\n" };
	struct webhook_secrets s = secrets("# of GitLab\r\n" KEY_WHSEC "\r\n\n" SECRET);
	char *many = calloc(1, 4096);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(s.n, 2);
	assert_int_equal(s.list[0].key_len, 24);
	assert_memory_equal(s.list[0].key, "\0\1\2\3", 4);
	assert_string_equal(s.list[1].key, SECRET);
	webhook_secrets_free(&s);
	assert_int_equal(s.n, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(webhook_secrets_parse(bad[i], strlen(bad[i]), &s, &e), ERR_INVALID);
		assert_non_null(strstr(e.hint, "openssl rand"));
		assert_null(strstr(e.text, "fifteen"));
	}
	for (size_t i = 0; i <= WEBHOOK_SECRETS_MAX; i++)
		(void)strncat(many, SECRET "\n", 4095 - strlen(many));
	assert_int_equal(webhook_secrets_parse(many, strlen(many), &s, &e), ERR_INVALID);
	free(many);
	assert_int_equal(webhook_secrets_parse("0123456789abcde\0f", 17, &s, &e), ERR_INVALID);
}

/* -- events -------------------------------------------------------------------------------------------------------- */

static const struct {
	enum webhook_forge forge;
	const char *event, *body, *about;
	bool hint;
} events[] = {
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/heads/main\"}", "push to refs/heads/main", true },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/heads/berth/status\"}", "push to refs/heads/berth/status", false },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/heads/berth/rendered\"}", "push to refs/heads/berth/rendered", false },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/heads/berth/statusboard\"}", "push to refs/heads/berth/statusboard", true },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/tags/v1\"}", "push to refs/tags/v1", false },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/berth/trusted\"}", "push to refs/berth/trusted", false },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/berth/approvals/a/b\",\"after\":\"12\"}", "push to refs/berth/approvals/a/b", true },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/berth/approvals/a/b\",\"after\":\"00\"}", "push to refs/berth/approvals/a/b", false },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":7}", "push to nowhere", false },
	{ WEBHOOK_GITHUB, "push", "{\"ref\":\"refs/heads/\\u001b[31m\\n\\u00e9\"}", "push to refs/heads/?[31m???", true },
	{ WEBHOOK_GITHUB, "ping", "{\"zen\":\"x\"}", "ping", false },
	{ WEBHOOK_GITHUB, "status", "{\"context\":\"berth/plan\"}", "status", false },
	{ WEBHOOK_GITHUB, NULL, "{}", "an event without a name", false },
	{ WEBHOOK_GITHUB, "pull_request", "{\"action\":\"synchronize\",\"number\":42,\"pull_request\":{\"number\":42}}", "pull request 42", true },
	{ WEBHOOK_GITHUB, "pull_request", "{\"action\":\"labeled\",\"number\":42}", "pull request 42", false },
	{ WEBHOOK_GITHUB, "pull_request_review", "{\"action\":\"submitted\",\"pull_request\":{\"number\":42}}", "review of 42", true },
	{ WEBHOOK_GITHUB, "issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":42,\"pull_request\":{\"url\":\"x\"}}}", "comment on 42", true },
	{ WEBHOOK_GITHUB, "issue_comment", "{\"action\":\"edited\",\"issue\":{\"number\":42,\"pull_request\":{\"url\":\"x\"}}}", "comment on 42", false },
	{ WEBHOOK_GITHUB, "issue_comment", "{\"action\":\"created\",\"issue\":{\"number\":7,\"pull_request\":null}}", "comment on 7", false },
	{ WEBHOOK_GITEA, "push", "{\"ref\":\"refs/heads/main\",\"after\":\"1\"}", "push to refs/heads/main", true },
	{ WEBHOOK_GITEA, "pull_request_approved", "{\"action\":\"reviewed\",\"number\":3,\"review\":{\"type\":\"x\"}}", "review of 3", true },
	{ WEBHOOK_GITEA, "pull_request_review_rejected", "{\"action\":\"reviewed\",\"number\":3}", "review of 3", true },
	{ WEBHOOK_GITEA, "issue_comment", "{\"action\":\"created\",\"is_pull\":true,\"issue\":{\"number\":3}}", "comment on 3", true },
	{ WEBHOOK_GITEA, "merge_request", "{\"object_kind\":\"merge_request\"}", "merge_request", false },
	{ WEBHOOK_GITLAB, NULL, "{\"object_kind\":\"push\",\"ref\":\"refs/heads/main\"}", "push to refs/heads/main", true },
	{ WEBHOOK_GITLAB, NULL, "{\"object_kind\":\"tag_push\",\"ref\":\"refs/tags/v1\"}", "tag_push", false },
	{ WEBHOOK_GITLAB, NULL, "{\"object_kind\":\"merge_request\",\"object_attributes\":{\"iid\":5,\"action\":\"approved\"}}", "pull request 5", true },
	{ WEBHOOK_GITLAB, NULL,
	  "{\"object_kind\":\"note\",\"object_attributes\":{\"noteable_type\":\"MergeRequest\"},\"merge_request\":{\"iid\":5}}", "comment on 5", true },
	{ WEBHOOK_GITLAB, NULL, "{\"object_kind\":\"note\",\"object_attributes\":{\"noteable_type\":\"MergeRequest\",\"action\":\"update\"},"
	  "\"merge_request\":{\"iid\":5}}", "comment on 5", false },
	{ WEBHOOK_GITLAB, NULL, "{\"object_kind\":\"note\",\"object_attributes\":{\"noteable_type\":\"Issue\"},\"issue\":{\"iid\":5}}", "comment on 0", false },
	{ WEBHOOK_GITLAB, NULL, "{\"object_kind\":\"pipeline\"}", "pipeline", false },
};

static void
test_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct webhook w = hook(events[i].forge, events[i].body);
		struct hook_event event;

		w.headers[events[i].forge == WEBHOOK_GITEA ? WEBHOOK_GITEA_EVENT : WEBHOOK_GITHUB_EVENT] = events[i].event;
		assert_int_equal(hook_event_read(&w, &event, NULL), 0);
		assert_string_equal(event.about, events[i].about);
		if (event.hint != events[i].hint)
			fail_msg("%s %s", events[i].event ? events[i].event : "", events[i].body);
	}
}

static void
test_not_events(void **state)
{
	static const char *const bad[] = { "", "[]", "{", "payload=%7B%7D", "\"push\"" };
	size_t n = 500000;
	char *many = malloc(n + 1);
	struct hook_event event;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct webhook w = hook(WEBHOOK_GITLAB, bad[i]);

		assert_int_equal(hook_event_read(&w, &event, NULL), ERR_INVALID);
		assert_false(event.hint);
	}
	assert_non_null(many);
	for (size_t i = 0; i < n; i++)
		many[i] = i == 0 ? '[' : i == n - 1 ? ']' : i % 2 ? '1' : ',';
	many[n] = '\0';
	struct webhook w = hook(WEBHOOK_GITLAB, many);

	assert_int_equal(hook_event_read(&w, &event, NULL), ERR_INVALID);
	free(many);
}

/* -- the whole of it ----------------------------------------------------------------------------------------------- */

struct site {
	char folder[64], file[96];
	int wake[2];
	struct hooks *hooks;
};

static void
write_secret(struct site *s, const char *text, unsigned int mode)
{
	assert_int_equal(fs_write_atomic(s->file, text, strlen(text), mode, NULL), 0);
}

static int
set_up(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	(void)snprintf(s->folder, sizeof(s->folder), "/tmp/berth-hook.XXXXXX");
	if (!mkdtemp(s->folder) || pipe2(s->wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	(void)snprintf(s->file, sizeof(s->file), "%s/secret", s->folder);
	write_secret(s, SECRET "\n", 0600);
	*state = s;
	return hooks_open(s->file, s->wake[1], &s->hooks, NULL);
}

static int
tear_down(void **state)
{
	struct site *s = *state;

	hooks_close(s->hooks);
	(void)close(s->wake[0]);
	(void)close(s->wake[1]);
	(void)unlink(s->file);
	(void)rmdir(s->folder);
	free(s);
	return 0;
}

/* A push to a branch of its own by GitLab's token. */
static unsigned int
push(struct site *s, unsigned int n, const char *id, const char *token)
{
	char body[128];
	const char *text = NULL;
	struct webhook w = { .forge = WEBHOOK_GITLAB, .body = body };
	unsigned int status;

	w.len = (size_t)snprintf(body, sizeof(body), "{\"object_kind\":\"push\",\"ref\":\"refs/heads/b%u\"}", n);
	w.headers[WEBHOOK_GITLAB_TOKEN] = token;
	w.headers[WEBHOOK_GITLAB_UUID] = id;
	status = hooks_take(s->hooks, &w, NOW, &text);
	assert_non_null(text);
	return status;
}

static void
expect(struct site *s, uint64_t accepted, uint64_t refused, uint64_t replayed, uint64_t ignored)
{
	struct hook_counts c;

	hooks_counts(s->hooks, &c);
	assert_int_equal(c.accepted, accepted);
	assert_int_equal(c.refused, refused);
	assert_int_equal(c.replayed, replayed);
	assert_int_equal(c.ignored, ignored);
}

static void
test_hints(void **state)
{
	struct site *s = *state;
	char about[HOOK_REASON_MAX], bytes[16];
	uint64_t n;

	assert_false(hooks_hint(s->hooks, about, &n));
	assert_int_equal(push(s, 1, "a", SECRET), 202);
	assert_int_equal(push(s, 2, "b", SECRET), 202);
	assert_int_equal(read(s->wake[0], bytes, sizeof(bytes)), 2);
	assert_true(hooks_waiting(s->hooks));
	assert_true(hooks_hint(s->hooks, about, &n));
	assert_false(hooks_waiting(s->hooks));
	assert_string_equal(about, "gitlab: push to refs/heads/b2");
	assert_int_equal(n, 2);
	assert_false(hooks_hint(s->hooks, about, &n));
	assert_int_equal(push(s, 1, "a", SECRET), 202);
	assert_false(hooks_hint(s->hooks, about, &n));
	assert_int_equal(push(s, 3, "c", "It's not the Secret of anybody"), 401);
	assert_false(hooks_hint(s->hooks, about, &n));
	assert_int_equal(read(s->wake[0], bytes, sizeof(bytes)), -1);
	expect(s, 2, 1, 1, 0);
}

/* The one that was not heard of for longest makes room. */
static void
test_replays(void **state)
{
	struct site *s = *state;
	char id[16];

	for (unsigned int i = 0; i < HOOK_SEEN_MAX; i++) {
		(void)snprintf(id, sizeof(id), "%u", i);
		assert_int_equal(push(s, i, id, SECRET), 202);
	}
	expect(s, HOOK_SEEN_MAX, 0, 0, 0);
	assert_int_equal(push(s, 0, "0", SECRET), 202); /* heard again: 1 is the oldest now */
	expect(s, HOOK_SEEN_MAX, 0, 1, 0);
	assert_int_equal(push(s, 0, "new", SECRET), 202);
	expect(s, HOOK_SEEN_MAX + 1, 0, 1, 0);
	assert_int_equal(push(s, 0, "0", SECRET), 202);
	expect(s, HOOK_SEEN_MAX + 1, 0, 2, 0);
	assert_int_equal(push(s, 0, "1", SECRET), 202);
	expect(s, HOOK_SEEN_MAX + 2, 0, 2, 0);
	assert_int_equal(push(s, 77, NULL, SECRET), 202); /* without an id the body is one */
	assert_int_equal(push(s, 77, NULL, SECRET), 202);
	expect(s, HOOK_SEEN_MAX + 3, 0, 3, 0);
}

/* GitHub signs the body alone: a new id makes no new delivery of it. */
static void
test_replay_with_new_id(void **state)
{
	struct site *s = *state;
	struct webhook w = hook(WEBHOOK_GITHUB, "{\"ref\":\"refs/heads/main\"}");
	const struct hash_part part = { w.body, w.len };
	char said[8 + DIGEST_HEX] = "sha256=";
	struct digest d;
	const char *text;

	hash_hmac(SECRET, strlen(SECRET), &part, 1, &d);
	digest_hex(&d, said + strlen(said));
	w.headers[WEBHOOK_HUB_SIGNATURE] = said;
	w.headers[WEBHOOK_GITHUB_EVENT] = "push";
	w.headers[WEBHOOK_GITHUB_DELIVERY] = "1";
	assert_int_equal(hooks_take(s->hooks, &w, NOW, &text), 202);
	expect(s, 1, 0, 0, 0);
	w.headers[WEBHOOK_GITHUB_DELIVERY] = "2";
	assert_int_equal(hooks_take(s->hooks, &w, NOW, &text), 202);
	expect(s, 1, 0, 1, 0);
	w.headers[WEBHOOK_GITHUB_EVENT] = "ping";
	assert_int_equal(hooks_take(s->hooks, &w, NOW, &text), 202);
	expect(s, 1, 0, 2, 0);
}

static void
test_told_rarely(void **state)
{
	struct site *s = *state;
	char reason[HOOK_REASON_MAX];
	uint64_t n;

	assert_false(hooks_refused(s->hooks, 1000, reason, &n));
	assert_int_equal(push(s, 1, "a", ""), 401);
	assert_true(hooks_refused(s->hooks, 1000, reason, &n));
	assert_int_equal(n, 1);
	assert_non_null(strstr(reason, "gitlab: no X-Gitlab-Token"));
	for (int i = 0; i < 50; i++)
		assert_int_equal(push(s, 1, "a", "wrong"), 401);
	assert_false(hooks_refused(s->hooks, 1000 + HOOK_TELL_MS - 1, reason, &n));
	assert_true(hooks_refused(s->hooks, 1000 + HOOK_TELL_MS, reason, &n));
	assert_int_equal(n, 50);
	assert_non_null(strstr(reason, "is not the secret"));
	assert_false(hooks_refused(s->hooks, 1000 + 9 * HOOK_TELL_MS, reason, &n));
}

static void
test_secret_changes(void **state)
{
	struct site *s = *state;

	assert_int_equal(push(s, 1, "a", SECRET), 202);
	write_secret(s, "the second one of them\n", 0600);
	assert_int_equal(push(s, 2, "b", SECRET), 401);
	assert_int_equal(push(s, 2, "b", "the second one of them"), 202);
	write_secret(s, "short\n", 0600);
	assert_int_equal(push(s, 3, "c", "the second one of them"), 503);
	assert_int_equal(push(s, 3, "c", "short"), 503);
	write_secret(s, SECRET "\n", 0644);
	assert_int_equal(push(s, 3, "c", SECRET), 503);
	assert_int_equal(chmod(s->file, 0600), 0);
	assert_int_equal(push(s, 3, "c", SECRET), 202);
	assert_int_equal(unlink(s->file), 0);
	assert_int_equal(push(s, 4, "d", SECRET), 503);
	write_secret(s, SECRET "\n", 0400);
	assert_int_equal(push(s, 4, "d", SECRET), 202);
	expect(s, 4, 5, 0, 0);
}

static void
test_secret_files(void **state)
{
	struct site *s = *state;
	struct hooks *other;
	struct err e = { 0 };

	write_secret(s, "short\n", 0600);
	assert_int_equal(hooks_open(s->file, s->wake[1], &other, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, s->file));
	assert_null(strstr(e.text, "short"));
	write_secret(s, SECRET "\n", 0604);
	assert_int_equal(hooks_open(s->file, s->wake[1], &other, &e), ERR_DENIED);
	assert_non_null(strstr(e.hint, "chmod 400"));
	assert_int_equal(hooks_open(s->folder, s->wake[1], &other, &e), ERR_DENIED);
	assert_int_equal(hooks_open(KEY_WHSEC, s->wake[1], &other, &e), ERR_NOTFOUND);
	assert_null(strstr(e.text, "whsec"));
	assert_int_equal(hooks_open("0123456789abcdef0123456789abcdef", s->wake[1], &other, &e), ERR_NOTFOUND);
	assert_null(strstr(e.text, "0123"));
	assert_int_equal(hooks_open("/nowhere/at/all", s->wake[1], &other, &e), ERR_NOTFOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_github),
		cmocka_unit_test(test_gitea),
		cmocka_unit_test(test_gitlab_token),
		cmocka_unit_test(test_gitlab_signed),
		cmocka_unit_test(test_standard_example),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_not_events),
		cmocka_unit_test_setup_teardown(test_hints, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replay_with_new_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_told_rarely, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_secret_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_secret_files, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
