/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: files that rotate and credential plugins. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/proc.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"
#include "lib/base/token.h"
#include "lib/doc/json.h"
#include "lib/kube/kubeconfig.h"

#define LOOK_MS 60000   /* between two looks at a token file */
#define AGAIN_MS 10000  /* after a look that failed while an older token is there */
#define PLUGIN_MS 30000 /* a plugin that takes longer waits for a person or is stuck; we wait with it */
#define EARLY_S 10      /* an expiring token is replaced this much before its end: a request takes time too */
#define ANSWER_MAX ((size_t)256 << 10)
#define SHOWN_MAX 200 /* of a plugin's own words */

struct kube_tokens {
	const struct kube_config *c;
	char *token; /* NULL: none yet */
	int64_t
	    look_at; /* monotonic milliseconds of the next look at the file or, after a failure, try of the plugin */
	int64_t expires; /* of a plugin's token, seconds since 1970; 0: never said */
};

struct kube_tokens *
kube_tokens_new(const struct kube_config *c)
{
	struct kube_tokens *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->c = c;
	if (c->token.text)
		redact_add(c->token.text, strlen(c->token.text));
	return t;
}

void
kube_tokens_free(struct kube_tokens *t)
{
	if (!t)
		return;
	token_wipe(&t->token);
	free(t);
}

/* -- plugins ----------------------------------------------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The last line that a plugin wrote to stderr, redacted, for people. */
static void
last_words(const struct buf *said, struct buf *out)
{
	const char *s = buf_cstr(said);
	size_t end = said->len, from;

	while (end && is_blank(s[end - 1]))
		end--;
	for (from = end; from && s[from - 1] != '\n';)
		from--;
	/* redacted as a whole before it is cut: a piece of a secret is not known as one */
	redact(s + from, end - from, out);
}

static int
plugin_failed(const struct kube_tokens *t, const struct proc_result *r, struct err *e)
{
	struct buf AUTO_BUF words = BUF_INIT(0);

	last_words(&r->err, &words);
	if (r->signal)
		(void)err_set(e, ERR_UNAVAILABLE, "credential plugin %s: ended by signal %d%s%.*s", t->c->exec[0],
		              r->signal, words.len ? ": " : "", SHOWN_MAX, buf_cstr(&words));
	else
		(void)err_set(e, ERR_UNAVAILABLE, "credential plugin %s: exit status %d%s%.*s", t->c->exec[0],
		              r->exit_code, words.len ? ": " : "", SHOWN_MAX, buf_cstr(&words));
	return err_hint(e, "run it by hand as berth's user: it may want a login");
}

static int
bad_answer(const struct kube_tokens *t, struct err *e, const char *what, const char *next)
{
	(void)err_set(e, ERR_INVALID, "credential plugin %s: %s", t->c->exec[0], what);
	return err_hint(e, "%s", next);
}

/* "client.authentication.k8s.io/v1" or v1beta1: the plugin answers in the version that it was asked in. */
static bool
version_asked(const struct kube_tokens *t, const char *version)
{
	struct buf AUTO_BUF want = BUF_INIT(0);

	if (!version || !str_starts(version, "client.authentication.k8s.io/v1"))
		return false;
	buf_printf(&want, "\"apiVersion\":\"%s\"", version);
	for (size_t i = 0; t->c->exec_env && t->c->exec_env[i]; i++)
		if (str_starts(t->c->exec_env[i], KUBE_EXEC_INFO "="))
			return strstr(t->c->exec_env[i], buf_cstr(&want)) != NULL;
	return true;
}

