/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled templates, set by set (render.h loads and frees them). */
#pragma once

#include "render/context.h"
#include "render/render.h"
#include "render/template.h"

enum template_set { SET_ORG, SET_TEAM, SET_USER, SET_ENV, SET_COUNT };

struct template_entry {
	const char *path;       /* "templates/env/statefulset.yaml" */
	enum template_set set;
	struct template *body;  /* NULL: removed by the organization */
	struct template *patch; /* or NULL */
	const char *patch_path;
};

/* Everything is made by templates_load and only read afterwards: many threads may render with one. */
struct templates {
	struct arena *mem;
	struct template_entry *entries; /* sorted by path */
	size_t n;
	struct context_scripts scripts;
	struct digest digest;
};
