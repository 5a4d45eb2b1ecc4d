/* SPDX-License-Identifier: Apache-2.0 */
/* List, then watch: resumed where it was cut, begun anew where the server has forgotten. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kube/priv.h"

#define PAGE "100"
#define PAGE_WHOLE "40" /* a page is held as text and twice as a tree: 2 MB */
#define LIST_MAX ((size_t)64 << 20)  /* bytes of a page */
#define EVENT_MAX ((size_t)8 << 20)  /* bytes of one event */
#define EVENT_ARENA ((size_t)512 << 20)
#define LIST_TIMEOUT_MS 60000
#define STREAM_S "290"               /* the server ends a stream after so long */
#define SILENT_MS 150000             /* bookmarks come about once a minute */
#define FIRST_MS 200
#define MOST_MS 15000

enum step { STEP_WAIT, STEP_LIST, STEP_WATCH };

struct kube_watch {
	struct kube *k;
	struct kube_watch *next;
	struct kube_watch_config c;
	char *ns, *labels, *fields; /* owned copies; selectors percent-encoded */
	enum step step;
	bool listing;      /* what STEP_WAIT waits for: a list, or a stream */
	bool synced, gone, fresh_token;
	char rv[32];
	char *more;        /* of a list with further pages */
	int64_t due, begun;
	unsigned failures;
	struct buf line;
	struct hub_transfer *t;
	struct arena *mem; /* of one event or page */
};

static char *
encoded(const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	struct buf b = BUF_INIT(65536);

	for (; *s; s++) {
		if (strchr(plain, *s))
			buf_char(&b, *s);
		else
			buf_printf(&b, "%%%02X", (unsigned)(unsigned char)*s);
	}
	if (!b.data)
		buf_add(&b, "", 0);
	return b.data ? b.data : calloc(1, 1);
}

static void
again_in(struct kube_watch *w, int64_t ms)
{
	w->step = STEP_WAIT;
	w->due = clock_mono_ms() + ms;
}

static void
failed(struct kube_watch *w, const struct kube_answer *a)
{
	struct err e = { 0 };
	int64_t ms = clock_backoff(FIRST_MS, w->failures, MOST_MS);

	if (w->failures < 30)
		w->failures++;
	if (a->retry_after_ms > ms)
		ms = a->retry_after_ms < 120000 ? a->retry_after_ms : 120000;
	if (w->c.on_trouble) {
		(void)err_set(&e, a->code, "%s of %s: %s", w->listing ? "list" : "watch", w->c.kind->plural, a->message);
		if (a->status == 403)
			(void)err_hint(&e, "grant list and watch on it: deploy/kubernetes/clusterrole.yaml; `berth doctor` checks");
		w->c.on_trouble(w->c.ctx, &e);
	}
	again_in(w, ms);
}

/* -- the list ------------------------------------------------------------------------------------------------------------ */

static void
keep_rv(struct kube_watch *w, const struct value *metadata)
{
	const char *rv = value_as_str(value_get(metadata, "resourceVersion"), "");

	if (*rv && strlen(rv) < sizeof(w->rv))
		(void)snprintf(w->rv, sizeof(w->rv), "%s", rv);
}

/* Events carry their kind; items of a list do not. */
static void
name_kind(struct kube_watch *w, struct value *item)
{
	if (item->type != VALUE_MAP || value_get(item, "kind"))
		return;
	value_set(w->mem, item, "apiVersion", value_str(w->mem, kube_api_version(w->mem, w->c.kind)));
	value_set(w->mem, item, "kind", value_str(w->mem, w->c.kind->kind));
}

