/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the status branch that say for whom to seal. Each is a file for `age -R`, and each is signed as a whole: FILE.sig beside it is an
 * SSHSIG of berth's signer (berth.yaml spec.secrets.signer) over its bytes. Whose it is stands in it, so that one signed file cannot stand in
 * for another. Pure.
 *
 *   # berth recipients v1
 *   # user alice uid 7f3a9c12 generation 2      (recipients/site.txt: # site generation 2)
 *   age1…
 *   # env train age1…
 *
 * Other lines that begin with '#' are for people.
 */
#pragma once

#include "lib/base/buf.h"
#include "lib/seal/place.h"

#define RECIPIENTS_NAMESPACE "recipients@berth"
#define KNOWN_HOSTS_NAMESPACE "known-hosts@berth"
#define RECIPIENTS_SITE "recipients/site.txt"
#define RECIPIENTS_USERS "recipients/users"
#define KNOWN_HOSTS "known_hosts"
#define RECIPIENTS_ENVS_MAX 1000
#define RECIPIENTS_FILE_MAX ((size_t)256 * 1024)

struct recipient_env {
	const char *name, *recipient;
};

struct recipients {
	const char *user, *uid; /* NULL: of the site */
	unsigned generation;
	const char *recipient;  /* "age1…" */
	const struct recipient_env *envs; /* sorted by name */
	size_t nenvs;
};

/* "recipients/users/alice.txt"; NULL: the site's. In mem. */
const char *recipients_path(struct arena *mem, const char *user);

/* The same input gives the same bytes. */
void recipients_write(const struct recipients *r, struct buf *out);

/* ERR_INVALID: it is none, or not `user`'s (NULL: the site's). Everything is in mem. */
int recipients_parse(struct arena *mem, const char *bytes, size_t n, const char *user, struct recipients *out, struct err *e) MUST_USE;

/*
 * The same after checking the signature by `signer` ("ssh-ed25519 AAAA…"): ERR_DENIED when it is not of that key, purpose or text, ERR_INVALID when there
 * is none that can be read.
 */
int recipients_check(struct arena *mem, const char *bytes, size_t n, const char *sig, size_t nsig, const char *signer, const char *user,
                     struct recipients *out, struct err *e) MUST_USE;

/* The recipient for a place: of the environment, the user or the site. ERR_NOTFOUND: that environment is not published (yet). */
int recipients_for(const struct recipients *r, const char *env, const char **out, struct err *e) MUST_USE;

/* known_hosts on the status branch: what it is for as a comment, then `lines` (parse/host_names.h). */
void known_hosts_write(const char *lines, struct buf *out);
/* Checks its signature; errors as recipients_check. */
int known_hosts_check(const char *bytes, size_t n, const char *sig, size_t nsig, const char *signer, struct err *e) MUST_USE;
