/* SPDX-License-Identifier: Apache-2.0 */
/* Small blobs that are kept in memory for whoever reads the same trees again and again. */
#include <stdlib.h>
#include <string.h>

#include "lib/git/priv.h"

#define ONE_MAX ((size_t)64 << 10)
#define EACH ((size_t)160) /* what the map and the allocator take for one */

struct kept_blob {
	size_t len;
	char bytes[];
};

static void
forget(struct git_repo *g)
{
	void *b;

	for (size_t i = 0; map_next(&g->blobs, &i, NULL, &b);)
		free(b);
	map_free(&g->blobs);
	g->blobs_size = 0;
}

void
git_keep_blobs(struct git_repo *g, size_t max)
{
	g->blobs_max = max;
	if (g->blobs_size > max || !max)
		forget(g);
}

bool
git_kept_blob(struct git_repo *g, const struct oid *id, size_t max, struct arena *mem, const char **bytes, size_t *len)
{
	char hex[OID_HEX];
	const struct kept_blob *b;

	if (!g->blobs.live)
		return false;
	oid_hex(id, hex);
	if (!(b = map_get(&g->blobs, hex)) || b->len > max) /* too large: said where it is read */
		return false;
	*bytes = arena_strndup(mem, b->bytes, b->len);
	*len = b->len;
	return true;
}

/* When there is no room for one more all are forgotten: what is read again is soon there again. */
void
git_blob_keep(struct git_repo *g, const struct oid *id, const void *bytes, size_t len)
{
	char hex[OID_HEX];
	struct kept_blob *b;

	if (len > ONE_MAX || len + EACH > g->blobs_max)
		return;
	if (g->blobs_size + len + EACH > g->blobs_max)
		forget(g);
	b = malloc(sizeof(*b) + len);
	if (!b)
		abort();
	b->len = len;
	memcpy(b->bytes, bytes, len);
	oid_hex(id, hex);
	free(map_put(&g->blobs, hex, b));
	g->blobs_size += len + EACH;
}
