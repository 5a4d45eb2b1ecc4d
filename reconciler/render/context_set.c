/* SPDX-License-Identifier: Apache-2.0 */
/* The template contexts of a user's, a team's and the organization's set. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/reserved.h"
#include "render/context_pod.h"

#define PORTS_MAX 1000
#define CLAIMS_MAX 1000
#define QUEUE_FLAVORS_MAX 64 /* what Kueue takes in one group */
#define SHARED_SIZE ((int64_t)100 << 30) /* bytes; file systems that grow by themselves ignore it */

static const struct value *
spec_of(const struct doc *d)
{
	return d ? d->spec : NULL;
}

/* One claim for each name that environments share, and the user's own shared volume. */
static struct value *
shared_claims(struct arena *mem, const struct doc *org, const struct doc *user, const struct env *const *envs, size_t n)
{
	const struct value *own = value_get(user->spec, "sharedVolume");
	const char *class = value_as_str(value_at(spec_of(org), "storage.sharedClass"), NULL);
	struct value *out = value_list(mem), *seen = value_map(mem);
	int64_t size = SHARED_SIZE;

	class = value_as_str(value_get(own, "class"), class);
	if (quantity_units(value_get(own, "size"), &size) < 0)
		size = SHARED_SIZE;
	for (size_t i = 0; i <= n; i++) {
		const char *name = NULL;

		if (i < n)
			name = value_as_str(value_get(envs[i]->spec, "sharedVolumeClaimName"), NULL);
		if (!name && own)
			name = arena_printf(mem, "%s-shared", user->name);
		/* with no environment that uses the default name, the user's volume stands all the same */
		if (!name || reserved_claim(name) || value_get(seen, name) || value_len(out) >= CLAIMS_MAX ||
		    (i == n && value_len(out) > 0))
			continue;
		value_set(mem, seen, name, value_bool(mem, true));
		value_push(mem, out, context_claim(mem, name, size, class, "RWX"));
	}
	return out;
}

static struct value *
network_port(struct arena *mem, int64_t port)
{
	struct value *out = value_map(mem);

	value_set(mem, out, "port", value_int(mem, port));
	value_set(mem, out, "protocol", value_str(mem, "TCP"));
	return out;
}

/* SSH, the web tools and every port that an environment opens, each once; beyond PORTS_MAX they stay closed. */
static struct value *
access_ports(struct arena *mem, const struct env *const *envs, size_t n)
{
	static const char *const tools[] = { "terminal", "jupyter", "vscode" };
	struct value *out = value_list(mem), *seen = value_map(mem);

	value_push(mem, out, network_port(mem, CONTEXT_SSH_PORT));
	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		value_push(mem, out, network_port(mem, context_web_port(tools[i])));
	for (size_t i = 0; i < value_len(out); i++)
		value_set(mem, seen,
		          arena_printf(mem, "%lld", (long long)value_as_int(value_get(value_item(out, i), "port"), 0)),
		          value_bool(mem, true));
	for (size_t i = 0; i < n; i++) {
		const struct value *more = value_at(envs[i]->spec, "access.ports");

		for (size_t k = 0; k < value_len(more); k++) {
			int64_t port = value_as_int(value_item(more, k), 0);
			const char *key = arena_printf(mem, "%lld", (long long)port);

			if (value_get(seen, key) || value_len(out) >= PORTS_MAX)
				continue;
			value_set(mem, seen, key, value_bool(mem, true));
			value_push(mem, out, network_port(mem, port));
		}
	}
	return out;
}

/* The name that the cluster's sign-in gives: oidc, else "oidc:" and the email. */
static struct value *
subject(struct arena *mem, const struct doc *user)
{
	const char *oidc = value_as_str(value_get(user->spec, "oidc"), NULL);
	const char *email = value_as_str(value_get(user->spec, "email"), NULL);

	if (oidc)
		return value_str(mem, oidc);
	return email ? value_fmt(mem, "oidc:%s", email) : value_null(mem);
}

static struct value *
team_queues(struct arena *mem, const struct site *s, const struct doc *user, const struct value *context)
{
	const struct value *teams = value_get(user->spec, "teams");
	struct value *out = value_list(mem);

	for (size_t i = 0; i < value_len(teams) && context_feature(context, "kueue"); i++) {
		const char *name = value_as_str(value_item(teams, i), "");

		if (value_get(spec_of(site_get(s, KIND_TEAM, name)), "queue"))
			value_push(mem, out, value_str(mem, name));
	}
	return out;
}

