/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over the environments of a user and of a team. */
#include "validate/totals.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/say.h"
#include "validate/rules.h"

#define MEMORY_MAX ((size_t)512 << 20)
#define SHOWN_MAX 8
#define SHARED_SIZE (INT64_C(100) << 30) /* of a shared claim that no user document sizes */

enum sum { SUM_GPU, SUM_CPU, SUM_MEMORY, SUM_STORAGE, SUM_ENVIRONMENTS, SUM_COUNT };

static const struct {
	const char *key;  /* in limits, and in a quota */
	const char *noun;
	bool queue;       /* part of a team's quota */
	char *(*text)(struct arena *mem, int64_t n);
} sums[SUM_COUNT] = {
	[SUM_GPU] = { "gpu", "gpu", true, NULL },
	[SUM_CPU] = { "cpu", "cpu", true, quantity_cpu_text },
	[SUM_MEMORY] = { "memory", "memory", true, quantity_bytes_text },
	[SUM_STORAGE] = { "storage", "storage", false, quantity_bytes_text },
	[SUM_ENVIRONMENTS] = { "environments", "environments", false, NULL },
};

/* One environment's part. */
struct use {
	const char *path, *label, *owner, *team, *flavor, *claim;
	struct place at;
	int64_t limits[SUM_COUNT], requests[SUM_COUNT]; /* users are held by limits, queues count requests */
	int64_t shared;                                 /* size of `claim`, in the storage of the first that names it */
	bool changed;
};

struct totals {
	struct arena *mem;
	struct use **uses;
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

static int64_t
plus(int64_t a, int64_t b)
{
	int64_t n;

	return __builtin_add_overflow(a, b, &n) ? INT64_MAX : n;
}

static int64_t
times(int64_t a, int64_t b)
{
	int64_t n;

	return __builtin_mul_overflow(a, b, &n) ? INT64_MAX : n;
}

static int64_t
size_of(const struct value *v, int64_t otherwise)
{
	int64_t n;

	return v && quantity_units(v, &n) == 0 ? n : otherwise;
}

static int64_t
storage_of(const struct env *env)
{
	const struct value *volumes = value_get(env->spec, "volumes"), *checkpoints = value_get(env->spec, "checkpoints");
	int64_t sum = times(env->home, env->replicas_full);

	for (size_t i = 0; i < value_len(volumes) && value_is(volumes, VALUE_LIST); i++)
		sum = plus(sum, size_of(value_get(value_item(volumes, i), "size"), 0));
	return plus(sum, size_of(value_get(checkpoints, "size"), 0));
}

static int64_t
huge_pages_of(const struct env *env)
{
	const struct value *pages = value_at(env->spec, "resources.hugepages");
	int64_t sum = 0;

	for (size_t i = 0; value_is(pages, VALUE_MAP) && i < pages->map.n; i++)
		sum = plus(sum, size_of(pages->map.items[i].value, 0));
	return sum;
}

void
totals_add(struct totals *t, const struct env *env)
{
	const struct value *flavor = value_get(env->doc->spec, "flavor");
	const struct value *own = value_get(env->user ? env->user->spec : NULL, "sharedVolume");
	const char *claim = value_as_str(value_get(env->spec, "sharedVolumeClaimName"), NULL);
	struct use *u = arena_alloc(t->mem, sizeof(*u));
	int64_t huge = huge_pages_of(env);
	bool same = env_guaranteed(env);

	if (!claim && own)
		claim = arena_printf(t->mem, "%s-shared", env->owner);
	u->path = arena_strdup(t->mem, env->doc->path);
	u->owner = arena_strdup(t->mem, env->owner);
	u->label = arena_printf(t->mem, "%s/%s", env->owner, env->name);
	u->team = env->team ? arena_strdup(t->mem, env->team->name) : NULL;
	u->flavor = arena_strdup(t->mem, env->flavor->name);
	u->at = flavor ? flavor->at : say_file(u->path);
	u->at.file = u->path;
	u->claim = claim ? arena_strdup(t->mem, claim) : NULL;
	u->shared = claim ? size_of(value_get(own, "size"), SHARED_SIZE) : 0;
	/* env->replicas is 0 while it is paused */
	u->limits[SUM_GPU] = u->requests[SUM_GPU] = times(env->gpu, env->replicas);
	u->limits[SUM_CPU] = times(env->cpu_limit, env->replicas);
	u->limits[SUM_MEMORY] = times(plus(env->mem_limit, huge), env->replicas);
	u->requests[SUM_CPU] = same ? u->limits[SUM_CPU] : times(env->cpu_request, env->replicas);
	u->requests[SUM_MEMORY] = same ? u->limits[SUM_MEMORY] : times(env->mem_request, env->replicas);
	u->limits[SUM_STORAGE] = storage_of(env);
	u->limits[SUM_ENVIRONMENTS] = 1;
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;

		t->uses = arena_regrow(t->mem, t->uses, t->cap, cap, sizeof(struct use *));
		t->cap = cap;
	}
	t->uses[t->n++] = u;
}

