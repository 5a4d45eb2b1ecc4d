/* SPDX-License-Identifier: Apache-2.0 */
/* What is left when a run is over: what waits and why, and what must be forgotten. */
#include "repo/approve_priv.h"

/* Is there a path that it touches and of which nothing is known yet? */
static bool
tells_more(struct run *r, const struct unit *u, struct unapproved *p, size_t n)
{
	bool unclear = false;

	for (size_t k = 0; k < n; k++)
		if (!p[k].missing && approve_touches(r, u, &(struct changeset){ .items = &p[k].change, .n = 1 }, &unclear))
			return true;
	return false;
}

/* What the newest waiting commit that touches the path lacks. */
static int
explain(struct run *r, const struct oid *tip_tree, struct unapproved *p, size_t n, struct err *e)
{
	for (size_t i = r->t->nopen; i-- > 0;) {
		struct said s = { .mem = r->scratch };
		const char *missing;
		unsigned lacks;
		struct unit u;
		int rc;

		arena_reset(r->scratch);
		if ((rc = approve_load(r, &r->t->open[i].commit, r->t->open[i].seen, r->scratch, &u, e)) < 0)
			return rc;
		if (!tells_more(r, &u, p, n))
			continue;
		if ((rc = approve_weigh(r, &u, tip_tree, true, &s, &missing, &lacks, e)) < 0)
			return rc;
		for (size_t k = 0; k < n && missing; k++) {
			bool unclear = false;

			if (p[k].missing || !approve_touches(r, &u, &(struct changeset){ .items = &p[k].change, .n = 1 }, &unclear))
				continue;
			p[k].missing = arena_strdup(r->mem, missing);
			p[k].lacks = lacks;
			p[k].commit = u.c.id;
		}
	}
	return 0;
}

int
approve_list(struct run *r, const struct oid *tip_tree, struct err *e)
{
	struct changeset left;
	struct unapproved *p;
	int rc;

	if (oid_eq(&r->t->tree, tip_tree))
		return 0;
	rc = changeset_listed(r->a->git, &r->t->tree, tip_tree, r->mem, &left, &r->out->many, e);
	if (rc == ERR_INVALID) {
		r->out->many = true;
		return 0;
	}
	if (rc < 0)
		return rc;
	p = arena_array(r->mem, left.n ? left.n : 1, sizeof(*p));
	for (size_t i = 0; i < left.n; i++)
		p[i].change = left.items[i];
	if ((rc = explain(r, tip_tree, p, left.n, e)) < 0)
		return rc;
	for (size_t i = 0; i < left.n; i++) {
		if (!p[i].missing) {
			p[i].missing = "several changes of it wait; an approval of what is pending as a whole is needed";
			p[i].lacks = 1;
		}
	}
	r->out->pending = p;
	r->out->npending = left.n;
	return 0;
}

/* Nothing waits when all of main is trusted, and an approval of what is trusted already must not bring it back one day. */
int
approve_forget(struct run *r, const struct oid *tip_tree, struct err *e)
{
	if (r->t->nopen && oid_eq(&r->t->tree, tip_tree)) {
		r->t->nopen = 0;
		r->t->dirty = true;
	}
	for (size_t i = 0; i < r->a->nevidence && !r->a->seen; i++) {
		const struct evidence *v = &r->a->evidence[i];
		char key[EVIDENCE_KEY];
		int rc;

		arena_reset(r->scratch);
		evidence_key(v, key);
		/* a review counts for a commit that waits, and that does not wait any more */
		if (v->review || !approve_counts(r, v, NULL))
			continue;
		if ((rc = approve_is_in(r, &r->t->tree, &v->approval.changes, e)) < 0)
			return rc;
		if (rc > 0)
			proof_use(r->t, key);
	}
	return 0;
}
