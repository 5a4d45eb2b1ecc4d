/* SPDX-License-Identifier: Apache-2.0 */
/* May these credentials do what berth does? Asked before the first write, all at once. */
#include <string.h>

#include "cli/doctor.h"
#include "lib/base/str.h"

#define REVIEWS "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
#define VERBS_MAX 8

/* What is asked of one resource; an empty namespace is all of them. */
struct right {
	const char *group, *resource, *ns, *name;
	const char *verbs[VERBS_MAX]; /* ends with NULL */
	const char *what_for;
};

static const char *const of_objects[] = { "get", "list", "watch", "create", "patch", "delete", NULL };
static const char *const to_see[] = { "get", "list", "watch", NULL };

/* ns "": the namespace of the inventory and the lease. */
static const struct right others[] = {
	{ "", "pods", NULL, NULL, { "get", "list", "watch", NULL }, "to say why an environment does not come up" },
	{ "", "events", NULL, NULL, { "list", "watch", NULL }, "to say why an environment does not come up" },
	{ "", "configmaps", "", NULL, { "get", "list", "watch", "create", "patch", NULL }, "to remember what it made" },
	{ "coordination.k8s.io", "leases", "", NULL, { "get", "create", "update", NULL }, "for the election of a leader" },
};

/* A role for berth names this one ClusterRole: no role says more than its writer may do. */
static const struct right our_role = { "rbac.authorization.k8s.io", "clusterroles", NULL, OUR_ROLE,
	{ "create", "patch", "delete", NULL }, "to apply what the templates render" };
static const struct right bind_role = { "rbac.authorization.k8s.io", "clusterroles", NULL, OUR_ROLE, { "bind", NULL },
	"to give users their own namespaces" };

struct asked {
	struct question *q;
	const char **verb;
	size_t n, cap;
};

static void
ask(struct doctor *d, struct asked *a, const struct right *r, const char *verb)
{
	struct value *attributes = value_map(d->mem), *spec = value_map(d->mem), *body = value_map(d->mem);

	if (a->n == a->cap) {
		a->q = arena_regrow(d->mem, a->q, a->n, a->cap ? a->cap * 2 : 64, sizeof(*a->q));
		a->verb = arena_regrow(d->mem, a->verb, a->n, a->cap ? a->cap * 2 : 64, sizeof(*a->verb));
		a->cap = a->cap ? a->cap * 2 : 64;
	}
	value_set(d->mem, attributes, "verb", value_str(d->mem, verb));
	value_set(d->mem, attributes, "group", value_str(d->mem, r->group));
	value_set(d->mem, attributes, "resource", value_str(d->mem, r->resource));
	if (r->ns)
		value_set(d->mem, attributes, "namespace", value_str(d->mem, *r->ns ? r->ns : d->inventory));
	if (r->name)
		value_set(d->mem, attributes, "name", value_str(d->mem, r->name));
	value_set(d->mem, spec, "resourceAttributes", attributes);
	value_set(d->mem, body, "apiVersion", value_str(d->mem, "authorization.k8s.io/v1"));
	value_set(d->mem, body, "kind", value_str(d->mem, "SelfSubjectAccessReview"));
	value_set(d->mem, body, "spec", spec);
	a->verb[a->n] = verb;
	a->q[a->n] = (struct question){ .method = "POST", .path = REVIEWS };
	question_body(d->mem, &a->q[a->n++], body);
}

/* One resource after its answers: which verbs are not allowed. */
static size_t
judge(struct doctor *d, const struct right *r, const struct asked *a, size_t from, size_t to, const char **broken)
{
	struct buf missing AUTO_BUF = BUF_INIT(0);
	const char *what;
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		if (a->q[i].code) {
			*broken = a->q[i].message;
			continue;
		}
		if (value_as_bool(value_at(a->q[i].answer, "status.allowed"), false))
			continue;
		buf_printf(&missing, "%s%s", missing.len ? ", " : "", a->verb[i]);
		n++;
	}
	if (!n)
		return 0;
	what = arena_printf(d->mem, "%s%s%s%s%s", r->resource, *r->group ? "." : "", r->group, r->name ? " " : "", r->name ? r->name : "");
	doctor_say(d, DOCTOR_FAIL, "rights",
	           arena_printf(d->mem, "grant it %s: deploy/kubernetes has every right that berth needs", r->what_for),
	           "may not %s %s%s%s", buf_cstr(&missing), what, r->ns ? " in " : "",
	           r->ns ? (*r->ns ? r->ns : d->inventory) : "");
	return n;
}

static size_t
collect(struct doctor *d, struct right *out, size_t max)
{
	struct map seen AUTO_MAP = MAP_INIT;
	size_t n = 0;
	const char *key;

	for (size_t i = 0; n < max && map_next(&d->kinds, &i, &key, NULL);) {
		const char *space = strchr(key, ' ');
		const struct kube_kind *kind;

		if (kube_kind(d->c.kube, arena_strndup(d->mem, key, (size_t)(space - key)), space + 1, &kind, NULL) < 0)
			continue; /* said by doctor_features */
		if (map_put(&seen, arena_printf(d->mem, "%s/%s", kind->group, kind->plural), d))
			continue;
		out[n] = (struct right){ .group = kind->group, .resource = kind->plural, .what_for = our_role.what_for };
		if (str_eq(kind->plural, our_role.resource) && !d->other_roles) {
			memcpy(out[n++].verbs, to_see, sizeof(to_see));
			if (n < max)
				out[n++] = our_role;
			continue;
		}
		memcpy(out[n++].verbs, of_objects, sizeof(of_objects));
	}
	for (size_t i = 0; n < max && i < sizeof(others) / sizeof(others[0]); i++)
		out[n++] = others[i];
	if (d->binds && n < max)
		out[n++] = bind_role;
	return n;
}

int
doctor_rights(struct doctor *d, struct err *e)
{
	size_t max = d->kinds.live + 16, *from, missing = 0, n;
	struct right *rights = arena_array(d->mem, max, sizeof(*rights));
	struct asked a = { 0 };
	const char *broken = NULL;
	int rc;

	n = collect(d, rights, max);
	from = arena_array(d->mem, n + 1, sizeof(*from));
	for (size_t i = 0; i < n; i++) {
		from[i] = a.n;
		for (const char *const *v = rights[i].verbs; *v; v++)
			ask(d, &a, &rights[i], *v);
	}
	from[n] = a.n;
	if ((rc = cluster_ask(&d->c, d->mem, a.q, a.n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		missing += judge(d, &rights[i], &a, from[i], from[i + 1], &broken);
	if (broken)
		doctor_say(d, DOCTOR_FAIL, "rights", "grant system:basic-user again: every account may ask about itself", "could not be asked: %s",
		           broken);
	if (!missing && !broken)
		doctor_say(d, DOCTOR_OK, "rights", NULL, "all %zu rights on %zu resources are there", a.n, n);
	return 0;
}
