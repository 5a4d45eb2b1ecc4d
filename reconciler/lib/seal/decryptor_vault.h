/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the decryptor: the key and what it opens (decryptor_vault.c), for the services (decryptor_work.c). */
#pragma once

#include "lib/seal/decryptor_priv.h"

#define WORK_MAX ((size_t)96 << 20) /* scratch memory of one request */

#define OPEN_FILES 2 /* as many as there are delivery children, so that they do not take turns */

/* A sealed file's values; opened_free wipes them. Not to be copied: it has pointers into itself. */
struct opened {
	struct sops_open sops; /* .age: one value without a leaf */
	struct sops_value_bytes one;
	unsigned generation;
};

/* One that stays open while its values are asked for one after the other. */
struct open_file {
	struct arena *mem; /* NULL: none */
	uint8_t tag[32];   /* of its place, generations, format and bytes */
	struct opened o;
};

struct vault {
	struct master m;
	struct secret kept;  /* identities that were derived of late */
	struct secret tries; /* struct age_identity[SEAL_GENERATIONS_MAX]: for the file at hand */
	struct open_file files[OPEN_FILES];
	unsigned next_file;
};

/* The identity of a place; wipe it. */
int vault_identity(struct vault *v, struct arena *mem, const struct seal_place *p, unsigned generation, struct age_identity *out,
                   struct err *e) MUST_USE;

/* Errors as decryptor_look says. */
int vault_unseal(struct vault *v, struct arena *mem, const struct sealed *s, struct opened *out, struct err *e) MUST_USE;
void opened_free(struct opened *o);

/* The same, and it stays open until others take its place or vault_forget: a file with many values is opened once for all of them. */
int vault_file(struct vault *v, struct arena *mem, const struct sealed *s, const struct opened **out, struct err *e) MUST_USE;
const char *opened_name(const struct opened *o, size_t i); /* "" for .age */
