/* SPDX-License-Identifier: Apache-2.0 */
/* Objects with berth's marks that nothing renders. */
#include <string.h>

#include "cli/live.h"
#include "lib/base/str.h"

#define PAGE 250   /* metadata of so many objects stays well under an answer's limit */
#define PAGES 4000
#define PARENTS "/api/v1/configmaps?labelSelector=applyset.kubernetes.io%2Fid&limit=500"
#define SELECTOR "applyset.kubernetes.io%%2Fpart-of" /* in a format */

/* Kinds that berth's templates make: looked at too when nothing of this tree is of that kind any more. */
static const char *const made[] = {
	"/Namespace", "/ServiceAccount", "/ConfigMap", "/Secret", "/Service", "/PersistentVolumeClaim", "/ResourceQuota", "/LimitRange",
	"apps/StatefulSet", "networking.k8s.io/NetworkPolicy", "rbac.authorization.k8s.io/RoleBinding",
	"rbac.authorization.k8s.io/ClusterRole", "scheduling.k8s.io/PriorityClass", "kueue.x-k8s.io/LocalQueue",
	"kueue.x-k8s.io/ClusterQueue", "kueue.x-k8s.io/ResourceFlavor",
};

struct search {
	struct cluster *c;
	struct arena *mem;
	const struct map *rendered;
	struct extra *items;
	size_t n, cap;
	struct value *refused;
};

const char *
live_key(struct arena *mem, const char *group, const char *kind, const char *ns, const char *name)
{
	return arena_printf(mem, "%s/%s/%s/%s", group, kind, ns ? ns : "", name);
}

const char *
live_object_key(struct arena *mem, const struct object *o)
{
	const char *slash = strchr(o->api_version, '/');

	return live_key(mem, slash ? arena_strndup(mem, o->api_version, (size_t)(slash - o->api_version)) : "", o->kind, o->namespace_,
	                o->name);
}

static void
take(struct search *s, const struct kube_kind *kind, const struct value *meta)
{
	const struct value *notes = value_get(meta, "annotations");
	const char *unit = value_as_str(value_get(notes, "berth.dev/unit"), NULL), *name = value_as_str(value_get(meta, "name"), NULL);
	const char *ns = value_as_str(value_get(meta, "namespace"), NULL);
	struct extra *x;

	if (!unit || !name || map_has(s->rendered, live_key(s->mem, kind->group, kind->kind, ns, name)))
		return;
	if (s->n == s->cap) {
		s->items = arena_regrow(s->mem, s->items, s->n, s->cap ? s->cap * 2 : 16, sizeof(*s->items));
		s->cap = s->cap ? s->cap * 2 : 16;
	}
	x = &s->items[s->n++];
	*x = (struct extra){ .unit = str_line(s->mem, unit), .kind = kind->kind, .ns = ns ? arena_strdup(s->mem, ns) : NULL,
		.name = arena_strdup(s->mem, name),
		.kept = str_eq(value_as_str(value_get(notes, "kustomize.toolkit.fluxcd.io/prune"), NULL), "disabled") };
}

static int
one_list(struct search *s, const struct kube_kind *kind, const char *ns, struct err *e)
{
	const char *next = "";

	for (unsigned page = 0; page < PAGES; page++) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)256 << 20);
		struct question q = { .method = "GET", .accept = KUBE_METADATA_LIST,
			.path = arena_printf(mem, "%s?labelSelector=" SELECTOR "&limit=%d%s%s", kube_path(mem, kind, ns, NULL), PAGE,
			                     *next ? "&continue=" : "", next) };
		const struct value *items;
		int rc = cluster_ask(s->c, mem, &q, 1, e);

		if (rc < 0)
			return rc;
		if (q.code) {
			if (q.status != 404)
				value_push(s->mem, s->refused, value_fmt(s->mem, "%s: %s", kind->kind, q.message));
			return 0;
		}
		items = value_get(q.answer, "items");
		for (size_t i = 0; i < value_len(items); i++)
			take(s, kind, value_get(value_item(items, i), "metadata"));
		next = value_as_str(value_at(q.answer, "metadata.continue"), "");
		if (!*next)
			return 0;
		next = arena_strdup(s->mem, next);
	}
	return 0;
}

static int
one_kind(struct search *s, const char *name, const struct map *namespaces, struct err *e)
{
	const char *slash = strrchr(name, '/'), *ns;
	const struct kube_kind *kind;
	int rc = 0;

	kind = kube_kind_any(s->c->kube, arena_strndup(s->mem, name, (size_t)(slash - name)), slash + 1);
	if (!kind || !kind->can_list)
		return 0;
	if (!namespaces)
		return one_list(s, kind, NULL, e);
	for (size_t i = 0; rc == 0 && kind->namespaced && map_next(namespaces, &i, &ns, NULL);)
		rc = one_list(s, kind, ns, e);
	return rc;
}

/* "StatefulSet.apps,Service": what an inventory of berth's says that it holds, so that no kind is forgotten with its last template. */
static void
add_listed(struct arena *mem, struct map *all, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");
		const char *one = arena_strndup(mem, list, n), *dot = strchr(one, '.');

		if (n)
			(void)map_put(all, dot ? arena_printf(mem, "%s/%.*s", dot + 1, (int)(dot - one), one) : arena_printf(mem, "/%s", one), NULL);
		list += n + (list[n] == ',');
	}
}

static int
read_parents(struct search *s, struct map *all, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct question q = { .method = "GET", .path = PARENTS, .accept = KUBE_METADATA_LIST };
	int rc = cluster_ask(s->c, mem, &q, 1, e);

	for (size_t i = 0; rc == 0 && !q.code && i < value_len(value_get(q.answer, "items")); i++) {
		const struct value *notes = value_at(value_item(value_get(q.answer, "items"), i), "metadata.annotations");

		if (str_starts(value_as_str(value_get(notes, "applyset.kubernetes.io/tooling"), ""), "berth"))
			add_listed(mem, all, value_as_str(value_get(notes, "applyset.kubernetes.io/contains-group-kinds"), ""));
	}
	return rc;
}

int
live_extras(struct cluster *c, struct arena *mem, const struct map *rendered, const struct map *kinds, const struct map *namespaces,
            struct extra **out, size_t *n, struct value *refused, struct err *e)
{
	struct search s = { .c = c, .mem = mem, .rendered = rendered, .refused = refused };
	struct map all AUTO_MAP = MAP_INIT;
	const char *name;
	int rc = kube_discover(c->kube, e);

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		(void)map_put(&all, made[i], NULL);
	for (size_t i = 0; map_next(kinds, &i, &name, NULL);)
		(void)map_put(&all, name, NULL);
	if (rc == 0)
		rc = read_parents(&s, &all, e);
	for (size_t i = 0; rc == 0 && map_next(&all, &i, &name, NULL);)
		rc = one_kind(&s, name, namespaces, e);
	*out = s.items;
	*n = s.n;
	return rc;
}
