/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change needs before it may be applied, and who may give it. Pure: rules come from a tree that is trusted already, never from the change
 * itself. Source: the design's "Trust"; proving who said what is repo/approve.h's.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/files.h"
#include "lib/doc/report.h"
#include "lib/seal/ssh_key.h"

struct approval_rules;

enum approval_mode { APPROVAL_NONE, APPROVAL_SIGNED, APPROVAL_FORGE };

/*
 * Reads berth.yaml (approvals, guards.minApprovers), users/, teams/ of a trusted tree, all in mem, which must outlive the result and is to be freed before `files`,
 * which stays in use: what environments refer to is read from it. It may move on under the rules for as long as berth.yaml, users/ and teams/ stay the same in it;
 * documents are known by their ids. ERR_INVALID when berth.yaml's approvals cannot be read to the end: then nothing is approved.
 */
int approval_rules_load(struct arena *mem, const struct files *files, struct approval_rules **out, struct err *e) MUST_USE;

enum approval_mode approval_mode(const struct approval_rules *r);

/* The mode alone, from berth.yaml alone; ERR_INVALID for what approval_rules_load refuses in berth.yaml. */
int approval_mode_read(const struct files *files, enum approval_mode *out, struct err *e) MUST_USE;

/*
 * The user that a signer's principal or an author's mail means, by name or mail (case-insensitive); NULL: nobody known, or a mail of two users. Who has a file in
 * users/ is known, whatever stands in it.
 */
const char *approval_person(const struct approval_rules *r, const char *principal_or_mail);

/*
 * The user whose account on the forge this is (case-insensitive): who names it in spec.forge.login, else who is called so here and names none. NULL: nobody known, an
 * account of two users, or of one whose file cannot be read.
 */
const char *approval_account(const struct approval_rules *r, const char *login);

/*
 * Who an author's mail means: as approval_person, and in mode forge the addresses that forges write instead of people's own ("4711+carol@users.noreply.github.com"). A
 * mail proves nothing: this is for who wrote a change, never for who approves it.
 */
const char *approval_author(const struct approval_rules *r, const char *mail);

/* The user who logs in with this key (or the key of this certificate), or NULL: such a key never counts as an approval. */
const char *approval_login_of(const struct approval_rules *r, const struct ssh_key *k);

bool approval_is_admin(const struct approval_rules *r, const char *user);
size_t approval_admins(const struct approval_rules *r); /* how many: those of approvals.admins who are known */

/* One path of a change; bytes are NULL where there is none. */
struct approval_change {
	const char *path;
	const char *old_bytes, *new_bytes;
	size_t old_len, new_len;
};

enum approval_class { APPROVAL_OWNER, APPROVAL_ENVIRONMENT, APPROVAL_SHARED };

/* What a change-set needs as a whole: every part of it must be content. */
struct approval_part {
	enum approval_class class_;
	const char *path, *owner;   /* owner: of envs/<owner>/…, else NULL */
	unsigned required;          /* voices */
	const char *const *teams;   /* whose admins may give one beside the organization's: the environment's team before and after */
	size_t nteams;
	const char *why;            /* "asks for 8 GPUs (berth.yaml:12)": why it is more than usual; NULL */
};

/*
 * A new version of an environment is read as if it stood in the trusted tree. Deleting below envs/<owner>/ is the owner's; a link or submodule has no bytes in its
 * new version and counts as deleted. Texts of *out live in mem. Errors are trouble with the trusted files, never the change's.
 */
int approval_need(const struct approval_rules *r, struct arena *mem, const struct approval_change *c, struct approval_part *out,
                  struct err *e) MUST_USE;

/* Who said yes, and who wrote it. Names of users, each once. */
struct approval_said {
	const char *const *voices;
	size_t nvoices;
	const char *const *authors;
	size_t nauthors;
	bool author_unknown;        /* some author is nobody known: one voice more is needed */
};

/*
 * Is that enough for every part? If not, *missing gets one line in mem: how many more, of whom ("1 more of carol, dana; alice is its owner"), for the part that
 * lacks most, and *lacks the number; else NULL and 0. No parts are never enough. Where two admins are needed and too few did not write it, those who did count
 * too; a single admin counts for everything.
 */
bool approval_enough(const struct approval_rules *r, struct arena *mem, const struct approval_part *parts, size_t n,
                     const struct approval_said *said, const char **missing, unsigned *lacks);

/* Has this voice a say in the part: as the owner of what only narrows, or as one of those that approval_enough counts? */
bool approval_weighs(const struct approval_rules *r, const struct approval_part *part, const struct approval_said *said, const char *voice);

/*
 * After the change: would fewer admins than guards.minApprovers, or than it takes to change berth.yaml, be able to approve? ERR_DENIED says so. `new_` is the rules of
 * the tree after it. In mode signed an admin needs a key in approvers/allowed_signers, and `has_key` tells whether a user has a usable one there; in mode forge
 * every admin can, and it is not asked.
 */
int approval_enough_left(const struct approval_rules *new_, bool (*has_key)(void *ctx, const char *user), void *ctx, struct err *e) MUST_USE;
