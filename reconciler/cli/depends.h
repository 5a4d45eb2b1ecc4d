/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What depends on what, as tests/unit/test_inputs.c found by changing every field: inputs.def (variables of a template's
 * context) and touches.def (kinds of objects).
 */
#pragma once

#include "lib/base/arena.h"

/*
 * The fields that a variable depends on, separated by spaces ("env.spec.mode org.spec.render"); of "env.resources.limits.cpu"
 * the row of the nearest name above it that has one. NULL when there is none.
 */
const char *depends_inputs(struct arena *mem, const char *variable);

/* All rows below a variable that is a list, or the list that it is a part of ("env.claims.size"), together; or NULL. */
const char *depends_inputs_below(struct arena *mem, const char *variable);

/*
 * The kinds of objects that a field reaches ("ConfigMap, StatefulSet (restarts the pods)"), or NULL. Of a field that holds
 * others: all of theirs together.
 */
const char *depends_touches(struct arena *mem, const char *field);

/* How rows call the item of a list that has this name: what users choose is '*' ("vol-*"). */
const char *depends_item(struct arena *mem, const char *list, const char *name);
