/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The master key and everything that is derived from it (HKDF-SHA256, RFC 5869): recipients' identities by place and generation; and,
 * independent of the generation, berth's signing key, the host CA, environments' host keys, the key of digests.
 */
#pragma once

#include "lib/seal/age.h"
#include "lib/seal/part.h"

struct master {
	struct secret key; /* 32 bytes */
};

/* A new one, at random. */
void master_new(struct master *out);
void master_free(struct master *m);

/*
 * The file: '#' lines, and one line BERTH-MASTER-KEY-1… (Bech32 as age's identities). ERR_INVALID never holds any of its text.
 */
int master_parse(const char *text, size_t n, struct master *out, struct err *e) MUST_USE;
/* The line alone, NUL-terminated, in guarded memory. */
void master_text(const struct master *m, struct secret *out);

/*
 * Reads it from `path`: a regular file of this user or root that nobody else may read (0400, 0600; a group-readable 0440 or 0640 only
 * when its owner is root, as systemd credentials and Kubernetes' mounted Secrets are). ERR_DENIED says the mode and the command that mends it,
 * ERR_NOTFOUND how to make one. At most 4 KiB; the bytes go to guarded memory directly. Links are followed: Kubernetes mounts Secrets by them.
 */
int master_load(const char *path, struct master *out, struct err *e) MUST_USE;
/* Writes a new file, mode 0400, never over another one (ERR_CONFLICT), nor through a link; durable, or not there at all. */
int master_store(const struct master *m, const char *path, struct err *e) MUST_USE;

int master_identity(const struct master *m, unsigned generation, const struct seal_place *p, struct age_identity *out, struct err *e) MUST_USE;

/* Ed25519 secret keys as libsodium has them (seed and public key, 64 bytes): on the stack of a short function that wipes them (sodium_memzero). */
void master_signer(const struct master *m, uint8_t sk[64]);
void master_host_ca(const struct master *m, uint8_t sk[64]);
/* By owner, uid and environment: `env` has scope PLACE_ENV. */
int master_host_key(const struct master *m, const struct seal_place *env, uint8_t sk[64], struct err *e) MUST_USE;

/*
 * A digest that only the holder of the master key can make: BLAKE2b (128 bits) with a derived key over `label` and the bytes, as hex. Equal
 * texts at one place have equal digests in every generation; at another place they differ (`label` starts with place_info of generation 0).
 */
void master_digest(const struct master *m, const char *label, const void *bytes, size_t n, char out[SEAL_DIGEST_HEX]);
