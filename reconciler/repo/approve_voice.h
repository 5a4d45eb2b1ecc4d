/* SPDX-License-Identifier: Apache-2.0 */
/* Who a signature speaks for, and what was said of one change. Private to repo/approve*.c. */
#pragma once

#include "lib/seal/signers.h"
#include "repo/approve.h"

/* approvers/ of a trusted tree. */
struct voices {
	const struct approve_judge *judge;
	struct signers signers;
	const char *revoked;  /* bytes of approvers/revoked_keys; NULL: there is none */
	size_t nrevoked;
};

/* Everything lives in mem. A list that cannot be read allows nobody. */
int voices_load(struct git_repo *g, const struct oid *tree, const struct approve_judge *judge, struct arena *mem, struct voices *out,
                struct err *e) MUST_USE;

/* Does any line of approvers/allowed_signers concern this key or its CA? Anybody can make signatures of other keys, as many as they like. */
bool voice_is_listed(const struct voices *v, const struct ssh_key *k, struct arena *mem);

/* The user that this key speaks for in a namespace, seen at `when`; NULL: nobody. The judge's text. */
const char *voice_of_key(const struct voices *v, const struct ssh_key *k, const char *ns, int64_t when, struct arena *mem);
/* The same for a commit's signature; NULL when it has none that is good. */
const char *voice_of_commit(const struct voices *v, struct git_repo *g, const struct oid *commit, int64_t when, struct arena *mem);

/* Somebody asks for changes. */
struct said_against {
	const char *who;
	int64_t pull, at;     /* of the pull request; by the forge's clock, 0: not told */
};

struct said {
	struct arena *mem;
	const char **voices, **authors;
	const char **how;     /* beside the voices, NULL: signed … */
	int64_t *when;        /* … and first seen then; 0: not signed */
	const struct evidence **evidence;
	struct said_against *against;
	size_t nvoices, nauthors, nevidence, nagainst;
	bool author_unknown;
	const char *emergency, *reason;
};

/* Texts are borrowed; each name once. Who says yes twice has signed it, when one of the two is signed. */
void said_signed(struct said *s, const char *who, int64_t when);
void said_review(struct said *s, const char *who, const char *how);
void said_against(struct said *s, const char *who, int64_t pull, int64_t at);
void said_author(struct said *s, const char *who);
void said_evidence(struct said *s, const struct evidence *v);

/* "dana asks for changes on pull request 42", of the first who does and has not signed it since; in mem, NULL: nobody. */
const char *said_no(const struct said *s, struct arena *mem);

/* Copies. */
const char *const *said_voices(const struct said *s, struct arena *mem);
const char *const *said_how(const struct said *s, struct arena *mem);
