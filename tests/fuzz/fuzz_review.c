/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a review, and as the state folder's file of them: what is taken is written the same again, and its names show as they are. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "repo/review.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_name(const char *s, bool may_be_empty)
{
	if (!*s && !may_be_empty)
		abort();
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			abort();
}

static void
check_review(struct arena *mem, const struct review *r)
{
	struct buf text AUTO_BUF = BUF_INIT(0);
	struct evidence v;

	if (r->pull <= 0 || r->nvoices > REVIEW_VOICES_MAX || !r->changes.n || r->changes.n > CHANGESET_MAX)
		abort();
	check_name(r->author, true);
	check_name(r->merged_by, true);
	for (size_t i = 0; i < r->nvoices; i++) {
		check_name(r->voices[i].login, false);
		if (i && strcmp(r->voices[i - 1].login, r->voices[i].login) >= 0)
			abort();
	}
	review_evidence(r, "refs/heads/main", mem, &v);
	review_write(r, &text);
	if (v.sig_len || v.text_len != text.len || memcmp(v.text, text.data, text.len) != 0 || strlen(v.approval.nonce) != APPROVAL_NONCE - 1)
		abort();
}

static void
check_text(struct arena *mem, const char *text, size_t n)
{
	struct buf again AUTO_BUF = BUF_INIT(0);
	struct review r;

	if (review_read(text, n, mem, &r, NULL) < 0)
		return;
	review_write(&r, &again);
	if (again.len != n || memcmp(again.data, text, n) != 0)
		abort();
	check_review(mem, &r);
}

/* What was read and is stored again is the same file, but for one that has two ways to write a length. */
static void
check_file(struct arena *mem, const char *text, size_t n)
{
	char path[64];
	struct review *list, *again;
	size_t have, more;

	(void)snprintf(path, sizeof(path), "/tmp/fuzz_review.%d", (int)getpid());
	if (fs_write_atomic(path, text, n, 0600, NULL) < 0)
		abort();
	if (reviews_load(path, mem, &list, &have, NULL) == 0) {
		for (size_t i = 0; i < have; i++)
			check_review(mem, &list[i]);
		if (reviews_store(path, list, have, NULL) < 0 || reviews_load(path, mem, &again, &more, NULL) < 0 || more != have)
			abort();
	}
	(void)unlink(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	char *text = malloc(size ? size : 1); /* exact, so that a read over the end is seen */

	if (!text)
		abort();
	memcpy(text, data, size);
	check_text(mem, text, size);
	if (size >= 8 && memcmp(text, "berth re", 8) == 0)
		check_file(mem, text, size);
	free(text);
	return 0;
}
