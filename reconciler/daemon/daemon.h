/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: look, pass, publish, wait; until told to stop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "apply/target_kube.h"
#include "lib/base/files.h"
#include "lib/forge/forge.h"
#include "lib/git/git.h"

struct daemon_config {
	const char *repo, *branch, *state_dir;
	const char *target;       /* a name from the table of targets: "git", "kubernetes" */
	struct target_kube_options kube; /* of target kubernetes; state_dir, lease identity and cancel are filled in */
	bool lease;               /* of several that run this, one writes */
	const char *master_key;   /* file that the decryptor opens sealed secrets with; NULL: none, and what is sealed is not applied */
	struct git_remote_auth auth;
	int64_t interval_ms;      /* between polls of a remote */
	bool has_trust_anchor;
	struct oid trust_anchor;  /* where proofs of approval begin */
	const char *listen;       /* "ADDR:PORT" or NULL */
	bool forge;               /* pull requests are spoken to: `forge_as`, whose api and repo are filled in; not for `once` */
	struct forge_config forge_as;
	const char *hook_secret;  /* file with what signs the hooks of a forge; NULL: there are none. Needs `listen`, and is not for `once` */
	bool once;                /* one pass, then return */
	bool has_accept_rewind;
	struct oid accept_rewind;
	const char *const *only;  /* environments, with once */
	size_t nonly;
};

/* Outcome of `once`, for the exit code. */
struct daemon_result {
	size_t failed;        /* environments that the target refuses or that failed on it */
	size_t held, pending; /* environments without anything live; with a newer spec that is not applied */
	bool refused;         /* the commit as a whole was refused (rewritten history) */
	bool invalid;         /* … or could not be read */
	int signal;           /* that ended it, 0 */
};

/*
 * Takes the state folder's lock, then runs. Returns 0 after SIGTERM, SIGINT or one pass; an error when it could not start,
 * or when `once` failed.
 */
int daemon_run(const struct daemon_config *c, struct daemon_result *out, struct err *e) MUST_USE;
