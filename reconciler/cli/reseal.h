/* SPDX-License-Identifier: Apache-2.0 */
/* A sealed file again, for another identity: same place, same plain text. Pure but for randomness. */
#pragma once

#include "lib/seal/sops.h"

/* Which identity opens it. */
struct reseal {
	struct arena *mem;
	enum seal_format format;
	const char *bytes;
	size_t n;
	const struct age_identity *ids;
	size_t nids;
};

/* 0, *which and how many recipients it has (of its data key, for SOPS). ERR_DENIED, ERR_INVALID as age_open and sops_open. */
int reseal_look(const struct reseal *r, size_t *which, size_t *recipients, struct err *e) MUST_USE;

/*
 * Adds the file to `out`, sealed for `to` in place of identity `which`, and opens it once more to be sure. An .age file is for `to` and the n
 * recipients of `more` alone; a SOPS file keeps its other recipients and everything else as it is, only its data key is wrapped anew.
 */
int reseal(const struct reseal *r, size_t which, const struct age_identity *to, const uint8_t (*more)[32], size_t n, struct buf *out,
           struct err *e) MUST_USE;
