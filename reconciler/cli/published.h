/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What berth publishes on the status branch for people to trust: recipients and known_hosts, checked against the signer that the reviewed
 * berth.yaml names. For seal, recipients, ssh and ssh-config.
 */
#pragma once

#include "cli/branch.h"
#include "cli/cmd.h"
#include "parse/doc.h"
#include "parse/secrets.h"
#include "status/recipients.h"

struct published {
	const struct args *a;
	struct files one;            /* single documents: of the folder of -C, or of HEAD of a bare repository */
	const struct doc *org;       /* berth.yaml */
	struct secret_settings set;  /* set.signer may be NULL: sealed secrets are off */
	bool has_branch;             /* `branch` has been opened */
	struct branch branch;        /* the status branch */
};

/* Reads berth.yaml. Option C; everything lives in a->mem. */
int published_open(const struct args *a, struct published *out, struct err *e) MUST_USE;

/* ERR_NOTFOUND that says what an administrator has to do when berth.yaml names no signer. */
int published_need_signer(const struct published *p, struct err *e) MUST_USE;

/* uid of users/<user>.yaml: ERR_NOTFOUND without that file, ERR_INVALID without a uid. */
int published_uid(struct published *p, const char *user, const char **uid, struct err *e) MUST_USE;

/*
 * Recipients of `user` (NULL: of the site). ERR_DENIED: not checked, the signature is not of that signer, or they are of another uid than
 * users/<user>.yaml has; ERR_NOTFOUND: not published yet. An older generation than berth.yaml's is said on stderr and taken while it is not refused
 * (oldest), for berth may not have seen the commit yet. Options offline and token-file as in cli/branch.h.
 */
int published_recipients(struct published *p, const char *user, struct recipients *out, struct err *e) MUST_USE;

/* Users that have recipients there, sorted. */
int published_users(struct published *p, const char ***out, size_t *n, struct err *e) MUST_USE;

/* known_hosts, checked; errors as above. */
int published_known_hosts(struct published *p, const char **text, size_t *n, struct err *e) MUST_USE;

/*
 * The status document of an environment; NULL when there is none, or no status branch. It is not signed: what it says is a hint for people, and
 * nothing that is trusted. In mem.
 */
int published_status(struct published *p, struct arena *mem, const char *owner, const char *name, const struct value **out, struct err *e)
	MUST_USE;
