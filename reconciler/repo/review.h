/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a forge told of a merged pull request (berth.yaml: approvals.mode forge): who reviewed the very head that was merged, as evidence for the judge. No
 * signature: whoever hands it over has asked the forge, so it is read from the daemon's state folder and from nowhere that others write. It counts where the trusted
 * policy asks for reviews, for exactly this change-set, and only while the commit that the merge made is the one that waits. Who a login is, is the judge's to know,
 * under the policy that is trusted then.
 */
#pragma once

#include "repo/approval.h"

#define REVIEW_VOICES_MAX 1000
#define REVIEW_MAX (APPROVAL_MAX + ((size_t)256 << 10)) /* bytes of the text of one */
#define REVIEWS_MAX 1000                                /* in the file; the newest are kept */
#define REVIEWS_FILE "reviews"                          /* in the state folder */
#define REVIEW_LOGIN_MAX 1024                           /* bytes of a login */

/* The last word of one login. */
struct review_voice {
	const char *login;
	int64_t id;          /* of the review, or of the comment that said it; 0: the forge gives none */
	int64_t at;          /* seconds since 1970 by the forge's clock; 0: not told */
	bool against;        /* asks for changes */
};

struct review {
	int64_t pull;
	struct oid head;     /* what all of them looked at; in the repository, since its authors are read there */
	struct oid merged;   /* the commit of main that brought it; zero: it is open (approve_look alone takes that) */
	const char *author;  /* login of who opened it; "": gone. Never approves, but narrows what is theirs where `merged_by` is the same one */
	const char *merged_by; /* login; "": open, or not told */
	struct review_voice *voices; /* sorted by login, bytewise, each once */
	size_t nvoices;
	struct changeset changes; /* since the head left main */
};

/* One text for one review; ERR_INVALID unless the text is exactly what review_write makes. In mem. */
void review_write(const struct review *r, struct buf *out);
int review_read(const char *text, size_t n, struct arena *mem, struct review *out, struct err *e) MUST_USE;

/*
 * As evidence: without a signature, with the text of review_write, its nonce the first digits of the merge's commit, its time the first at which anything of this
 * merge was seen here. `r` and `ref` (refs/heads/main) are borrowed, the rest is in mem.
 */
void review_evidence(const struct review *r, const char *ref, struct arena *mem, struct evidence *out);

/*
 * The file REVIEWS_FILE: written by the thread that asks the forge, read by the judge. Atomic. `list` is oldest first; what review_read would not take is left
 * out, and of too many (or 32 MiB) the first. No file is none; ERR_INVALID: it is damaged.
 */
int reviews_store(const char *path, const struct review *list, size_t n, struct err *e) MUST_USE;
int reviews_load(const char *path, struct arena *mem, struct review **list, size_t *n, struct err *e) MUST_USE;
