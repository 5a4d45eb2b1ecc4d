/* SPDX-License-Identifier: Apache-2.0 */
/* From an environment (or user, team, organization) to its bundle. Pure: no clock, network, git or secrets. */
#pragma once

#include "lib/base/files.h"
#include "parse/env.h"
#include "parse/reserved.h"
#include "render/bundle.h"

/* The compiled templates: the built-in ones with an organization's overrides laid over them. */
struct templates;

/*
 * Built-in templates (share.h) plus templates/ of `files` (NULL: none). Errors in the org's templates are findings;
 * ERR_INVALID when there were any.
 */
int templates_load(const struct files *files, struct report *r, struct templates **out, struct err *e) MUST_USE;
void templates_free(struct templates *t);

/* Covers every template's bytes: part of every render key. */
const struct digest *templates_digest(const struct templates *t);

/* The same inputs give the same bytes. Errors name template, line and unit. */
int render_env(const struct templates *t, struct arena *mem, const struct env *env, struct bundle **out, struct err *e) MUST_USE;

/*
 * A user's set: namespace, quota, policies, keys, shared volume. `envs` are the user's resolved environments (what they
 * need per user: claims, ports), sorted by name.
 */
int render_user(const struct templates *t, struct arena *mem, const struct site *s, const struct doc *user,
                const struct env *const *envs, size_t n, struct bundle **out, struct err *e) MUST_USE;
int render_team(const struct templates *t, struct arena *mem, const struct site *s, const struct doc *team, struct bundle **out,
                struct err *e) MUST_USE;

int render_org(const struct templates *t, struct arena *mem, const struct site *s, struct bundle **out, struct err *e) MUST_USE;
