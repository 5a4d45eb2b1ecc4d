/* SPDX-License-Identifier: Apache-2.0 */
/* Work is proportional to the change: from changed paths to the owners that must be looked at. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "reconcile_pass.h"

void
dirty_free(struct reconciler *r)
{
	void *v;

	for (size_t i = 0; map_next(&r->deps, &i, NULL, &v);) {
		map_free(v);
		free(v);
	}
	map_free(&r->deps);
}

void
dirty_remember(struct reconciler *r, const struct owner_result *o)
{
	struct map *m = calloc(1, sizeof(*m)), *old;

	if (!m)
		abort();
	for (size_t i = 0; i < o->ndeps; i++)
		(void)map_put(m, o->deps[i], NULL);
	old = map_put(&r->deps, o->owner, m);
	if (old) {
		map_free(old);
		free(old);
	}
}

static void
mark(struct pass *p, const char *owner)
{
	(void)map_put(&p->dirty, owner, NULL);
}

/* "envs/alice/train.yaml" and "users/alice.yaml" are alice's own; the rest touches whoever depends on it. */
void
dirty_path(struct pass *p, const char *path)
{
	const char *owner = path_owner(p->mem, path);
	void *m;

	if (owner)
		mark(p, owner);
	else if (str_starts(path, "templates/"))
		p->all = true;
	for (size_t i = 0; map_next(&p->r->deps, &i, &owner, &m);)
		if (map_has(m, path))
			mark(p, owner);
}

static int
mark_units(struct pass *p, struct err *e)
{
	const char **units;
	size_t n;
	int rc;

	/* owners that only the target knows any more */
	if ((rc = p->r->c.target->ops->units(p->r->c.target, "", &units, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *s = units[i];

		if (str_starts(s, "envs/"))
			mark(p, arena_strndup(p->mem, s + 5, strcspn(s + 5, "/")));
		else if (str_starts(s, "users/"))
			mark(p, s + 6);
	}
	return 0;
}

int
dirty_all(struct pass *p, struct err *e)
{
	const char **owners;
	size_t n;

	world_owners(p->r->world, p->mem, &owners, &n);
	for (size_t i = 0; i < n; i++)
		mark(p, owners[i]);
	return mark_units(p, e);
}

/* Somebody else's commits on the target: look again at the owners they touch. */
void
dirty_moved(struct pass *p)
{
	for (size_t i = 0; i < p->view.nmoved; i++) {
		const char *s = p->view.moved_paths[i];

		if (str_starts(s, "envs/") || str_starts(s, "users/")) {
			s = strchr(s, '/') + 1;
			s = arena_strndup(p->mem, s, strcspn(s, "/"));
			mark(p, s);
			holds_forget(p->r->holds, s);
		}
	}
}
