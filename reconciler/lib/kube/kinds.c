/* SPDX-License-Identifier: Apache-2.0 */
/* What the server serves: aggregated discovery (KEP-3352, GA in 1.30). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/kube/priv.h"

#define DISCOVERY                                                                                                      \
	"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"                                        \
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
#define KINDS_MAX 4096

static bool
has_verb(const struct value *resource, const char *verb)
{
	const struct value *list = value_get(resource, "verbs");

	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_item(list, i), NULL), verb))
			return true;
	return false;
}

static bool
has_scale(const struct value *resource)
{
	const struct value *list = value_get(resource, "subresources");

	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_get(value_item(list, i), "subresource"), NULL), "scale"))
			return true;
	return false;
}

static const char *
kind_key(struct arena *mem, const char *group, const char *version, const char *kind)
{
	return arena_printf(mem, "%s%s%s %s", group, *group ? "/" : "", version, kind);
}

static void
add_kind(struct kube *k, const char *group, const char *version, const struct value *r)
{
	const char *kind = value_as_str(value_at(r, "responseKind.kind"), NULL), *plural = value_as_str(value_get(r, "resource"), NULL);
	struct kube_kind *n;
	const char *key;

	if (!kind || !plural || !*plural || k->nkinds >= KINDS_MAX)
		return;
	key = kind_key(k->mem, group, version, kind);
	n = map_get(&k->by_name, key);
	if (!n) {
		n = arena_alloc(k->mem, sizeof(*n));
		n->number = (unsigned)k->nkinds;
		n->group = arena_strdup(k->mem, group);
		n->version = arena_strdup(k->mem, version);
		n->kind = arena_strdup(k->mem, kind);
		n->plural = arena_strdup(k->mem, plural);
		if (k->nkinds == k->kinds_cap) {
			k->kinds_cap = k->kinds_cap ? k->kinds_cap * 2 : 128;
			k->kinds = realloc(k->kinds, k->kinds_cap * sizeof(*k->kinds));
			if (!k->kinds)
				abort();
		}
		k->kinds[k->nkinds++] = n;
		(void)map_put(&k->by_name, key, n);
	}
	n->namespaced = str_eq(value_as_str(value_get(r, "scope"), NULL), "Namespaced");
	n->can_patch = has_verb(r, "patch");
	n->can_delete = has_verb(r, "delete");
	n->can_list = has_verb(r, "list");
	n->can_watch = has_verb(r, "watch");
	n->has_scale = has_scale(r);
}

static void
add_group(struct kube *k, const struct value *g)
{
	const char *group = value_as_str(value_at(g, "metadata.name"), "");
	const struct value *versions = value_get(g, "versions");

	for (size_t i = 0; i < value_len(versions); i++) {
		const struct value *v = value_item(versions, i), *list = value_get(v, "resources");
		const char *version = value_as_str(value_get(v, "version"), NULL);

		for (size_t j = 0; version && j < value_len(list); j++)
			add_kind(k, group, version, value_item(list, j));
	}
}

int
kube_discover_again(struct kube *k, struct err *e)
{
	static const char *const roots[] = { "/api", "/apis" };

	for (size_t i = 0; i < 2; i++) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)256 << 20);
		struct kube_request q = { .method = "GET", .path = roots[i], .accept = DISCOVERY, .answer_max = (size_t)32 << 20 };
		struct value *v;
		const struct value *groups;
		int rc = kube_call(k, mem, &q, NULL, &v, e);

		if (rc < 0)
			return rc;
		groups = value_get(v, "items");
		if (!groups) {
			(void)err_set(e, ERR_INVALID, "%s%s: no aggregated discovery in the answer", k->c->server, roots[i]);
			return err_hint(e, "berth needs Kubernetes 1.30 or newer");
		}
		for (size_t j = 0; j < value_len(groups); j++)
			add_group(k, value_item(groups, j));
	}
	k->discovered = true;
	return 0;
}

int
kube_discover(struct kube *k, struct err *e)
{
	return k->discovered ? 0 : kube_discover_again(k, e);
}

int
kube_kind(struct kube *k, const char *api_version, const char *kind, const struct kube_kind **out, struct err *e)
{
	char key[256];
	int rc;

	if ((size_t)snprintf(key, sizeof(key), "%s %s", api_version, kind) >= sizeof(key))
		return err_set(e, ERR_INVALID, "%.60s: too long for a kind", kind);
	if ((rc = kube_discover(k, e)) < 0)
		return rc;
	*out = map_get(&k->by_name, key);
	if (*out)
		return 0;
	(void)err_set(e, ERR_NOTFOUND, "the API server does not serve %s %s", api_version, kind);
	return err_hint(e, "install what defines %s, or leave its feature out of cluster.features in berth.yaml", kind);
}

const struct kube_kind *
kube_kind_any(struct kube *k, const char *group, const char *kind)
{
	for (size_t i = 0; i < k->nkinds; i++)
		if (strcmp(k->kinds[i]->group, group) == 0 && strcmp(k->kinds[i]->kind, kind) == 0)
			return k->kinds[i];
	return NULL;
}

const char *
kube_api_version(struct arena *mem, const struct kube_kind *kind)
{
	return *kind->group ? arena_printf(mem, "%s/%s", kind->group, kind->version) : kind->version;
}

char *
kube_path(struct arena *mem, const struct kube_kind *kind, const char *ns, const char *name)
{
	bool core = !*kind->group, scoped = kind->namespaced && ns;

	return arena_printf(mem, "/%s%s/%s%s%s/%s%s%s", core ? "api" : "apis/", kind->group, kind->version,
	                    scoped ? "/namespaces/" : "", scoped ? ns : "", kind->plural, name ? "/" : "", name ? name : "");
}

int
kube_version(struct kube *k, struct arena *mem, const char **out, struct err *e)
{
	struct kube_request q = { .method = "GET", .path = "/version" };
	struct value *v;
	int rc = kube_call(k, mem, &q, NULL, &v, e);

	if (rc < 0)
		return rc;
	*out = value_as_str(value_get(v, "gitVersion"), "");
	return 0;
}
