/* SPDX-License-Identifier: Apache-2.0 */
/* Object ids without writing objects. */
#include <stdio.h>

#include "lib/git/priv.h"

void
git_hash_object(const char *type, const void *bytes, size_t len, struct oid *out)
{
	char head[32];
	struct hash_state h;
	int n = snprintf(head, sizeof(head), "%s %zu", type, len);

	hash_sha1_init(&h);
	hash_add(&h, head, (size_t)n + 1);
	hash_add(&h, bytes, len);
	hash_sha1_final(&h, out->b);
}

void
git_hash_blob(const void *bytes, size_t len, struct oid *out)
{
	git_hash_object("blob", bytes, len, out);
}
