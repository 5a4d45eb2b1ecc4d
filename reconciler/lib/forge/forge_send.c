/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a forge: nothing while it told us to wait, once more when its token was replaced. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/token.h"
#include "lib/doc/json.h"
#include "lib/forge/forge_request.h"
#include "lib/net/http.h"

/* -- what is counted -------------------------------------------------------------------------------------------------------- */

static void
note_write(struct forge *f, const struct forge_call *c)
{
	f->counts.writes++;
	f->wrote_at = f->mono_ms();
	if (c->told && f->ops->told_hour)
		f->told[f->ntold++ % f->ops->told_hour] = f->wrote_at;
}

static void
note_limit(struct forge *f, const struct forge_head *h)
{
	int64_t s = forge_wait_of(h, clock_now());

	if (!s)
		return;
	f->counts.limited++;
	f->limit_at = f->mono_ms() + s * 1000;
	f->limit_end = clock_now() + s;
}

int
forge_fail(const struct forge *f, const char *what, int code, struct err *e, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, code, "%s %s: %s: %s", f->ops->name, f->repo, what, text);
}

static int
limited(const struct forge *f, const struct forge_call *c, long status, struct err *e)
{
	char until[RFC3339_LEN];

	clock_rfc3339(f->limit_end, until);
	if (status)
		return forge_fail(f, c->what, ERR_UNAVAILABLE, e, "HTTP %ld: the forge's limit is reached; nothing is asked until %s", status, until);
	return forge_fail(f, c->what, ERR_UNAVAILABLE, e, "the forge's limit is reached; nothing is asked until %s", until);
}

/* -- requests ---------------------------------------------------------------------------------------------------------------------- */

#define HEADERS_MAX 8

/* The API's own, then ours. */
static void
set_headers(const struct forge *f, const struct forge_call *c, struct arena *mem, const char *list[HEADERS_MAX])
{
	size_t n = 0;

	for (; f->ops->headers[n]; n++)
		list[n] = f->ops->headers[n];
	if (c->etag && *c->etag)
		list[n++] = arena_printf(mem, "If-None-Match: %s", c->etag);
	if (c->body) {
		list[n++] = "Content-Type: application/json";
		list[n++] = "Expect:"; /* no waiting for a 100 */
	}
	list[n] = NULL;
}

static int
send_once(struct forge *f, const struct forge_call *c, struct forge_head *h, struct http_response *r, struct forge_answer *a,
          struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new((size_t)1 << 20);
	struct buf AUTO_BUF body = BUF_INIT(0);
	const char *headers[HEADERS_MAX];
	struct http_request q = { .method = c->method, .url = arena_printf(mem, "%s%s", c->top ? f->api : f->root, c->path),
		                  .headers = headers, .bearer = f->token, .timeout_ms = f->timeout_ms, .answer_max = FORGE_ANSWER_MAX,
		                  .cancel = f->cancel, .on_header = forge_head_line, .ctx = h,
		                  .once = str_eq(c->method, "POST") };
	int rc;

	set_headers(f, c, mem, headers);
	if (c->body) {
		json_write(c->body, 0, &body);
		q.body = body.data;
		q.body_len = body.len;
	}
	f->counts.requests++;
	rc = http_request(f->http, &q, r, e);
	if (c->method)
		note_write(f, c);
	if (rc) {
		f->counts.failed += rc == ERR_UNAVAILABLE;
		a->large = rc == ERR_INVALID; /* the address was checked before */
		(void)err_wrap(e, "%s %s: %s", f->ops->name, f->repo, c->what);
	}
	return rc;
}

/* A token that was replaced in the meantime: once more. */
static bool
has_new_token(struct forge *f)
{
	char *old = f->token;
	bool differs;

	f->token = NULL;
	if (forge_look_at_token(f, true, NULL)) {
		f->token = old;
		return false;
	}
	differs = strcmp(old, f->token) != 0;
	token_wipe(&old);
	return differs;
}

static int
understand(struct forge *f, const struct forge_call *c, struct forge_head *h, struct http_response *r, struct forge_answer *a,
           struct err *e)
{
	bool fine = (r->status >= 200 && r->status < 300) || r->status == 304;

	h->status = r->status;
	h->retry_after = r->retry_after;
	if (!fine)
		forge_words(&r->body, h->message);
	note_limit(f, h);
	f->counts.unchanged += r->status == 304;
	f->counts.failed += r->status >= 500;
	a->status = r->status;
	a->linked = h->linked;
	a->next = h->next;
	a->total = h->total;
	a->scoped = h->scoped;
	(void)snprintf(a->scopes, sizeof(a->scopes), "%s", h->scopes);
	(void)snprintf(a->etag, sizeof(a->etag), "%s", r->etag);
	(void)snprintf(a->message, sizeof(a->message), "%s", h->message);
	if (!fine && forge_wait_of(h, clock_now()))
		return limited(f, c, r->status, e);
	return forge_judge(f, c, h, e);
}

static int
forge_send(struct forge *f, const struct forge_call *c, struct http_response *r, struct forge_answer *a, struct err *e)
{
	int rc = 0;

	if (forge_limit_ms(f))
		return limited(f, c, 0, e);
	if ((rc = forge_look_at_token(f, false, e)))
		return rc;
	for (int try = 0;; try++) {
		struct forge_head h = FORGE_HEAD_INIT;

		if ((rc = send_once(f, c, &h, r, a, e)))
			return rc;
		if (r->status == 401 && try == 0 && has_new_token(f)) {
			http_response_free(r);
			continue;
		}
		if ((rc = understand(f, c, &h, r, a, e)))
			http_response_free(r);
		return rc;
	}
}

int
forge_strange(const struct forge *f, const char *what, struct err *e)
{
	(void)forge_fail(f, what, ERR_UNAVAILABLE, e, "the answer is not what the API gives");
	return err_hint(e, "if it stays so, check that the address is the API's (%s now) and that no proxy answers in its place", f->api);
}

static int
not_json(const struct forge *f, const char *what, const struct http_response *r, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(65536);

	(void)forge_fail(f, what, ERR_UNAVAILABLE, e, "the answer is not JSON (%s)", *r->type ? forge_clean(mem, r->type, 60, false) : "no type");
	return err_hint(e, "if it stays so, check that the address is the API's (%s now) and that no proxy answers in its place", f->api);
}

/* U+0000 in somebody's text (Gitea keeps it) makes no list unreadable: U+0001, which is no part of a name either. */
static void
mend_nul(struct buf *body)
{
	for (size_t i = 0; i + 6 <= body->len; i++) {
		if (body->data[i] != '\\')
			continue;
		if (memcmp(body->data + i, "\\u0000", 6) == 0)
			body->data[i + 5] = '1';
		i++; /* what it escapes */
	}
}

int
forge_ask(struct forge *f, const struct forge_call *c, struct arena *mem, struct value **json, struct forge_answer *a, struct err *e)
{
	struct http_response r;
	int rc;

	*a = (struct forge_answer){ .total = -1 };
	if ((rc = forge_send(f, c, &r, a, e)))
		return rc;
	*json = NULL;
	mend_nul(&r.body);
	if (r.status != 304 && r.body.len && json_read(mem, r.body.data, r.body.len, json, NULL) < 0)
		rc = not_json(f, c->what, &r, e);
	http_response_free(&r);
	return rc;
}
