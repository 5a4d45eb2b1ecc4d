/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes that build on one another: none to v1, v1 to v2, and main has v2 alone. When the first is approved late, its state is nowhere on main any more, and yet
 * nothing that was not approved comes with it, as long as every one up to main's state is approved.
 */
#include "repo/approve_priv.h"

#include <string.h>

#include "repo/review.h"

#define LINKS_MAX 64            /* changes of one chain */
#define LOOKS_MAX 20000         /* commits that a run looks at for chains */
#define CHAIN_ARENA ((size_t)256 << 20)

struct chain {
	struct run *r;
	const struct oid *tip;
	struct arena *mem;       /* of one chain */
	struct proof *before;    /* NULL: nothing took effect yet */
	size_t *places;          /* beside the evidence: the waiting commit that a review's merge made; nopen: none */
	struct changeset all;    /* paths that it touched, each as it left it */
	struct oid taken[LINKS_MAX];
	size_t ntaken;
};

/* -- one link ------------------------------------------------------------------------------------------------------------------------ */

/* What it touched grows by this change. False: it is too much for one chain. */
static bool
join(struct chain *c, const struct changeset *add)
{
	const struct changeset *was = &c->all;
	struct change_entry *items = arena_array(c->mem, was->n + add->n, sizeof(*items));
	size_t n = 0;

	for (size_t i = 0, k = 0; i < was->n || k < add->n; n++) {
		int order = i == was->n ? 1 : k == add->n ? -1 : strcmp(was->items[i].path, add->items[k].path);

		items[n] = order < 0 ? was->items[i] : add->items[k];
		if (order > 0)
			items[n].path = arena_strdup(c->mem, items[n].path);
		else if (order == 0)
			items[n].path = was->items[i].path;
		i += order <= 0;
		k += order >= 0;
	}
	c->all = (struct changeset){ .items = items, .n = n };
	return n <= CHANGESET_MAX && c->ntaken < LINKS_MAX;
}

/* 1: it took effect, unless it is too much. */
static int
take(struct chain *c, const struct changeset *changes, const struct oid *whole, const struct oid *commit, const struct said *s, struct err *e)
{
	int rc;

	if (!join(c, changes))
		return 0;
	if (!c->before)
		c->before = proof_copy(c->r->t);
	c->taken[c->ntaken++] = *commit;
	rc = approve_take(c->r, changes, whole, commit, s, e);
	return rc < 0 ? rc : 1;
}

/* 1: the change of this commit took effect by itself. */
static int
take_unit(struct chain *c, const struct unit *u, struct err *e)
{
	struct run *r = c->r;
	bool whole = oid_eq(&u->old_tree, &r->t->tree);
	struct said s = { .mem = r->scratch };
	const char *missing;
	unsigned lacks;
	int rc = approve_weigh(r, u, NULL, false, &s, &missing, &lacks, e);

	return rc < 0 || missing ? rc : take(c, &u->changes, whole ? &u->c.tree : NULL, &u->c.id, &s, e);
}

/* 1: what one review lists took effect: the commits from this one on up to the last of them, as a rebase leaves them. */
static int
take_rebased(struct chain *c, const struct evidence *v, size_t last, struct err *e)
{
	struct run *r = c->r;
	const struct changeset *changes = &v->approval.changes;
	struct oid commit = r->t->open[last].commit;
	struct said s = { .mem = r->scratch };
	struct git_commit_info at;
	const char *missing;
	unsigned lacks;
	int rc;

	arena_reset(r->scratch);
	if ((rc = approve_starts(r, changes, e)) <= 0 || (rc = approve_read(r, &commit, r->scratch, &at, e)) < 0 ||
	    (rc = approve_is_in(r, &at.tree, changes, e)) <= 0 || (rc = approve_weigh_group(r, v, &s, &missing, &lacks, e)) < 0)
		return rc;
	return missing ? 0 : take(c, changes, NULL, &commit, &s, e);
}

