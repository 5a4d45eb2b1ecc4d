/* SPDX-License-Identifier: Apache-2.0 */
/* Desired against desired: what changes between two bundles of one unit, and what that does to what runs. Pure. */
#pragma once

#include <stdbool.h>

#include "render/bundle.h"

enum action { ACTION_CREATE, ACTION_CHANGE, ACTION_RECREATE, ACTION_DELETE };

const char *action_name(enum action a); /* "create" "change" "recreate" "delete" */

struct object_change {
	const char *id;   /* "StatefulSet/train" */
	enum action action;
	const char *const *fields; /* dotted paths that differ, at most 20; empty for create and delete */
	size_t nfields;
	bool restarts;    /* pods are restarted by it */
	bool pauses, resumes; /* replicas go to, or come from, 0 */
	bool data;        /* a volume claim is deleted or recreated: data is at stake */
	bool kept;        /* a deleted object that stays in the cluster (keep annotations) */
};

struct unit_plan {
	const char *unit;
	enum action action;   /* of the unit: create, change, delete */
	struct object_change *objects;
	size_t n;
	bool restarts, recreates, data;
};

/*
 * old_b or new_b may be NULL (absent). Returns false when nothing differs. What is immutable for the API server (research:
 * StatefulSet serviceName, selector, podManagementPolicy; claims but for growing; roleRef; PriorityClass value …) makes a
 * change a recreate.
 */
bool plan_unit(struct arena *mem, const char *unit, const struct bundle *old_b, const struct bundle *new_b, struct unit_plan *out);

/* As JSON: {unit, action, restarts, recreates, objects: [{id, action, fields, …}]}. */
struct value *plan_value(struct arena *mem, const struct unit_plan *p);
