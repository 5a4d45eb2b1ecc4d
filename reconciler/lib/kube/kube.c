/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and their answers. */
#include "lib/kube/kube.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kube/priv.h"

#define REQUEST_CONNECTIONS 8 /* only without HTTP/2 more than one is used */
#define WORDS_MAX 600         /* bytes of a server's message that are kept */

struct call {
	struct kube *k;
	struct call *next, *prev;
	struct kube_request q;
	struct hub_transfer *t; /* NULL: between two */
	char *url;
	bool again;
};

static void
call_free(struct call *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->k->calls = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c->url);
	free(c);
}

struct kube *
kube_new(const struct kube_config *c, bool (*may_send)(void *ctx), void *ctx)
{
	struct hub_config h = { .ca = c->ca, .cert = c->cert, .key = c->key, .insecure = c->insecure, .may_send = may_send, .ctx = ctx };
	struct kube *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->c = c;
	k->tokens = kube_tokens_new(c);
	h.connections = REQUEST_CONNECTIONS;
	k->hubs[0] = hub_new(&h);
	h.connections = 0;
	k->hubs[1] = hub_new(&h);
	k->mem = arena_new((size_t)64 << 20);
	k->answer = arena_new((size_t)128 << 20);
	return k;
}

void
kube_free(struct kube *k)
{
	if (!k)
		return;
	while (k->watches)
		kube_watch_stop(k->watches);
	hub_free(k->hubs[0]);
	hub_free(k->hubs[1]);
	while (k->calls)
		call_free(k->calls);
	kube_tokens_free(k->tokens);
	map_free(&k->by_name);
	free(k->kinds);
	arena_free(k->mem);
	arena_free(k->answer);
	free(k);
}

const char *
kube_server(const struct kube *k)
{
	return k->c->server;
}

int
kube_token(struct kube *k, bool force, const char **out, struct err *e)
{
	return kube_token_read(k->tokens, force, out, e);
}

/* -- answers -------------------------------------------------------------------------------------------------------------- */

static int
code_of(long status)
{
	if (status >= 200 && status < 300)
		return 0;
	switch (status) {
	case 401:
	case 403:
		return ERR_DENIED;
	case 404:
		return ERR_NOTFOUND;
	case 409:
	case 410:
	case 412:
		return ERR_CONFLICT;
	case 408:
	case 429:
		return ERR_UNAVAILABLE;
	default:
		return status >= 400 && status < 500 ? ERR_INVALID : ERR_UNAVAILABLE;
	}
}

