/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one run of approve.h shares: approve_unit.c (one change: what it is, who wrote it), approve_said.c (who said yes), approve.c (what takes effect),
 * approve_chain.c (changes that build on one another), approve_left.c (what waits).
 */
#pragma once

#include "repo/approve_voice.h"

/* The change of one commit. */
struct unit {
	struct git_commit_info c;
	struct oid old_tree;
	struct changeset changes;
	int64_t seen;
	bool none;               /* it cannot be approved as a whole: too many files, or a path that has no line */
};

struct run {
	const struct approve *a;
	struct voices voices;    /* who the trusted policy says may sign */
	struct arena *mem, *policy_mem;
	struct arena *scratch;   /* of one change */
	struct arena *tiny;      /* of one object that is looked at beside it */
	struct approve_result *out;
	size_t done_cap;
	struct proof *t;
	const struct oid *open_head; /* approve_look: reviews of this head, not merged yet, count; NULL: of merged ones alone */
	size_t chain_looks, back_looks; /* commits that were looked at for chains, and for what was taken back */
};

/* -- approve_unit.c ----------------------------------------------------------------------------------------------------------------- */

/* git_commit_read; a commit that cannot be read is one by somebody unknown: anybody could stop everything with it. */
int approve_read(struct run *r, const struct oid *id, struct arena *mem, struct git_commit_info *c, struct err *e) MUST_USE;

/* The change of a commit, in mem. ERR_DENIED: it has no parent. */
int approve_load(struct run *r, const struct oid *commit, int64_t seen, struct arena *mem, struct unit *u, struct err *e) MUST_USE;

/* 1: the trusted tree has the old state of every path of it; and the tree has the new one. */
int approve_starts(struct run *r, const struct changeset *c, struct err *e) MUST_USE;
int approve_is_in(struct run *r, const struct oid *tree, const struct changeset *c, struct err *e) MUST_USE;

/* Into what was said: who wrote it. */
int approve_authors(struct run *r, const struct unit *u, struct said *s, struct err *e) MUST_USE;
int approve_side_authors(struct run *r, const struct oid *main, const struct oid *side, struct said *s, struct err *e) MUST_USE;

/*
 * What a commit's change lacks, or *missing NULL. `at`: main's tree that must still have all of it, NULL for the commit itself just now. What
 * cannot be weighed at all is missing, too. Without a voice nobody asks what would be enough, unless to `tell`: it takes reading every file, and anybody can make
 * commits.
 */
int approve_weigh(struct run *r, const struct unit *u, const struct oid *at, bool tell, struct said *s, const char **missing,
                  unsigned *lacks, struct err *e) MUST_USE;

/* The same for a change that evidence lists: who wrote it is the authors of all waiting commits that touch a path of it. */
int approve_weigh_group(struct run *r, const struct evidence *v, struct said *s, const char **missing, unsigned *lacks, struct err *e) MUST_USE;

/* Does the commit change a path of these, also where it is none that could be listed? *unclear is set when that cannot be told. */
bool approve_touches(struct run *r, const struct unit *u, const struct changeset *c, bool *unclear);

/* -- approve_said.c ----------------------------------------------------------------------------------------------------------------- */

/*
 * Into what was said: whose signature the commit carries; whose detached approvals and reviews there are for these changes, seen by `when`. `commit`: that a review's
 * merge has to have made; NULL: any that waits.
 */
void approve_voice_of(struct run *r, const struct unit *u, struct said *s);
int approve_spoken(struct run *r, const struct digest *changes, const struct oid *commit, int64_t when, struct said *s, struct err *e) MUST_USE;

/* Could the evidence count at all, now, for one of them? And when was it first seen here? */
bool approve_counts(struct run *r, const struct evidence *v, const struct oid *commit);
int64_t approve_seen(struct run *r, const struct evidence *v);
/* What there is for these changes was seen now at the latest, whether or not it counts for something yet: what it waits for may take longer than it is good. */
void approve_note(struct run *r, const struct digest *changes, const struct oid *commit);
bool approve_same(const struct evidence *v, const struct digest *changes);

/* What lacks for it by what was said: *missing NULL when nothing does. */
int approve_enough(struct run *r, const struct changeset *c, struct said *s, const char **missing, unsigned *lacks, struct err *e) MUST_USE;

/* -- approve.c ---------------------------------------------------------------------------------------------------------------------- */

/* Reads who may what from the trusted tree. */
int approve_policy(struct run *r, struct err *e) MUST_USE;

/* The trusted tree gets the change. `whole`: a commit's tree, when that is what comes out; else NULL. */
int approve_take(struct run *r, const struct changeset *c, const struct oid *whole, const struct oid *commit, const struct said *s, struct err *e)
	MUST_USE;

/* -- approve_chain.c ---------------------------------------------------------------------------------------------------------------- */

/*
 * Waiting changes of which main has only what they come to, one built on the other: together they take effect, each under the policy that the one before left, or
 * nothing of it happens. 1: some did.
 */
int approve_chains(struct run *r, const struct oid *tip_tree, struct err *e) MUST_USE;

/* -- approve_left.c ----------------------------------------------------------------------------------------------------------------- */

/* What waits and why, into the run's result. */
int approve_list(struct run *r, const struct oid *tip_tree, struct err *e) MUST_USE;
/* Commits that wait for nothing any more, and approvals that could only bring back what is trusted already. */
int approve_forget(struct run *r, const struct oid *tip_tree, struct err *e) MUST_USE;
