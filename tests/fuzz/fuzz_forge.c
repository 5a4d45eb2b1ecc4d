/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a forge answers: the head's lines, a refusal's words, and pull requests, comments and reviews of all three forges
 * (an entry, or a list of them). Whatever they hold, names are names or nothing, ids are ids, and what is for a line is one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/forge/forge_request.h"

#define INPUT_MAX ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool ok)
{
	if (!ok)
		abort();
}

static void
check_line(const char *s, size_t max)
{
	require(str_utf8_valid(s, strlen(s)) && strlen(s) <= max);
	for (; *s; s++) {
		require((unsigned char)*s >= 0x20 && *s != 0x7f);
		require(!((unsigned char)*s == 0xc2 && (unsigned char)s[1] < 0xa0));
	}
}

static void
check_name(const char *s)
{
	check_line(s, 1024);
	require(!strchr(s, ' '));
}

static void
check_sha(const char *s)
{
	require(!*s || forge_sha_ok(s));
}

static void
check_pull(const struct forge_pull *p)
{
	require(p->number > 0 && p->updated >= 0);
	check_line(p->title, 255 * 4);
	check_name(p->author);
	check_name(p->head_ref);
	check_name(p->base_ref);
	check_name(p->url);
	require(!*p->url || str_starts(p->url, "https://") || str_starts(p->url, "http://"));
	check_sha(p->head_sha);
	check_sha(p->merge_sha);
	require(!*p->merge_sha || p->state == FORGE_MERGED);
	require(forge_pull_rank(p, p->merge_sha, p->base_ref) == (p->state == FORGE_MERGED ? 2 : 0));
}

static void
check_review(const struct forge_review *r)
{
	require(r->id >= 0 && r->submitted >= 0);
	check_name(r->user);
	check_sha(r->sha);
}

static void
check_entry(struct arena *mem, const struct value *v)
{
	struct forge_pull pull;
	struct forge_comment comment;
	struct forge_review review;

	for (enum forge_kind k = 0; k < FORGE_KIND_COUNT; k++) {
		if (forge_ops_of(k)->read_pull(mem, v, &pull))
			check_pull(&pull);
		if (forge_ops_of(k)->read_comment(mem, v, &comment)) {
			require(comment.id > 0 && comment.body && comment.created >= 0);
			check_name(comment.author);
		}
	}
	if (github_read_review(mem, v, &review))
		check_review(&review);
	if (gitlab_read_approval(mem, v, &review))
		check_review(&review);
}

static void
check_head(const char *text, size_t size)
{
	struct forge_head h = FORGE_HEAD_INIT;
	const char *end;

	for (size_t i = 0; i < size; i = (size_t)(end - text) + 1) {
		end = memchr(text + i, '\n', size - i);
		if (!end)
			end = text + size;
		forge_head_line(&h, text + i, (size_t)(end - text) - i);
	}
	for (h.status = 200; h.status <= 503; h.status++)
		require(forge_wait_of(&h, 1795341491) >= 0 && forge_wait_of(&h, 1795341491) <= 3600);
	require(h.total >= -1 && h.left >= -1 && h.reset >= -1);
}

/* As the body of a finding: it ends within its bound, and all of it is text. */
static void
check_clean(struct arena *mem, const char *text)
{
	struct forge_finding g = { .path = text, .line = 1, .text = text, .outside = true };
	struct forge_new_review r = { .sha = "", .body = "x", .findings = &g, .n = 1 };
	struct buf AUTO_BUF out = BUF_INIT(0);

	check_line(forge_clean(mem, text, 0, false), SIZE_MAX);
	check_line(forge_clean(mem, text, FORGE_DESCRIPTION_MAX, false), (size_t)FORGE_DESCRIPTION_MAX * 4);
	forge_outside(&r, 65536, &out);
	require(out.len <= 65536 && str_utf8_valid(out.data, out.len) && !memchr(out.data, '\x1b', out.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)512 << 20);
	struct buf AUTO_BUF body = BUF_INIT(0);
	char words[FORGE_MESSAGE];
	struct value *v = NULL;

	if (size > INPUT_MAX)
		return 0;
	check_head((const char *)data, size);
	buf_add(&body, data, size);
	check_clean(mem, buf_cstr(&body));
	forge_words(&body, words);
	check_line(words, FORGE_MESSAGE - 1);
	if (json_read(mem, buf_cstr(&body), size, &v, NULL) < 0)
		return 0;
	check_entry(mem, v);
	for (size_t i = 0; i < value_len(v) && value_is(v, VALUE_LIST) && i < 100; i++)
		check_entry(mem, value_item(v, i));
	return 0;
}