/* -- one sum ----------------------------------------------------------------------------------------------------- */

/* A limit on some of the uses. */
struct limit {
	struct totals *t;
	struct report *r;
	enum sum sum;
	int64_t max;
	const char *who;           /* "team 'nlp'" */
	const char *of;            /* " of flavor 'gpu-large'", or "" */
	const struct value *place; /* where it is set */
	bool requests;
};

static const char *
sum_text(const struct limit *l, int64_t n)
{
	return sums[l->sum].text ? sums[l->sum].text(l->t->mem, n) : arena_printf(l->t->mem, "%" PRId64, n);
}

static int64_t
part_of(const struct limit *l, const struct use *u)
{
	return l->requests ? u->requests[l->sum] : u->limits[l->sum];
}

/* Where the sum goes over, and who is part of it: the largest first would change with every edit, so in order of paths. */
static void
check_sum(const struct limit *l, struct use *const *uses, size_t n)
{
	const struct use *over = NULL;
	const char *held = "";
	struct finding *f;
	struct place at;
	int64_t sum = 0;
	size_t shown = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t part = part_of(l, uses[i]);

		sum = plus(sum, part);
		if (!over && part > 0 && sum > l->max)
			over = uses[i];
		if (part > 0 && shown++ < SHOWN_MAX)
			held = arena_printf(l->t->mem, "%s%s%s %s", held, shown > 1 ? ", " : "", uses[i]->label, sum_text(l, part));
	}
	if (!over)
		return;
	at = over->at;
	at.file = arena_strdup(l->r->mem, at.file); /* the report outlives the sums */
	f = say(l->r, LIMIT_EXCEEDED, at, "%s would hold %s of %s %s%s", l->who, sum_text(l, sum), sum_text(l, l->max),
	        sums[l->sum].noun, l->of);
	f->width = strlen(over->flavor);
	if (l->sum == SUM_STORAGE || l->sum == SUM_ENVIRONMENTS)
		finding_help(l->r, f, "remove or shrink one of them (paused ones count too), or ask an administrator for more");
	else
		finding_help(l->r, f, "pause or shrink one of them, or ask an administrator for more");
	finding_note(l->r, f, "limit set at %s; held by %s%s", say_place(l->r->mem, l->place), held, shown > SHOWN_MAX ? ", …" : "");
}

/* -- users ------------------------------------------------------------------------------------------------------- */

static bool
any_changed(struct use *const *uses, size_t n, const struct map *changed, const char *path)
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
count_shared(struct use *const *uses, size_t n)
{
	struct map seen AUTO_MAP = MAP_INIT;

	for (size_t i = 0; i < n; i++)
		if (uses[i]->claim && !map_has(&seen, uses[i]->claim)) {
			(void)map_put(&seen, uses[i]->claim, uses[i]);
			uses[i]->limits[SUM_STORAGE] = plus(uses[i]->limits[SUM_STORAGE], uses[i]->shared);
		}
}

static void
check_user(struct totals *t, const struct site *s, struct use *const *uses, size_t n, const struct map *changed, struct report *r)
{
	const struct doc *user = site_get(s, KIND_USER, uses[0]->owner);
	const char *role = value_as_str(rules_doc(user, "role"), "standard");
	const struct value *own = rules_doc(user, "limits"), *of_role = value_get(rules_doc(s->org, "roles"), role);

	count_shared(uses, n);
	if (!user || (!any_changed(uses, n, changed, user->path) && !(changed && map_has(changed, "berth.yaml"))))
		return;
	for (enum sum k = 0; k < SUM_COUNT; k++) {
		const struct value *mine = value_get(own, sums[k].key), *v = mine ? mine : value_get(of_role, sums[k].key);
		struct limit l = { .t = t, .r = r, .sum = k, .place = v, .of = "" };

		if (!v || (k == SUM_CPU ? quantity_milli(v, &l.max) : quantity_units(v, &l.max)) < 0)
			continue;
		l.who = mine ? arena_printf(t->mem, "user '%s'", user->name)
		             : arena_printf(t->mem, "user '%s' with role '%s'", user->name, role);
		check_sum(&l, uses, n);
	}
}

