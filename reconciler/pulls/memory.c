/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered between turns and over a restart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "pulls/priv.h"

#define FILE_MAX ((size_t)32 << 20)

static void
memo_free(struct memo *m)
{
	for (size_t i = 0; i < m->nenvs; i++)
		free(m->envs[i]);
	free(m->envs);
	free(m->author);
	free(m->merged_by);
	free(m->reply);
	arena_free(m->mem);
	free(m);
}

struct memo *
memo_get(struct pulls *p, int64_t number, bool make)
{
	char key[24];
	struct memo *m;

	(void)snprintf(key, sizeof(key), "%lld", (long long)number);
	m = map_get(&p->memos, key);
	if (m || !make)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->number = number;
	(void)map_put(&p->memos, key, m);
	return m;
}

void
memo_drop(struct pulls *p, struct memo *m)
{
	char key[24], ref[64];
	struct oid id;

	(void)snprintf(key, sizeof(key), "%lld", (long long)m->number);
	(void)snprintf(ref, sizeof(ref), GIT_PULLS "%s/head", key);
	/* one that cannot be deleted stays: some kilobytes */
	if (git_ref_read(p->git, ref, &id, NULL) < 0 || git_ref_delete(p->git, ref, &id, NULL) < 0)
		p->dirty = true;
	(void)map_del(&p->memos, key);
	if (*m->merged)
		free(map_del(&p->commits, m->merged)); /* nothing more is asked of it */
	p->reviews_moved |= m->review && *m->merged;
	memo_free(m);
	p->dirty = true;
}

void
memo_envs(struct memo *m, const char *const *envs, size_t n)
{
	for (size_t i = 0; i < m->nenvs; i++)
		free(m->envs[i]);
	free(m->envs);
	m->nenvs = n < PULL_ENVS_MAX ? n : PULL_ENVS_MAX;
	m->envs = calloc(m->nenvs + 1, sizeof(char *));
	if (!m->envs)
		abort();
	for (size_t i = 0; i < m->nenvs; i++)
		if (!(m->envs[i] = strdup(envs[i])))
			abort();
}

void
memo_text(char **at, const char *text)
{
	char *copy = text && *text ? strdup(text) : NULL;

	if (text && *text && !copy)
		abort();
	free(*at);
	*at = copy;
}

void
memo_later(struct memo *m, int64_t first, int64_t most)
{
	m->again = clock_mono_ms() + clock_backoff(first, m->refused, most);
	m->refused += m->refused < 20;
}

bool
memo_due(const struct now *n, const struct memo *m, const struct forge_pull *pull)
{
	return clock_mono_ms() >= m->again && (m->look || !str_eq(m->head, pull->head_sha) || !str_eq(m->main, n->main_hex) ||
	                                       !str_eq(m->voices, n->voices) || (m->review && !str_eq(m->opinion, m->heard)));
}

void
memory_free(struct pulls *p)
{
	void *v;

	for (size_t i = 0; map_next(&p->commits, &i, NULL, &v);)
		free(v);
	map_free(&p->commits);
	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v);)
		memo_free(v);
	map_free(&p->memos);
}

/* -- the file -------------------------------------------------------------------------------------------------------------------------- */

static const char *
whose(const struct pulls *p, struct arena *mem)
{
	return arena_printf(mem, "%s %s %s", forge_kind_name(p->c.forge.kind), p->c.forge.api, p->c.forge.repo);
}

/* The texts of fixed size: key and where it stands. */
static const struct {
	const char *key;
	size_t at, size;
} texts[] = {
	{ "head", offsetof(struct memo, head), FORGE_SHA },
	{ "main", offsetof(struct memo, main), FORGE_SHA },
	{ "voices", offsetof(struct memo, voices), DIGEST_HEX },
	{ "heard", offsetof(struct memo, heard), DIGEST_HEX },
	{ "base", offsetof(struct memo, base), FORGE_SHA },
	{ "askedHead", offsetof(struct memo, asked_head), FORGE_SHA },
	{ "digest", offsetof(struct memo, digest), DIGEST_HEX },
	{ "reviewed", offsetof(struct memo, reviewed), FORGE_SHA },
	{ "merged", offsetof(struct memo, merged), FORGE_SHA },
	{ "validate", offsetof(struct memo, told[CONTEXT_VALIDATE]), DIGEST_HEX },
	{ "plan", offsetof(struct memo, told[CONTEXT_PLAN]), DIGEST_HEX },
	{ "apply", offsetof(struct memo, told[CONTEXT_APPLY]), DIGEST_HEX },
};
#define NTEXTS (sizeof(texts) / sizeof(texts[0]))

static const struct {
	const char *key;
	size_t at;
} numbers[] = {
	{ "comment", offsetof(struct memo, comment) },
	{ "since", offsetof(struct memo, since) },
	{ "asked", offsetof(struct memo, asked) },
	{ "command", offsetof(struct memo, command) },
};
#define NNUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static const struct {
	const char *key;
	size_t at;
} strings[] = {
	{ "author", offsetof(struct memo, author) },
	{ "mergedBy", offsetof(struct memo, merged_by) },
	{ "reply", offsetof(struct memo, reply) },
};
#define NSTRINGS (sizeof(strings) / sizeof(strings[0]))

