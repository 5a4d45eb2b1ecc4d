/* SPDX-License-Identifier: Apache-2.0 */
/* Both trees rendered unit by unit; what differs is kept as values. Sums are preview_sums.c's. */
#include "preview.h"

#include <string.h>

#include "parse/kinds.h"
#include "plan/guard.h"
#include "preview_holds.h"
#include "preview_sums.h"
#include "validate/cost.h"

#define UNIT_MAX ((size_t)128 << 20) /* one owner's bundles, on both sides */

struct run {
	const struct preview_ask *ask;
	struct world *base, *head; /* base NULL: nothing to compare with */
	struct preview_holds *holds;
	struct preview_sums *sums;
	struct arena *mem;         /* of what is given out */
	struct planned *out;
	size_t cap;
	bool all;                  /* every owner is rendered */
	struct map touched;        /* else these, as keys */
};

static struct planned_row *
add_row(struct run *p, enum planned_kind kind, const char *unit)
{
	struct planned *out = p->out;

	if (out->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 32;

		out->rows = arena_regrow(p->mem, out->rows, out->n, cap, sizeof(*out->rows));
		p->cap = cap;
	}
	out->rows[out->n] = (struct planned_row){ .kind = kind, .unit = arena_strdup(p->mem, unit) };
	return &out->rows[out->n++];
}

static const char *
copy(struct arena *mem, const char *s)
{
	return s ? arena_strdup(mem, s) : NULL;
}

