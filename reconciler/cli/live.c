/* SPDX-License-Identifier: Apache-2.0 */
/* Asking about rendered objects. */
#include "cli/live.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/kube/fields.h"
#include "plan/diff.h"

#define NOTE_UNIT "berth.dev/unit"
#define NOTE_ADOPT "berth.dev/adopt"
#define NOTE_SECRETS "berth.dev/secrets-hash" /* of the pods' template */
#define LABEL_PART_OF "applyset.kubernetes.io/part-of"
#define LABEL_MANAGED "berth.dev/managed"
#define LABEL_RETAINED "berth.dev/retained"
#define ELSEWHERE "default" /* every cluster has it */

/* What the target adds to every object when it applies: not rendered, and no difference. */
static const struct mark {
	const char *in, *key;
} marks[] = {
	{ "annotations", NOTE_UNIT },
	{ "annotations", "berth.dev/digest" },
	{ "annotations", NOTE_ADOPT },
	{ "labels", LABEL_PART_OF },
};

const char *
live_name(struct arena *mem, const char *kind, const char *name)
{
	return arena_printf(mem, "%s/%s", kind, name);
}

bool
live_is_secret(const struct live *l)
{
	return strcmp(l->o->kind, "Secret") == 0;
}

static int
resolve(struct cluster *c, struct arena *mem, struct live *l, struct err *e)
{
	struct err own = { 0 };
	int rc = kube_kind(c->kube, l->o->api_version, l->o->kind, &l->kind, &own);

	if (rc == 0) {
		l->look = (struct question){ .method = "GET", .path = kube_path(mem, l->kind, l->o->namespace_, l->o->name) };
		if (l->o->nparts)
			l->look.accept = KUBE_METADATA; /* nobody's data for a question about ours, which is not known here */
		return 0;
	}
	if (rc != ERR_NOTFOUND) {
		*e = own;
		return rc;
	}
	l->kind = NULL;
	l->trouble = arena_printf(mem, "%s%s%s", own.text, *own.hint ? "; " : "", own.hint);
	return 0;
}

/* One array of questions out of the objects', asked, and put back. */
static int
ask_column(struct cluster *c, struct arena *mem, struct live *l, size_t n, struct question *(*of)(struct live *), struct err *e)
{
	struct question *q = arena_array(mem, n + 1, sizeof(*q));
	int rc;

	for (size_t i = 0; i < n; i++)
		q[i] = *of(&l[i]);
	if ((rc = cluster_ask(c, mem, q, n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		*of(&l[i]) = q[i];
	return 0;
}

static struct question *
look_of(struct live *l)
{
	return &l->look;
}

static struct question *
anew_of(struct live *l)
{
	return &l->anew;
}

static struct question *
attempt_of(struct live *l)
{
	return &l->attempt;
}

int
live_look(struct cluster *c, struct arena *mem, const struct bundle *b, size_t n, struct live **out, size_t *nout, struct err *e)
{
	struct live *list;
	size_t k = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		k += b[i].n;
	list = arena_array(mem, k + 1, sizeof(*list));
	k = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < b[i].n; j++) {
			list[k] = (struct live){ .unit = &b[i], .o = &b[i].objects[j] };
			if ((rc = resolve(c, mem, &list[k++], e)) < 0)
				return rc;
		}
	if ((rc = ask_column(c, mem, list, k, look_of, e)) < 0)
		return rc;
	*out = list;
	*nout = k;
	return 0;
}

/* -- dry runs ---------------------------------------------------------------------------------------------------------------- */

static void
carry_marks(struct arena *mem, struct value *body, const struct value *live)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		struct value *meta = value_get(body, "metadata"), *map = value_get(meta, marks[i].in);
		const struct value *v = value_get(value_get(value_get(live, "metadata"), marks[i].in), marks[i].key);

		if (!v || value_get(map, marks[i].key))
			continue;
		if (!map) {
			map = value_map(mem);
			value_set(mem, meta, marks[i].in, map);
		}
		value_set(mem, map, marks[i].key, value_copy(mem, v));
	}
}

/*
 * The digest of sealed values is known to the daemon alone: here the live one stands for it. Below `v`, a copy of our own.
 */
