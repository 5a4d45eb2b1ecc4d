/* SPDX-License-Identifier: Apache-2.0 */
/* Where a sealed file stands, and thereby who may open it. Taken from its path, never from what is in it. No cryptography. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum place_scope { PLACE_OWNER, PLACE_ENV, PLACE_SITE };

/* Texts are borrowed. Names are as user and environment names are; uid as users/<owner>.yaml has it, [A-Za-z0-9][-A-Za-z0-9_.]*. */
struct seal_place {
	enum place_scope scope;
	const char *owner, *uid; /* NULL with PLACE_SITE */
	const char *env;         /* with PLACE_ENV */
};

enum seal_format { SEAL_AGE, SEAL_SOPS_YAML, SEAL_SOPS_JSON, SEAL_SOPS_DOTENV };

/*
 * envs/<owner>/secrets/<file>: owner; envs/<owner>/secrets/<env>/<file>: environment; secrets/<file>: site; the file ends in .age,
 * .sops.yaml, .sops.json or .sops.env. Owner and environment are copied into mem; uid stays NULL. ERR_INVALID for any other path.
 */
int place_of_path(struct arena *mem, const char *path, struct seal_place *out, enum seal_format *format, struct err *e) MUST_USE;

/* "alice", "alice, environment train", "the site": for messages. In mem. */
const char *place_text(struct arena *mem, const struct seal_place *p);

/*
 * The bytes that identities are derived from: "gen=2;scope=env;owner=alice;uid=7f3a9c12;env=train". In mem. ERR_INVALID when a part is missing or
 * has a character that could be read as another part.
 */
int place_info(struct arena *mem, const struct seal_place *p, unsigned generation, const char **out, struct err *e) MUST_USE;