/* -- teams ------------------------------------------------------------------------------------------------------- */

static bool
has_kueue(const struct site *s)
{
	const struct value *features = rules_doc(s->org, "cluster.features");

	for (size_t i = 0; i < value_len(features) && value_is(features, VALUE_LIST); i++)
		if (str_eq(value_as_str(value_item(features, i), NULL), "kueue"))
			return true;
	return false;
}

/* All of one flavor; what a quota leaves out is none of it for Kueue, and no limit without. */
static void
check_quota(struct totals *t, const struct site *s, const struct doc *team, const struct member *quota, struct use *const *uses,
            size_t n, struct report *r)
{
	const struct value *queue = rules_doc(team, "queue"), *borrow = value_get(queue, "cohort") ? value_get(queue, "borrow") : NULL;

	for (enum sum k = 0; k < SUM_COUNT; k++) {
		const struct value *v = value_get(quota->value, sums[k].key), *more = value_get(borrow, sums[k].key);
		struct limit l = { .t = t, .r = r, .sum = k, .requests = true, .place = v ? v : quota->value };
		int64_t extra = 0;

		if (!sums[k].queue || (!v && !has_kueue(s)))
			continue;
		if (v && (k == SUM_CPU ? quantity_milli(v, &l.max) : quantity_units(v, &l.max)) < 0)
			continue;
		if (more && (k == SUM_CPU ? quantity_milli(more, &extra) : quantity_units(more, &extra)) == 0)
			l.max = plus(l.max, extra);
		l.who = arena_printf(t->mem, "team '%s'", team->name);
		l.of = arena_printf(t->mem, " of flavor '%s'%s", quota->key, extra ? ", borrowed ones included" : "");
		check_sum(&l, uses, n);
	}
}

static void
check_team(struct totals *t, const struct site *s, struct use *const *uses, size_t n, const struct map *changed, struct report *r)
{
	const struct doc *team = site_get(s, KIND_TEAM, uses[0]->team);
	const struct value *quota = rules_doc(team, "queue.quota");
	struct use **of = arena_array(t->mem, n + 1, sizeof(*of));

	for (size_t i = 0; value_is(quota, VALUE_MAP) && i < quota->map.n; i++) {
		const char *flavor = quota->map.items[i].key;
		size_t k = 0;

		for (size_t j = 0; j < n; j++)
			if (strcmp(uses[j]->flavor, flavor) == 0)
				of[k++] = uses[j];
		if (any_changed(of, k, changed, team->path) ||
		    (changed && map_has(changed, arena_printf(t->mem, "flavors/%s.yaml", flavor))))
			check_quota(t, s, team, &quota->map.items[i], of, k, r);
	}
}

/* -- the whole --------------------------------------------------------------------------------------------------- */

static int
by_path(const struct use *a, const struct use *b)
{
	return a->changed != b->changed ? (a->changed ? 1 : -1) : strcmp(a->path, b->path);
}

static int
by_owner(const void *x, const void *y)
{
	const struct use *a = *(const struct use *const *)x, *b = *(const struct use *const *)y;
	int rc = strcmp(a->owner, b->owner);

	return rc ? rc : by_path(a, b);
}

static int
by_team(const void *x, const void *y)
{
	const struct use *a = *(const struct use *const *)x, *b = *(const struct use *const *)y;
	int rc = strcmp(a->team ? a->team : "", b->team ? b->team : "");

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
	qsort(t->uses, t->n, sizeof(struct use *), by_owner);
	for (size_t i = 0; i < t->n; i = end) {
		for (end = i + 1; end < t->n && strcmp(t->uses[end]->owner, t->uses[i]->owner) == 0;)
			end++;
		check_user(t, s, t->uses + i, end - i, changed, r);
	}
	qsort(t->uses, t->n, sizeof(struct use *), by_team);
	for (size_t i = 0; i < t->n; i = end) {
		for (end = i + 1; end < t->n && str_eq(t->uses[end]->team, t->uses[i]->team);)
			end++;
		if (t->uses[i]->team)
			check_team(t, s, t->uses + i, end - i, changed, r);
	}
}