static void
carry_unknown(struct arena *mem, struct value *v, const struct value *live)
{
	for (size_t i = 0; value_is(v, VALUE_MAP) && i < v->map.n; i++) {
		struct member *m = &v->map.items[i];
		const struct value *there = value_get(live, m->key);

		if (there && strcmp(m->key, NOTE_SECRETS) == 0)
			m->value = value_copy(mem, there);
		else
			carry_unknown(mem, m->value, there);
	}
	for (size_t i = 0; value_is(v, VALUE_LIST) && i < value_len(v); i++)
		carry_unknown(mem, value_item(v, i), value_item(live, i));
}

/*
 * A Secret that is sealed is asked about with nothing in it: whether it may be, whether its type goes together with its names. What the server answers
 * is without data.
 */
static void
nothing_in_it(struct arena *mem, const struct object *o, struct value *body, struct question *q)
{
	struct value *data = value_map(mem);

	if (!o->nparts)
		return;
	for (size_t i = 0; i < o->nparts; i++)
		value_set(mem, data, o->parts[i].key, value_str(mem, o->parts[i].kind == PART_DOCKER ? "e30=" : "LQ==")); /* "{}", "-" */
	value_set(mem, body, "data", data);
	q->accept = KUBE_METADATA;
}

static void
prepare(struct arena *mem, struct live *l, bool create, const struct map *missing)
{
	bool there = l->look.status == 200;
	struct value *body;
	const char *ns = l->o->namespace_;

	if (!l->kind || (!there && (!create || l->look.status != 404)))
		return;
	body = value_copy(mem, l->o->value);
	if (there) {
		carry_marks(mem, body, l->look.answer);
		carry_unknown(mem, body, l->look.answer);
		l->attempt = (struct question){ .method = "PATCH", .content_type = KUBE_APPLY,
			.path = arena_printf(mem, "%s?dryRun=All&force=true&fieldManager=" KUBE_MANAGER "&fieldValidation=Strict", l->look.path) };
	} else {
		if (ns && l->kind->namespaced && map_has(missing, ns)) {
			ns = l->elsewhere = ELSEWHERE;
			value_set(mem, value_get(body, "metadata"), "namespace", value_str(mem, ns));
		}
		l->attempt = (struct question){ .method = "POST",
			.path = arena_printf(mem, "%s?dryRun=All&fieldManager=" KUBE_MANAGER "&fieldValidation=Strict",
			                     kube_path(mem, l->kind, ns, NULL)) };
	}
	nothing_in_it(mem, l->o, body, &l->attempt);
	question_body(mem, &l->attempt, body);
}

/* Namespaces of objects that are not there: do they exist? */
static int
find_missing(struct cluster *c, struct arena *mem, const struct live *l, size_t n, struct map *missing, struct err *e)
{
	struct map seen AUTO_MAP = MAP_INIT;
	struct question *q = arena_array(mem, n + 1, sizeof(*q));
	const char **names = arena_array(mem, n + 1, sizeof(*names));
	size_t k = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const char *ns = l[i].o->namespace_;

		if (!ns || !l[i].kind || l[i].look.status != 404 || map_has(missing, ns) || map_has(&seen, ns))
			continue;
		(void)map_put(&seen, ns, NULL);
		names[k] = ns;
		q[k++] = (struct question){ .method = "GET", .path = arena_printf(mem, "/api/v1/namespaces/%s", ns), .accept = KUBE_METADATA };
	}
	if ((rc = cluster_ask(c, mem, q, k, e)) < 0)
		return rc;
	for (size_t i = 0; i < k; i++)
		if (q[i].status == 404)
			(void)map_put(missing, names[i], NULL);
	return 0;
}

/* A right to create that names its objects holds for the apply that berth sends, and never for a POST. */
static int
ask_by_name(struct cluster *c, struct arena *mem, struct live *l, size_t n, struct err *e)
{
	struct live *again = arena_array(mem, n + 1, sizeof(*again));
	size_t *from = arena_array(mem, n + 1, sizeof(*from)), k = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		if (l[i].attempt.status == 403 && !l[i].elsewhere && str_eq(l[i].attempt.method, "POST")) {
			from[k] = i;
			again[k] = l[i];
			again[k++].attempt = (struct question){ .method = "PATCH", .content_type = KUBE_APPLY, .body = l[i].attempt.body,
				.len = l[i].attempt.len,
				.path = arena_printf(mem, "%s?dryRun=All&fieldManager=" KUBE_MANAGER "&fieldValidation=Strict", l[i].look.path) };
		}
	if ((rc = ask_column(c, mem, again, k, attempt_of, e)) < 0)
		return rc;
	for (size_t i = 0; i < k; i++)
		l[from[i]] = again[i];
	return 0;
}

