/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the answer to a pull request stays when main moves. With hundreds of them open most merges concern one or two, and planning one reads two whole
 * trees. It stays when the change is of environments alone, main's move is of other owners' environments, no limit counts both owners together (which teams
 * do), and what it still needs is the same. Everything else is planned again: this may only ever say "no" too often.
 */
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "parse/kinds.h"
#include "pulls/priv.h"

#define OWNERS_MAX 64 /* of one move of main; more concerns everybody */

/* False: that cannot be told. Who has no file is in none. */
static bool
teams_of(struct pulls *p, const struct oid *tree, const char *owner, struct arena *mem, const struct value **out)
{
	const char *bytes, *path = arena_printf(mem, "users/%s.yaml", owner);
	struct report report;
	struct value *v;
	size_t len;
	int rc = git_tree_read(p->git, tree, path, FILE_DOC_MAX, mem, &bytes, &len, NULL);

	*out = NULL;
	if (rc == ERR_NOTFOUND)
		return true;
	report_init(&report, mem);
	if (rc < 0 || yaml_read(mem, path, bytes, len, NULL, &report, &v) < 0)
		return false;
	*out = value_at(v, "spec.teams");
	return true;
}

/* -- how main moved ------------------------------------------------------------------------------------------------------------------- */

static int
one_path(void *ctx, const struct git_change *ch, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(65536);
	struct drift *d = ctx;
	const char *owner = strlen(ch->path) <= 4096 ? path_env_owner(mem, ch->path) : NULL;

	(void)e;
	if (owner)
		(void)map_put(&d->owners, owner, d);
	d->shared = d->shared || !owner || d->owners.live > OWNERS_MAX;
	return 0;
}

static void
add_teams(struct pulls *p, struct drift *d)
{
	const char *owner;

	for (size_t i = 0; !d->shared && map_next(&d->owners, &i, &owner, NULL);) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
		const struct value *teams;

		d->shared = !teams_of(p, &d->to, owner, mem, &teams);
		for (size_t k = 0; k < value_len(teams); k++)
			(void)map_put(&d->teams, value_as_str(value_item(teams, k), ""), d);
	}
}

void
drift_free(struct drift *d)
{
	map_free(&d->owners);
	map_free(&d->teams);
	*d = (struct drift){ .shared = false };
}

/* All that are open mostly stand on the same commit: it is found out once. */
static int
drift_between(struct pulls *p, const struct oid *from, const struct oid *to, struct err *e)
{
	struct drift *d = &p->drift;
	int rc;

	if (d->known && oid_eq(&d->from, from) && oid_eq(&d->to, to))
		return 0;
	drift_free(d);
	d->from = *from;
	d->to = *to;
	if ((rc = git_tree_diff(p->git, from, to, 0, one_path, d, e)) < 0)
		return rc;
	add_teams(p, d);
	d->known = true;
	return 0;
}

/* -- whom that concerns --------------------------------------------------------------------------------------------------------------- */

static bool
concerns(struct pulls *p, const struct oid *tree, const char *owner)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	const struct value *teams;

	if (map_has(&p->drift.owners, owner))
		return true;
	if (!p->drift.teams.live)
		return false;
	if (!teams_of(p, tree, owner, mem, &teams))
		return true;
	for (size_t i = 0; i < value_len(teams); i++)
		if (map_has(&p->drift.teams, value_as_str(value_item(teams, i), "")))
			return true;
	return false;
}

/* Deletions count against guards, which count everybody's. */
static bool
any_concerned(struct pulls *p, const struct now *n, const struct changeset *c, struct arena *mem)
{
	const char *last = NULL;

	if (p->drift.shared)
		return true;
	if (!p->drift.owners.live)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const char *owner = path_env_owner(mem, c->items[i].path);

		if (!owner || !c->items[i].new_mode)
			return true;
		if (!str_eq(owner, last) && concerns(p, &n->main_tree, owner))
			return true;
		last = owner;
	}
	return false;
}

bool
answer_stays(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, struct arena *mem)
{
	struct changeset changes;
	struct answer a;

	/* what is not here, or goes wrong, is for the whole look to tell */
	if (m->look || oid_zero(&m->answer.tree) || m->answer.waits || !str_eq(m->head, pull->head_sha) || !*m->voices ||
	    look_needs(p, n, m, pull, mem, &changes, &a, NULL) < 0 || !oid_eq(&a.fork, &m->answer.fork) || !str_eq(a.needs, m->answer.needs))
		return false;
	return drift_between(p, &m->answer.tree, &n->main_tree, NULL) == 0 && !any_concerned(p, n, &changes, mem);
}
