/* SPDX-License-Identifier: Apache-2.0 */
/* Where a server's refs stand, by one HTTP request (git protocol v2, ls-refs): the cheap poll before a fetch. */
#pragma once

#include "lib/git/git.h"

/*
 * ids[i] is where refs[i] stands when found[i]. ERR_INVALID when this URL cannot be asked this way (not HTTP, a server
 * without protocol v2, a redirect): use git_fetch. ERR_DENIED when the login is refused. The connection is kept for the
 * next call; calls of several threads wait for each other.
 */
int git_remote_heads(const char *url, const struct git_remote_auth *auth, const char *const *refs, size_t n,
                     int64_t deadline_ms, const volatile bool *cancel, struct oid *ids, bool *found, struct err *e) MUST_USE;

/* The answer to ls-refs: pkt-lines "<id> <ref>…" and a flush. What is not asked for is passed over. */
int git_heads_parse(const char *bytes, size_t len, const char *const *refs, size_t n, struct oid *ids, bool *found,
                    struct err *e) MUST_USE;

/* The answer to info/refs: does it say "version 2"? */
bool git_heads_v2(const char *bytes, size_t len);
