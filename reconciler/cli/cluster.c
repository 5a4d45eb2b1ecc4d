/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a cluster, and asking it many things at once. */
#include "cli/cluster.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/doc/json.h"

#define WINDOW 32
#define ROUNDS 4
#define WAIT_MAX_MS 5000
#define PLUGINS 16

int
cluster_options(const struct args *a, struct kube_config_options *out, struct err *e)
{
	struct kube_config_options o = { .kubeconfig = args_str(a, "kubeconfig", NULL), .context = args_str(a, "context", NULL) };
	const char **allow = arena_array(a->mem, PLUGINS, sizeof(*allow)), *list = args_str(a, "kubeconfig-exec", "");

	while (*list && o.nexec_allow < PLUGINS) {
		size_t n = strcspn(list, ":");

		if (*list != '/')
			return err_set(e, ERR_USAGE, "--kubeconfig-exec %.*s: write an absolute path", (int)n, list);
		allow[o.nexec_allow++] = arena_strndup(a->mem, list, n);
		list += n + (list[n] == ':');
	}
	if (*list)
		return err_set(e, ERR_USAGE, "--kubeconfig-exec: at most %d paths", PLUGINS);
	o.exec_allow = allow;
	*out = o;
	return 0;
}

int
cluster_of_args(const struct args *a, struct cluster *out, struct err *e)
{
	struct kube_config_options o;
	int rc;

	if ((rc = cluster_options(a, &o, e)) < 0 || (rc = kube_config_load(&o, a->mem, &out->config, e)) < 0)
		return rc;
	out->kube = kube_new(&out->config, NULL, NULL);
	return 0;
}

void
cluster_close(struct cluster *c)
{
	kube_free(c->kube);
	c->kube = NULL;
}

/* -- many questions ---------------------------------------------------------------------------------------------------- */

struct asking {
	struct arena *mem;
	size_t flying;
	const struct question *lost; /* the first that got no answer */
	int64_t wait_ms;             /* the longest that the server asked for */
	bool last;                   /* no further round */
};

struct flight {
	struct asking *w;
	struct question *q;
};

static void
on_answer(void *ctx, const struct kube_answer *a)
{
	const struct flight *f = ctx;
	struct question *q = f->q;
	struct value *v = NULL;

	f->w->flying--;
	q->code = a->code;
	q->status = a->status;
	q->took_ms = a->took_ms;
	q->reason = arena_strdup(f->w->mem, a->reason);
	q->message = arena_strdup(f->w->mem, a->message);
	q->again = !f->w->last && (a->status == 429 || a->status == 503);
	q->answer = a->len && json_read(f->w->mem, a->body, a->len, &v, NULL) == 0 ? v : NULL;
	if (q->again && a->retry_after_ms > f->w->wait_ms)
		f->w->wait_ms = a->retry_after_ms < WAIT_MAX_MS ? a->retry_after_ms : WAIT_MAX_MS;
	if (!f->w->lost && a->code && (!a->status || a->status == 401))
		f->w->lost = q;
}

static void
one_round(struct cluster *c, struct asking *w, struct question *q, size_t n, bool first)
{
	for (size_t i = 0; i < n || w->flying;) {
		while (i < n && w->flying < WINDOW && !w->lost) {
			struct question *one = &q[i++];
			struct flight *f;

			if (!one->path || (!first && !one->again))
				continue;
			f = arena_alloc(w->mem, sizeof(*f));
			*f = (struct flight){ w, one };
			w->flying++;
			kube_send(c->kube, &(struct kube_request){ .method = one->method, .path = one->path, .accept = one->accept,
				.content_type = one->content_type, .body = one->body, .body_len = one->len, .done = on_answer, .ctx = f });
		}
		if (w->lost)
			i = n;
		if (w->flying)
			kube_run(c->kube, 100, -1);
	}
}

static int
say_lost(const struct cluster *c, const struct question *q, struct err *e)
{
	(void)err_set(e, q->code, "%s %s%.*s: %s", q->method, kube_server(c->kube), (int)strcspn(q->path, "?"), q->path, q->message);
	if (q->status == 401)
		return err_hint(e, "the API server does not know these credentials (%s): has the token expired?", c->config.source);
	return err_hint(e, "is %s the right API server and is it up? It was read from %s", kube_server(c->kube), c->config.source);
}

static bool
some_again(const struct question *q, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (q[i].again)
			return true;
	return false;
}

int
cluster_ask(struct cluster *c, struct arena *mem, struct question *q, size_t n, struct err *e)
{
	struct asking *w = arena_alloc(mem, sizeof(*w));

	w->mem = mem;
	for (unsigned round = 0; round < ROUNDS && (!round || some_again(q, n)); round++) {
		if (round)
			clock_sleep_ms(w->wait_ms ? w->wait_ms : 200 << round);
		w->wait_ms = 0;
		w->last = round + 1 == ROUNDS;
		one_round(c, w, q, n, !round);
		if (w->lost)
			return say_lost(c, w->lost, e);
	}
	return 0;
}

void
question_body(struct arena *mem, struct question *q, const struct value *v)
{
	struct buf text AUTO_BUF = BUF_INIT(0);

	json_write(v, 0, &text);
	q->body = arena_strndup(mem, buf_cstr(&text), text.len);
	q->len = text.len;
}
