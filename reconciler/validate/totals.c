/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over the environments of a user and of a team. */
#include "validate/totals.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/say.h"
#include "validate/cost.h"
#include "validate/rules.h"
#include "validate/use.h"

#define MEMORY_MAX ((size_t)512 << 20)
#define SHOWN_MAX 8

/* One environment's part. */
struct share_of {
	const char *path, *label, *owner;
	struct place at;
	struct use use; /* the size of its claim goes into the storage of the first that names it */
	bool priced;      /* its flavor has a price */
	struct cost cost; /* hours points nowhere */
	const char *hours;
	bool changed;
};

struct totals {
	struct arena *mem;
	struct share_of **uses;
	size_t n, cap;
};

struct totals *
totals_new(void)
{
	struct arena *mem = arena_new(MEMORY_MAX);
	struct totals *t = arena_alloc(mem, sizeof(*t));

	t->mem = mem;
	return t;
}

void
totals_free(struct totals *t)
{
	if (t)
		arena_free(t->mem);
}

void
totals_add(struct totals *t, const struct env *env)
{
	const struct value *flavor = value_get(env->doc->spec, "flavor");
	struct share_of *u = arena_alloc(t->mem, sizeof(*u));

	u->path = arena_strdup(t->mem, env->doc->path);
	u->owner = arena_strdup(t->mem, env->owner);
	u->label = arena_printf(t->mem, "%s/%s", env->owner, env->name);
	u->at = flavor ? flavor->at : say_file(u->path);
	u->at.file = u->path;
	use_of(t->mem, env, &u->use);
	u->priced = cost_of(t->mem, env, &u->cost);
	u->hours = u->priced ? cost_text(t->mem, &u->cost) : NULL;
	u->cost.hours = NULL;
	u->use.team = u->use.team ? arena_strdup(t->mem, u->use.team) : NULL;
	u->use.flavor = arena_strdup(t->mem, u->use.flavor);
	u->use.claim = u->use.claim ? arena_strdup(t->mem, u->use.claim) : NULL;
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;

		t->uses = arena_regrow(t->mem, t->uses, t->cap, cap, sizeof(struct share_of *));
		t->cap = cap;
	}
	t->uses[t->n++] = u;
}

/* -- one sum ----------------------------------------------------------------------------------------------------- */

/* Where the sum goes over, and who is part of it: the largest first would change with every edit, so in order of paths. */
static void
check_sum(struct totals *t, const struct sum_limit *l, struct share_of *const *uses, size_t n, struct report *r)
{
	const struct share_of *over = NULL;
	const char *held = "";
	struct finding *f;
	struct place at;
	int64_t sum = 0;
	size_t shown = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t part = limit_part(l, &uses[i]->use);

		sum = size_plus(sum, part);
		if (!over && part > 0 && sum > l->max)
			over = uses[i];
		if (part > 0 && shown++ < SHOWN_MAX)
			held = arena_printf(t->mem, "%s%s%s %s", held, shown > 1 ? ", " : "", uses[i]->label, limit_text(t->mem, l, part));
	}
	if (!over)
		return;
	at = over->at;
	at.file = arena_strdup(r->mem, at.file); /* the report outlives the sums */
	f = say(r, LIMIT_EXCEEDED, at, "%s", limit_say(t->mem, l, sum));
	f->width = strlen(over->use.flavor);
	if (l->sum == SUM_STORAGE || l->sum == SUM_ENVIRONMENTS)
		finding_help(r, f, "remove or shrink one of them (paused ones count too), or ask an administrator for more");
	else
		finding_help(r, f, "pause or shrink one of them, or ask an administrator for more");
	finding_note(r, f, "limit set at %s; held by %s%s", say_place(r->mem, l->place), held, shown > SHOWN_MAX ? ", …" : "");
}

/* All of a user's or a team's against its document's budget.monthly; said where it goes over. */
static void
check_budget(struct totals *t, const struct site *s, const struct doc *d, const char *noun, struct share_of *const *uses, size_t n,
             struct report *r)
{
	const struct value *monthly = rules_doc(d, "budget.monthly");
	const struct share_of *over = NULL;
	const char *held = "";
	int64_t sum = 0, max;
	struct finding *f;
	struct place at;
	size_t shown = 0;

	if (!money_read(monthly, &max))
		return;
	for (size_t i = 0; i < n; i++) {
		int64_t month = uses[i]->priced ? uses[i]->cost.month : 0;

		sum = size_plus(sum, month);
		if (!over && month > 0 && sum > max)
			over = uses[i];
		if (month > 0 && shown++ < SHOWN_MAX)
			held = arena_printf(t->mem, "%s%s%s %s (%s)", held, shown > 1 ? ", " : "", uses[i]->label, money_text(t->mem, month),
			                    uses[i]->hours);
	}
	if (!over)
		return;
	at = over->at;
	at.file = arena_strdup(r->mem, at.file);
	f = cost_check(r, monthly, at, arena_printf(r->mem, "%s '%s'", noun, d->name), s, sum);
	if (!f)
		return;
	f->width = strlen(over->use.flavor);
	finding_note(r, f, "budget set at %s; %s%s", say_place(r->mem, monthly), held, shown > SHOWN_MAX ? ", …" : "");
}

