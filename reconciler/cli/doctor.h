/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of berth doctor share: findings, and the questions that take a file of their own. */
#pragma once

#include "cli/cluster.h"
#include "lib/base/map.h"
#include "world.h"

enum verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	const struct args *a;
	struct arena *mem;
	struct cluster c;
	struct world *w;      /* NULL: no tree was read */
	struct value *found;  /* {check, result, message, next} */
	struct map kinds;     /* "apps/v1 StatefulSet" that the tree renders -> a unit that does (or "" for built-in templates) */
	size_t claims;        /* rendered claims that leave the storage class to the cluster */
	bool binds;           /* a RoleBinding to OUR_ROLE is rendered */
	bool other_roles;     /* a ClusterRole besides it is */
	const char *inventory; /* namespace of berth's own memory */
	size_t count[3];
};

#define OUR_ROLE "berth-environment-user"

/* One finding; `next` may be NULL. */
void doctor_say(struct doctor *d, enum verdict v, const char *check, const char *next, const char *fmt, ...) PRINTF(5, 6);

/* Kinds, features of berth.yaml, default storage class. Discovery has been done. */
int doctor_features(struct doctor *d, struct err *e) MUST_USE;

/* Every right that berth needs, by SelfSubjectAccessReview. */
int doctor_rights(struct doctor *d, struct err *e) MUST_USE;

/* The forge of the daemon's options and its token, where they name one. */
void doctor_forge(struct doctor *d);

/* Locked memory and the decryptor's sandbox: of this machine, no server is asked. */
void doctor_secrets(struct doctor *d);

/* The server's version as a minor number of 1, or -1. */
int64_t doctor_minor(const char *version);
