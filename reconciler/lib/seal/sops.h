/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SOPS files (YAML, JSON, dotenv; binary ones are JSON) with age recipients: which values are sealed, opening them,
 * writing such a file. Source: getsops/sops v3.13, its file format. Only sealed values are ever given out: plain fields
 * are not authenticated in every mode. No rule of a file (a regular expression of a stranger) is run: a value is sealed
 * when it is written so, and the MAC tells of one that should have been.
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/seal/age.h"
#include "lib/seal/place.h"

#define SOPS_FILE_MAX ((size_t)1 << 20)    /* bytes of a file that is read */
#define SOPS_WRITTEN_MAX ((size_t)2 << 20) /* of one that is written: values of a Secret are base64 there, twice */
#define SOPS_MEMORY_MAX ((size_t)64 << 20) /* scratch memory of each call at most */
#define SOPS_LEAVES_MAX 256
#define SOPS_NAMES_MAX ((size_t)16 << 10) /* bytes of all names of a file's values together */
#define SOPS_DEPTH_MAX 16                 /* keys in the path of a sealed value */
#define SOPS_RECIPIENTS_MAX 64            /* entries of sops.age, of at most 8 stanzas each */

/*
 * Makes what OpenSSL loads when it is first used: before a sandbox. ERR_INTERNAL when its AES-256-GCM gives what it
 * should not.
 */
int sops_init(struct err *e) MUST_USE;

/*
 * A sealed value. Of the lists around it the innermost counts, by the value's number, from 0, among those with the same
 * keys: users.keys.2. So a name stays with its value whatever is done to a file, for nothing else about lists is
 * authenticated.
 */
struct sops_leaf {
	const char *const *keys; /* path of map keys, and that number as text */
	size_t nkeys;
	const char *name; /* the keys with '.' between; no two of a file are the same */
	const char *type; /* "str" "int" "float" "bool" "time": what the file says, nobody vouches for it */
	unsigned line;    /* 1 … */
};

/*
 * The sealed values of a file in its order, without any key: for checks before the merge. ERR_INVALID with what is
 * wrong and what to do: no SOPS file, no sealed value, Shamir key groups, no age recipient, no MAC, a value left plain
 * that a suffix rule seals, over the limits. SEAL_AGE is ERR_INTERNAL. Takes less than 128 KiB of mem. Limits, beside those
 * above: 64 documents, which have 65552 keys and values together; 4096 plain numbers with a fraction; 4096 lines of dotenv.
 */
int sops_leaves(struct arena *mem, enum seal_format format, const char *bytes, size_t n, struct sops_leaf **out,
                size_t *nout, struct err *e) MUST_USE;

/*
 * Opened: values[i] belongs to leaves[i]; the bytes lie in one guarded block, `block`, that the caller frees. Numbers,
 * times and booleans are the text that `sops decrypt` prints for them: 42, 0.000001, true.
 */
struct sops_value_bytes {
	const unsigned char *b;
	size_t n;
};

struct sops_open {
	struct sops_leaf *leaves; /* in the arena, as all the rest */
	struct sops_value_bytes *values;
	size_t n;
	struct secret block;
};

/*
 * Data key by age, then every value, then the MAC over the whole file; nothing is given out unless all of it holds.
 * ERR_DENIED: no identity matches; ERR_INVALID: changed after sealing, or what sops_leaves refuses, but for a file
 * without sealed values, which opens (n is 0). *which, *why (each may be NULL): of the data key's age file. No error
 * holds any plain text.
 */
int sops_open(struct arena *mem, enum seal_format format, const char *bytes, size_t n, const struct age_identity *ids,
              size_t nids, size_t *which, struct sops_open *out, enum age_why *why, struct err *e) MUST_USE;

/* What is to be written: a value of a YAML document that is sealed. */
struct sops_value {
	const char *const *keys; /* path of map keys, nkeys */
	size_t nkeys;
	const unsigned char *b; /* text; for Kubernetes' `data` that is base64 already */
	size_t n;
};

/*
 * `document` (the plain text of a YAML map as lib/doc writes it) with `values` put at their paths and sealed (type
 * str), for one age recipient, with `encrypted_regex: ^(data|stringData)$`: all that stands below such a key is sealed,
 * and values may stand nowhere else. Everything that is drawn at random otherwise is derived from `seed` (a keyed
 * digest of all inputs): equal inputs, equal bytes. lastmodified is a constant. An empty value stays empty and plain,
 * as sops leaves it. Real sops and Flux open it. ERR_INVALID: the document, a path, or the limits.
 */
int sops_seal(const char *document, size_t n, const struct sops_value *values, size_t nvalues,
              const uint8_t recipient[32], const uint8_t seed[32], struct buf *out, struct err *e) MUST_USE;
