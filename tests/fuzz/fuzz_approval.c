/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an approval, a change-set, what is proved, a record and a signed commit: what is taken is written the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/git/signed.h"
#include "repo/approval_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_approval(struct arena *mem, const char *text, size_t n)
{
	struct buf again AUTO_BUF = BUF_INIT(0);
	struct approval a;

	if (approval_read(text, n, mem, &a, NULL) < 0)
		return;
	approval_write(&a, &again);
	if (again.len != n || memcmp(again.data, text, n) != 0 || !a.changes.n || a.changes.n > CHANGESET_MAX || a.expires <= 0)
		abort();
}

/* Sorted, each path once, no path that would be a line of its own. */
static void
check_changes(struct arena *mem, const char *text, size_t n)
{
	struct buf again AUTO_BUF = BUF_INIT(0);
	struct changeset c;
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	if (changeset_parse(text, n, lines, mem, &c, NULL) < 0)
		return;
	for (size_t i = 0; i < c.n; i++) {
		changeset_line(&c.items[i], &again);
		if (strpbrk(c.items[i].path, "\n\"\\") || (i && strcmp(c.items[i - 1].path, c.items[i].path) >= 0))
			abort();
	}
	if (again.len != n || (n && memcmp(again.data, text, n) != 0))
		abort();
}

static void
check_proof(const char *text, size_t n)
{
	struct buf one AUTO_BUF = BUF_INIT(0), two AUTO_BUF = BUF_INIT(0);
	struct proof *t, *again;

	if (proof_parse(text, n, &t, NULL) < 0)
		return;
	proof_write(t, &one);
	if (proof_parse(one.data, one.len, &again, NULL) < 0)
		abort();
	proof_write(again, &two);
	if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
		abort();
	proof_free(t);
	proof_free(again);
}

static void
check_record(struct arena *mem, const char *text, size_t n)
{
	struct approval_record r;

	if (record_read(text, n, mem, &r, NULL) < 0)
		return;
	for (size_t i = 0; i < r.nevidence; i++)
		if (r.evidence[i].text < text || r.evidence[i].sig + r.evidence[i].sig_len >= text + n)
			abort();
	for (size_t i = 0; i < r.npaths; i++)
		if (strchr(r.paths[i], '\n'))
			abort();
}

/* Of one commit there is one signature and one text, and the text has no signature any more. */
static void
check_commit(struct arena *mem, const char *raw, size_t n)
{
	const char *sig, *payload, *more, *rest;
	size_t nsig, npayload, nmore, nrest;

	if (commit_signature(mem, raw, n, false, &sig, &nsig, &payload, &npayload, NULL) < 0)
		return;
	if (nsig + npayload > n || npayload < 5 || memcmp(payload, "tree ", 5) != 0 ||
	    commit_signature(mem, payload, npayload, false, &more, &nmore, &rest, &nrest, NULL) != ERR_NOTFOUND ||
	    commit_signature(mem, raw, n, true, &more, &nmore, &rest, &nrest, NULL) == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	char *text = malloc(size ? size : 1); /* exact, so that a read over the end is seen */

	if (!text)
		abort();
	memcpy(text, data, size);
	check_approval(mem, text, size);
	check_changes(mem, text, size);
	check_proof(text, size);
	check_record(mem, text, size);
	check_commit(mem, text, size);
	free(text);
	return 0;
}
