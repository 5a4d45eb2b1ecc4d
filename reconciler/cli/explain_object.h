/* SPDX-License-Identifier: Apache-2.0 */
/* berth render --explain: for every field of a rendered object, which template line and which input it comes from. */
#pragma once

#include "lib/base/buf.h"
#include "parse/env.h"
#include "render/bundle.h"
#include "render/render.h"

/* The unit an object belongs to, with what was read for it. */
struct explain_unit {
	const struct templates *templates;
	const struct bundle *bundle;
	const struct env *env;  /* of an environment's bundle; else NULL */
	const struct doc *org, *team, *user; /* where the unit has one */
};

/* "StatefulSet/train" (the kind in any case), "statefulset-train.yaml", or that with the unit's folder in front. */
bool explain_is_named(const char *name, const struct bundle *b, const struct object *o);

/* Adds the text for a person to `text`, and a map {object, unit, file, fields} to `list`. All lives in `mem`. */
void explain_object(struct arena *mem, const struct explain_unit *u, const struct object *o, struct buf *text, struct value *list);
