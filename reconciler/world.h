/* SPDX-License-Identifier: Apache-2.0 */
/* Everything read from one tree: shared documents kept between commits, environments owner by owner. Pure but for logging. */
#pragma once

#include <stdbool.h>

#include "parse/env.h"
#include "render/render.h"
#include "validate/validate.h"

struct world;

/* Loads schemas and built-in templates. */
int world_new(struct world **out, struct err *e) MUST_USE;
void world_free(struct world *w);

/*
 * Takes over a tree. `changed` names the paths that differ from the tree before (n paths; all_changed: everything). Shared
 * documents that changed are read and checked again. `files` must stay valid until the next call.
 */
int world_adopt(struct world *w, const struct files *files, const char *const *changed, size_t n, bool all_changed,
                struct err *e) MUST_USE;

/*
 * Environments are judged by this berth.yaml instead of the tree's own, until the next world_adopt. Borrowed. Findings of
 * shared documents stay those of the tree.
 */
void world_judge_by(struct world *w, const struct doc *org);

/* False when berth.yaml is missing or broken or the org's templates do not compile: such a tree is not applied. */
bool world_usable(const struct world *w);

/* Findings of shared documents and of the tree as a whole, sorted. Lives in mem. */
void world_findings(const struct world *w, struct report *out);

const struct site *world_site(const struct world *w);
const struct files *world_files(const struct world *w);

/* Owners: every users/ file and every folder in envs/, sorted. */
void world_owners(const struct world *w, struct arena *mem, const char ***owners, size_t *n);

struct env_result {
	const char *owner, *name, *path;
	const struct doc *doc;
	const struct env *env;       /* NULL when it does not resolve or breaks a rule */
	const struct bundle *bundle; /* NULL unless rendered */
	struct report findings;      /* of this environment alone */
	bool ok;                     /* rendered (or, without rendering: no errors) */
};

/* Reads, checks and (when `render`) renders one environment. ERR_NOTFOUND when there is no such file. Lives in mem. */
int world_env(struct world *w, struct arena *mem, const char *owner, const char *name, bool render, struct env_result *out,
              struct err *e) MUST_USE;

struct owner_result {
	const char *owner;
	const struct doc *user;      /* NULL when there is no users/ file */
	const char *const *names;    /* of the owner's environments, sorted */
	size_t n, bad;               /* how many, and how many of them have errors */
	const struct bundle *bundle; /* the user's set; NULL when the user has errors or is missing, or nothing was rendered */
	const char *const *deps;     /* union over the environments, and the user's own file */
	size_t ndeps;
	const char *error;           /* why the user's set could not be rendered, or NULL */
};

/*
 * All environments of one owner, then the owner's own set. Each environment is given to `visit` (may be NULL) and is gone
 * when that returns: however many an owner has, only one is held at a time. A negative return of visit stops. The result
 * lives in mem. Findings are results, not errors.
 */
int world_owner(struct world *w, struct arena *mem, const char *owner, bool render,
                int (*visit)(void *ctx, const struct env_result *r, struct err *e), void *ctx, struct owner_result *out,
                struct err *e) MUST_USE;

/* Bundles of org and teams: NULL when there is nothing (an empty bundle) or the document has errors. */
int world_org(struct world *w, struct arena *mem, const struct bundle **out, struct err *e) MUST_USE;
int world_team(struct world *w, struct arena *mem, const char *team, const struct bundle **out, struct err *e) MUST_USE;
