/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature of a commit, and the bytes that it is of. Source: git's gitformat-signature(5). On the raw object, without libgit2, so that what is
 * signed is decided here: exactly one signature header, of the repository's own object format.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"

/*
 * `raw`: the commit's content without its object header; sha256: of a repository with that object format (header gpgsig-sha256, else gpgsig).
 * ERR_NOTFOUND: it is not signed. ERR_INVALID: two signatures or one of the other format, a header before "tree", broken lines. In mem.
 */
int commit_signature(struct arena *mem, const char *raw, size_t n, bool sha256, const char **sig, size_t *sig_len,
                     const char **payload, size_t *payload_len, struct err *e) MUST_USE;