static int64_t *
number_at(struct memo *m, size_t i)
{
	return (int64_t *)(void *)((char *)m + numbers[i].at);
}

static char **
string_at(struct memo *m, size_t i)
{
	return (char **)(void *)((char *)m + strings[i].at);
}

static void
read_memo(struct pulls *p, const struct value *v)
{
	int64_t number = value_as_int(value_get(v, "number"), 0);
	const struct value *envs = value_get(v, "envs");
	struct memo *m;

	if (number <= 0)
		return;
	m = memo_get(p, number, true);
	for (size_t i = 0; i < NNUMBERS; i++)
		*number_at(m, i) = value_as_int(value_get(v, numbers[i].key), 0);
	for (size_t i = 0; i < NSTRINGS; i++)
		memo_text(string_at(m, i), value_as_str(value_get(v, strings[i].key), NULL));
	for (size_t i = 0; i < NTEXTS; i++)
		(void)snprintf((char *)m + texts[i].at, texts[i].size, "%s", value_as_str(value_get(v, texts[i].key), ""));
	if (value_len(envs)) {
		const char *list[PULL_ENVS_MAX];
		size_t n = 0;

		for (; n < value_len(envs) && n < PULL_ENVS_MAX; n++)
			list[n] = value_as_str(value_item(envs, n), "");
		memo_envs(m, list, n);
	}
}

/* Commits that were asked for: "direct" ones are never asked for again. */
static void
read_commits(struct pulls *p, const struct value *list, bool direct)
{
	for (size_t i = 0; i < value_len(list); i++) {
		const char *hex = value_as_str(value_item(list, i), "");
		struct commit *c = map_has(&p->commits, hex) || !*hex ? NULL : calloc(1, sizeof(*c));

		if (!c)
			continue;
		c->direct = direct;
		(void)map_put(&p->commits, hex, c);
	}
}

void
memory_load(struct pulls *p)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)512 << 20);
	const struct value *list;
	struct value *v;
	char *bytes;
	size_t n;

	if (fs_read(p->file, FILE_MAX, mem, &bytes, &n, NULL) < 0 || json_read(mem, bytes, n, &v, NULL) < 0 ||
	    !str_eq(value_as_str(value_get(v, "of"), NULL), whose(p, mem)))
		return;
	list = value_get(v, "pulls");
	for (size_t i = 0; i < value_len(list); i++)
		read_memo(p, value_item(list, i));
	(void)snprintf(p->main, sizeof(p->main), "%s", value_as_str(value_get(v, "main"), ""));
	read_commits(p, value_get(v, "direct"), true);
	read_commits(p, value_get(v, "commits"), false);
}

static struct value *
memo_value(struct arena *mem, struct memo *m)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "number", value_int(mem, m->number));
	for (size_t i = 0; i < NNUMBERS; i++)
		if (*number_at(m, i))
			value_set(mem, v, numbers[i].key, value_int(mem, *number_at(m, i)));
	for (size_t i = 0; i < NSTRINGS; i++)
		if (*string_at(m, i))
			value_set(mem, v, strings[i].key, value_str(mem, *string_at(m, i)));
	for (size_t i = 0; i < NTEXTS; i++) {
		const char *text = (const char *)m + texts[i].at;

		if (*text)
			value_set(mem, v, texts[i].key, value_str(mem, text));
	}
	if (m->nenvs)
		value_set(mem, v, "envs", value_strs(mem, (const char *const *)m->envs, m->nenvs));
	return v;
}

static struct value *
commits_value(struct arena *mem, const struct pulls *p, bool direct)
{
	struct value *list = value_list(mem);
	const char *hex;
	void *c;

	for (size_t i = 0; map_next(&p->commits, &i, &hex, &c);)
		if (((struct commit *)c)->direct == direct)
			value_push(mem, list, value_str(mem, hex));
	return list;
}

int
memory_store(struct pulls *p, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)512 << 20);
	struct buf AUTO_BUF out = BUF_INIT(FILE_MAX);
	struct value *v, *list;
	void *m;
	int rc;

	if (!p->dirty)
		return 0;
	v = value_map(mem);
	list = value_list(mem);
	value_set(mem, v, "of", value_str(mem, whose(p, mem)));
	for (size_t i = 0; map_next(&p->memos, &i, NULL, &m);)
		value_push(mem, list, memo_value(mem, m));
	value_set(mem, v, "pulls", list);
	if (*p->main)
		value_set(mem, v, "main", value_str(mem, p->main));
	value_set(mem, v, "direct", commits_value(mem, p, true));
	value_set(mem, v, "commits", commits_value(mem, p, false));
	json_write(v, 0, &out);
	if ((rc = buf_check(&out, "the memory of pull requests", e)) < 0 || (rc = fs_write_atomic(p->file, out.data, out.len, 0600, e)) < 0)
		return rc;
	p->dirty = false;
	return 0;
}
