/* SPDX-License-Identifier: Apache-2.0 */
/* From an environment to a few integers, and from documents to limits on their sums. */
#include "validate/use.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/dataset.h"
#include "parse/quantity.h"
#include "validate/rules.h"

#define SHARED_SIZE (INT64_C(100) << 30) /* of a shared claim that no user document sizes */

static const struct {
	const char *key;  /* in limits, in a quota, in a status */
	bool queue;       /* part of a team's quota */
	bool milli;
	char *(*text)(struct arena *mem, int64_t n);
} sums[SUM_COUNT] = {
	[SUM_GPU] = { "gpu", true, false, NULL },
	[SUM_CPU] = { "cpu", true, true, quantity_cpu_text },
	[SUM_MEMORY] = { "memory", true, false, quantity_bytes_text },
	[SUM_STORAGE] = { "storage", false, false, quantity_bytes_text },
	[SUM_ENVIRONMENTS] = { "environments", false, false, NULL },
};

const char *
sum_name(enum sum k)
{
	return sums[k].key;
}

int64_t
size_plus(int64_t a, int64_t b)
{
	int64_t n;

	return __builtin_add_overflow(a, b, &n) ? INT64_MAX : n;
}

int64_t
size_times(int64_t a, int64_t b)
{
	int64_t n;

	return __builtin_mul_overflow(a, b, &n) ? INT64_MAX : n;
}

/* -- one environment --------------------------------------------------------------------------------------------- */

static int64_t
size_of(const struct value *v, int64_t otherwise)
{
	int64_t n;

	return v && quantity_units(v, &n) == 0 ? n : otherwise;
}

/* Copies of datasets on disks of their own, which are claims too and go with the pods; others are part of the node's. */
static int64_t
copies_of(struct arena *mem, const struct env *env)
{
	int64_t sum = 0;

	if (!value_at(env->org ? env->org->spec : NULL, "storage.localClass"))
		return 0;
	for (size_t i = 0; i < value_len(value_get(env->spec, "datasets")) && i < env->ndatasets; i++) {
		struct dataset_use u;

		env_dataset(mem, env, i, &u);
		if (u.copied)
			sum = size_plus(sum, dataset_room(&u));
	}
	return size_times(sum, env->replicas);
}

static int64_t
storage_of(struct arena *mem, const struct env *env)
{
	const struct value *volumes = value_get(env->spec, "volumes"), *checkpoints = value_get(env->spec, "checkpoints");
	int64_t sum = size_times(env->home, env->replicas_full);

	for (size_t i = 0; i < value_len(volumes) && value_is(volumes, VALUE_LIST); i++)
		sum = size_plus(sum, size_of(value_get(value_item(volumes, i), "size"), 0));
	sum = size_plus(sum, copies_of(mem, env));
	return size_plus(sum, size_of(value_get(checkpoints, "size"), 0));
}

static int64_t
huge_pages_of(const struct env *env)
{
	const struct value *pages = value_at(env->spec, "resources.hugepages");
	int64_t sum = 0;

	for (size_t i = 0; value_is(pages, VALUE_MAP) && i < pages->map.n; i++)
		sum = size_plus(sum, size_of(pages->map.items[i].value, 0));
	return sum;
}

void
use_of(struct arena *mem, const struct env *env, struct use *u)
{
	const struct value *own = value_get(env->user ? env->user->spec : NULL, "sharedVolume");
	int64_t huge = huge_pages_of(env);
	bool same = env_guaranteed(env);

	*u = (struct use){ .team = env->team ? env->team->name : NULL, .flavor = env->flavor->name };
	u->claim = value_as_str(value_get(env->spec, "sharedVolumeClaimName"), NULL);
	if (!u->claim && own)
		u->claim = arena_printf(mem, "%s-shared", env->owner);
	u->shared = u->claim ? size_of(value_get(own, "size"), SHARED_SIZE) : 0;
	/* env->replicas is 0 while it is paused */
	u->limits[SUM_GPU] = u->requests[SUM_GPU] = size_times(env->gpu, env->replicas);
	u->limits[SUM_CPU] = size_times(env->cpu_limit, env->replicas);
	u->limits[SUM_MEMORY] = size_times(size_plus(env->mem_limit, huge), env->replicas);
	u->requests[SUM_CPU] = same ? u->limits[SUM_CPU] : size_times(env->cpu_request, env->replicas);
	u->requests[SUM_MEMORY] = same ? u->limits[SUM_MEMORY] : size_times(env->mem_request, env->replicas);
	u->limits[SUM_STORAGE] = storage_of(mem, env);
	u->limits[SUM_ENVIRONMENTS] = 1;
}