static void
take_page(struct kube_watch *w, const struct value *v)
{
	const struct value *items = value_get(v, "items"), *meta = value_get(v, "metadata");
	const char *more = value_as_str(value_get(meta, "continue"), "");

	for (size_t i = 0; i < value_len(items); i++) {
		name_kind(w, items->list.items[i]);
		w->c.on_event(w->c.ctx, KUBE_ADDED, value_item(items, i));
	}
	keep_rv(w, meta);
	free(w->more);
	w->more = *more ? strdup(more) : NULL;
	if (*more && !w->more)
		abort();
	w->failures = 0;
	if (!w->more) {
		w->synced = true;
		w->listing = false;
		if (w->c.on_synced)
			w->c.on_synced(w->c.ctx);
	}
	again_in(w, 0);
}

static void
start_over(struct kube_watch *w)
{
	free(w->more);
	w->more = NULL;
	w->listing = true;
	w->synced = false;
}

static void
on_list(void *ctx, const struct hub_answer *h)
{
	struct kube_watch *w = ctx;
	struct kube_answer a;
	struct value *v;

	w->t = NULL;
	answer_read(w->k, h, &a);
	w->fresh_token = a.status == 401;
	if (a.code == 0) {
		arena_reset(w->mem);
		/* something else with status 200 must not say that nothing is there */
		if (json_read(w->mem, h->body, h->len, &v, NULL) == 0 && str_ends(value_as_str(value_get(v, "kind"), ""), "List")) {
			take_page(w, v);
			arena_reset(w->mem);
			return;
		}
		a.code = ERR_UNAVAILABLE;
		a.message = "the answer is no list";
	}
	if (a.status == 410) /* the pages have expired */
		start_over(w);
	failed(w, &a);
}

/* -- the stream ------------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	enum kube_event event;
} events[] = { { "ADDED", KUBE_ADDED }, { "MODIFIED", KUBE_MODIFIED }, { "DELETED", KUBE_DELETED } };

static void
take_event(struct kube_watch *w, const char *line, size_t n)
{
	const char *type;
	const struct value *object;
	struct value *v;

	arena_reset(w->mem);
	if (json_read(w->mem, line, n, &v, NULL) < 0)
		return; /* a cut line: the stream is resumed from the last whole one */
	type = value_as_str(value_get(v, "type"), "");
	object = value_get(v, "object");
	if (str_eq(type, "ERROR")) {
		w->gone = value_as_int(value_get(object, "code"), 0) == 410;
		return;
	}
	keep_rv(w, value_get(object, "metadata"));
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (str_eq(type, events[i].name))
			w->c.on_event(w->c.ctx, events[i].event, object);
}

static bool
on_data(void *ctx, const char *p, size_t n)
{
	struct kube_watch *w = ctx;
	const char *end;

	w->failures = 0;
	while ((end = memchr(p, '\n', n))) {
		size_t k = (size_t)(end - p);

		if (w->line.len) {
			buf_add(&w->line, p, k);
			if (!w->line.over)
				take_event(w, buf_cstr(&w->line), w->line.len);
			buf_reset(&w->line);
		} else if (k) {
			/* json_read wants no terminator, but the piece may end in the middle of curl's buffer: copied only then */
			take_event(w, p, k);
		}
		p += k + 1;
		n -= k + 1;
	}
	buf_add(&w->line, p, n);
	return !w->line.over;
}

static void
on_stream_end(void *ctx, const struct hub_answer *h)
{
	struct kube_watch *w = ctx;
	struct kube_answer a;

	w->t = NULL;
	buf_reset(&w->line);
	if (w->line.cap > 256 * 1024)
		buf_free(&w->line);
	answer_read(w->k, h, &a);
	w->fresh_token = a.status == 401;
	if (a.status == 410 || w->gone) {
		w->gone = false;
		start_over(w);
		again_in(w, FIRST_MS);
	} else if (a.code == 0 || (a.status == 0 && clock_mono_ms() - w->begun > 1000)) {
		/* ended by the server, or cut after a while: go on where it was */
		again_in(w, clock_mono_ms() - w->begun > 1000 ? 0 : FIRST_MS);
	} else {
		failed(w, &a);
	}
}

/* -- starting ---------------------------------------------------------------------------------------------------------------- */

