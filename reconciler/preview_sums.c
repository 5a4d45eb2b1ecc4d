/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums for each user, each team and each of a team's flavors, on both sides. */
#include "preview_sums.h"

#include <string.h>

#include "validate/cost.h"

enum side { WAS, IS, SIDES };

/* Who or what limits are set for. */
struct sum_of {
	const char *name, *flavor;  /* flavor: of a team's quota; NULL: money of a team, or anything of a user */
	bool team;
	struct use use[SIDES];
	int64_t month[SIDES];
};

/* What the base has, for a head with errors. */
struct counted {
	struct use use;
	int64_t month;
};

struct preview_sums {
	struct arena *mem;
	const struct site *site[SIDES]; /* WAS may be NULL */
	struct map sums;                /* "user/alice" "team/nlp" "team/nlp/gpu-small" -> struct sum_of */
	struct map base;                /* "alice/train" -> struct counted */
	struct map claims[SIDES];       /* "alice/claim": counted already */
	struct planned_sum *list;
	size_t n, cap;
};

static void
free_maps(void *p)
{
	struct preview_sums *s = p;

	map_free(&s->sums);
	map_free(&s->base);
	map_free(&s->claims[WAS]);
	map_free(&s->claims[IS]);
}

struct preview_sums *
preview_sums_new(struct arena *mem, const struct site *base, const struct site *head)
{
	struct preview_sums *s = arena_alloc(mem, sizeof(*s));

	s->mem = mem;
	s->site[WAS] = base;
	s->site[IS] = head;
	arena_defer(mem, free_maps, s);
	return s;
}

/* -- adding up ------------------------------------------------------------------------------------------------------------- */

static struct sum_of *
sum_at(struct preview_sums *s, bool team, const char *name, const char *flavor)
{
	const char *key = arena_printf(s->mem, "%s/%s%s%s", team ? "team" : "user", name, flavor ? "/" : "", flavor ? flavor : "");
	struct sum_of *x = map_get(&s->sums, key);

	if (x)
		return x;
	x = arena_alloc(s->mem, sizeof(*x));
	*x = (struct sum_of){ .name = arena_strdup(s->mem, name), .team = team, .flavor = flavor ? arena_strdup(s->mem, flavor) : NULL };
	(void)map_put(&s->sums, key, x);
	return x;
}

static void
add_use(struct use *sum, const struct use *u)
{
	for (enum sum k = 0; k < SUM_COUNT; k++) {
		sum->limits[k] = size_plus(sum->limits[k], u->limits[k]);
		sum->requests[k] = size_plus(sum->requests[k], u->requests[k]);
	}
}

static void
count(struct preview_sums *s, enum side side, const char *owner, const struct counted *c)
{
	struct sum_of *user = sum_at(s, false, owner, NULL);

	add_use(&user->use[side], &c->use);
	user->month[side] = size_plus(user->month[side], c->month);
	if (c->use.claim) { /* however many mount it */
		const char *key = arena_printf(s->mem, "%s/%s", owner, c->use.claim);
		int64_t *storage = &user->use[side].limits[SUM_STORAGE];

		if (!map_has(&s->claims[side], key))
			*storage = size_plus(*storage, c->use.shared);
		(void)map_put(&s->claims[side], key, s);
	}
	if (c->use.team) {
		struct sum_of *team = sum_at(s, true, c->use.team, NULL);

		team->month[side] = size_plus(team->month[side], c->month);
		add_use(&sum_at(s, true, c->use.team, c->use.flavor)->use[side], &c->use);
	}
}

static const char *
copy(struct arena *mem, const char *text)
{
	return text ? arena_strdup(mem, text) : NULL;
}

static struct counted *
counted_of(struct preview_sums *s, const struct env_result *r)
{
	struct counted *c = arena_alloc(s->mem, sizeof(*c));
	struct cost cost;

	use_of(s->mem, r->env, &c->use);
	c->use.team = copy(s->mem, c->use.team);
	c->use.flavor = copy(s->mem, c->use.flavor);
	c->use.claim = copy(s->mem, c->use.claim);
	c->month = cost_of(s->mem, r->env, &cost) ? cost.month : 0;
	return c;
}

void
preview_sums_was(struct preview_sums *s, const struct env_result *r)
{
	struct counted *c;

	if (!r->ok || !r->env)
		return;
	c = counted_of(s, r);
	count(s, WAS, r->owner, c);
	(void)map_put(&s->base, arena_printf(s->mem, "%s/%s", r->owner, r->name), c);
}

