/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums of what is live, and the order in which those that grow are let through. */
#include "validate/holds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/say.h"

#define KEY_MAX 512
#define ROUNDS_MAX 16 /* of giving away what was freed by changes that were let through; the rest waits for the next pass */
#define SINCE_BITS 20 /* a second has a million places in the queue */

__extension__ typedef __int128 wide; /* sums of int64 that never overflow, and so can be taken apart again */

/* A shared volume counts once, with the size that was said last. */
struct claim {
	char *name;
	int64_t size;
	size_t n; /* environments that mount it */
};

/* All of an owner, or all of a team and flavor. */
struct group {
	wide sums[SUM_COUNT];
	struct claim *claims;
	size_t nclaims;
	bool contested; /* in this decision */
};

struct hold {
	char *owner, *name;
	struct use *live;   /* as this pass leaves it */
	struct use *before; /* as the last pass left it, when touched */
	struct use *asked;  /* of the newest spec, while it is not live */
	bool touched;       /* in this pass */
	bool there;         /* something of it is on the target */
	bool known;         /* `live` (`before`) is certain; else it is taken to be what is asked */
	bool queued;        /* to be decided */
	bool waits;
	uint64_t since; /* place in the queue; 0: none yet */
	int64_t age;
};

struct holds {
	struct map all;    /* "alice/train" -> struct hold * */
	struct map groups; /* "alice", or "nlp/gpu-large" with a leading slash -> struct group * */
	struct hold **touched, **queue;
	size_t ntouched, touched_cap, nqueue, queue_cap, nwaiting;
	uint64_t last; /* place that was given out last */
};

/* -- memory ------------------------------------------------------------------------------------------------------- */

struct holds *
holds_new(void)
{
	struct holds *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	return h;
}

static void
hold_free(struct hold *x)
{
	free(x->owner);
	free(x->name);
	free(x->live);
	free(x->before);
	free(x->asked);
	free(x);
}

static void
group_free(struct group *g)
{
	for (size_t i = 0; i < g->nclaims; i++)
		free(g->claims[i].name);
	free(g->claims);
	free(g);
}

void
holds_free(struct holds *h)
{
	void *v;

	if (!h)
		return;
	for (size_t i = 0; map_next(&h->all, &i, NULL, &v);)
		hold_free(v);
	for (size_t i = 0; map_next(&h->groups, &i, NULL, &v);)
		group_free(v);
	map_free(&h->all);
	map_free(&h->groups);
	free(h->touched);
	free(h->queue);
	free(h);
}

/* False when longer than any that passed validation. */
static bool
hold_key(char key[KEY_MAX], const char *owner, const char *name)
{
	return snprintf(key, KEY_MAX, "%s/%s", owner, name) < KEY_MAX;
}

static struct hold *
hold_find(const struct holds *h, const char *owner, const char *name)
{
	char key[KEY_MAX];

	return hold_key(key, owner, name) ? map_get(&h->all, key) : NULL;
}

static struct hold *
hold_of(struct holds *h, const char *owner, const char *name)
{
	struct hold *x = hold_find(h, owner, name);
	char key[KEY_MAX];

	if (x || !hold_key(key, owner, name))
		return x;
	x = calloc(1, sizeof(*x));
	if (!x || !(x->owner = strdup(owner)) || !(x->name = strdup(name)))
		abort();
	(void)map_put(&h->all, key, x);
	return x;
}

static void
list_add(struct hold ***list, size_t *n, size_t *cap, struct hold *x)
{
	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 32;
		if (!(*list = reallocarray(*list, *cap, sizeof(struct hold *))))
			abort();
	}
	(*list)[(*n)++] = x;
}

static void
set_waits(struct holds *h, struct hold *x, bool waits)
{
	h->nwaiting += (size_t)waits - (size_t)x->waits;
	x->waits = waits;
	if (!waits)
		x->since = 0;
}

/* -- sums --------------------------------------------------------------------------------------------------------- */

