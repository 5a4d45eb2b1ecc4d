/* SPDX-License-Identifier: Apache-2.0 */
/* Where a rendered value comes from: what its template reads at the place that it carries. */
#pragma once

#include "render/render.h"

#define ORIGIN_VARS_MAX 16

/* The variables read at a place of a template, loop variables by what they run over ("env.claims.size"); n 0: a constant. */
struct origin {
	const char *vars[ORIGIN_VARS_MAX];
	size_t n;
};

/*
 * Finds the key or list item at `at` (file, line and column) in the template or patch that was read from at.file. False when
 * nothing stands there. Texts live in `mem`.
 */
bool templates_origin(const struct templates *t, int64_t version, struct arena *mem, struct place at, struct origin *out);
