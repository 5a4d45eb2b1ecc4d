/* SPDX-License-Identifier: Apache-2.0 */
/* Inside validate/approval*.c: what the rules are made of, and an environment read under them. */
#pragma once

#include "lib/base/map.h"
#include "parse/env.h"
#include "validate/approval.h"
#include "validate/validate.h"

/* -- people: approval_people.c ------------------------------------------------------------------------------------ */

struct person {
	const char *name, *mail; /* mail in lower case, or NULL */
	bool account_by_name;    /* on a forge they go by their name here */
};

/* Everybody who has a file in users/. Zero is empty. */
struct people {
	struct map names, mails, accounts; /* -> struct person *; a mail or an account of two people is nobody's */
};

/* Texts are copied into mem. `spec` is the user's, NULL when it cannot be read: then mail and account are not known. */
void people_add(struct people *p, struct arena *mem, const char *name, const struct value *spec);
const struct person *people_find(const struct people *p, const char *name_or_mail); /* NULL: nobody, or not clear who */
/* Who has this account on the forge: who names it (spec.forge.login), else who is called so and names none. NULL: nobody, or not clear who. */
const struct person *people_account(const struct people *p, const char *login);
void people_free(struct people *p);

/* Lower case, for ASCII alone: what mail servers do. In mem. */
char *people_fold(struct arena *mem, const char *s);

/* For maps of keys: SHA-256 of the plain key, whatever certificate it came with. */
void login_digest(const struct ssh_key *k, char out[DIGEST_HEX]);

/* Puts every key of spec.sshKeys that can be read into `logins`, with this value. */
void logins_add(struct map *logins, struct arena *mem, const struct value *user_spec, const void *value);

/* -- keys: approval_keys.c ---------------------------------------------------------------------------------------- */

struct approval_keys;
struct signer;

bool approver_purpose(const struct signer *s); /* commits or approvals */
bool approver_revoked(const struct approval_keys *k, const struct signer *s);
bool approver_has_key(const struct approval_keys *k, const struct people *people, const struct map *logins, const char *user);

/* The principals of a line one by one: starts at *rest, which moves on. Texts in mem. */
bool approver_next(struct arena *mem, const char **rest, const char **principal);

/* How many admins have to have a key, so that berth.yaml can be changed again. */
unsigned approval_needed(const struct approval_rules *r);

/* -- rules: approval.c -------------------------------------------------------------------------------------------- */

enum size { SIZE_GPU, SIZE_CPU, SIZE_MEMORY, SIZE_WORLD, SIZE_COUNT };
enum compare { COMPARE_GT, COMPARE_GE, COMPARE_LT, COMPARE_LE, COMPARE_EQ };

struct size_test {
	enum size size;
	enum compare op;
	int64_t milli; /* thousandths, as every number it is compared with */
};

struct size_rule {
	struct size_test tests[SIZE_COUNT];
	size_t ntests;
	unsigned required, line;
};

/* Who may give a voice for the environments of one team. */
struct team_admins {
	const char *const *names;
	size_t n;
};

struct approval_rules {
	struct arena *mem;
	const struct files *files;
	enum approval_mode mode;
	unsigned required, min_approvers;
	struct people people;
	const char **admins; /* those of berth.yaml who have a file in users/ */
	size_t nadmins;
	struct map teams;    /* name -> struct team_admins * */
	struct map logins;   /* hex digest of a plain key's blob -> name of the user who logs in with it */
	struct size_rule *rules;
	size_t nrules;
	struct trusted *trusted;
};

/* "spec.approvals.rules" of berth.yaml; ERR_INVALID says where and what is wrong. In mem. */
int size_rules_read(struct arena *mem, const struct value *list, struct size_rule **out, size_t *n, struct err *e) MUST_USE;

/* -- an environment under the rules: approval_env.c --------------------------------------------------------------- */

/* What environments are read with. Documents that they refer to are kept, each for as long as its blob stays the same. */
struct trusted {
	const struct files *files;
	struct schemas *schemas; /* loaded when they are needed first */
	struct map kept;         /* path -> struct kept_doc * */
};

/* One version of an environment. */
struct trusted_version {
	const struct doc *doc;   /* NULL: no environment's document, or one with errors of its own */
	const struct env *env;   /* NULL: what it refers to is not there. Without setup, secrets, datasets and access.share, of which no number depends */
	const char *team;        /* that the owner is in, or NULL */
};

/*
 * One version of envs/<owner>/<name>.yaml as the trusted tree would have it. Lives in mem, of which a hostile document takes 10 MiB, and until the next
 * trusted_begin.
 */
int trusted_env(struct trusted *j, struct arena *mem, const char *path, const char *bytes, size_t len, struct trusted_version *out,
              struct err *e) MUST_USE;

/* Lets go of documents when there are too many. */
void trusted_begin(struct trusted *j);

/* What all its pods take together while it is not paused, in thousandths. */
void trusted_sizes(const struct env *env, int64_t out[SIZE_COUNT]);

/* The team of an owner who is in exactly one, else NULL. */
int trusted_only_team(struct trusted *j, const char *owner, const char **team, struct err *e) MUST_USE;

/* A map that shares the values of `map`, but for these keys; without keys when it is none. */
struct value *map_without(struct arena *mem, const struct value *map, const char *const *keys, size_t n);

void trusted_free(struct trusted *j);

/* -- narrowing: approval_narrow.c --------------------------------------------------------------------------------- */

/* Does the second ask for nothing that the first did not have, but for what an owner decides alone? */
bool narrows(struct arena *mem, const struct trusted_version *was, const struct trusted_version *is);
