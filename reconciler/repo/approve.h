/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proof of approval: moves the trusted tree towards main's tip, change by change, as far as the right people have said yes.
 *
 * A change is the difference of a commit on main's first-parent line to its first parent, or what a detached approval lists. It takes effect when the
 * trusted tree has the old state of every path of it and the voices for it suffice under the policy that is trusted at that moment. A voice is a
 * person: whoever signed the commit (namespace git) or a detached approval (approval.h). A detached approval takes effect only while main has the new state of
 * all its paths, and once. Where the policy says so, reviews of a forge (review.h) are voices too, for the commit that the forge's merge made.
 * Changes that build on one another and of which main has only the outcome take effect together, or none does. Keys and expiries are judged at the time when the evidence was first seen here, never by dates that somebody wrote.
 * What people may do is the judge's to know; this file knows who said what.
 */
#pragma once

#include "repo/approval.h"
#include "repo/proof.h"

struct approve_said {
	const char *const *voices; /* users, each once */
	size_t nvoices;
	const char *const *authors;
	size_t nauthors;
	bool author_unknown;       /* somebody nobody knows wrote a part of it */
	const char *emergency;     /* the voice whose signed commit has Berth-Break-Glass; NULL: none */
	const char *against;       /* "dana asks for changes on pull request 42": not enough as long as that stands, emergencies excepted; NULL: nobody is */
};

struct approve_judge {
	void *ctx;
	/* From now on the policy of this tree counts. Called first, and when a change took effect that was not of envs/ alone. */
	int (*policy)(void *ctx, const struct oid *tree, struct err *e);
	/* Does that policy ask for no approvals? Then main is trusted as it is, from commit to commit. */
	bool (*asks_nothing)(void *ctx);
	/* The user that a principal, or the mail of who signs their own commit, means; NULL: nobody known. */
	const char *(*person)(void *ctx, const char *name_or_mail);
	/* Does somebody log in with this key? Such a key is no voice. */
	bool (*logs_in)(void *ctx, const struct ssh_key *k);
	/* Does that policy take a forge's word for reviews (review.h)? */
	bool (*reviews)(void *ctx);
	/* The user whose account on the forge this is; NULL: nobody known. */
	const char *(*account)(void *ctx, const char *login);
	/* Who an author's mail means, also one that only a forge writes; NULL: nobody known. */
	const char *(*author)(void *ctx, const char *mail);
	/* has_say[i]: said->voices[i] has a say in some part of it, under the policy by which it was enough. */
	void (*weigh)(void *ctx, struct arena *mem, const struct changeset *c, const struct approve_said *said, bool *has_say);
	/* Is it enough? *missing NULL: yes; else a line in mem, and how many voices lack. */
	int (*enough)(void *ctx, struct arena *mem, const struct oid *tree, const struct changeset *c, const struct approve_said *said,
	              const char **missing, unsigned *lacks, struct err *e);
};

/* A change that took effect. */
struct approved {
	struct digest changes;
	struct oid commit;         /* of main: the change itself, or main's state that showed it */
	size_t npaths;
	const char *const *paths;
	const char *const *voices;
	const char *const *how;    /* beside them: "review 4711 of pull request 42"; NULL: signed */
	size_t nvoices;
	const char *emergency;     /* the reason given, NULL: none */
	const struct evidence *const *evidence; /* detached approvals and reviews that counted */
	size_t nevidence;
};

/* A path whose newest state is not approved. */
struct unapproved {
	struct change_entry change; /* from the trusted tree to main's tip */
	const char *missing;        /* what lacks, a line */
	unsigned lacks;
	struct oid commit;          /* that waits, or zero: several, or an old one */
};

struct approve {
	struct git_repo *git;
	struct proof *proof;        /* moved; store it when the run went well */
	const struct approve_judge *judge;
	const char *ref;            /* "refs/heads/main": what approvals must name */
	int64_t now;
	/* For proving history again: when a commit was first seen, or 0 for now. May be NULL. */
	int64_t (*seen)(void *ctx, const struct oid *commit);
	void *seen_ctx;
	const struct evidence *evidence; /* all there is */
	size_t nevidence;
};

struct approve_result {
	struct approved *done;
	size_t ndone;
	struct unapproved *pending; /* by path */
	size_t npending;
	bool many;                  /* more is pending than is listed: over CHANGESET_MAX files, or names and trees that cannot be */
};

/*
 * Judges main up to `tip`, which must contain proof->commit on its first-parent line: else ERR_DENIED. Everything that is given out lives in mem. After an
 * error the proof is as it was.
 */
int approve_run(const struct approve *a, const struct oid *tip, struct arena *mem, struct approve_result *out, struct err *e) MUST_USE;

/* A change that is not on main yet. */
struct approve_ask {
	const struct changeset *changes;
	struct oid main, head;      /* who wrote it: the authors of the commits that `head` has and `main` has not */
};

struct approve_looked {
	const char *missing;        /* a line in mem; NULL: nothing lacks */
	unsigned lacks;
	const char *const *voices;  /* whose detached approvals of exactly this change-set count now, and whose reviews of exactly this head; in mem */
	const char *const *how;     /* as in struct approved */
	size_t nvoices;
};

/* What would it lack if it were on main now? Nothing is remembered: a->proof stays as it is. */
int approve_look(const struct approve *a, const struct approve_ask *ask, struct arena *mem, struct approve_looked *out, struct err *e) MUST_USE;

/* The user who signed a commit, under the approvers of this tree and the policy that the judge has; NULL: nobody who may. In mem. */
const char *approve_signer(struct git_repo *g, const struct oid *tree, const struct approve_judge *judge, const struct oid *commit, int64_t when,
                           struct arena *mem);

#define APPROVE_BREAK_GLASS "Berth-Break-Glass" /* trailer: the reason; of a commit whose author signs it */
