/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of document: one row each, and which path holds which. */
#pragma once

#include <stdbool.h>

#include "lib/base/arena.h"

enum kind { KIND_ORG, KIND_FLAVOR, KIND_IMAGE, KIND_DATASET, KIND_TEAM, KIND_USER, KIND_ENV, KIND_COUNT };

struct kind_info {
	const char *name;   /* "Environment" */
	const char *alias;  /* "DevServer": read as the same kind under any apiVersion group; or NULL */
	const char *folder; /* "envs", NULL for berth.yaml */
	const char *schema; /* file in schema/ */
	const char *noun;   /* "environment", for messages */
};

extern const struct kind_info kinds[KIND_COUNT];

/* What a path of an environments repository is. */
enum path_class {
	PATH_DOC,      /* a document of `kind` */
	PATH_OTHER,    /* something berth does not read by itself: README, scripts, sealed files, templates, dot folders */
	PATH_BAD,      /* inside a folder of documents but not where or how one may be: a finding */
};

struct path_info {
	enum path_class class;
	enum kind kind;
	const char *owner; /* environments: the folder's user; else NULL */
	const char *name;  /* file name without .yaml; "berth" for berth.yaml */
	const char *why;   /* PATH_BAD: what is wrong, a static text */
};

/* Classifies; strings go into mem. */
void path_classify(struct arena *mem, const char *path, struct path_info *out);

/* "alice" of "envs/alice/…", NULL of any other path. */
const char *path_env_owner(struct arena *mem, const char *path);

/*
 * The owner whose own file this is ("envs/alice/setup.sh", "users/alice.yaml"), NULL for what belongs to nobody. Others may
 * depend on it too.
 */
const char *path_owner(struct arena *mem, const char *path);

/* A name as api.md defines it: [a-z]([-a-z0-9]*[a-z0-9])?, no "--", at most 40 characters. */
bool name_valid(const char *s);