/* One line of at most WORDS_MAX bytes without anything secret. */
static const char *
words(struct arena *mem, const char *s)
{
	struct buf text AUTO_BUF = BUF_INIT((size_t)1 << 20);
	size_t n = strlen(s);

	if (n > WORDS_MAX)
		for (n = WORDS_MAX; n && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
			;
	redact(s, n, &text);
	return str_line(mem, buf_cstr(&text));
}

static void
status_words(struct arena *mem, const struct hub_answer *h, struct kube_answer *out)
{
	struct value *v = NULL;

	if (json_read(mem, h->body, h->len, &v, NULL) == 0 && value_is(v, VALUE_MAP)) {
		out->reason = value_as_str(value_get(v, "reason"), "");
		out->message = words(mem, value_as_str(value_get(v, "message"), ""));
	}
	if (!*out->message)
		out->message = words(mem, h->len ? h->body : arena_printf(mem, "HTTP status %ld", h->status));
	if (out->retry_after_ms < 0 && value_at(v, "details.retryAfterSeconds"))
		out->retry_after_ms = value_as_int(value_at(v, "details.retryAfterSeconds"), 1) * 1000;
}

void
answer_read(struct kube *k, const struct hub_answer *h, struct kube_answer *out)
{
	struct arena *mem = k->answer;

	arena_reset(mem);
	*out = (struct kube_answer){ .status = h->status, .body = h->body, .len = h->len, .reason = "", .message = "",
		.retry_after_ms = h->retry_after >= 0 ? h->retry_after * 1000 : -1, .took_ms = h->took_ms };
	out->code = h->code ? h->code : code_of(h->status);
	if (h->code)
		out->message = words(mem, h->error ? h->error : "");
	else if (out->code)
		status_words(mem, h, out);
}

/* -- sending ---------------------------------------------------------------------------------------------------------------- */

static void call_start(struct call *c, bool fresh_token);

static void
call_end(struct call *c, const struct kube_answer *a)
{
	c->k->running--;
	if (c->q.done)
		c->q.done(c->q.ctx, a);
	call_free(c);
}

/* Ends the request for `ctx` without its callback. */
static void
call_drop(struct kube *k, const void *ctx)
{
	struct call *c = k->calls;

	while (c && c->q.ctx != ctx)
		c = c->next;
	if (!c)
		return;
	if (c->t)
		hub_cancel(k->hubs[0], c->t);
	k->running--;
	call_free(c);
}

static void
on_done(void *ctx, const struct hub_answer *h)
{
	struct call *c = ctx;
	struct kube_answer a;

	c->t = NULL;
	if (h->code == 0 && h->status == 401 && !c->again && (c->k->c->token.file || c->k->c->exec)) {
		c->again = true; /* tokens rotate */
		call_start(c, true);
		return;
	}
	answer_read(c->k, h, &a);
	call_end(c, &a);
}

static void
call_start(struct call *c, bool fresh_token)
{
	const char *token = NULL;
	struct err e = { 0 };
	struct hub_request q = { .method = c->q.method, .url = c->url, .accept = c->q.accept ? c->q.accept : "application/json",
		.content_type = c->q.content_type ? c->q.content_type : "application/json", .body = c->q.body,
		.body_len = c->q.body_len, .timeout_ms = c->q.timeout_ms ? c->q.timeout_ms : TIMEOUT_MS,
		.answer_max = c->q.answer_max, .on_done = on_done, .ctx = c };

	if (kube_token_read(c->k->tokens, fresh_token, &token, &e) < 0) {
		struct kube_answer a = { .code = e.code, .body = "", .reason = "", .message = e.text, .retry_after_ms = -1 };

		call_end(c, &a);
		return;
	}
	q.bearer = token;
	c->t = hub_start(c->k->hubs[0], &q);
}

void
kube_send(struct kube *k, const struct kube_request *q)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->k = k;
	c->q = *q;
	if (asprintf(&c->url, "%s%s", k->c->server, q->path) < 0)
		abort();
	k->running++;
	c->next = k->calls;
	if (c->next)
		c->next->prev = c;
	k->calls = c;
	call_start(c, false);
}

size_t
kube_running(const struct kube *k)
{
	return k->running;
}

void
kube_run(struct kube *k, int64_t ms, int fd)
{
	hub_run(k->hubs, 2, watches_turn(k, ms), fd);
}

/* -- one request and its answer ------------------------------------------------------------------------------------------------ */

struct wait {
	struct arena *mem;
	bool done;
	struct kube_answer a;
};

static void
on_answer(void *ctx, const struct kube_answer *a)
{
	struct wait *w = ctx;

	w->a = *a;
	w->a.body = arena_strndup(w->mem, a->body, a->len);
	w->a.reason = arena_strdup(w->mem, a->reason);
	w->a.message = arena_strdup(w->mem, a->message);
	w->done = true;
}

static int
say(const struct kube *k, const struct kube_request *q, const struct kube_answer *a, struct err *e)
{
	(void)err_set(e, a->code, "%s %s%.*s: %s", q->method, k->c->server, (int)strcspn(q->path, "?"), q->path, a->message);
	if (a->status == 401)
		return err_hint(e, "the API server does not know these credentials (%s): has the token expired?", k->c->source);
	if (a->status == 403)
		return err_hint(e, "`berth doctor` lists the rights that are missing; deploy/kubernetes/clusterrole.yaml grants them");
	if (a->code == ERR_UNAVAILABLE && !a->status)
		return err_hint(e, "is %s the right API server and is it up? It was read from %s", k->c->server, k->c->source);
	return a->code;
}

int
kube_call(struct kube *k, struct arena *mem, const struct kube_request *q, const atomic_bool *cancel, struct value **out,
          struct err *e)
{
	struct kube_request own = *q;
	struct wait *w = arena_alloc(mem, sizeof(*w));

	w->mem = mem;
	own.done = on_answer;
	own.ctx = w;
	kube_send(k, &own);
	while (!w->done) {
		if (cancel && *cancel) {
			call_drop(k, w); /* its body is the caller's and goes with it */
			return err_set(e, ERR_CANCELLED, "told to stop");
		}
		kube_run(k, 100, -1);
	}
	if (w->a.code)
		return say(k, q, &w->a, e);
	if (!out)
		return 0;
	if (json_read(mem, w->a.body, w->a.len, out, e) < 0)
		return err_wrap(e, "%s %s", q->method, q->path);
	return 0;
}