struct use *
use_copy(const struct use *u)
{
	const char *const texts[] = { u ? u->team : NULL, u ? u->flavor : NULL, u ? u->claim : NULL };
	size_t need = sizeof(*u);
	const char *copies[3] = { NULL };
	struct use *c;
	char *at;

	if (!u)
		return NULL;
	for (size_t i = 0; i < 3; i++)
		need += texts[i] ? strlen(texts[i]) + 1 : 0;
	if (!(c = malloc(need)))
		abort();
	at = (char *)(c + 1);
	for (size_t i = 0; i < 3; i++) {
		size_t n = texts[i] ? strlen(texts[i]) + 1 : 0;

		if (!n)
			continue;
		memcpy(at, texts[i], n);
		copies[i] = at;
		at += n;
	}
	*c = *u;
	c->team = copies[0];
	c->flavor = copies[1];
	c->claim = copies[2];
	return c;
}

bool
use_equal(const struct use *a, const struct use *b)
{
	return str_eq(a->team, b->team) && str_eq(a->flavor, b->flavor) && str_eq(a->claim, b->claim) && a->shared == b->shared &&
	       memcmp(a->limits, b->limits, sizeof(a->limits)) == 0 && memcmp(a->requests, b->requests, sizeof(a->requests)) == 0;
}

/* -- in a status document ---------------------------------------------------------------------------------------- */

static void
put_text(struct arena *mem, struct value *map, const char *key, const char *text)
{
	if (text)
		value_set(mem, map, key, value_str(mem, text));
}

/* Counts as numbers, sizes as people write them. */
static void
put_sums(struct arena *mem, struct value *map, const int64_t n[SUM_COUNT])
{
	for (enum sum k = 0; k < SUM_ENVIRONMENTS; k++)
		if (n[k])
			value_set(mem, map, sums[k].key, sums[k].text ? value_str(mem, sums[k].text(mem, n[k])) : value_int(mem, n[k]));
}

struct value *
use_value(struct arena *mem, const struct use *u)
{
	struct value *v = value_map(mem), *requests = value_map(mem), *shared = value_map(mem);

	put_text(mem, v, "team", u->team);
	put_text(mem, v, "flavor", u->flavor);
	put_sums(mem, v, u->limits);
	put_sums(mem, requests, u->requests);
	if (value_len(requests))
		value_set(mem, v, "requests", requests);
	put_text(mem, shared, "claim", u->claim);
	if (u->claim)
		value_set(mem, shared, "size", value_str(mem, quantity_bytes_text(mem, u->shared)));
	if (u->claim)
		value_set(mem, v, "shared", shared);
	return v;
}

static void
read_sums(const struct value *map, int64_t n[SUM_COUNT])
{
	for (enum sum k = 0; k < SUM_ENVIRONMENTS; k++) {
		const struct value *v = value_get(map, sums[k].key);

		if (v && (sums[k].milli ? quantity_milli(v, &n[k]) : quantity_units(v, &n[k])) < 0)
			n[k] = 0;
	}
}

bool
use_read(const struct value *v, struct use *out)
{
	struct use u = { .flavor = value_as_str(value_get(v, "flavor"), NULL), .team = value_as_str(value_get(v, "team"), NULL) };

	if (!value_is(v, VALUE_MAP) || !u.flavor)
		return false;
	read_sums(v, u.limits);
	read_sums(value_get(v, "requests"), u.requests);
	u.limits[SUM_ENVIRONMENTS] = 1;
	u.claim = value_as_str(value_at(v, "shared.claim"), NULL);
	u.shared = u.claim ? size_of(value_at(v, "shared.size"), 0) : 0;
	*out = u;
	return true;
}

