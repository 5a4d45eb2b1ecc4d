/* SPDX-License-Identifier: Apache-2.0 */
/* A pull request that is to be approved: which one is meant, its head, fetched once, and what it is. */
#pragma once

#include "cli/prove.h"
#include "lib/forge/forge.h"

struct pull_meant {
	const struct args *a;
	const struct proved *p;
	int64_t number;
	const char *url;         /* of origin; NULL: the repository itself */
	enum forge_kind kind;    /* FORGE_KIND_COUNT: nobody says */
	struct forge *forge;     /* the person's; NULL: no token */
	struct oid head, fork;   /* commits: what was fetched, and where it left the branch */
	char hex[OID_HEX];       /* of head */
};

/*
 * "#42", "!42", the address of its page, or a number that is no branch or tag here. 1: it is one; 0: something else; ERR_USAGE: one of another repository. Opens
 * the client where there is a token (options FORGE_PERSON_OPTS); close it also after an error.
 */
int pull_mean(const struct args *a, const struct proved *p, const char *arg, struct pull_meant *out, struct err *e) MUST_USE;
void pull_meant_close(struct pull_meant *m);

/* Fetches its head by the person's git; from here on `head` is what is meant, whatever is pushed later. */
int pull_fetch(struct pull_meant *m, struct err *e) MUST_USE;

/*
 * Says on stderr what it is: the forge's words where there is a token, its commits, what it comes to. ERR_CONFLICT: the forge has another head by now; ERR_USAGE:
 * it is for another branch.
 */
int pull_show(const struct pull_meant *m, struct err *e) MUST_USE;

/* Where people review it; NULL: not known. */
const char *pull_review_page(const struct pull_meant *m);

/*
 * Approves that head on the forge, in the name of the token's account, and says so on stdout. *user (in its arena): whose account it is, NULL where nobody
 * has it. ERR_USAGE: there is no token, and where it can be done.
 */
int pull_review(const struct pull_meant *m, const char **user, struct err *e) MUST_USE;
