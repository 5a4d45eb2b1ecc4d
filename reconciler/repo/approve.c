/* SPDX-License-Identifier: Apache-2.0 */
/* Which changes of main have the voices that they need. */
#include "repo/approve_priv.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

#define COMMITS_MAX ((size_t)1000000)
#define BACK_LOOKS ((size_t)20000) /* commits that a run looks at for what was taken back */
#define UNIT_ARENA ((size_t)64 << 20)

/* -- taking effect ----------------------------------------------------------------------------------------------------------------- */

/* Flavors and images too: by them it is judged how large an environment is. */
static bool
is_policy(const char *path)
{
	return !str_starts(path, "envs/");
}

int
approve_policy(struct run *r, struct err *e)
{
	int rc;

	arena_reset(r->policy_mem);
	if ((rc = voices_load(r->a->git, &r->t->tree, r->a->judge, r->policy_mem, &r->voices, e)) < 0)
		return rc;
	return r->a->judge->policy(r->a->judge->ctx, &r->t->tree, e);
}

/* Who said yes and has no say in it is not told of as somebody who approved it: the trail is searched for those who did. */
static void
note_voices(struct run *r, const struct changeset *c, const struct said *s, struct approved *d)
{
	struct approve_said said = { .voices = s->voices, .nvoices = s->nvoices, .authors = s->authors, .nauthors = s->nauthors, .author_unknown = s->author_unknown };
	const char **voices = arena_array(r->mem, s->nvoices + 1, sizeof(*voices)), **how = arena_array(r->mem, s->nvoices + 1, sizeof(*how));
	const struct approve_judge *j = r->a->judge;
	bool *has_say = arena_array(r->scratch, s->nvoices + 1, sizeof(*has_say));

	if (s->nvoices > 1)
		j->weigh(j->ctx, r->scratch, c, &said, has_say);
	for (size_t i = 0; i < s->nvoices; i++) {
		if (s->nvoices > 1 && !has_say[i] && !str_eq(s->voices[i], s->emergency))
			continue;
		voices[d->nvoices] = arena_strdup(r->mem, s->voices[i]);
		how[d->nvoices++] = s->how[i] ? arena_strdup(r->mem, s->how[i]) : NULL;
	}
	d->voices = voices;
	d->how = how;
}

static void
note_done(struct run *r, const struct changeset *c, const struct oid *commit, const struct said *s)
{
	struct approved *d;
	const char **paths = arena_array(r->mem, c->n, sizeof(*paths));

	if (r->out->ndone == r->done_cap) {
		r->done_cap = r->done_cap ? 2 * r->done_cap : 8;
		r->out->done = arena_regrow(r->mem, r->out->done, r->out->ndone, r->done_cap, sizeof(*r->out->done));
	}
	for (size_t i = 0; i < c->n; i++)
		paths[i] = arena_strdup(r->mem, c->items[i].path);
	d = &r->out->done[r->out->ndone++];
	*d = (struct approved){ .changes = c->digest, .commit = *commit, .npaths = c->n, .paths = paths,
		.nevidence = s->nevidence };
	note_voices(r, c, s, d);
	d->evidence = arena_memdup(r->mem, s->evidence, s->nevidence * sizeof(*s->evidence));
	d->emergency = s->reason ? arena_strdup(r->mem, s->reason) : NULL;
}

/*
 * What took effect is approved no more: neither by those that counted nor by what else was there by then, or a revert would leave something to bring it back
 * with.
 */
static void
use_up(struct run *r, const struct digest *changes, const struct oid *commit, const struct said *s)
{
	char key[EVIDENCE_KEY];
	int64_t when = r->a->seen ? 0 : INT64_MAX;

	for (size_t i = 0; i < s->nevidence; i++) {
		int64_t first = approve_seen(r, s->evidence[i]);

		when = first > when ? first : when;
	}
	for (size_t i = 0; i < r->a->nevidence; i++) {
		const struct evidence *v = &r->a->evidence[i];

		if (!approve_same(v, changes) || (!approve_counts(r, v, NULL) && !approve_counts(r, v, commit)) || approve_seen(r, v) > when)
			continue;
		evidence_key(v, key);
		proof_use(r->t, key);
	}
}