/* -- users ------------------------------------------------------------------------------------------------------- */

static bool
any_changed(struct share_of *const *uses, size_t n, const struct map *changed, const char *path)
{
	if (!changed || map_has(changed, path))
		return true;
	for (size_t i = 0; i < n; i++)
		if (uses[i]->changed)
			return true;
	return false;
}

/* A claim that several environments mount is there once. */
static void
count_shared(struct share_of *const *uses, size_t n)
{
	struct map seen AUTO_MAP = MAP_INIT;

	for (size_t i = 0; i < n; i++)
		if (uses[i]->use.claim && !map_has(&seen, uses[i]->use.claim)) {
			struct use *u = &uses[i]->use;

			(void)map_put(&seen, u->claim, uses[i]);
			u->limits[SUM_STORAGE] = size_plus(u->limits[SUM_STORAGE], u->shared);
		}
}

static void
check_user(struct totals *t, const struct site *s, struct share_of *const *uses, size_t n, const struct map *changed, struct report *r)
{
	const struct doc *user = site_get(s, KIND_USER, uses[0]->owner);
	struct sum_limit limits[SUM_COUNT];
	size_t count;

	count_shared(uses, n);
	if (!user || (!any_changed(uses, n, changed, user->path) && !(changed && map_has(changed, "berth.yaml"))))
		return;
	check_budget(t, s, user, "user", uses, n, r);
	count = limits_of_user(s, user->name, limits);
	for (size_t i = 0; i < count; i++)
		check_sum(t, &limits[i], uses, n, r);
}

/* -- teams ------------------------------------------------------------------------------------------------------- */

static void
check_team(struct totals *t, const struct site *s, struct share_of *const *uses, size_t n, const struct map *changed, struct report *r)
{
	const struct doc *team = site_get(s, KIND_TEAM, uses[0]->use.team);
	const struct value *quota = rules_doc(team, "queue.quota");
	struct share_of **of = arena_array(t->mem, n + 1, sizeof(*of));

	if (team && any_changed(uses, n, changed, team->path))
		check_budget(t, s, team, "team", uses, n, r);
	for (size_t i = 0; value_is(quota, VALUE_MAP) && i < quota->map.n; i++) {
		const char *flavor = quota->map.items[i].key;
		struct sum_limit limits[SUM_COUNT];
		size_t k = 0, count;

		for (size_t j = 0; j < n; j++)
			if (strcmp(uses[j]->use.flavor, flavor) == 0)
				of[k++] = uses[j];
		if (!any_changed(of, k, changed, team->path) &&
		    !(changed && map_has(changed, arena_printf(t->mem, "flavors/%s.yaml", flavor))))
			continue;
		count = limits_of_queue(s, team->name, flavor, limits);
		for (size_t j = 0; j < count; j++)
			check_sum(t, &limits[j], of, k, r);
	}
}

/* -- the whole --------------------------------------------------------------------------------------------------- */

static int
by_path(const struct share_of *a, const struct share_of *b)
{
	return a->changed != b->changed ? (a->changed ? 1 : -1) : strcmp(a->path, b->path);
}

static int
by_owner(const void *x, const void *y)
{
	const struct share_of *a = *(const struct share_of *const *)x, *b = *(const struct share_of *const *)y;
	int rc = strcmp(a->owner, b->owner);

	return rc ? rc : by_path(a, b);
}

static int
by_team(const void *x, const void *y)
{
	const struct share_of *a = *(const struct share_of *const *)x, *b = *(const struct share_of *const *)y;
	int rc = strcmp(a->use.team ? a->use.team : "", b->use.team ? b->use.team : "");

	return rc ? rc : by_path(a, b);
}

void
totals_check(struct totals *t, const struct site *s, const struct map *changed, struct report *r)
{
	size_t end;

	if (t->n == 0)
		return;
	for (size_t i = 0; i < t->n; i++)
		t->uses[i]->changed = changed && map_has(changed, t->uses[i]->path);
	qsort(t->uses, t->n, sizeof(struct share_of *), by_owner);
	for (size_t i = 0; i < t->n; i = end) {
		for (end = i + 1; end < t->n && strcmp(t->uses[end]->owner, t->uses[i]->owner) == 0;)
			end++;
		check_user(t, s, t->uses + i, end - i, changed, r);
	}
	qsort(t->uses, t->n, sizeof(struct share_of *), by_team);
	for (size_t i = 0; i < t->n; i = end) {
		for (end = i + 1; end < t->n && str_eq(t->uses[end]->use.team, t->uses[i]->use.team);)
			end++;
		if (t->uses[i]->use.team)
			check_team(t, s, t->uses + i, end - i, changed, r);
	}
}