void
preview_sums_is(struct preview_sums *s, const struct env_result *r)
{
	const struct counted *c;

	if (r->ok && r->env)
		c = counted_of(s, r);
	else
		c = map_get(&s->base, arena_printf(s->mem, "%s/%s", r->owner, r->name));
	if (c)
		count(s, IS, r->owner, c);
}

/* -- what is told of it ------------------------------------------------------------------------------------------------------ */

static struct planned_sum *
add_row(struct preview_sums *s, const struct sum_of *x, const char *what)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;

		s->list = arena_regrow(s->mem, s->list, s->n, cap, sizeof(*s->list));
		s->cap = cap;
	}
	s->list[s->n] = (struct planned_sum){ .noun = x->team ? "team" : "user", .name = x->name, .flavor = x->flavor, .what = what };
	return &s->list[s->n++];
}

/* The limits of one side by what they limit; `max` NULL where there is none. */
static void
limits_at(const struct preview_sums *s, const struct sum_of *x, enum side side, struct sum_limit rows[SUM_COUNT],
          const struct sum_limit *of[SUM_COUNT])
{
	size_t n = 0;

	memset(of, 0, SUM_COUNT * sizeof(*of));
	if (s->site[side])
		n = x->team ? limits_of_queue(s->site[side], x->name, x->flavor, rows) : limits_of_user(s->site[side], x->name, rows);
	for (size_t i = 0; i < n; i++)
		of[rows[i].sum] = &rows[i];
}

static void
list_limits(struct preview_sums *s, const struct sum_of *x)
{
	struct sum_limit rows[SIDES][SUM_COUNT];
	const struct sum_limit *was[SUM_COUNT], *is[SUM_COUNT];

	limits_at(s, x, WAS, rows[WAS], was);
	limits_at(s, x, IS, rows[IS], is);
	for (enum sum k = 0; k < SUM_COUNT; k++) {
		const struct sum_limit *l = is[k] ? is[k] : was[k];
		int64_t before = l ? limit_part(l, &x->use[WAS]) : 0, after = l ? limit_part(l, &x->use[IS]) : 0;
		struct planned_sum *row;

		if (!l || (before == after && was[k] && is[k] && was[k]->max == is[k]->max))
			continue;
		if (before == after && !before) /* nothing counts against it */
			continue;
		row = add_row(s, x, sum_name(k));
		row->was = limit_text(s->mem, l, before);
		row->is = limit_text(s->mem, l, after);
		row->max_was = was[k] ? limit_text(s->mem, l, was[k]->max) : NULL;
		row->max_is = is[k] ? limit_text(s->mem, l, is[k]->max) : NULL;
		row->over = is[k] && after > is[k]->max;
		row->left = is[k] && after < is[k]->max ? limit_text(s->mem, l, is[k]->max - after) : NULL;
	}
}

static bool
budget_at(const struct preview_sums *s, const struct sum_of *x, enum side side, int64_t *max)
{
	const struct doc *d = s->site[side] ? site_get(s->site[side], x->team ? KIND_TEAM : KIND_USER, x->name) : NULL;

	return d && money_read(value_at(d->spec, "budget.monthly"), max);
}

static void
list_budget(struct preview_sums *s, const struct sum_of *x)
{
	int64_t max[SIDES] = { 0, 0 };
	bool was = budget_at(s, x, WAS, &max[WAS]), is = budget_at(s, x, IS, &max[IS]);
	struct planned_sum *row;

	if ((!was && !is) || (x->month[WAS] == x->month[IS] && was == is && max[WAS] == max[IS]))
		return;
	row = add_row(s, x, "budget");
	row->was = money_text(s->mem, x->month[WAS]);
	row->is = money_text(s->mem, x->month[IS]);
	row->max_was = was ? money_text(s->mem, max[WAS]) : NULL;
	row->max_is = is ? money_text(s->mem, max[IS]) : NULL;
	row->over = is && x->month[IS] > max[IS];
	row->left = is && x->month[IS] < max[IS] ? money_text(s->mem, max[IS] - x->month[IS]) : NULL;
}

void
preview_sums_list(struct preview_sums *s, struct planned_sum **out, size_t *n)
{
	void *p;

	for (int team = 0; team < 2; team++)
		for (size_t i = 0; map_next(&s->sums, &i, NULL, &p);) {
			const struct sum_of *x = p;

			if (x->team != (team == 1))
				continue;
			if (!x->team || x->flavor)
				list_limits(s, x);
			if (!x->flavor)
				list_budget(s, x);
		}
	*out = s->list;
	*n = s->n;
}