int
approve_take(struct run *r, const struct changeset *c, const struct oid *whole, const struct oid *commit, const struct said *s, struct err *e)
{
	bool again = false;
	int rc = 0;

	if (whole)
		r->t->tree = *whole;
	else
		rc = changeset_apply(r->a->git, &r->t->tree, c, &r->t->tree, e);
	if (rc < 0)
		return rc;
	r->t->dirty = true;
	use_up(r, &c->digest, commit, s);
	if (s->reason)
		proof_broke(r->t, commit, r->a->now, s->emergency, s->reason);
	note_done(r, c, commit, s);
	for (size_t i = 0; i < c->n && !again; i++)
		again = is_policy(c->items[i].path);
	return again ? approve_policy(r, e) : 0;
}

/* Tries a commit's change. 1: it took effect. */
static int
try_unit(struct run *r, const struct unit *u, const struct oid *at, struct err *e)
{
	bool whole = oid_eq(&u->old_tree, &r->t->tree);
	struct said s = { .mem = r->scratch };
	const char *missing;
	unsigned lacks;
	int rc = approve_weigh(r, u, at, false, &s, &missing, &lacks, e);

	if (rc < 0 || missing)
		return rc;
	rc = approve_take(r, &u->changes, whole ? &u->c.tree : NULL, &u->c.id, &s, e);
	return rc < 0 ? rc : 1;
}

/* -- what evidence lists as a whole ------------------------------------------------------------------------------------------------ */

/* 1: the change that this evidence lists took effect, main being at `at`. */
static int
try_group(struct run *r, const struct evidence *v, const struct oid *at, const struct oid *commit, struct err *e)
{
	const struct changeset *c = &v->approval.changes;
	struct said s = { .mem = r->scratch };
	const char *missing;
	unsigned lacks;
	int rc;

	if ((rc = approve_starts(r, c, e)) <= 0 || (rc = approve_is_in(r, at, c, e)) <= 0)
		return rc;
	if ((rc = approve_weigh_group(r, v, &s, &missing, &lacks, e)) < 0)
		return rc;
	if (missing)
		return 0;
	rc = approve_take(r, c, NULL, commit, &s, e);
	return rc < 0 ? rc : 1;
}

/* It lists what is not the change of the newest commit alone: a rebase, or what is pending as a whole. */
static int
try_groups(struct run *r, const struct oid *at, const struct oid *commit, struct err *e)
{
	int any = 0;

	for (size_t i = 0; i < r->a->nevidence; i++) {
		int rc;

		arena_reset(r->scratch);
		if ((rc = try_group(r, &r->a->evidence[i], at, commit, e)) < 0)
			return rc;
		any |= rc;
	}
	return any;
}

/* -- the run -------------------------------------------------------------------------------------------------------------------------- */

/* Waiting commits whose change has come into the trusted tree some other way, or that changed nothing, wait no longer. 1: some took effect. */
static int
try_open(struct run *r, const struct oid *tip_tree, struct err *e)
{
	int any = 0;

	for (size_t i = 0; i < r->t->nopen;) {
		struct oid commit = r->t->open[i].commit;
		struct unit u;
		int rc;

		arena_reset(r->scratch);
		if ((rc = approve_load(r, &commit, r->t->open[i].seen, r->scratch, &u, e)) < 0)
			return rc;
		if ((rc = u.none ? 0 : approve_is_in(r, &r->t->tree, &u.changes, e)) == 0 &&
		    (rc = try_unit(r, &u, tip_tree, e)) > 0)
			any = 1;
		if (rc < 0)
			return rc;
		if (rc > 0)
			proof_close(r->t, &commit);
		else
			i++;
	}
	return any;
}

/* Is every path of it as it is trusted? */
static bool
is_back(struct run *r, const struct oid *tree, const struct changeset *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct change_entry was = { .path = c->items[i].path };
		int rc = git_tree_find(r->a->git, &r->t->tree, was.path, &was.new_id, &was.new_mode, NULL);

		if ((rc < 0 && rc != ERR_NOTFOUND) || changeset_is(r->a->git, tree, &was, false, NULL) <= 0)
			return false;
	}
	return true;
}

/*
 * What waited and was taken back waits no more: a voice that comes late would be one for whoever brings it a second time. `u` is a commit that took no effect.
 */
static int
close_reverted(struct run *r, const struct unit *u, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(UNIT_ARENA);

	for (size_t i = 0; i < r->t->nopen && r->back_looks < BACK_LOOKS; r->back_looks++) {
		struct oid commit = r->t->open[i].commit;
		bool unclear = false;
		struct unit was;
		int rc;

		arena_reset(mem);
		if ((rc = approve_load(r, &commit, r->t->open[i].seen, mem, &was, e)) < 0)
			return rc;
		if (!was.none && approve_touches(r, u, &was.changes, &unclear) && is_back(r, &u->c.tree, &was.changes))
			proof_close(r->t, &commit);
		else
			i++;
	}
	return 0;
}