static const char *const *
copies(struct arena *mem, const char *const *list, size_t n)
{
	const char **out = arena_array(mem, n + 1, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = copy(mem, list[i]);
	return out;
}

static void
copy_plan(struct arena *mem, const struct unit_plan *u, struct unit_plan *out)
{
	*out = *u;
	out->unit = copy(mem, u->unit);
	out->objects = arena_array(mem, u->n + 1, sizeof(*out->objects));
	for (size_t i = 0; i < u->n; i++) {
		const struct object_change *from = &u->objects[i];
		struct object_change *c = &out->objects[i];

		*c = *from;
		c->id = copy(mem, from->id);
		c->sealed = copy(mem, from->sealed);
		c->fields = copies(mem, from->fields, from->nfields);
		c->was = from->nfields ? copies(mem, from->was, from->nfields) : NULL;
		c->is = from->nfields ? copies(mem, from->is, from->nfields) : NULL;
	}
}

/* -- one unit ------------------------------------------------------------------------------------------------------------ */

/* NULL when nothing of it changes. */
static struct planned_row *
one_unit(struct run *p, struct arena *mem, const char *unit, const struct bundle *was, const struct bundle *is)
{
	struct planned_row *row;
	struct unit_plan u;

	if (!plan_unit(mem, unit, was, is, &u)) {
		p->out->same++;
		return NULL;
	}
	p->out->count[u.action]++;
	p->out->restarts += u.restarts;
	p->out->data += u.data;
	p->out->refused += u.refused;
	row = add_row(p, PLANNED_UNIT, unit);
	copy_plan(p->mem, &u, &row->plan);
	return row;
}

static void
side_of(struct run *p, const struct env_result *r, bool there, struct planned_side *out)
{
	const struct env *env = r->env;
	struct cost cost;

	if (!env || !there)
		return;
	*out = (struct planned_side){ .there = true, .flavor = copy(p->mem, env->flavor->name), .pods = env->replicas,
		.image = copy(p->mem, env->image ? env->image->name : env->image_ref) };
	use_of(p->mem, env, &out->use);
	out->use.team = copy(p->mem, out->use.team);
	out->use.flavor = out->flavor;
	out->use.claim = copy(p->mem, out->use.claim);
	if (!cost_of(p->mem, env, &cost))
		return;
	out->priced = true;
	out->hour = size_times(cost.hour, cost.pods);
	out->month = cost.month;
	out->hours = cost.hours ? copy(p->mem, cost.hours->str.s) : NULL;
}

static void
first_error(struct run *p, const struct env_result *r, struct planned_row *row)
{
	struct buf line AUTO_BUF = BUF_INIT(0);

	for (size_t i = 0; i < r->findings.n; i++) {
		if (r->findings.items[i].severity != SEVERITY_ERROR)
			continue;
		finding_line(&r->findings.items[i], &line);
		row->why = copy(p->mem, buf_cstr(&line));
		return; /* `berth validate` shows them all */
	}
}

/* The same environment as the base and the head have it; `found` false: it has no file there. */
struct both {
	struct env_result was, is;
	bool had, found, absent;
};

static void
fill_row(struct run *p, const struct both *b, struct planned_row *row)
{
	const struct env_result *r = b->found ? &b->is : &b->was;

	row->owner = copy(p->mem, r->owner);
	row->name = copy(p->mem, r->name);
	side_of(p, &b->was, b->was.ok && !b->absent, &row->was);
	side_of(p, &b->is, b->is.ok, &row->is);
}

static void
invalid_env(struct run *p, const char *unit, const struct both *b)
{
	struct planned_row *row;

	p->out->invalid++;
	row = add_row(p, PLANNED_INVALID, unit);
	row->before = b->had && !b->was.ok;
	first_error(p, &b->is, row);
	fill_row(p, b, row);
}

static void
compare_env(struct run *p, struct arena *mem, const char *unit, const struct both *b)
{
	const struct bundle *was = b->absent ? NULL : b->was.bundle, *is = b->is.bundle;
	bool differs = is && (!was || memcmp(&was->digest, &is->digest, sizeof(struct digest)) != 0);
	const char *why = differs ? preview_holds_waits(p->holds, b->is.owner, b->is.name) : NULL;
	struct planned_row *row;

	p->out->envs += was != NULL;
	p->out->env_deletes += was && !b->is.doc;
	if (!was && !is)
		return;
	if (why) {
		p->out->waiting++;
		row = add_row(p, PLANNED_WAITS, unit);
		row->why = copy(p->mem, why);
		row->before = b->absent;
	} else if (!(row = one_unit(p, mem, unit, was, is))) {
		return;
	}
	fill_row(p, b, row);
	if (row->kind == PLANNED_UNIT && differs) {
		row->later = copies(p->mem, is->later, is->nlater);
		row->nlater = is->nlater;
	}
}

/* One environment on both sides; either may be missing. */
static int
one_env(struct run *p, const char *owner, const char *name, const struct env_result *is, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(UNIT_MAX);
	const char *unit = arena_printf(mem, "envs/%s/%s", owner, name);
	struct both b = { .found = is != NULL, .absent = preview_holds_absent(p->holds, owner, name) };
	int rc;

	if (is)
		b.is = *is;
	if (p->base) {
		if ((rc = world_env(p->base, mem, owner, name, true, &b.was, e)) < 0 && rc != ERR_NOTFOUND)
			return rc;
		b.had = rc == 0;
	}
	if (b.found && !b.is.ok)
		invalid_env(p, unit, &b);
	else
		compare_env(p, mem, unit, &b);
	return 0;
}

/* -- owners -------------------------------------------------------------------------------------------------------------- */

static int
count_base(void *ctx, const struct env_result *r, struct err *e)
{
	struct run *p = ctx;

	(void)e;
	if (!preview_holds_absent(p->holds, r->owner, r->name))
		preview_sums_was(p->sums, r);
	return 0;
}

static int
count_head(void *ctx, const struct env_result *r, struct err *e)
{
	struct run *p = ctx;

	(void)e;
	preview_sums_is(p->sums, r);
	return 0;
}

static int
compare_head(void *ctx, const struct env_result *r, struct err *e)
{
	struct run *p = ctx;

	preview_sums_is(p->sums, r);
	return one_env(p, r->owner, r->name, r, e);
}

static int
count_both(void *ctx, const struct env_result *r, struct err *e)
{
	int rc = count_base(ctx, r, e);

	return rc < 0 ? rc : count_head(ctx, r, e);
}

/* Not touched, and nothing that it depends on: its environments count in sums, and as they are on both sides. */
static int
same_owner(struct run *p, const char *owner, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(UNIT_MAX);
	struct owner_result o;
	int rc = world_owner(p->head, mem, owner, false, count_both, p, &o, e);

	if (rc < 0)
		return rc;
	p->out->same += 1 + o.n - o.bad;
	p->out->envs += o.n - o.bad;
	return 0;
}

static int
gone_envs(struct run *p, const struct owner_result *was, struct err *e)
{
	int rc;

	for (size_t i = 0; i < was->n; i++)
		if (!world_has_env(p->head, was->owner, was->names[i]) && (rc = one_env(p, was->owner, was->names[i], NULL, e)) < 0)
			return rc;
	return 0;
}

/* Of the owner's own set, before those of the environments, which stand since `first`. */
static void
own_set(struct run *p, struct arena *mem, size_t first, const struct owner_result *was, const struct owner_result *is)
{
	struct planned_row *rows, own;

	if (!one_unit(p, mem, arena_printf(mem, "users/%s", is->owner), was->bundle, is->bundle))
		return;
	rows = p->out->rows;
	own = rows[p->out->n - 1];
	memmove(&rows[first + 1], &rows[first], (p->out->n - 1 - first) * sizeof(*rows));
	rows[first] = own;
}

static int
one_owner(struct run *p, const char *owner, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(UNIT_MAX);
	struct owner_result was = { 0 }, is = { 0 };
	size_t first = p->out->n;
	int rc;

	if (!p->all && !map_has(&p->touched, owner) && !preview_holds_concern(p->holds, owner))
		return same_owner(p, owner, e);
	if ((p->base && (rc = world_owner(p->base, mem, owner, true, count_base, p, &was, e)) < 0) ||
	    (rc = world_owner(p->head, mem, owner, true, compare_head, p, &is, e)) < 0)
		return rc;
	if ((rc = gone_envs(p, &was, e)) == 0)
		own_set(p, mem, first, &was, &is);
	return rc;
}

static int
all_owners(struct run *p, struct err *e)
{
	struct map owners AUTO_MAP = MAP_INIT;
	const char **list, *owner;
	size_t n;
	int rc;

	world_owners(p->head, p->mem, &list, &n);
	for (size_t i = 0; i < n; i++)
		(void)map_put(&owners, list[i], NULL);
	n = 0;
	if (p->base)
		world_owners(p->base, p->mem, &list, &n);
	for (size_t i = 0; i < n; i++)
		(void)map_put(&owners, list[i], NULL);
	for (size_t i = 0; map_next(&owners, &i, &owner, NULL);)
		if ((rc = one_owner(p, owner, e)) < 0)
			return rc;
	return 0;
}

static int
note_team(void *ctx, struct arena *mem, const struct file_entry *f, const char *name, struct err *e)
{
	(void)mem;
	(void)f;
	(void)e;
	(void)map_put(ctx, name, NULL);
	return 0;
}

/* In the order of their files, whatever was read first. */
static int
note_teams(const struct world *w, struct map *teams, struct err *e)
{
	return w ? doc_each(world_files(w), KIND_TEAM, "teams/", note_team, teams, e) : 0;
}

static int
shared_units(struct run *p, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(UNIT_MAX);
	struct map teams AUTO_MAP = MAP_INIT;
	const struct bundle *was = NULL, *is = NULL;
	const char *team;
	int rc;

	if ((p->base && (rc = world_org(p->base, mem, &was, e)) < 0) || (rc = world_org(p->head, mem, &is, e)) < 0)
		return rc;
	(void)one_unit(p, mem, "org", was, is);
	if ((rc = note_teams(p->head, &teams, e)) < 0 || (rc = note_teams(p->base, &teams, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&teams, &i, &team, NULL);) {
		was = NULL;
		if ((p->base && (rc = world_team(p->base, mem, team, &was, e)) < 0) ||
		    (rc = world_team(p->head, mem, team, &is, e)) < 0)
			return rc;
		(void)one_unit(p, mem, arena_printf(mem, "teams/%s", team), was, is);
	}
	return 0;
}

/* -- the whole ----------------------------------------------------------------------------------------------------------- */

/* Marks the owner of a path below envs/; false: it is a file that others may depend on. */
static bool
touch(struct run *p, const char *path)
{
	const char *owner = path_env_owner(p->mem, path);

	if (owner)
		(void)map_put(&p->touched, owner, p);
	return owner != NULL;
}

/* Whose files differ; false when something else differs. */
static bool
find_touched(struct run *p)
{
	const struct files *x = world_files(p->base), *y = world_files(p->head);

	for (size_t i = 0, k = 0; i < x->n || k < y->n;) {
		int order = i == x->n ? 1 : k == y->n ? -1 : strcmp(x->entries[i].path, y->entries[k].path);
		const char *path = order > 0 ? y->entries[k].path : x->entries[i].path;
		bool same = order == 0 && x->entries[i].mode == y->entries[k].mode && oid_eq(&x->entries[i].id, &y->entries[k].id);

		if (!same && !touch(p, path))
			return false;
		i += order <= 0;
		k += order >= 0;
	}
	return true;
}

/* What an environment that cannot be applied goes on with: the base's. */
static int
base_spec(void *ctx, struct arena *mem, const char *owner, const char *name, const char **bytes, size_t *len)
{
	const struct files *base = world_files(ctx);
	const struct file_entry *f = files_find(base, arena_printf(mem, "envs/%s/%s.yaml", owner, name));

	return f ? base->read(base->ctx, f, FILE_DOC_MAX, mem, bytes, len, NULL) : ERR_NOTFOUND;
}

static int
all_units(struct run *p, struct err *e)
{
	int rc;

	if (world_check_usable(p->head, p->mem, e) < 0)
		return err_hint(e, "`berth validate` shows all of it; until it is mended nothing of this commit is applied");
	if (p->base && !world_usable(p->base))
		p->base = NULL; /* a base that berth would not apply is nothing to compare with */
	world_live_by(p->head, p->base ? base_spec : NULL, p->base);
	p->all = !p->ask->touched || !p->base || !find_touched(p);
	p->sums = preview_sums_new(p->mem, p->base ? world_site(p->base) : NULL, world_site(p->head));
	if ((rc = preview_holds_make(p->base, p->head, p->all ? NULL : &p->touched, p->ask->status, p->mem, &p->holds, e)) < 0 || (rc = shared_units(p, e)) < 0 ||
	    (rc = all_owners(p, e)) < 0)
		return rc;
	preview_sums_list(p->sums, &p->out->sums, &p->out->nsums);
	p->out->compared = p->base != NULL;
	p->out->currency = copy(p->mem, value_as_str(value_at(world_site(p->head)->org->root, "spec.currency"), "USD"));
	if (p->base)
		p->out->allowed = guard_allowed(value_at(world_site(p->base)->org->root, "spec.guards"), p->out->envs);
	return 0;
}

int
preview_make(const struct preview_ask *ask, struct arena *mem, struct planned *out, struct err *e)
{
	struct planned made = { 0 };
	struct run r = { .ask = ask, .base = sides_base(ask->sides), .head = sides_head(ask->sides), .mem = mem, .out = &made };
	int rc = all_units(&r, e);

	world_live_by(r.head, NULL, NULL);
	map_free(&r.touched);
	if (rc == 0)
		*out = made;
	return rc;
}
