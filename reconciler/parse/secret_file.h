/* SPDX-License-Identifier: Apache-2.0 */
/* Inside parse/secrets.c: the bytes of sealed files, and which values they hold. Nothing is opened here. */
#pragma once

#include "lib/seal/sops.h"
#include "parse/refs.h"

/* What can be seen of a file without a key; an .age file has no leaves. */
struct secret_content {
	const struct sops_leaf *leaves;
	size_t n;
};

/*
 * Reads `f` into *sealed and looks at its form; `v` names it. *bytes adds up over an environment. False, and a finding, when it is too large, is not
 * what its name says, or not sealed at all.
 */
bool secret_read(struct refs *c, const struct file_entry *f, const struct value *v, struct sealed *sealed, size_t *bytes,
                 struct secret_content *out);

/* Whether a SOPS file has this key (parts with '.' between) with a value that is not sealed. */
bool secret_is_plain(const struct secret_content *content, const struct sealed *sealed, const char *key);
