/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the status branch keeps of a change that took effect: approvals/<year-month>/<commit>-<change-set>.txt. A text for people and for proving
 * it again: the head, the paths, and the detached approvals byte for byte with their signatures.
 */
#pragma once

#include "repo/approve.h"

#define RECORD_FOLDER "approvals"
#define RECORD_MAX ((size_t)32 << 20)

struct record_evidence {
	const char *text, *sig; /* not terminated */
	size_t len, sig_len;
};

struct approval_record {
	struct oid commit;
	const char *changes;    /* the change-set's digest, hexadecimal */
	int64_t seen;           /* seconds since 1970: when the berth that applied it saw it */
	const char **by;
	size_t nby;
	const char *emergency;  /* NULL: none */
	const char **paths;
	size_t npaths;
	struct record_evidence *evidence;
	size_t nevidence;
};

/* The file of a change that was seen at `now`. */
void record_write(const struct approved *d, int64_t now, struct buf *out);
/* Its path on the status branch, in mem. */
const char *record_path(const struct approved *d, int64_t now, struct arena *mem);

/* ERR_INVALID: it is no such file. Texts of evidence are parts of `bytes`, the rest is in mem. */
int record_read(const char *bytes, size_t len, struct arena *mem, struct approval_record *out, struct err *e) MUST_USE;

/* Does a file of that name (without folders) tell of this commit, of this change-set? */
bool record_names_commit(const char *name, const struct oid *commit);
bool record_names_changes(const char *name, const struct digest *changes);
