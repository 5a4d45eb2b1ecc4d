/* SPDX-License-Identifier: Apache-2.0 */
/* Where a server's refs stand, by one HTTP request (git protocol v2, ls-refs): the cheap poll before a fetch. */
#pragma once

#include <stdatomic.h>

#include "lib/git/git.h"

/*
 * ids[i] is where refs[i] stands when found[i]. ERR_INVALID when this URL cannot be asked this way (not HTTP, a server
 * without protocol v2, a redirect): use git_fetch. ERR_DENIED when the login is refused. The connection is kept for the
 * next call; calls of several threads wait for each other.
 */
int git_remote_heads(const char *url, const struct git_remote_auth *auth, const char *const *refs, size_t n,
                     int64_t deadline_ms, const atomic_bool *cancel, struct oid *ids, bool *found, struct err *e) MUST_USE;

/* Refs below a folder, asked for with the others. */
struct git_below {
	const char *prefix;       /* "refs/berth/approvals/" */
	size_t max;
	struct arena *mem;
	struct git_ref *refs;     /* sorted by name, in mem */
	size_t n;
	bool many;                /* there are more than `max`: these are some of them */
};

/* git_remote_heads with all refs below `below->prefix` in the same answer. Where they are too many for an answer, only `many` is said. */
int git_remote_heads_below(const char *url, const struct git_remote_auth *auth, const char *const *refs, size_t n, struct git_below *below,
                           int64_t deadline_ms, const atomic_bool *cancel, struct oid *ids, bool *found, struct err *e) MUST_USE;

/* The answer to ls-refs: pkt-lines "<id> <ref>…" and a flush. What is not asked for is passed over. `below` may be NULL. */
int git_heads_parse(const char *bytes, size_t len, const char *const *refs, size_t n, struct git_below *below, struct oid *ids, bool *found,
                    struct err *e) MUST_USE;

/* The answer to info/refs: does it say "version 2"? */
bool git_heads_v2(const char *bytes, size_t len);
