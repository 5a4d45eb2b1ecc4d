/* SPDX-License-Identifier: Apache-2.0 */
/* Whether commits of the status branch are berth's own: signed by the signer that berth.yaml names. */
#pragma once

#include "lib/base/map.h"
#include "lib/git/git.h"

#define STATUS_COMMITS_MAX 20000 /* looked at, the newest; records that older ones brought have no time that is believed */

struct status_commits {
	const char *signer;  /* "ssh-ed25519 AAAA…"; NULL: berth.yaml names none, and nothing was looked at */
	size_t good, none, other; /* signed by it, not signed, signed by another key or not well */
	struct oid newest;   /* of the last two; zero: there is none */
	struct map told;     /* "<path> <blob>" of records of approved changes that a good commit brought */
};

/* spec.secrets.signer of a tree's berth.yaml, in mem; NULL: none. */
const char *status_signer(struct git_repo *g, const struct oid *tree, struct arena *mem);

/* ERR_INVALID: the signer is no key. Free *out with map_free(&out->told). */
int status_commits_check(struct git_repo *g, const struct oid *tip, const char *signer, struct status_commits *out, struct err *e) MUST_USE;

/* Did a good commit bring this file? Always, where there is no signer to ask for. */
bool status_told(const struct status_commits *s, const char *path, const struct oid *blob);