int
context_user(struct arena *mem, const struct site *s, const struct doc *user, const struct env *const *envs, size_t n,
             struct value **out, struct err *e)
{
	struct value *context = context_base(mem, s->org), *v = value_map(mem);
	const struct value *org = spec_of(s->org);
	const char *prefix = value_as_str(value_get(org, "namespacePrefix"), "dev-");
	const char *version = value_as_str(value_at(org, "cluster.version"), NULL);
	const char *on_delete = value_as_str(value_at(org, "defaults.lifecycle.onDelete"), "retain");

	(void)e;
	value_set(mem, context, "user", context_doc(mem, user));
	value_set(mem, context, "set", v);
	value_set(mem, v, "name", value_str(mem, user->name));
	value_set(mem, v, "namespace", value_fmt(mem, "%s%s", prefix, user->name));
	value_set(mem, v, "subject", subject(mem, user));
	value_set(mem, v, "podSecurity", value_str(mem, context_pod_security(s->org, envs, n)));
	value_set(mem, v, "podSecurityVersion", version ? value_fmt(mem, "v%s", version) : value_str(mem, "latest"));
	value_set(mem, v, "egress", value_str(mem, value_as_str(value_at(org, "security.egress"), "internet")));
	value_set(mem, v, "keep", value_bool(mem, strcmp(on_delete, "purge") != 0));
	value_set(mem, v, "quota", context_quota(mem, s->org, user, envs, n));
	value_set(mem, v, "limits", context_limits(mem, s->org, user, envs, n));
	value_set(mem, v, "claims", shared_claims(mem, s->org, user, envs, n));
	value_set(mem, v, "queues", team_queues(mem, s, user, context));
	value_set(mem, v, "accessPorts", access_ports(mem, envs, n));
	*out = context;
	return 0;
}

int
context_team(struct arena *mem, const struct site *s, const struct doc *team, struct value **out, struct err *e)
{
	struct value *context = context_base(mem, s->org), *v = value_map(mem);
	const struct value *q = value_get(team->spec, "queue");

	if (value_len(value_get(q, "quota")) > QUEUE_FLAVORS_MAX)
		return err_set(e, ERR_INVALID, "spec.queue.quota: at most %d flavors", QUEUE_FLAVORS_MAX);
	value_set(mem, context, "team", context_doc(mem, team));
	value_set(mem, context, "set", v);
	value_set(mem, v, "queue", q && context_feature(context, "kueue") ? context_queue(mem, s, q) : value_null(mem));
	*out = context;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct doc *const *)a)->name, (*(const struct doc *const *)b)->name);
}

int
context_org(struct arena *mem, const struct site *s, struct value **out, struct err *e)
{
	struct value *context = context_base(mem, s->org), *v = value_map(mem), *list = value_list(mem);
	const struct map *flavors = &s->docs[KIND_FLAVOR];
	const struct doc **sorted = arena_array(mem, flavors->live + 1, sizeof(*sorted));
	size_t n = 0;
	void *doc;

	(void)e;
	for (size_t i = 0; context_feature(context, "kueue") && map_next(flavors, &i, NULL, &doc);)
		sorted[n++] = doc;
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++) {
		struct value *f = value_map(mem), *nodes = value_get(sorted[i]->spec, "nodeSelector");
		struct value *levels = value_at(spec_of(s->org), "cluster.topology");
		struct value *tolerations = value_get(sorted[i]->spec, "tolerations");

		value_set(mem, f, "name", value_str(mem, sorted[i]->name));
		value_set(mem, f, "nodeSelector", value_len(nodes) > 0 ? nodes : value_null(mem));
		value_set(mem, f, "tolerations", value_len(tolerations) > 0 ? tolerations : value_null(mem));
		/* a topology is that of labelled nodes */
		value_set(mem, f, "topology", levels && value_len(nodes) > 0 ? levels : value_null(mem));
		value_push(mem, list, f);
	}
	value_set(mem, context, "set", v);
	value_set(mem, v, "flavors", list);
	*out = context;
	return 0;
}
