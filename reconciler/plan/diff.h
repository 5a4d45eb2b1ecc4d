/* SPDX-License-Identifier: Apache-2.0 */
/* Desired against desired: what changes between two bundles of one unit, and what that does to what runs. Pure. */
#pragma once

#include <stdbool.h>

#include "render/bundle.h"

#define PLAN_TEXT_MAX ((size_t)200)

enum action { ACTION_CREATE, ACTION_CHANGE, ACTION_RECREATE, ACTION_DELETE, ACTION_REFUSED };

const char *action_name(enum action a); /* "create" "change" "recreate" "delete" "refused" */

struct object_change {
	const char *id;   /* "StatefulSet/train" */
	enum action action;
	const char *const *fields; /* dotted paths that differ, at most 20; empty for create and delete */
	/*
	 * What each field held and holds, on one line for people, at most PLAN_TEXT_MAX bytes and redacted; NULL: it was or is not there. Of what
	 * is sealed both are NULL.
	 */
	const char *const *was, *const *is;
	size_t nfields;
	bool restarts;    /* pods are restarted by it */
	bool pauses, resumes; /* replicas go to, or come from, 0 */
	bool data;        /* a volume claim is deleted, or left behind in another namespace: data is at stake */
	bool kept;        /* a deleted object that stays in the cluster (keep annotations) */
	const char *sealed; /* a Secret whose sealed content is another: the first file that it is from, or "the host key"; else NULL */
	bool rolls;         /* running pods cannot take up another value of it */
};

struct unit_plan {
	const char *unit;
	enum action action;   /* of the unit: create, change, delete */
	struct object_change *objects;
	size_t n;
	bool restarts, recreates, data, refused;
};

/*
 * old_b or new_b may be NULL (absent). Returns false when nothing differs. What is immutable for the API server (research:
 * StatefulSet serviceName, selector, podManagementPolicy; claims but for growing; roleRef; PriorityClass value …) makes a
 * change a recreate; of a claim it is refused, since nothing that holds data is deleted for a change: everything else of the unit
 * is applied, the claim stays as it is.
 */
bool plan_unit(struct arena *mem, const char *unit, const struct bundle *old_b, const struct bundle *new_b, struct unit_plan *out);

/*
 * Of a live object as the API server gives it: the first field that it will not change and that `want` has otherwise, or NULL. `holds`
 * tells whether a live value holds a wanted one (defaults are no difference).
 */
const char *plan_immutable(const char *kind, const struct value *want, const struct value *live,
                           bool (*holds)(struct arena *mem, const struct value *want, const struct value *live, const char **where),
                           struct arena *mem);

/* As JSON: {unit, action, restarts, recreates, refused, objects: [{id, action, fields, …}]}. */
struct value *plan_value(struct arena *mem, const struct unit_plan *p);