static char *
watch_url(struct kube_watch *w)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 20);
	const char *path = kube_path(mem, w->c.kind, w->ns, NULL);
	char *url = NULL, *more = w->more ? encoded(w->more) : NULL, *what;

	if (w->listing)
		what = arena_printf(mem, "limit=%s%s%s", w->c.metadata_only ? PAGE : PAGE_WHOLE, more ? "&continue=" : "", more ? more : "");
	else
		what = arena_printf(mem, "watch=1&allowWatchBookmarks=true&timeoutSeconds=" STREAM_S "&resourceVersion=%s", w->rv);
	if (asprintf(&url, "%s%s?%s%s%s%s%s", w->k->c->server, path, what, w->labels ? "&labelSelector=" : "",
	             w->labels ? w->labels : "", w->fields ? "&fieldSelector=" : "", w->fields ? w->fields : "") < 0)
		abort();
	free(more);
	return url;
}

static void
begin_step(struct kube_watch *w)
{
	struct hub_request q = { .method = "GET", .ctx = w };
	struct err e = { 0 };
	char *url;

	if (kube_token_read(w->k->tokens, w->fresh_token, &q.bearer, &e) < 0) {
		struct kube_answer a = { .code = e.code, .message = e.text, .retry_after_ms = -1 };

		failed(w, &a);
		return;
	}
	if (w->listing && !w->more && w->c.on_begin)
		w->c.on_begin(w->c.ctx);
	url = watch_url(w);
	q.url = url;
	w->begun = clock_mono_ms();
	if (w->listing) {
		w->step = STEP_LIST;
		q.accept = w->c.metadata_only ? KUBE_METADATA_LIST : "application/json";
		q.answer_max = LIST_MAX;
		q.timeout_ms = LIST_TIMEOUT_MS;
		q.on_done = on_list;
	} else {
		w->step = STEP_WATCH;
		q.accept = w->c.metadata_only ? KUBE_METADATA : "application/json";
		q.idle_ms = SILENT_MS;
		q.on_data = on_data;
		q.on_done = on_stream_end;
	}
	w->t = hub_start(w->k->hubs[1], &q);
	free(url);
}

int64_t
watches_turn(struct kube *k, int64_t ms)
{
	int64_t now = clock_mono_ms();

	for (struct kube_watch *w = k->watches; w; w = w->next) {
		if (w->step != STEP_WAIT)
			continue;
		if (w->due <= now)
			begin_step(w);
		if (w->step == STEP_WAIT && w->due - now < ms)
			ms = w->due > now ? w->due - now : 1;
	}
	return ms;
}

struct kube_watch *
kube_watch_start(struct kube *k, const struct kube_watch_config *c)
{
	struct kube_watch *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->k = k;
	w->c = *c;
	w->ns = c->ns ? strdup(c->ns) : NULL;
	if (c->ns && !w->ns)
		abort();
	w->labels = c->label_selector ? encoded(c->label_selector) : NULL;
	w->fields = c->field_selector ? encoded(c->field_selector) : NULL;
	w->line.max = EVENT_MAX;
	w->mem = arena_new(EVENT_ARENA);
	w->listing = true;
	w->next = k->watches;
	k->watches = w;
	return w;
}

void
kube_watch_stop(struct kube_watch *w)
{
	struct kube_watch **at;

	if (!w)
		return;
	for (at = &w->k->watches; *at && *at != w; at = &(*at)->next)
		;
	if (*at)
		*at = w->next;
	if (w->t)
		hub_cancel(w->k->hubs[1], w->t);
	buf_free(&w->line);
	arena_free(w->mem);
	free(w->more);
	free(w->ns);
	free(w->labels);
	free(w->fields);
	free(w);
}

bool
kube_watch_synced(const struct kube_watch *w)
{
	return w->synced;
}

uint64_t
kube_watch_version(const struct kube_watch *w)
{
	int64_t n = 0;

	return str_to_i64(w->rv, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}
