/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ApplySet's parent (KEP-3659): a ConfigMap that says which kinds of objects berth has, before the first of a kind is written, so
 * that whatever happens the next process finds them all by their label. It also remembers the commit of main that is applied, and
 * which units are being deleted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#define KINDS_NOTE "applyset.kubernetes.io/contains-group-kinds"
#define FIRST_MS 250
#define MOST_MS 16000

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* "applyset-" base64url(sha256("name.namespace.kind.group")) "-v1" */
static void
applyset_id(struct target_kube *t)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 16);
	const char *what = arena_printf(mem, "%s.%s.ConfigMap.", t->inventory, t->namespace_);
	struct digest d;
	char text[48];
	size_t k = 0;
	unsigned bits = 0, have = 0;

	hash_bytes(what, strlen(what), &d);
	for (size_t i = 0; i < sizeof(d.b); i++) {
		bits = bits << 8 | d.b[i];
		for (have += 8; have >= 6; have -= 6)
			text[k++] = base64url[bits >> (have - 6) & 63];
	}
	text[k++] = base64url[bits << (6 - have) & 63];
	text[k] = '\0';
	(void)snprintf(t->id, sizeof(t->id), "applyset-%s-v1", text);
}

static char *
parent_path(struct target_kube *t, struct arena *mem)
{
	return arena_printf(mem, "/api/v1/namespaces/%s/configmaps/%s", t->namespace_, t->inventory);
}

/* -- reading ------------------------------------------------------------------------------------------------------------------- */

static void
read_words(struct map *into, struct arena *mem, const char *text, char by)
{
	while (*text) {
		size_t n = strcspn(text, (char[]){ by, '\0' });

		if (n)
			(void)map_put(into, arena_strndup(mem, text, n), NULL);
		text += n + (text[n] != '\0');
	}
}

static void
drop_nonsense(struct map *units)
{
	const char *name;

	for (size_t i = 0; map_next(units, &i, &name, NULL);)
		if (!unit_name_valid(name))
			(void)map_del(units, name);
}

static void
follow_listed(struct target_kube *t)
{
	const char *name;

	for (size_t i = 0; map_next(&t->listed, &i, &name, NULL);) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 16);
		size_t n = strcspn(name, ".");
		const struct kube_kind *k = kube_kind_any(t->kube, name[n] ? name + n + 1 : "", arena_strndup(mem, name, n));

		if (k && k->can_list && k->can_watch)
			(void)kind_follow(t, k);
	}
}

static int
make_namespace(struct target_kube *t, struct arena *mem, struct err *e)
{
	struct kube_request q = { .method = "POST", .path = "/api/v1/namespaces?fieldManager=" KUBE_MANAGER };
	int rc;

	q.body = arena_printf(mem, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}", t->namespace_);
	q.body_len = strlen(q.body);
	rc = kube_call(t->kube, mem, &q, NULL, NULL, e);
	return rc == ERR_CONFLICT ? 0 : rc;
}

int
parent_open(struct target_kube *t, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct kube_request ns = { .method = "GET" }, q = { .method = "GET", .path = parent_path(t, mem) };
	struct value *v = NULL;
	int rc;

	applyset_id(t);
	rc = kube_call(t->kube, mem, &q, NULL, &v, e);
	if (rc == ERR_NOTFOUND) {
		ns.path = arena_printf(mem, "/api/v1/namespaces/%s", t->namespace_);
		rc = kube_call(t->kube, mem, &ns, NULL, NULL, e);
		if (rc == ERR_NOTFOUND)
			rc = make_namespace(t, mem, e);
	}
	if (rc < 0)
		return err_wrap(e, "inventory %s/%s", t->namespace_, t->inventory);
	if (v) {
		const char *kinds = value_as_str(value_get(value_at(v, "metadata.annotations"), KINDS_NOTE), "");
		const char *commit = value_as_str(value_at(v, "data.sourceCommit"), "");

		if (!str_eq(value_as_str(value_get(value_at(v, "metadata.labels"), "applyset.kubernetes.io/id"), NULL), t->id)) {
			(void)err_set(e, ERR_DENIED, "ConfigMap %s/%s is there and not the parent of this ApplySet", t->namespace_, t->inventory);
			return err_hint(e, "choose another --inventory, or find out who made it and remove it");
		}
		read_words(&t->listed, mem, kinds, ',');
		read_words(&t->drops, mem, value_as_str(value_at(v, "data.deleting"), ""), '\n');
		drop_nonsense(&t->drops);
		t->has_source = oid_parse(commit, &t->source) == 0;
		t->owes = t->drops.live > 0; /* the last process may have ended between the two */
	}
	follow_listed(t);
	return 0;
}