static struct group *
group_of(struct holds *h, const char *key)
{
	struct group *g = map_get(&h->groups, key);

	if (g)
		return g;
	if (!(g = calloc(1, sizeof(*g))))
		abort();
	(void)map_put(&h->groups, key, g);
	return g;
}

/* NULL when it is in no team. */
static struct group *
group_team(struct holds *h, const struct use *u)
{
	char key[KEY_MAX];

	if (!u->team || snprintf(key, sizeof(key), "/%s/%s", u->team, u->flavor) >= KEY_MAX)
		return NULL;
	return group_of(h, key);
}

static struct claim *
claim_find(const struct group *g, const char *name)
{
	for (size_t i = 0; i < g->nclaims; i++)
		if (strcmp(g->claims[i].name, name) == 0)
			return &g->claims[i];
	return NULL;
}

static void
claim_add(struct group *g, const struct use *u)
{
	struct claim *c = claim_find(g, u->claim);

	if (!c) {
		if (!(g->claims = reallocarray(g->claims, g->nclaims + 1, sizeof(*c))))
			abort();
		c = &g->claims[g->nclaims++];
		*c = (struct claim){ .name = strdup(u->claim) };
		if (!c->name)
			abort();
	}
	g->sums[SUM_STORAGE] += (wide)u->shared - c->size;
	c->size = u->shared;
	c->n++;
}

static void
claim_remove(struct group *g, const struct use *u)
{
	struct claim *c = claim_find(g, u->claim);

	if (!c || --c->n)
		return;
	g->sums[SUM_STORAGE] -= c->size;
	free(c->name);
	*c = g->claims[--g->nclaims];
}

static void
count(struct holds *h, const struct hold *x, const struct use *u, int sign)
{
	struct group *own = group_of(h, x->owner), *team = group_team(h, u);

	for (enum sum k = 0; k < SUM_COUNT; k++) {
		own->sums[k] += (wide)u->limits[k] * sign;
		if (team)
			team->sums[k] += (wide)u->requests[k] * sign;
	}
	if (!u->claim)
		return;
	if (sign > 0)
		claim_add(own, u);
	else
		claim_remove(own, u);
}

/* From now on `u` (may be NULL) is what counts. Copied. */
static void
take(struct holds *h, struct hold *x, const struct use *u)
{
	struct use *next = use_copy(u);

	if (!x->touched) {
		x->touched = true;
		x->before = use_copy(x->live);
		list_add(&h->touched, &h->ntouched, &h->touched_cap, x);
	}
	if (x->live)
		count(h, x, x->live, -1);
	if (next)
		count(h, x, next, 1);
	free(x->live);
	x->live = next;
}

static void
forget_before(struct hold *x)
{
	free(x->before);
	x->before = NULL;
	x->touched = false;
}

static bool
hold_empty(const struct hold *x)
{
	return !x->live && !x->asked && !x->touched;
}

static void
hold_delete(struct holds *h, struct hold *x)
{
	char key[KEY_MAX];

	set_waits(h, x, false);
	if (hold_key(key, x->owner, x->name))
		(void)map_del(&h->all, key);
	hold_free(x);
}

/* Everybody of the queue and everybody touched is looked at once more, and goes when there is nothing to remember. */
static void
clean(struct holds *h, bool keep)
{
	for (size_t i = 0; i < h->nqueue; i++)
		h->queue[i]->queued = false;
	h->nqueue = 0;
	for (size_t i = 0; i < h->ntouched; i++) {
		struct hold *x = h->touched[i];

		if (!keep)
			take(h, x, x->before);
		forget_before(x);
		if (hold_empty(x))
			hold_delete(h, x);
	}
	h->ntouched = 0;
}

void
holds_begin(struct holds *h)
{
	clean(h, false);
}

void
holds_keep(struct holds *h)
{
	clean(h, true);
}

void
holds_forget(struct holds *h, const char *owner)
{
	void *v;

	for (size_t i = 0; map_next(&h->all, &i, NULL, &v);) {
		struct hold *x = v;

		if (owner && strcmp(x->owner, owner) != 0)
			continue;
		take(h, x, NULL);
		x->known = false;
	}
}

