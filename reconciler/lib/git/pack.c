/* SPDX-License-Identifier: Apache-2.0 */
/* Writing one pack (version 2, whole objects, no deltas), streamed through libgit2's indexer. */
#include "lib/git/priv.h"

#include <limits.h>
#include <stdlib.h>

#include <git2/sys/odb_backend.h>
#include <zlib.h>

/* -- compressing ------------------------------------------------------------------------------------------------- */

struct zip {
	z_stream s;
};

struct zip *
zip_new(void)
{
	struct zip *z = calloc(1, sizeof(*z));

	if (!z || deflateInit(&z->s, 1) != Z_OK)
		abort();
	return z;
}

void
zip_free(struct zip *z)
{
	if (!z)
		return;
	(void)deflateEnd(&z->s);
	free(z);
}

void *
zip_bytes(struct zip *z, const void *bytes, size_t len, size_t *zlen)
{
	size_t cap = deflateBound(&z->s, len);
	unsigned char *out = malloc(cap), *small;

	/* every caller's limit on a file is far below 4 GiB */
	if (!out || len > UINT_MAX || cap > UINT_MAX || deflateReset(&z->s) != Z_OK)
		abort();
	z->s.next_in = (z_const Bytef *)(uintptr_t)bytes;
	z->s.avail_in = (uInt)len;
	z->s.next_out = out;
	z->s.avail_out = (uInt)cap;
	if (deflate(&z->s, Z_FINISH) != Z_STREAM_END)
		abort();
	*zlen = cap - z->s.avail_out;
	small = realloc(out, *zlen);
	return small ? small : out;
}

void *
zip_open(const void *z, size_t zlen, size_t len)
{
	uLongf n = len;
	unsigned char *out = malloc(len + 1);

	if (!out || uncompress(out, &n, z, zlen) != Z_OK || n != len)
		abort();
	return out;
}

/* -- the pack ------------------------------------------------------------------------------------------------------ */

struct pack_out {
	git_odb *odb;
	git_odb_writepack *to;
	git_indexer_progress progress;
	struct hash_state sum; /* finished by pack_free when pack_commit did not */
	bool summed;
	size_t n;
	unsigned char chunk[64 * 1024];
};

static int
flush(struct pack_out *p, struct err *e)
{
	int rc;

	if (!p->n)
		return 0;
	rc = p->to->append(p->to, p->chunk, p->n, &p->progress);
	p->n = 0;
	return rc < 0 ? git_fail(e, rc, "write a pack") : 0;
}

static int
add_raw(struct pack_out *p, const void *bytes, size_t len, struct err *e)
{
	const unsigned char *at = bytes;

	while (len) {
		size_t room = sizeof(p->chunk) - p->n, part = len < room ? len : room;
		int rc;

		memcpy(p->chunk + p->n, at, part);
		p->n += part;
		at += part;
		len -= part;
		if (p->n == sizeof(p->chunk) && (rc = flush(p, e)))
			return rc;
	}
	return 0;
}

static int
add(struct pack_out *p, const void *bytes, size_t len, struct err *e)
{
	hash_add(&p->sum, bytes, len);
	return add_raw(p, bytes, len, e);
}

int
pack_begin(struct git_repo *g, uint32_t count, struct pack_out **out, struct err *e)
{
	unsigned char head[12] = { 'P', 'A', 'C', 'K', 0, 0, 0, 2 };
	struct pack_out *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		abort();
	p->odb = g->odb;
	if ((rc = git_odb_write_pack(&p->to, g->odb, NULL, NULL)) < 0) {
		free(p);
		return git_fail(e, rc, "start a pack");
	}
	hash_sha1_init(&p->sum);
	for (size_t i = 0; i < 4; i++)
		head[8 + i] = (unsigned char)(count >> (24 - 8 * i));
	if ((rc = add(p, head, sizeof(head), e))) {
		pack_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

int
pack_object(struct pack_out *p, git_object_t type, size_t len, const void *z, size_t zlen, struct err *e)
{
	unsigned char head[12];
	size_t n = 0;
	int rc;

	head[0] = (unsigned char)((unsigned int)type << 4 | (len & 15));
	for (len >>= 4; len; len >>= 7) {
		head[n++] |= 0x80;
		head[n] = len & 0x7f;
	}
	rc = add(p, head, n + 1, e);
	return rc ? rc : add(p, z, zlen, e);
}

int
pack_commit(struct pack_out *p, struct err *e)
{
	struct oid sum;
	int rc;

	hash_sha1_final(&p->sum, sum.b);
	p->summed = true;
	if ((rc = add_raw(p, sum.b, sizeof(sum.b), e)) || (rc = flush(p, e)))
		return rc;
	if ((rc = p->to->commit(p->to, &p->progress)) < 0 || (rc = git_odb_refresh(p->odb)) < 0)
		return git_fail(e, rc, "finish a pack");
	return 0;
}

void
pack_free(struct pack_out *p)
{
	uint8_t unused[20];

	if (!p)
		return;
	if (!p->summed)
		hash_sha1_final(&p->sum, unused);
	p->to->free(p->to);
	free(p);
}
