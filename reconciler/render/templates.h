/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled templates, version by version (render.h loads and frees them). */
#pragma once

#include "parse/versions.h"
#include "render/context.h"
#include "render/render.h"
#include "render/template.h"

enum template_set { SET_ORG, SET_TEAM, SET_USER, SET_ENV, SET_COUNT };

struct template_entry {
	const char *path;       /* "templates/env/statefulset.yaml": where it belongs, whatever version brings it */
	const char *file;       /* where it was read: that, or "templates/v2/env/statefulset.yaml" */
	bool own;               /* the organization's */
	enum template_set set;
	struct template *body;  /* NULL: removed */
	struct template *patch; /* or NULL */
	const char *patch_path;
};

/* One version with the organization's files laid over it. */
struct template_version {
	int number;
	struct template_entry *entries; /* sorted by path */
	size_t n, cap;
	struct context_scripts scripts;
	const char *broken; /* why nothing can be rendered with it ("templates/env/x.patch.yaml: there is no …"), or NULL */
};

/* Everything is made by templates_load and only read afterwards: many threads may render with one. */
struct templates {
	struct arena *mem;
	struct template_version versions[VERSIONS_MAX];
	size_t n;
	struct digest digest;
};

/* The version, or NULL when this program does not have it. */
const struct template_version *templates_version(const struct templates *t, int64_t number);

/* -- reading: templates_source.c --------------------------------------------------------------------------------- */

enum source_kind { SOURCE_BODY, SOURCE_PATCH, SOURCE_SCRIPT, SOURCE_NOTHING };

/* One file, from either side, compiled once for all versions. */
struct template_source {
	const char *path, *file; /* as in a template_entry */
	const char *bytes;
	size_t len;
	int version;             /* built-in ones: the version that brings it */
	bool own;
	enum source_kind kind;
	enum template_set set;
	struct template *made;   /* NULL: removes; of a patch: patches nothing */
};

struct template_sources {
	struct template_source *items; /* built-in ones by version, then the organization's; each part by path */
	size_t n;
};

/*
 * Reads and compiles all. What is wrong with the organization's files becomes findings (those files are SOURCE_NOTHING);
 * a built-in one is ERR_INTERNAL. Lives in `mem`, the findings in the report's own memory.
 */
int template_sources(struct arena *mem, const struct files *files, struct report *r, struct template_sources *out,
                     struct err *e) MUST_USE;

/* A finding about one of the organization's files as a whole, or ERR_INTERNAL about a built-in one. */
int template_complain(const struct template_source *s, struct report *r, enum finding_code code, const char *help, struct err *e,
                      const char *fmt, ...) PRINTF(6, 7);
