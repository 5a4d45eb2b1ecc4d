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

/* The same as an error, ERR_INVALID, with the first finding in mem. */
int world_check_usable(const struct world *w, struct arena *mem, struct err *e) MUST_USE;

/* Findings of shared documents and of the tree as a whole, sorted. Lives in mem. */
void world_findings(const struct world *w, struct report *out);

const struct site *world_site(const struct world *w);
const struct templates *world_templates(const struct world *w); /* NULL when they do not compile */
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

/* What a visitor returns of an environment that is not applied now: what is live of it stays, and counts. */
#define WORLD_STAYS 1

/*
 * The bytes of the spec that is live of an environment which stays, in mem. ERR_NOTFOUND: nothing of it is live; other errors: not known.
 * Without this function what stays counts for nothing when it has errors, and else as main has it.
 */
typedef int (*world_live_fn)(void *ctx, struct arena *mem, const char *owner, const char *name, const char **bytes, size_t *len);
void world_live_by(struct world *w, world_live_fn fn, void *ctx);

/*
 * What only the holder of the master key can tell: the digests of a sealed file's values (decryptor_look), and of an environment's host key
 * (decryptor_host; `host` may be NULL). An error becomes a finding of the environment (E310 with its text and hint): its newest spec is not applied.
 * Without these functions digests of the sealed files stand for them.
 */
typedef int (*world_look_fn)(void *ctx, struct arena *mem, const struct sealed *s, struct sealed_value **out, size_t *n, struct err *e);
typedef int (*world_host_fn)(void *ctx, const struct seal_place *env, const char *const *names, size_t n, char digest[SEAL_DIGEST_HEX],
                             struct err *e);
void world_seal_by(struct world *w, world_look_fn look, world_host_fn host, void *ctx);

/* Called with the same ctx before the environments of an owner are rendered, so that whoever is asked may look at what they are likely to need in one go. */
typedef void (*world_ahead_fn)(void *ctx, const struct world *w, const char *owner);
void world_ahead_by(struct world *w, world_ahead_fn ahead);

struct owner_result {
	const char *owner;
	const struct doc *user;      /* NULL when there is no users/ file */
	const char *const *names;    /* of the owner's environments, sorted */
	size_t n, bad;               /* how many, and how many of them have errors */
	const struct bundle *bundle; /* the user's set; NULL when the user has errors or is missing, or nothing was rendered */
	bool unsure;                 /* of something live it is not known what it needs of that set */
	const char *const *deps;     /* union over the environments, and the user's own file */
	size_t ndeps;
	const char *error;           /* why the user's set could not be rendered, or NULL */
	const struct err *failure;   /* the same with its hint */
};

/* Has it a file, whatever is in it? */
bool world_has_env(const struct world *w, const char *owner, const char *name);

/* Names of an owner's environments, in the order of their paths (that of the names differs: "a-b.yaml" comes before "a.yaml"); from the paths alone. */
void world_names(const struct world *w, struct arena *mem, const char *owner, const char *const **names, size_t *n);

/*
 * All environments of one owner, then the owner's own set. Each environment is given to `visit` (may be NULL) and is gone
 * when that returns: however many an owner has, only one is held at a time. A negative return of visit stops, WORLD_STAYS see above. The result
 * lives in mem. Findings are results, not errors.
 */
int world_owner(struct world *w, struct arena *mem, const char *owner, bool render,
                int (*visit)(void *ctx, const struct env_result *r, struct err *e), void *ctx, struct owner_result *out,
                struct err *e) MUST_USE;

/* Bundles of org and teams: NULL when there is nothing (an empty bundle) or the document has errors. */
int world_org(struct world *w, struct arena *mem, const struct bundle **out, struct err *e) MUST_USE;
int world_team(struct world *w, struct arena *mem, const char *team, const struct bundle **out, struct err *e) MUST_USE;

/*
 * What a rendering failed on, as a finding: at the template's line, at the field of `doc` (may be NULL) that it names, else
 * about the file `path` as a whole. Texts are copied into the report.
 */
void world_render_finding(struct report *r, const struct doc *doc, const char *path, const struct err *e);

/* Renders the organization's and the teams' sets, and reports what fails. Nothing when the tree is not usable. */
int world_check_shared(struct world *w, struct report *r, struct err *e) MUST_USE;