/* 1: the waiting commit, or several from it on that one review lists, took effect. *next: the one behind them. */
static int
take_link(struct chain *c, const struct unit *u, size_t at, size_t *next, struct err *e)
{
	struct run *r = c->r;
	struct digest own = u->changes.digest;
	int rc = take_unit(c, u, e);

	*next = at + 1;
	for (size_t i = 0; i < r->a->nevidence && rc == 0; i++) {
		size_t last = c->places[i];

		if (last >= r->t->nopen || last < at || approve_same(&r->a->evidence[i], &own))
			continue;
		if ((rc = take_rebased(c, &r->a->evidence[i], last, e)) > 0)
			*next = last + 1;
	}
	return rc;
}

/* -- the chain ------------------------------------------------------------------------------------------------------------------------ */

/* 1: from this waiting commit on they come to what main has. */
static int
follow(struct chain *c, size_t first, struct err *e)
{
	struct run *r = c->r;
	size_t next;

	for (size_t i = first; i < r->t->nopen; i = next) {
		bool unclear = false;
		struct unit u;
		int rc;

		next = i + 1;
		if (r->chain_looks++ >= LOOKS_MAX)
			return 0;
		arena_reset(r->scratch);
		if ((rc = approve_load(r, &r->t->open[i].commit, r->t->open[i].seen, r->scratch, &u, e)) < 0)
			return rc;
		if (i != first && !approve_touches(r, &u, &c->all, &unclear))
			continue;
		if ((rc = take_link(c, &u, i, &next, e)) <= 0 || (rc = approve_is_in(r, c->tip, &c->all, e)) != 0)
			return rc;
	}
	return 0;
}

/* 1: a chain that begins with this waiting commit took effect; else everything is as it was. */
static int
try_chain(struct chain *c, size_t first, struct err *e)
{
	struct run *r = c->r;
	size_t ndone = r->out->ndone;
	int rc;

	arena_reset(c->mem);
	c->all = (struct changeset){ 0 };
	c->before = NULL;
	c->ntaken = 0;
	rc = follow(c, first, e);
	if (rc > 0) {
		for (size_t i = 0; i < c->ntaken; i++)
			proof_close(r->t, &c->taken[i]);
	} else if (c->before) {
		proof_swap(r->t, c->before);
		r->out->ndone = ndone;
		rc = rc < 0 ? rc : approve_policy(r, e);
	}
	proof_free(c->before);
	return rc;
}

/* Is it where a chain could begin: on what is trusted, and not as main has it? What main has was looked at before. */
static int
begins(struct chain *c, size_t i, struct err *e)
{
	struct run *r = c->r;
	struct unit u;
	int rc;

	arena_reset(r->scratch);
	if ((rc = approve_load(r, &r->t->open[i].commit, r->t->open[i].seen, r->scratch, &u, e)) < 0 || u.none ||
	    (rc = approve_starts(r, &u.changes, e)) <= 0)
		return rc;
	rc = approve_is_in(r, c->tip, &u.changes, e);
	return rc < 0 ? rc : !rc;
}

static void
find_places(struct chain *c)
{
	const struct approve *a = c->r->a;
	const struct proof *t = c->r->t;

	c->places = arena_array(c->r->mem, a->nevidence + 1, sizeof(*c->places));
	for (size_t i = 0; i < a->nevidence; i++) {
		const struct review *w = a->evidence[i].review;

		while (c->places[i] < t->nopen && (!w || !oid_eq(&t->open[c->places[i]].commit, &w->merged)))
			c->places[i]++;
	}
}

int
approve_chains(struct run *r, const struct oid *tip_tree, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(CHAIN_ARENA);
	struct chain c = { .r = r, .tip = tip_tree, .mem = mem };

	if (r->t->nopen < 2)
		return 0;
	find_places(&c);
	for (size_t i = 0; i + 1 < r->t->nopen && r->chain_looks < LOOKS_MAX; i++) {
		int rc = begins(&c, i, e);

		if (rc > 0)
			rc = try_chain(&c, i, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}
