/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is trusted already: the anchor, the last commit of main that was judged, the trusted tree, and what must not be forgotten: approvals that were
 * used, units that wait, when evidence was first seen. Kept outside of the repository, in a file that is durable before its effect shows.
 */
#pragma once

#include "lib/base/map.h"
#include "lib/git/git.h"

#define PROOF_OPEN_MAX 1000  /* commits whose change waits for voices; older ones need an approval of what is pending as a whole */
#define PROOF_FILE_MAX ((size_t)64 << 20)

struct proof_open {
	struct oid commit;
	int64_t seen;        /* seconds since 1970, by our clock */
};

struct proof_break {         /* an emergency: applied with one voice and a reason */
	struct oid commit;
	int64_t when;
	const char *who, *reason; /* the proof's own */
};

struct proof {
	struct oid anchor, commit, tree;
	int64_t heartbeat;   /* when a voice of somebody who may approve was last seen */
	struct proof_open *open; /* oldest first */
	size_t nopen;
	struct proof_break *breaks; /* newest last, at most 20 */
	size_t nbreaks;
	struct map used;     /* "<change-set digest> <nonce>" of approvals that took effect */
	struct map seen;     /* hex digest of a detached signature -> struct: first seen, as text */
	bool dirty;
};

/* The tree of `anchor` is what is trusted at first. */
int proof_begin(struct git_repo *g, const struct oid *anchor, struct proof **out, struct err *e) MUST_USE;
void proof_free(struct proof *t);
/* A copy to try things on, and to take its place. */
struct proof *proof_copy(const struct proof *t);
void proof_swap(struct proof *a, struct proof *b);

void proof_write(const struct proof *t, struct buf *out);
/* ERR_INVALID: it is no such text, or of a newer version. */
int proof_parse(const char *text, size_t n, struct proof **out, struct err *e) MUST_USE;

/* ERR_NOTFOUND: there is none yet. */
int proof_load(const char *path, struct proof **out, struct err *e) MUST_USE;
/* Atomic and durable. */
int proof_store(struct proof *t, const char *path, struct err *e) MUST_USE;

/* First seen: remembered from the first call on. */
int64_t proof_seen(struct proof *t, const char *key, int64_t now);
bool proof_used(const struct proof *t, const char *key);
void proof_use(struct proof *t, const char *key);
void proof_open(struct proof *t, const struct oid *commit, int64_t seen); /* the oldest goes when there are too many */
void proof_close(struct proof *t, const struct oid *commit);
bool proof_is_open(const struct proof *t, const struct oid *commit);
void proof_broke(struct proof *t, const struct oid *commit, int64_t when, const char *who, const char *reason);
