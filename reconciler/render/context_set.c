/* SPDX-License-Identifier: Apache-2.0 */
/* The template contexts of a user's, a team's and the organization's set. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/reserved.h"
#include "render/context.h"

#define PORTS_MAX 1000
#define CLAIMS_MAX 1000
#define QUEUE_FLAVORS_MAX 64 /* what Kueue takes in one group */
#define SHARED_SIZE ((int64_t)100 << 30) /* bytes; file systems that grow by themselves ignore it */

static const struct value *
spec_of(const struct doc *d)
{
	return d ? d->spec : NULL;
}

/* The user's limit, else the role's; NULL when there is none. */
static const struct value *
limit_of(const struct doc *org, const struct doc *user, const char *name)
{
	const struct value *own = value_get(value_get(user->spec, "limits"), name);
	const char *role = value_as_str(value_get(user->spec, "role"), "standard");

	return own ? own : value_get(value_get(value_get(spec_of(org), "roles"), role), name);
}

/* Limits and what the ResourceQuota counts them by. */
static const struct {
	const char *limit, *resource;
} quota_rows[] = {
	{ "cpu", "requests.cpu" },
	{ "memory", "requests.memory" },
	{ "gpu", "requests.nvidia.com/gpu" },
	{ "storage", "requests.storage" },
	{ "environments", "count/statefulsets.apps" },
};

static bool
has_address(const struct env *env)
{
	const char *org = value_as_str(value_at(spec_of(env->org), "access.ssh"), "bastion");

	return strcmp(value_as_str(value_at(env->spec, "access.ssh.via"), org), "loadBalancer") == 0;
}

static struct value *
quota(struct arena *mem, const struct doc *org, const struct doc *user, const struct env *const *envs, size_t n)
{
	struct value *out = value_map(mem);
	int64_t addresses = 0, milli;

	for (size_t i = 0; i < sizeof(quota_rows) / sizeof(*quota_rows); i++) {
		const struct value *limit = limit_of(org, user, quota_rows[i].limit);

		if (!limit || quantity_milli(limit, &milli) < 0)
			continue;
		value_set(mem, out, quota_rows[i].resource,
		          value_str(mem, strcmp(quota_rows[i].limit, "cpu") == 0 ? quantity_cpu_text(mem, milli)
		                                                                 : quantity_bytes_text(mem, milli / 1000)));
	}
	for (size_t i = 0; i < n; i++)
		if (has_address(envs[i]))
			addresses += value_as_bool(value_get(envs[i]->spec, "enableSSH"), true) +
			             (value_len(value_at(envs[i]->spec, "access.web")) > 0 ||
			              value_len(value_at(envs[i]->spec, "access.ports")) > 0);
	value_set(mem, out, "services.loadbalancers", value_fmt(mem, "%lld", (long long)addresses));
	value_set(mem, out, "services.nodeports", value_str(mem, "0"));
	return out;
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
	value_set(mem, v, "podSecurity", value_str(mem, value_as_str(value_at(org, "security.podSecurity"), "restricted")));
	value_set(mem, v, "podSecurityVersion", version ? value_fmt(mem, "v%s", version) : value_str(mem, "latest"));
	value_set(mem, v, "egress", value_str(mem, value_as_str(value_at(org, "security.egress"), "internet")));
	value_set(mem, v, "keep", value_bool(mem, strcmp(on_delete, "purge") != 0));
	value_set(mem, v, "quota", quota(mem, s->org, user, envs, n));
	value_set(mem, v, "claims", shared_claims(mem, s->org, user, envs, n));
	value_set(mem, v, "queues", team_queues(mem, s, user, context));
	value_set(mem, v, "accessPorts", access_ports(mem, envs, n));
	*out = context;
	return 0;
}

/*
 * What every flavor of a ClusterQueue must cover: all flavors of one group list the same resources in the same order, and
 * a resource that is not covered is never admitted. Huge pages may take all of the memory.
 */
static const struct {
	const char *field, *resource;
} queue_rows[] = {
	{ "cpu", "cpu" },
	{ "memory", "memory" },
	{ "memory", "hugepages-2Mi" },
	{ "memory", "hugepages-1Gi" },
	{ "gpu", "nvidia.com/gpu" },
};

/* A quota of 0 where the team says nothing: Kueue admits no pod that asks for a resource it does not know. */
static struct value *
queue_flavor(struct arena *mem, const char *name, const struct value *amounts, const struct value *borrow)
{
	struct value *out = value_map(mem), *list = value_list(mem);

	for (size_t i = 0; i < sizeof(queue_rows) / sizeof(*queue_rows); i++) {
		struct value *row = value_map(mem), *amount = value_get(amounts, queue_rows[i].field);
		struct value *limit = value_get(borrow, queue_rows[i].field);

		value_set(mem, row, "name", value_str(mem, queue_rows[i].resource));
		value_set(mem, row, "nominalQuota", amount ? amount : value_str(mem, "0"));
		if (limit)
			value_set(mem, row, "borrowingLimit", limit);
		value_push(mem, list, row);
	}
	value_set(mem, out, "name", value_str(mem, name));
	value_set(mem, out, "resources", list);
	return out;
}

static struct value *
cluster_queue(struct arena *mem, const struct value *q)
{
	const struct value *amounts = value_get(q, "quota"), *cohort = value_get(q, "cohort");
	struct value *out = value_map(mem), *group = value_map(mem), *groups = value_list(mem);
	struct value *covered = value_list(mem), *flavors = value_list(mem), *fair = NULL;

	for (size_t i = 0; i < sizeof(queue_rows) / sizeof(*queue_rows); i++)
		value_push(mem, covered, value_str(mem, queue_rows[i].resource));
	for (size_t i = 0; value_is(amounts, VALUE_MAP) && i < amounts->map.n; i++)
		value_push(mem, flavors, queue_flavor(mem, amounts->map.items[i].key, amounts->map.items[i].value,
		                                      cohort ? value_get(q, "borrow") : NULL));
	value_set(mem, group, "coveredResources", covered);
	value_set(mem, group, "flavors", flavors);
	if (value_len(flavors) > 0)
		value_push(mem, groups, group);
	if (value_get(q, "weight")) {
		fair = value_map(mem);
		value_set(mem, fair, "weight", value_get(q, "weight"));
	}
	value_set(mem, out, "cohort", cohort ? value_copy(mem, cohort) : value_null(mem));
	value_set(mem, out, "fairSharing", fair ? fair : value_null(mem));
	value_set(mem, out, "resourceGroups", groups);
	return out;
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
	value_set(mem, v, "queue", q && context_feature(context, "kueue") ? cluster_queue(mem, q) : value_null(mem));
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
		struct value *tolerations = value_get(sorted[i]->spec, "tolerations");

		value_set(mem, f, "name", value_str(mem, sorted[i]->name));
		value_set(mem, f, "nodeSelector", value_len(nodes) > 0 ? nodes : value_null(mem));
		value_set(mem, f, "tolerations", value_len(tolerations) > 0 ? tolerations : value_null(mem));
		value_push(mem, list, f);
	}
	value_set(mem, context, "set", v);
	value_set(mem, v, "flavors", list);
	*out = context;
	return 0;
}
