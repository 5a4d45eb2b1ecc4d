/* SPDX-License-Identifier: Apache-2.0 */
/* Between passes: from what the target says now to the publisher. */
#include <string.h>

#include "lib/base/str.h"
#include "reconcile_pass.h"

#define OBSERVE_ARENA ((size_t)1 << 30)

/* "envs/alice/train" -> owner (in mem) and name. */
static bool
split_unit(struct arena *mem, const char *unit, const char **owner, const char **name)
{
	const char *slash = str_starts(unit, "envs/") ? strchr(unit + 5, '/') : NULL;

	if (!slash)
		return false;
	*owner = arena_strndup(mem, unit + 5, (size_t)(slash - unit - 5));
	*name = slash + 1;
	return true;
}

/* A set that is nobody's environment: its trouble is the repository's. */
static void
observe_set(struct reconciler *r, const char *unit, const struct unit_state *s)
{
	publish_set(r->c.publisher, unit, s->nerrors ? s->errors[0] : NULL);
}

static void
observe_env(struct reconciler *r, struct arena *mem, const char *unit, const char *owner, const char *name, const struct unit_state *s)
{
	bool wanted = files_find(world_files(r->world), arena_printf(mem, "%s.yaml", unit)) != NULL;

	if (!s->there && !wanted)
		publish_gone(r->c.publisher, owner, name, &r->world_commit);
	else
		(void)publish_state(r->c.publisher, owner, name, s);
}

bool
reconcile_observe(struct reconciler *r)
{
	struct arena *AUTO_ARENA mem = arena_new(OBSERVE_ARENA);
	struct arena *AUTO_ARENA one = arena_new((size_t)16 << 20);
	struct target *t = r->c.target;
	const char **units, *owner, *name;
	size_t n;

	if (!t->ops->changed || !r->world_full)
		return false;
	t->ops->changed(t, mem, &units, &n);
	for (size_t i = 0; i < n; i++) {
		struct unit_state s;

		arena_reset(one);
		t->ops->state(t, units[i], one, &s);
		if (split_unit(one, units[i], &owner, &name))
			observe_env(r, one, units[i], owner, name, &s);
		else
			observe_set(r, units[i], &s);
	}
	return publish_waiting(r->c.publisher);
}

size_t
reconcile_failed(struct reconciler *r)
{
	struct arena *AUTO_ARENA mem = arena_new(OBSERVE_ARENA);
	struct target *t = r->c.target;
	const char *owner, **names;
	size_t failed = 0, n;

	if (!t->ops->state || !r->world_full) /* the commit was refused as a whole: nothing of it was put */
		return 0;
	world_owners(r->world, mem, &names, &n);
	for (size_t i = 0; i < n; i++) {
		size_t count;
		const struct file_entry *f = files_under(world_files(r->world), arena_printf(mem, "envs/%s/", names[i]), &count);

		for (size_t j = 0; j < count; j++) {
			struct unit_state s;
			const char *unit = arena_strndup(mem, f[j].path, strlen(f[j].path) - strlen(".yaml")), *name;

			if (!str_ends(f[j].path, ".yaml") || !split_unit(mem, unit, &owner, &name) || strchr(name, '/'))
				continue;
			t->ops->state(t, unit, mem, &s);
			failed += s.nerrors > 0 || s.phase == UNIT_FAILED;
		}
	}
	return failed;
}