static int
judge_commit(struct run *r, const struct oid *commit, struct err *e)
{
	int64_t seen = r->a->seen ? r->a->seen(r->a->seen_ctx, commit) : 0;
	struct unit u;
	int rc;

	arena_reset(r->scratch);
	if ((rc = approve_load(r, commit, seen ? seen : r->a->now, r->scratch, &u, e)) < 0)
		return rc;
	if (r->a->judge->asks_nothing(r->a->judge->ctx)) {
		r->t->tree = u.c.tree;
		if ((rc = approve_policy(r, e)) < 0)
			return rc;
	} else if (u.changes.n || u.none) {
		struct oid tree = u.c.tree;
		int64_t first = u.seen;

		if ((rc = try_unit(r, &u, NULL, e)) < 0 || (rc == 0 && (rc = close_reverted(r, &u, e)) < 0))
			return rc;
		if (rc == 0 && (u.none || (rc = approve_is_in(r, &r->t->tree, &u.changes, e)) == 0)) {
			proof_open(r->t, commit, first);
			rc = try_groups(r, &tree, commit, e);
		}
		if (rc < 0)
			return rc;
	}
	r->t->commit = *commit;
	r->t->dirty = true;
	return 0;
}

/* First parents from the tip back to what was judged last, oldest first. */
static int
new_commits(struct run *r, const struct oid *tip, struct oid **out, size_t *n, struct err *e)
{
	struct oid *ids = NULL, at = *tip;
	size_t have = 0, cap = 0;
	char hex[OID_HEX];

	oid_hex(&r->t->commit, hex);
	while (!oid_eq(&at, &r->t->commit)) {
		struct git_commit_info c;
		int rc;

		arena_reset(r->scratch);
		rc = approve_read(r, &at, r->scratch, &c, e);
		if (rc == 0 && (!c.nparents || have == COMMITS_MAX))
			rc = err_set(e, ERR_DENIED, "E503 %.12s, which was judged last, is not on the branch's line of first parents", hex);
		if (rc < 0) {
			free(ids);
			return rc;
		}
		if (have == cap) {
			cap = cap ? 2 * cap : 64;
			ids = reallocarray(ids, cap, sizeof(*ids));
			if (!ids)
				abort();
		}
		ids[have++] = at;
		at = c.parents[0];
	}
	for (size_t i = 0; i < have / 2; i++) {
		struct oid keep = ids[i];

		ids[i] = ids[have - 1 - i];
		ids[have - 1 - i] = keep;
	}
	*out = ids;
	*n = have;
	return 0;
}

static int
run_all(struct run *r, const struct oid *tip, struct err *e)
{
	struct git_commit_info c;
	struct oid *ids = NULL;
	size_t n = 0;
	int rc;

	if ((rc = git_commit_read(r->a->git, tip, r->mem, &c, e)) < 0 || (rc = new_commits(r, tip, &ids, &n, e)) < 0 ||
	    (rc = approve_policy(r, e)) < 0) {
		free(ids);
		return rc;
	}
	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = judge_commit(r, &ids[i], e);
	free(ids);
	if (rc < 0)
		return rc;
	do {
		int groups;

		if ((rc = try_open(r, &c.tree, e)) < 0 || (groups = try_groups(r, &c.tree, tip, e)) < 0)
			return rc < 0 ? rc : groups;
		rc |= groups;
		if (!rc && (rc = approve_chains(r, &c.tree, e)) < 0)
			return rc;
	} while (rc > 0);
	if ((rc = approve_forget(r, &c.tree, e)) < 0)
		return rc;
	return approve_list(r, &c.tree, e);
}

int
approve_run(const struct approve *a, const struct oid *tip, struct arena *mem, struct approve_result *out, struct err *e)
{
	struct arena *AUTO_ARENA scratch = arena_new(UNIT_ARENA), *AUTO_ARENA policy_mem = arena_new(UNIT_ARENA);
	struct arena *AUTO_ARENA tiny = arena_new(UNIT_ARENA);
	struct run r = { .a = a, .mem = mem, .scratch = scratch, .policy_mem = policy_mem, .tiny = tiny, .out = out, .t = proof_copy(a->proof) };
	int rc;

	*out = (struct approve_result){ 0 };
	rc = run_all(&r, tip, e);
	if (rc == 0)
		proof_swap(a->proof, r.t);
	proof_free(r.t);
	return rc;
}
