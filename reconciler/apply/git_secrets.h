/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets on the rendered branch: digests of what they are made of, and files sealed again for who applies the branch. */
#pragma once

#include "lib/seal/decryptor.h"
#include "render/bundle.h"

#define SECRETS_DIGEST "secrets.digest.yaml" /* in the unit's folder, in no kustomization */

bool bundle_has_secrets(const struct bundle *b);

/*
 * Name, type and, for each key, a digest that only the holder of the master key can make. `recipient`: whom the Secrets beside it are sealed for,
 * NULL: they are not there. The same text exactly when the Secrets are the same and for the same recipient.
 */
void secrets_digest_write(const struct bundle *b, const char *recipient, struct buf *out);

/* The object as a SOPS file for `recipient` (decryptor_reseal). */
int secret_reseal(struct decryptor *d, const struct object *o, const char *recipient, struct buf *out, struct err *e) MUST_USE;
