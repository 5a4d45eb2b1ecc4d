/* SPDX-License-Identifier: Apache-2.0 */
/* Proving main's approvals again, in a clone or in the repository itself: what `berth verify` and `berth approve` stand on. */
#pragma once

#include "approve_judge.h"
#include "cli/cmd.h"
#include "cli/prove_status.h"

struct proved {
	struct git_repo *git;
	const char *dir;
	const char *branch;          /* "main" */
	const char *main_ref;        /* where it stands here */
	bool clone;                  /* of an origin that approvals are pushed to */
	bool anchored;               /* the anchor was given, not read from the status branch */
	struct oid begin;            /* where judging began */
	struct oid main;             /* that was judged */
	struct judge *judge;
	struct proof *proof;         /* the trusted tree is its `tree` */
	struct approve_result result;
	struct status_commits status; /* whose word times are taken from */
	struct evidence *evidence;
	size_t nevidence;
	size_t doubted;              /* reviews in records that nobody vouches for: they count for nothing */
	int64_t now;
};

/*
 * -C DIR, --branch, --anchor, --offline; a clone's origin is fetched first. `rev` NULL: the branch's tip; else a commit of it, judged up to there. `from` NULL: from
 * the anchor on; else from this commit on, whose tree is believed.
 * Everything lives in a->mem. ERR_NOTFOUND: no anchor is known.
 */
int prove(const struct args *a, const char *from, const char *rev, struct proved *out, struct err *e) MUST_USE;
void prove_close(struct proved *p);

#define PROVE_OPTS \
	{ "C", "DIR", "the environments repository or a clone of it (default: here)" }, \
	{ "branch", "NAME", "the reviewed branch (default: main)" }, \
	{ "anchor", "COMMIT", "where trust begins (default: as the status branch says, which is then believed)" }, \
	{ "offline", NULL, "do not ask the origin" }
