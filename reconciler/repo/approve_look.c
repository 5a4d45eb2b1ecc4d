/* SPDX-License-Identifier: Apache-2.0 */
/* A change that is not on main yet: what it would lack. */
#include "repo/approve_priv.h"

#define LOOK_ARENA ((size_t)64 << 20)

static int
look(struct run *r, const struct approve_ask *ask, struct approve_looked *out, struct err *e)
{
	struct said s = { .mem = r->mem };
	const char *missing;
	int rc;

	if ((rc = voices_load(r->a->git, &r->t->tree, r->a->judge, r->policy_mem, &r->voices, e)) < 0 ||
	    (rc = r->a->judge->policy(r->a->judge->ctx, &r->t->tree, e)) < 0 ||
	    (rc = approve_side_authors(r, &ask->main, &ask->head, &s, e)) < 0)
		return rc;
	r->open_head = &ask->head;
	if ((rc = approve_spoken(r, &ask->changes->digest, NULL, r->a->now, &s, e)) < 0 ||
	    (rc = approve_enough(r, ask->changes, &s, &missing, &out->lacks, e)) < 0)
		return rc;
	out->missing = missing ? arena_strdup(r->mem, missing) : NULL;
	out->voices = said_voices(&s, r->mem);
	out->how = said_how(&s, r->mem);
	out->nvoices = s.nvoices;
	return 0;
}

int
approve_look(const struct approve *a, const struct approve_ask *ask, struct arena *mem, struct approve_looked *out, struct err *e)
{
	struct arena *AUTO_ARENA scratch = arena_new(LOOK_ARENA), *AUTO_ARENA policy_mem = arena_new(LOOK_ARENA), *AUTO_ARENA tiny = arena_new(LOOK_ARENA);
	struct run r = { .a = a, .mem = mem, .scratch = scratch, .policy_mem = policy_mem, .tiny = tiny, .t = proof_copy(a->proof) };
	int rc;

	*out = (struct approve_looked){ 0 };
	rc = look(&r, ask, out, e);
	proof_free(r.t);
	return rc;
}
