/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer means: limits, refusals, the forge's own words. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/forge/forge_request.h"
#include "lib/net/header.h"

#define WAIT_MAX_S 3600
#define WAIT_UNTOLD_S 60 /* GitHub: "wait for at least one minute" where it names no time */

/* -- head ---------------------------------------------------------------------------------------------------------------------- */

static bool
has_next(const char *v, size_t n)
{
	return memmem(v, n, "rel=\"next\"", strlen("rel=\"next\"")) || memmem(v, n, "rel=next", strlen("rel=next"));
}

void
forge_head_line(void *ctx, const char *line, size_t len)
{
	struct forge_head *h = ctx;
	const char *v;
	size_t n;

	if (header_is(line, len, "link", &v, &n)) {
		h->linked = true;
		h->next = has_next(v, n);
		return;
	}
	if (header_is(line, len, "x-oauth-scopes", &v, &n)) {
		h->scoped = n < sizeof(h->scopes);
		(void)snprintf(h->scopes, sizeof(h->scopes), "%.*s", (int)(h->scoped ? n : 0), v);
		return;
	}
	/* GitHub's and Gitea's, then GitLab's */
	(void)(header_seconds(line, len, "x-total-count", &h->total) || header_seconds(line, len, "x-total", &h->total) ||
	       header_seconds(line, len, "x-ratelimit-remaining", &h->left) || header_seconds(line, len, "x-ratelimit-reset", &h->reset) ||
	       header_seconds(line, len, "ratelimit-remaining", &h->left) || header_seconds(line, len, "ratelimit-reset", &h->reset));
}

/* -- the forge's words ------------------------------------------------------------------------------------------------------------ */

/* Lists and maps of texts, as GitLab has them: "title: can't be blank". */
static void
add_words(struct buf *b, const struct value *v, int depth)
{
	if (b->len)
		buf_str(b, value_is(v, VALUE_STR) ? ": " : "");
	if (value_is(v, VALUE_STR)) {
		buf_str(b, value_as_str(v, ""));
	} else if (value_is(v, VALUE_LIST) && depth) {
		for (size_t i = 0; i < value_len(v) && i < 4; i++)
			add_words(b, value_item(v, i), depth - 1);
	} else if (value_is(v, VALUE_MAP) && depth) {
		/* GitHub's {resource, code, field, message} */
		static const char *const keys[] = { "field", "code", "message" };
		bool found = false;

		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (value_is(value_get(v, keys[i]), VALUE_STR)) {
				add_words(b, value_get(v, keys[i]), 0);
				found = true;
			}
		for (size_t i = 0; i < v->map.n && i < 4 && !found; i++) {
			buf_printf(b, "%s%s", b->len ? ": " : "", v->map.items[i].key);
			add_words(b, v->map.items[i].value, depth - 1);
		}
	}
}

void
forge_words(const struct buf *body, char out[FORGE_MESSAGE])
{
	static const char *const keys[] = { "message", "error", "error_description", "errors" };
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct buf AUTO_BUF words = BUF_INIT(65536), clean = BUF_INIT(0);
	struct value *v = NULL;

	*out = '\0';
	if (!body->len || json_read(mem, body->data, body->len, &v, NULL) < 0)
		return;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (value_get(v, keys[i]))
			add_words(&words, value_get(v, keys[i]), 3);
	/* as a whole before it is cut: a piece of a secret is not known as one */
	redact(buf_cstr(&words), words.len, &clean);
	(void)snprintf(out, FORGE_MESSAGE, "%s", forge_clean(mem, buf_cstr(&clean), FORGE_MESSAGE / 4 - 1, false));
}

/* -- limits ------------------------------------------------------------------------------------------------------------------------- */

/* Seconds that we are told to wait, 0: none. */
int64_t
forge_wait_of(const struct forge_head *h, int64_t now)
{
	bool refused = h->status == 403 || h->status == 429;
	int64_t s = 0;

	if (h->retry_after >= 0 && (refused || h->status == 503))
		s = h->retry_after;
	else if (h->left == 0 && h->reset > 0)
		s = h->reset - now; /* also behind an answer that was still given */
	else if (h->status == 429 || (refused && strcasestr(h->message, "rate limit")))
		s = WAIT_UNTOLD_S;
	else
		return 0;
	return s < 1 ? 1 : s > WAIT_MAX_S ? WAIT_MAX_S : s;
}

/* -- codes --------------------------------------------------------------------------------------------------------------------------- */

static int
denied(struct forge *f, const struct forge_call *c, const struct forge_head *h, struct err *e)
{
	(void)forge_fail(f, c->what, ERR_DENIED, e, "HTTP %ld%s%s", h->status, *h->message ? ": " : "", h->message);
	if (h->status == 401)
		return err_hint(e, "the token in %s is not accepted: it has expired, was revoked or belongs to another server; write a new one into "
		                   "that file", f->token_file);
	return err_hint(e, "the token in %s needs %s", f->token_file, forge_ops(f)->rights[c->right]);
}

static int
not_found(struct forge *f, const struct forge_call *c, const struct forge_head *h, struct err *e)
{
	(void)forge_fail(f, c->what, ERR_NOTFOUND, e, "HTTP %ld%s%s", h->status, *h->message ? ": " : "", h->message);
	return err_hint(e, "check the repository's path and the API's address; forges also say so to a token that may not see it, which needs %s",
	                forge_ops(f)->rights[c->right]);
}

static int
moved(struct forge *f, const struct forge_call *c, const struct forge_head *h, struct err *e)
{
	(void)forge_fail(f, c->what, ERR_INVALID, e, "HTTP %ld: it answers with another address, and the token is sent nowhere else", h->status);
	return err_hint(e, "write the API's address and the repository's path as they are now: a repository that was renamed answers so");
}

static int
code_of(long status)
{
	return status >= 500 || status == 408 ? ERR_UNAVAILABLE : status == 409 ? ERR_CONFLICT : ERR_INVALID;
}

int
forge_judge(struct forge *f, const struct forge_call *c, const struct forge_head *h, struct err *e)
{
	if ((h->status >= 200 && h->status < 300) || (h->status == 304 && c->etag && *c->etag))
		return 0;
	if (h->status >= 300 && h->status < 400)
		return moved(f, c, h, e);
	if (h->status == 401 || h->status == 403)
		return denied(f, c, h, e);
	if (h->status == 404 || h->status == 410)
		return not_found(f, c, h, e);
	(void)forge_fail(f, c->what, code_of(h->status), e, "HTTP %ld%s%s", h->status, *h->message ? ": " : "", h->message);
	return h->status == 405 && !*h->message ? err_hint(e, "no API of that kind answers so: check --forge and --forge-api") : e->code;
}
