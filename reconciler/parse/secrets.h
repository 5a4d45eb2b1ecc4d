/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed secrets of an environment: which file, for which place, which values of it, and how the Secret is laid out. */
#pragma once

#include "parse/refs.h"

#define SECRET_BYTES_MAX ((size_t)1 << 20) /* of all sealed files of an environment together: a Secret holds a mebibyte */

/*
 * Lists of other fields replace each other; those of secrets are joined, item by item of another name: what an administrator gives by a default (a registry's
 * login) stays for who has secrets of their own. Into `spec`, the merged one; the nearest layer first.
 */
void secrets_join(struct refs *c, struct value *spec);

/* Fills c->env->secrets from its merged spec: dependencies, files, places, values. Findings for what cannot be used. */
void secrets_collect(struct refs *c);

/* spec.secrets of berth.yaml; the signer is NULL when sealed secrets are off. */
struct secret_settings {
	const char *signer; /* "ssh-ed25519 AAAA…" */
	unsigned generation, oldest;
};
void secrets_settings(const struct doc *org, struct secret_settings *out);

/*
 * Whether berth gives the environment its host key: with a signer, SSH, and an owner who has a uid. *place (of the environment; may be NULL) borrows
 * from `env`.
 */
bool env_host_key(const struct env *env, struct seal_place *place);

/* "WANDB_API" of "wandb-api": the default name of a variable. In mem. */
const char *secret_variable(struct arena *mem, const char *name);

/* A stand-in for a digest where no decryptor is: from the sealed bytes and the value's name. */
void secret_stand_in(const struct digest *file, const char *value, char out[SEAL_DIGEST_HEX]);
