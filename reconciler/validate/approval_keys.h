/* SPDX-License-Identifier: Apache-2.0 */
/* The keys in approvers/ as they stand: who could approve if nothing had run out. Whether a signature counts is repo/approve.h's to say. */
#pragma once

#include "lib/seal/signers.h"
#include "validate/approval.h"

#define APPROVERS_SIGNERS "approvers/allowed_signers"
#define APPROVERS_REVOKED "approvers/revoked_keys"

struct approval_keys {
	bool there;              /* approvers/allowed_signers is, and can be read */
	struct signers signers;
	const char *revoked;     /* bytes of approvers/revoked_keys; NULL: there is none */
	size_t nrevoked;
	const char *unreadable;  /* why that cannot be read, which makes every key count as revoked; NULL: it can */
};

/* Missing files are none; ERR_INVALID: allowed_signers is a link or too large. Everything lives in mem. */
int approval_keys_load(struct arena *mem, const struct files *files, struct approval_keys *out, struct err *e) MUST_USE;

/* Has the user a key there that may sign commits or approvals, is nobody's login key and is not revoked? Dates are not looked at. */
bool approval_keys_of(const struct approval_keys *k, const struct approval_rules *r, const char *user);

/* Of a whole tree, in words for people. */
struct approval_state {
	enum approval_mode mode;
	size_t admins, keyed;    /* who may approve everything; those of them with a key */
	unsigned needed;         /* how many have to have one, or berth.yaml could never be changed again */
	const char *without;     /* "carol, dana": admins without a key, or NULL */
	const char *only;        /* the single admin, or NULL */
};

/* Texts live in mem. Errors as of approval_rules_load and approval_keys_load. */
int approval_look(struct arena *mem, const struct files *files, struct approval_state *out, struct err *e) MUST_USE;