/* -- what a pass says --------------------------------------------------------------------------------------------- */

static void
queue_add(struct holds *h, struct hold *x)
{
	if (!x->queued)
		list_add(&h->queue, &h->nqueue, &h->queue_cap, x);
	x->queued = true;
}

void
holds_ask(struct holds *h, const char *owner, const char *name, const struct use *asked, bool there)
{
	struct hold *x = hold_of(h, owner, name);

	if (!x)
		return;
	if (!there) { /* whatever was known: there is nothing any more */
		take(h, x, NULL);
		x->known = true;
	}
	x->there = there;
	free(x->asked);
	x->asked = use_copy(asked);
	if (!asked)
		set_waits(h, x, false);
	queue_add(h, x);
}

void
holds_drop(struct holds *h, const char *owner, const char *name)
{
	struct hold *x = hold_of(h, owner, name);

	if (!x)
		return;
	take(h, x, NULL);
	free(x->asked);
	x->asked = NULL;
	x->there = false;
	x->known = true;
	set_waits(h, x, false);
}

void
holds_failed(struct holds *h, const char *owner, const char *name)
{
	struct hold *x = hold_find(h, owner, name);

	if (!x)
		return;
	if (x->touched)
		take(h, x, x->before);
	free(x->asked);
	x->asked = NULL;
	set_waits(h, x, false);
}

const struct use *
holds_live(const struct holds *h, const char *owner, const char *name)
{
	const struct hold *x = hold_find(h, owner, name);

	return x ? x->live : NULL;
}

size_t
holds_waiting(const struct holds *h)
{
	return h->nwaiting;
}

/* -- decisions ---------------------------------------------------------------------------------------------------- */

struct decision {
	struct holds *h;
	const struct site *s;
	const struct holds_query *q;
};

/* Limits on what `u` is part of: the owner's, then the team's. */
static size_t
limits_on(const struct site *s, const struct hold *x, const struct use *u, struct sum_limit out[2 * SUM_COUNT])
{
	size_t n = limits_of_user(s, x->owner, out);

	return n + limits_of_queue(s, u->team, u->flavor, out + n);
}

static wide
sum_now(struct holds *h, const struct hold *x, const struct use *u, const struct sum_limit *l)
{
	const struct group *g = l->flavor ? group_team(h, u) : group_of(h, x->owner);

	return g ? g->sums[l->sum] : 0;
}

/* Does going from `old` (may be NULL) to `u` take more of this sum? */
static bool
grows(const struct sum_limit *l, const struct use *old, const struct use *u)
{
	bool same = old && (!l->flavor || (str_eq(old->team, u->team) && str_eq(old->flavor, u->flavor)));

	if (l->sum == SUM_STORAGE && u->claim && (!old || !str_eq(old->claim, u->claim)))
		return true;
	return limit_part(l, u) > (same ? limit_part(l, old) : 0);
}

/* With `u` counted already: the first limit that is over because of it. */
static bool
find_over(struct holds *h, const struct site *s, const struct hold *x, const struct use *old, const struct use *u,
          struct sum_limit *over, wide *sum)
{
	struct sum_limit limits[2 * SUM_COUNT];
	size_t n = limits_on(s, x, u, limits);

	for (size_t i = 0; i < n; i++) {
		wide now = sum_now(h, x, u, &limits[i]);

		if (now <= limits[i].max || !grows(&limits[i], old, u))
			continue;
		*over = limits[i];
		*sum = now;
		return true;
	}
	return false;
}

/* Takes what is asked if it fits. */
static bool
try_take(const struct decision *d, struct hold *x)
{
	struct use *old = use_copy(x->live);
	struct sum_limit over;
	wide sum;
	bool fits;

	take(d->h, x, x->asked);
	fits = !find_over(d->h, d->s, x, old, x->asked, &over, &sum);
	if (!fits)
		take(d->h, x, old);
	free(old);
	return fits;
}