/* What cannot be changed in place is made anew, when the server would take it. */
static int
ask_anew(struct cluster *c, struct arena *mem, struct live *l, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (l[i].look.status != 200 || l[i].attempt.status != 422)
			continue;
		l[i].immutable = plan_immutable(l[i].o->kind, l[i].o->value, l[i].look.answer, fields_subset, mem);
		if (l[i].immutable && !live_is_volume(&l[i]))
			l[i].anew = (struct question){ .method = "POST", .body = l[i].attempt.body, .len = l[i].attempt.len,
				.path = arena_printf(mem, "%s?dryRun=All&fieldManager=" KUBE_MANAGER "&fieldValidation=Strict",
				                     kube_path(mem, l[i].kind, l[i].o->namespace_, NULL)) };
	}
	return ask_column(c, mem, l, n, anew_of, e);
}

int
live_attempt(struct cluster *c, struct arena *mem, struct live *l, size_t n, bool create, struct map *missing, struct err *e)
{
	int rc;

	if (create && (rc = find_missing(c, mem, l, n, missing, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		prepare(mem, &l[i], create, missing);
	if ((rc = ask_column(c, mem, l, n, attempt_of, e)) < 0 || (create && (rc = ask_by_name(c, mem, l, n, e)) < 0))
		return rc;
	return ask_anew(c, mem, l, n, e);
}

bool
live_is_ours(const struct live *l, const char *inventory)
{
	const struct value *meta = value_get(l->look.answer, "metadata"), *labels = value_get(meta, "labels");

	if (value_get(labels, LABEL_PART_OF) || value_get(labels, LABEL_RETAINED))
		return true;
	return inventory ? str_eq(value_as_str(value_get(value_get(meta, "annotations"), NOTE_ADOPT), NULL), inventory) :
	                   value_get(labels, LABEL_MANAGED) != NULL;
}

bool
live_is_volume(const struct live *l)
{
	return strcmp(l->o->kind, "PersistentVolumeClaim") == 0;
}

/* What is sent, with the target's marks. */
static struct value *
with_marks(struct arena *mem, const struct live *l)
{
	struct value *body = value_copy(mem, l->o->value);

	carry_marks(mem, body, l->look.answer);
	carry_unknown(mem, body, l->look.answer);
	return body;
}

void
live_differences(struct arena *mem, const struct live *l, struct differences *out)
{
	bool asked = l->attempt.status == 200 && l->attempt.answer;
	struct differ d = { .mem = mem, .subset = !asked, .secret = live_is_secret(l), .manager = KUBE_MANAGER };

	if (l->o->nparts) { /* all that can be compared without the key */
		struct value *meta = value_map(mem);

		d.subset = true;
		value_set(mem, meta, "metadata", value_get(l->o->value, "metadata"));
		differ_objects(&d, l->look.answer, meta, out);
		return;
	}
	differ_objects(&d, l->look.answer, asked ? l->attempt.answer : with_marks(mem, l), out);
	differ_added(&d, l->o->kind, l->look.answer, with_marks(mem, l), out);
}

/* "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535" */
static const char *
cause_line(struct arena *mem, const struct value *cause, bool secret)
{
	const char *field = value_as_str(value_get(cause, "field"), ""), *text = value_as_str(value_get(cause, "message"), "");
	struct buf line AUTO_BUF = BUF_INIT(0);

	if (secret)
		text = value_as_str(value_get(cause, "reason"), "not accepted");
	buf_printf(&line, "%s%s%s", field, *field ? ": " : "", text);
	return str_line(mem, buf_cstr(&line));
}

void
live_causes(struct arena *mem, const struct question *q, bool secret, const char ***out, size_t *n)
{
	const struct value *causes = value_at(q->answer, "details.causes");
	size_t k = q->status == 422 ? value_len(causes) : 0;
	const char **lines = arena_array(mem, k + 1, sizeof(*lines));

	for (size_t i = 0; i < k; i++)
		lines[i] = cause_line(mem, value_item(causes, i), secret);
	if (!k)
		lines[k++] = !secret || q->status == 403 || q->status == 404 ?
		                     q->message :
		                     arena_printf(mem, "HTTP status %ld, %s (the server's words may hold values)", q->status, q->reason);
	*out = lines;
	*n = k;
}