/* -- writing ---------------------------------------------------------------------------------------------------------------------- */

void
parent_list(struct target_kube *t, const struct kube_kind *kind)
{
	char name[256];

	if (snprintf(name, sizeof(name), "%s%s%s", kind->kind, *kind->group ? "." : "", kind->group) >= (int)sizeof(name) ||
	    map_has(&t->listed, name))
		return;
	(void)map_put(&t->listed, name, NULL);
	t->parent_dirty = true;
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static const char *
words_of(struct arena *mem, const struct map *m, const char *by)
{
	struct buf text AUTO_BUF = BUF_INIT((size_t)1 << 20);
	const char **names = arena_array(mem, m->live + 1, sizeof(*names)), *name;
	size_t n = 0;

	for (size_t i = 0; map_next(m, &i, &name, NULL);)
		names[n++] = name;
	if (n)
		qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s%s", i ? by : "", names[i]);
	return arena_strdup(mem, buf_cstr(&text));
}

static char *
parent_body(struct target_kube *t)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct value *v = value_map(mem), *meta = value_map(mem), *labels = value_map(mem), *notes = value_map(mem), *data = value_map(mem);
	struct buf text = BUF_INIT((size_t)1 << 20);
	char hex[OID_HEX];

	value_set(mem, v, "apiVersion", value_str(mem, "v1"));
	value_set(mem, v, "kind", value_str(mem, "ConfigMap"));
	value_set(mem, labels, "applyset.kubernetes.io/id", value_str(mem, t->id));
	value_set(mem, notes, "applyset.kubernetes.io/tooling", value_str(mem, "berth/v" BERTH_VERSION));
	value_set(mem, notes, KINDS_NOTE, value_str(mem, words_of(mem, &t->listed, ",")));
	value_set(mem, meta, "name", value_str(mem, t->inventory));
	value_set(mem, meta, "namespace", value_str(mem, t->namespace_));
	value_set(mem, meta, "labels", labels);
	value_set(mem, meta, "annotations", notes);
	value_set(mem, v, "metadata", meta);
	if (t->has_source) {
		oid_hex(&t->source, hex);
		value_set(mem, data, "sourceCommit", value_str(mem, hex));
	}
	if (t->drops.live)
		value_set(mem, data, "deleting", value_str(mem, words_of(mem, &t->drops, "\n")));
	value_set(mem, v, "data", data);
	json_write(v, 0, &text);
	return text.data;
}

static void
on_written(void *ctx, const struct kube_answer *a)
{
	struct target_kube *t = ctx;
	int64_t ms = clock_backoff(FIRST_MS, t->parent_tries, MOST_MS);

	free(t->parent_sent);
	t->parent_sent = NULL;
	t->parent_flying = false;
	t->lost = a->status ? 0 : t->lost + 1;
	t->lost_at = a->status ? t->lost_at : clock_mono_ms();
	if (a->code == 0) {
		t->parent_tries = 0;
		t->parent_trouble.code = 0;
		if (t->parent_pays) {
			t->owes = t->parent_pays = false;
			drops_finished(t);
		}
		return;
	}
	t->parent_tries += t->parent_tries < 20;
	t->parent_due = clock_mono_ms() + (ms < a->retry_after_ms ? a->retry_after_ms : ms);
	t->parent_dirty = true; /* nothing is written until it is */
	t->pays |= t->parent_pays;
	t->parent_pays = false;
	(void)err_set(&t->parent_trouble, a->code, "inventory %s/%s: %s", t->namespace_, t->inventory, a->message);
}

void
parent_turn(struct target_kube *t)
{
	struct arena *AUTO_ARENA mem = NULL;
	struct kube_request q = { .method = "PATCH", .content_type = KUBE_APPLY, .accept = KUBE_METADATA, .done = on_written, .ctx = t };

	if ((!t->parent_dirty && !t->source_dirty) || t->parent_flying || clock_mono_ms() < t->parent_due)
		return;
	mem = arena_new((size_t)1 << 16);
	t->parent_dirty = t->source_dirty = false;
	t->parent_flying = true;
	t->parent_pays = t->pays;
	t->pays = false;
	t->parent_sent = parent_body(t);
	q.path = arena_printf(mem, "%s?fieldManager=" KUBE_MANAGER "&force=true", parent_path(t, mem));
	q.body = t->parent_sent;
	q.body_len = strlen(t->parent_sent);
	t->requests++;
	t->writes++;
	kube_send(t->kube, &q);
}
