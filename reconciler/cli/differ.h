/* SPDX-License-Identifier: Apache-2.0 */
/* Field by field: what a live object holds against what it should hold, and whose hand was in it. Pure but for its key. */
#pragma once

#include <stdbool.h>

#include "lib/doc/value.h"

struct difference {
	const char *path;           /* "spec.template.spec.containers[main].image" */
	const char *live, *want;    /* for people, one line, short; "(none)" */
	const char *manager;        /* who wrote the live field: "kubectl-edit", "kubectl-scale"; NULL: nobody else than berth is known */
	const char *time;           /* when, RFC 3339, or NULL */
	bool nameless;              /* berth wrote it once and somebody took it over without leaving a name (kubectl scale, JSON patch) */
};

struct differences {
	struct difference *items;
	size_t n, cap;
	size_t more; /* not kept */
};

struct differ {
	struct arena *mem;   /* of everything given out */
	bool subset;         /* `want` is what was rendered, without defaults: what it does not name is not looked at */
	bool secret;         /* an object whose values are never shown: digests with a key of this process */
	const char *manager; /* ours */
};

/*
 * With an object that we applied: adds what others put beside it, which the next apply takes away ("(none)" as want). `rendered` is what we
 * send; `kind` the object's. Fields of allowed co-writers are no such thing (fields_take_over).
 */
void differ_added(const struct differ *d, const char *kind, const struct value *live, const struct value *rendered,
                  struct differences *out);

/* What the API server keeps for itself (status, resourceVersion, managedFields …) is not compared. */
void differ_objects(const struct differ *d, const struct value *live, const struct value *want, struct differences *out);

/* A value as difference.live shows it. NULL is "(none)". */
const char *differ_show(const struct differ *d, const struct value *v);