static bool
grows_any(const struct decision *d, const struct hold *x)
{
	struct sum_limit limits[2 * SUM_COUNT];
	size_t n = limits_on(d->s, x, x->asked, limits);

	for (size_t i = 0; i < n; i++)
		if (grows(&limits[i], x->live, x->asked))
			return true;
	return false;
}

/* Are all the sums that `u` is part of within their limits? Marks those that are not. */
static bool
mark_over(const struct decision *d, const struct hold *x, const struct use *u)
{
	struct sum_limit limits[2 * SUM_COUNT];
	size_t n = limits_on(d->s, x, u, limits);
	bool fine = true;

	for (size_t i = 0; i < n; i++) {
		struct group *g = limits[i].flavor ? group_team(d->h, u) : group_of(d->h, x->owner);

		if (g && g->sums[limits[i].sum] > limits[i].max)
			g->contested = true, fine = false;
	}
	return fine;
}

static void
set_before(struct holds *h, struct hold *x, const struct use *u)
{
	if (!x->touched)
		take(h, x, x->live);
	free(x->before);
	x->before = use_copy(u);
}

static void
grant(const struct decision *d, struct hold *x)
{
	bool waited = x->waits;

	if (!x->known && x->there)
		set_before(d->h, x, x->asked);
	free(x->asked);
	x->asked = NULL;
	x->known = x->there = true;
	set_waits(d->h, x, false);
	if (waited && d->q->granted)
		d->q->granted(d->q->ctx, x->owner);
}

/* Those with nothing to decide: only what is live of them counts. */
static void
settle_unasked(const struct decision *d, struct hold *x)
{
	struct use u;
	int64_t since;

	if (!x->there || x->known)
		return;
	if (d->q->read && d->q->read(d->q->ctx, x->owner, x->name, &u, &since)) {
		take(d->h, x, &u);
		set_before(d->h, x, &u); /* it was so before this pass, too */
	}
	x->known = true;
}

static bool
is_contested(struct holds *h, const struct hold *x, const struct use *u)
{
	const struct group *team = u ? group_team(h, u) : NULL;

	return group_of(h, x->owner)->contested || (team && team->contested);
}

/* What is live of this one now has a place in sums that may be over, too. */
static void
contest(struct holds *h, const struct use *u)
{
	struct group *team = u ? group_team(h, u) : NULL;

	if (team)
		team->contested = true;
}

/*
 * After a restart only what is asked is known. In sums that are over that does not do: what was live is read, for those that
 * are part of them and for those that what was read makes part of them.
 */
static void
find_out(const struct decision *d)
{
	struct holds *h = d->h;
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < h->nqueue; i++) {
			struct hold *x = h->queue[i];
			struct use u;
			int64_t since = 0;

			if (!x->asked || (x->known && (x->waits || x->since || x->there)) || x->age < 0 || !is_contested(h, x, x->asked))
				continue;
			x->age = -1; /* once */
			more = true;
			if (!d->q->read || !d->q->read(d->q->ctx, x->owner, x->name, &u, &since))
				u = *x->asked;
			if (since > 0 && !x->since)
				x->since = (uint64_t)since << SINCE_BITS;
			if (!x->known)
				set_before(h, x, &u);
			x->known = true;
			contest(h, x->before);
		}
	}
	for (size_t i = 0; i < h->nqueue; i++)
		if (h->queue[i]->asked && !h->queue[i]->known)
			set_before(h, h->queue[i], h->queue[i]->asked);
}

static int
by_place(const void *a, const void *b)
{
	const struct hold *x = *(const struct hold *const *)a, *y = *(const struct hold *const *)b;
	uint64_t p = x->since ? x->since : UINT64_MAX, q = y->since ? y->since : UINT64_MAX;
	int rc;

	if (p != q)
		return p < q ? -1 : 1;
	if (x->age != y->age)
		return x->age < y->age ? -1 : 1;
	rc = strcmp(x->owner, y->owner);
	return rc ? rc : strcmp(x->name, y->name);
}