/* -- limits ------------------------------------------------------------------------------------------------------- */

static bool
read_limit(const struct value *v, enum sum k, int64_t *n)
{
	return v && (sums[k].milli ? quantity_milli(v, n) : quantity_units(v, n)) == 0;
}

size_t
limits_of_user(const struct site *s, const char *owner, struct sum_limit out[SUM_COUNT])
{
	const struct doc *user = site_get(s, KIND_USER, owner);
	const char *role = value_as_str(rules_doc(user, "role"), "standard");
	const struct value *own = rules_doc(user, "limits"), *of_role = value_get(rules_doc(s->org, "roles"), role);
	size_t n = 0;

	for (enum sum k = 0; user && k < SUM_COUNT; k++) {
		const struct value *mine = value_get(own, sums[k].key), *v = mine ? mine : value_get(of_role, sums[k].key);
		struct sum_limit l = { .sum = k, .name = user->name, .role = mine ? NULL : role, .place = v };

		if (read_limit(v, k, &l.max))
			out[n++] = l;
	}
	return n;
}

static bool
has_kueue(const struct site *s)
{
	const struct value *features = rules_doc(s->org, "cluster.features");

	for (size_t i = 0; i < value_len(features) && value_is(features, VALUE_LIST); i++)
		if (str_eq(value_as_str(value_item(features, i), NULL), "kueue"))
			return true;
	return false;
}

size_t
limits_of_queue(const struct site *s, const char *team, const char *flavor, struct sum_limit out[SUM_COUNT])
{
	const struct doc *d = team ? site_get(s, KIND_TEAM, team) : NULL;
	const struct value *queue = rules_doc(d, "queue"), *quota = value_get(value_get(queue, "quota"), flavor);
	const struct value *borrow = value_get(queue, "cohort") ? value_get(queue, "borrow") : NULL;
	size_t n = 0;

	for (enum sum k = 0; quota && k < SUM_COUNT; k++) {
		const struct value *v = value_get(quota, sums[k].key);
		struct sum_limit l = { .sum = k, .name = d->name, .flavor = flavor, .place = v ? v : quota };
		int64_t extra = 0;

		if (!sums[k].queue || (!v && !has_kueue(s)) || (v && !read_limit(v, k, &l.max)))
			continue;
		if (read_limit(value_get(borrow, sums[k].key), k, &extra))
			l.max = size_plus(l.max, extra);
		l.borrowed = extra > 0;
		out[n++] = l;
	}
	return n;
}

bool
limits_any_queue(const struct site *s)
{
	void *d;

	for (size_t i = 0; map_next(&s->docs[KIND_TEAM], &i, NULL, &d);)
		if (value_len(rules_doc(d, "queue.quota")))
			return true;
	return false;
}

int64_t
limit_part(const struct sum_limit *l, const struct use *u)
{
	return l->flavor ? u->requests[l->sum] : u->limits[l->sum];
}

const char *
sum_text(struct arena *mem, enum sum k, int64_t n)
{
	return sums[k].text ? sums[k].text(mem, n) : arena_printf(mem, "%" PRId64, n);
}

const char *
limit_text(struct arena *mem, const struct sum_limit *l, int64_t n)
{
	return sum_text(mem, l->sum, n);
}

const char *
limit_say(struct arena *mem, const struct sum_limit *l, int64_t sum)
{
	const char *who = arena_printf(mem, l->flavor ? "team '%s'" : "user '%s'", l->name);

	if (l->role)
		who = arena_printf(mem, "%s with role '%s'", who, l->role);
	who = arena_printf(mem, "%s would hold %s of %s %s", who, limit_text(mem, l, sum), limit_text(mem, l, l->max), sums[l->sum].key);
	if (l->flavor)
		who = arena_printf(mem, "%s of flavor '%s'%s", who, l->flavor, l->borrowed ? ", borrowed ones included" : "");
	return who;
}
