/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detached approvals: a text that lists a change-set, signed in namespace approval@berth (SSHSIG), kept as a commit behind
 * refs/berth/approvals/<change-set digest>/<digest of the key>. Refs are nobody's: only the signature counts.
 */
#pragma once

#include "lib/seal/sshsig_check.h"
#include "repo/changeset.h"

#define APPROVAL_REFS GIT_APPROVALS
#define APPROVAL_NAMESPACE "approval@berth"
#define APPROVAL_TEXT "approval"         /* the files of such a commit */
#define APPROVAL_SIGNATURE "approval.sig"
#define APPROVAL_NONCE 33                /* 32 hexadecimal digits and the NUL */
#define APPROVAL_MAX ((size_t)1 << 20)   /* bytes of the text */
#define APPROVALS_MAX GIT_BELOW_MAX      /* refs looked at */

struct approval {
	struct oid anchor;          /* the trust anchor that it is for */
	const char *ref;            /* "refs/heads/main" */
	int64_t expires;            /* seconds since 1970 */
	char nonce[APPROVAL_NONCE];
	struct changeset changes;
};

/* The text to sign. */
void approval_write(const struct approval *a, struct buf *out);
/* ERR_INVALID unless the text is exactly what approval_write makes. In mem. */
int approval_read(const char *text, size_t n, struct arena *mem, struct approval *out, struct err *e) MUST_USE;

/* The value of the line "KEY value\n" at *p, which moves on behind it. In mem; NULL when it is another line, or not whole. */
const char *approval_line(const char **p, const char *end, const char *key, struct arena *mem);

struct review;

/* An approval whose signature is good, or a forge's word; whether it counts is another question. */
struct evidence {
	const char *ref;            /* where it was found, or a path on the status branch */
	struct oid commit;          /* … zero there */
	struct approval approval;
	const char *text;
	size_t text_len;
	const char *sig_text;
	size_t sig_len;
	struct sshsig sig;
	const struct review *review; /* of a forge (repo/review.h): no signature; NULL: it is signed */
};

/* What a used one is remembered by: "<change-set digest> <nonce>". */
#define EVIDENCE_KEY (DIGEST_HEX + APPROVAL_NONCE)
void evidence_key(const struct evidence *v, char out[EVIDENCE_KEY]);
/* What the time is remembered by at which it was first seen: of a signature, or of a review's merge, however often what is said of that changes. */
void evidence_id(const struct evidence *v, char out[DIGEST_HEX]);

/* Reads and checks one: ERR_INVALID, ERR_DENIED. `e` names no more than what is wrong with it. In mem. */
int evidence_read(const char *text, size_t n, const char *sig, size_t nsig, struct arena *mem, struct evidence *out,
                  struct err *e) MUST_USE;

/*
 * All approvals behind the repository's refs whose signature is good and that are for this anchor and ref; others are passed over, and `bad` (may be NULL) gets a
 * line for each. In mem.
 */
int evidence_list(struct git_repo *g, const struct oid *anchor, const char *ref, struct arena *mem, struct evidence **out, size_t *n,
                  struct buf *bad, struct err *e) MUST_USE;

/* Writes one behind its ref (moves no other); *ref gets the name, in mem. */
int evidence_store(struct git_repo *g, const struct evidence *v, int64_t now, struct arena *mem, const char **ref, struct oid *commit,
                   struct err *e) MUST_USE;