/* Lets through what fits, in order; what that frees may make room for those before, so again. */
static void
let_through(const struct decision *d, struct hold **list, size_t n)
{
	bool again = true;

	for (int round = 0; again && round < ROUNDS_MAX; round++) {
		again = false;
		for (size_t i = 0; i < n; i++) {
			struct hold *x = list[i];
			bool frees = x->live != NULL;

			if (!x->asked || !try_take(d, x))
				continue;
			grant(d, x);
			again |= frees;
		}
	}
}

static void
wait_for_room(const struct decision *d, struct hold *x)
{
	struct holds *h = d->h;
	uint64_t place = (uint64_t)(d->q->now > 0 ? d->q->now : 0) << SINCE_BITS;

	set_waits(h, x, true);
	if (x->since) {
		if (x->since > h->last)
			h->last = x->since;
		return;
	}
	h->last = place > h->last ? place : h->last + 1;
	x->since = h->last;
}

/* Something does not fit: who is let through depends on the order. */
static void
decide_in_order(const struct decision *d)
{
	struct holds *h = d->h;
	struct hold **growing = NULL;
	size_t n = 0, cap = 0;

	find_out(d);
	for (size_t i = 0; i < h->nqueue; i++)
		if (h->queue[i]->asked)
			take(h, h->queue[i], h->queue[i]->before);
	for (size_t i = 0; i < h->nqueue; i++) {
		struct hold *x = h->queue[i];

		if (!x->asked)
			continue;
		if (grows_any(d, x)) {
			x->age = x->since || !d->q->age ? 0 : d->q->age(d->q->ctx, x->owner, x->name);
			list_add(&growing, &n, &cap, x);
		} else {
			take(h, x, x->asked);
			grant(d, x);
		}
	}
	if (n)
		qsort(growing, n, sizeof(struct hold *), by_place);
	let_through(d, growing, n);
	for (size_t i = 0; i < n; i++)
		if (growing[i]->asked)
			wait_for_room(d, growing[i]);
	free(growing);
}

void
holds_decide(struct holds *h, const struct site *s, const struct holds_query *q)
{
	struct decision d = { .h = h, .s = s, .q = q };
	bool fine = true;
	void *v;

	for (size_t i = 0; h->nwaiting && q->granted && map_next(&h->all, &i, NULL, &v);)
		if (((struct hold *)v)->waits)
			queue_add(h, v);
	for (size_t i = 0; i < h->nqueue; i++) {
		if (h->queue[i]->asked)
			take(h, h->queue[i], h->queue[i]->asked);
		else
			settle_unasked(&d, h->queue[i]);
		h->queue[i]->age = 0;
	}
	for (size_t i = 0; i < h->nqueue; i++)
		fine &= !h->queue[i]->asked || mark_over(&d, h->queue[i], h->queue[i]->asked);
	if (!fine)
		decide_in_order(&d);
	for (size_t i = 0; fine && i < h->nqueue; i++)
		if (h->queue[i]->asked)
			grant(&d, h->queue[i]);
	if (!fine)
		for (size_t i = 0; map_next(&h->groups, &i, NULL, &v);)
			((struct group *)v)->contested = false;
	/* decided: asking again, one by one, decides only what is new */
	for (size_t i = 0; i < h->nqueue; i++)
		h->queue[i]->queued = false;
	h->nqueue = 0;
}

const char *
holds_waits(struct holds *h, const struct site *s, struct arena *mem, const char *owner, const char *name)
{
	struct hold *x = hold_find(h, owner, name);
	struct sum_limit over;
	struct use *old;
	const char *text = "waits for room: the next pass looks again";
	wide sum;

	if (!x || !x->waits)
		return NULL;
	old = use_copy(x->live);
	take(h, x, x->asked);
	if (find_over(h, s, x, old, x->asked, &over, &sum))
		text = arena_printf(mem, "%s; limit set at %s", limit_say(mem, &over, sum > INT64_MAX ? INT64_MAX : (int64_t)sum),
		                    say_place(mem, over.place));
	take(h, x, old);
	free(old);
	return text;
}
