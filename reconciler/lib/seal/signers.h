/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may sign: allowed_signers files and lists of revoked keys, in OpenSSH's own formats. Sources: ssh-keygen(1) "ALLOWED SIGNERS" and
 * "KEY REVOCATION LISTS", OpenSSH PROTOCOL.krl, ssh_config(5) PATTERNS. Stricter than OpenSSH: times must end in Z, since a local time
 * would mean something else on every machine.
 */
#pragma once

#include "lib/seal/ssh_key.h"

#define SIGNERS_MAX ((size_t)256 * 1024) /* bytes of either file */
#define SIGNERS_LINES_MAX 4096

struct signer {
	unsigned line;               /* 1 … */
	const char *principals;      /* patterns with commas */
	const char *namespaces;      /* the same, or NULL: every namespace */
	bool authority;              /* cert-authority: its certificates, and not the key itself */
	bool has_after, has_before;
	int64_t after, before;       /* seconds since 1970, both inclusive */
	struct ssh_key key;
};

/* A line that could not be read: it allows nobody. */
struct signers_bad {
	unsigned line;
	const char *why;
};

struct signers {
	struct signer *items;
	size_t n;
	struct signers_bad *bad;
	size_t nbad;
};

/* ERR_INVALID when the file is too large; broken lines are listed. In mem. */
int signers_parse(struct arena *mem, const char *text, size_t n, struct signers *out, struct err *e) MUST_USE;

/*
 * May this key sign as `principal` in namespace `ns` at `when` (seconds since 1970)? 0 and *who (may be NULL); ERR_DENIED says why the line that came
 * nearest does not allow it.
 */
int signers_allow(struct arena *mem, const struct signers *s, const struct ssh_key *k, const char *principal, const char *ns, int64_t when,
                  const struct signer **who, struct err *e) MUST_USE;

/* The lines (plain keys and CAs) that concern this key, whatever they say: to find out whose it may be. In mem. */
void signers_of(struct arena *mem, const struct signers *s, const struct ssh_key *k, const struct signer ***out, size_t *n);

/* OpenSSH pattern list: "*@example.org,!mallory@example.org"; a negated match wins. Case counts. */
bool pattern_list_match(const char *patterns, const char *text);

/*
 * Is the key, its certificate or the certificate's CA revoked? `text` is a list of public keys, one a line, or a KRL. 0: no. ERR_DENIED: it is. ERR_INVALID: the
 * list cannot be read, so that nothing can be said: treat it as revoked.
 */
int revoked_check(struct arena *mem, const void *text, size_t n, const struct ssh_key *k, struct err *e) MUST_USE;