static int
read_status(struct kube_tokens *t, const struct value *answer, int64_t now, struct err *e)
{
	const struct value *status = value_get(answer, "status"), *token = value_get(status, "token");
	const char *until = value_as_str(value_get(status, "expirationTimestamp"), NULL), *flaw;
	int64_t expires = 0;
	char *fresh = NULL;

	if (!str_eq(value_as_str(value_get(answer, "kind"), NULL), "ExecCredential") ||
	    !version_asked(t, value_as_str(value_get(answer, "apiVersion"), NULL)))
		return bad_answer(t, e, "its answer is not an ExecCredential of the version that was asked for",
		                  "make apiVersion in the kubeconfig's exec what the plugin speaks");
	if (value_len(value_get(status, "clientCertificateData")) || value_len(value_get(status, "clientKeyData")))
		return bad_answer(
		    t, e, "it gives a client certificate, and berth takes only tokens from plugins",
		    "write the certificate into client-certificate and client-key, or use a plugin that gives a token");
	if (!value_is(token, VALUE_STR))
		return bad_answer(t, e, "its answer has no status.token", "run it by hand: it must print a token");
	if (until && clock_parse_time(until, &expires))
		return bad_answer(t, e, "status.expirationTimestamp is no time",
		                  "update the plugin: times are written as 2026-01-31T12:00:00Z");
	if (expires && expires <= now)
		return bad_answer(t, e, "its token has expired already",
		                  "check the clock of this machine and log in again with the plugin's tool");
	if ((flaw = token_keep(token->str.s, token->str.len, &fresh))) {
		struct buf AUTO_BUF what = BUF_INIT(0);

		buf_printf(&what, "status.token %s", flaw);
		return bad_answer(t, e, buf_cstr(&what), "update the plugin");
	}
	token_wipe(&t->token);
	t->token = fresh;
	t->expires = expires;
	return 0;
}

static int
run_plugin(struct kube_tokens *t, int64_t now, struct err *e)
{
	struct proc p = {
		.argv = t->c->exec, .env = t->c->exec_env, .timeout_ms = PLUGIN_MS, .output_max = ANSWER_MAX
	};
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	const struct value *token;
	struct value *answer = NULL;
	struct proc_result r;
	int rc, bad;

	if ((rc = proc_run(&p, &r, e)) < 0) {
		(void)err_wrap(e, "credential plugin");
		return err_hint(e, "check that the plugin is installed and works by hand as berth's user");
	}
	bad = json_read(mem, buf_cstr(&r.out), r.out.len, &answer, NULL);
	/* registered before anything is said: the plugin may repeat it among its complaints */
	token = bad ? NULL : value_get(value_get(answer, "status"), "token");
	if (value_is(token, VALUE_STR))
		redact_add(token->str.s, token->str.len);
	if (r.exit_code != 0)
		rc = plugin_failed(t, &r, e);
	else if (bad)
		rc = bad_answer(t, e, "its answer is not JSON", "run it by hand: it must print an ExecCredential");
	else
		rc = read_status(t, answer, now, e);
	if (r.out.data)
		explicit_bzero(r.out.data, r.out.len);
	proc_result_free(&r);
	return rc;
}

/* -- which and when ---------------------------------------------------------------------------------------------- */

static int
look_at_file(struct kube_tokens *t, struct err *e)
{
	char *fresh = NULL;
	int rc = token_read(t->c->token.file, &fresh, e);

	if (rc)
		return rc;
	token_wipe(&t->token);
	t->token = fresh;
	return 0;
}

int
kube_token_read_at(struct kube_tokens *t, bool force, int64_t mono_ms, int64_t now, const char **out, struct err *e)
{
	bool plugin = t->c->exec != NULL, usable = t->token && !(t->expires && now >= t->expires);
	bool due = plugin ? t->expires && now >= t->expires - EARLY_S && mono_ms >= t->look_at : mono_ms >= t->look_at;
	int rc;

	if (!plugin && !t->c->token.file) {
		*out = t->c->token.text;
		return 0;
	}
	if (force || !usable || due) {
		rc = plugin ? run_plugin(t, now, e) : look_at_file(t, e);
		if (rc && (force || !usable))
			return rc;
		/* an older token is still good: the server says when it is not */
		t->look_at = rc ? mono_ms + AGAIN_MS : plugin ? mono_ms : mono_ms + LOOK_MS;
	}
	*out = t->token;
	return 0;
}

int
kube_token_read(struct kube_tokens *t, bool force, const char **out, struct err *e)
{
	return kube_token_read_at(t, force, clock_mono_ms(), clock_now(), out, e);
}
