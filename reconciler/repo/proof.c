/* SPDX-License-Identifier: Apache-2.0 */
/* What is proved: in memory, as text, on disk. */
#include "repo/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"

#define HEAD "berth proof 1\n"
#define BREAKS_MAX 20

static void *
need(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct proof *
proof_new(void)
{
	return need(calloc(1, sizeof(struct proof)));
}

int
proof_begin(struct git_repo *g, const struct oid *anchor, struct proof **out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)4 << 20);
	struct git_commit_info c;
	struct proof *t;
	int rc = git_commit_read(g, anchor, mem, &c, e);

	if (rc < 0)
		return err_wrap(e, "the trust anchor");
	t = proof_new();
	t->anchor = t->commit = *anchor;
	t->tree = c.tree;
	t->dirty = true;
	*out = t;
	return 0;
}

static void
free_values(struct map *m)
{
	void *v;

	for (size_t i = 0; map_next(m, &i, NULL, &v);)
		free(v);
	map_free(m);
}

void
proof_free(struct proof *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nbreaks; i++) {
		free((char *)(uintptr_t)t->breaks[i].who);
		free((char *)(uintptr_t)t->breaks[i].reason);
	}
	free(t->breaks);
	free(t->open);
	map_free(&t->used);
	free_values(&t->seen);
	free(t);
}

/* -- as text ------------------------------------------------------------------------------------------------------------------- */

static void
put_oid(struct buf *out, const char *word, const struct oid *id)
{
	char hex[OID_HEX];

	oid_hex(id, hex);
	buf_printf(out, "%s %s", word, hex);
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* The keys of a map, sorted: equal states are equal texts. malloc'd. */
static const char **
keys_of(const struct map *m)
{
	const char **keys = need(calloc(m->live + 1, sizeof(*keys))), *key;
	size_t n = 0;

	for (size_t i = 0; map_next(m, &i, &key, NULL);)
		keys[n++] = key;
	if (n)
		qsort(keys, n, sizeof(*keys), by_text);
	return keys;
}

void
proof_write(const struct proof *t, struct buf *out)
{
	const char **keys;

	buf_str(out, HEAD);
	put_oid(out, "anchor", &t->anchor);
	put_oid(out, "\ncommit", &t->commit);
	put_oid(out, "\ntree", &t->tree);
	buf_printf(out, "\nheartbeat %lld\n", (long long)t->heartbeat);
	for (size_t i = 0; i < t->nopen; i++) {
		put_oid(out, "open", &t->open[i].commit);
		buf_printf(out, " %lld\n", (long long)t->open[i].seen);
	}
	for (size_t i = 0; i < t->nbreaks; i++) {
		put_oid(out, "break", &t->breaks[i].commit);
		buf_printf(out, " %lld %s %s\n", (long long)t->breaks[i].when, t->breaks[i].who, t->breaks[i].reason);
	}
	keys = keys_of(&t->seen);
	for (size_t i = 0; keys[i]; i++)
		buf_printf(out, "seen %s %s\n", keys[i], (const char *)map_get(&t->seen, keys[i]));
	free(keys);
	keys = keys_of(&t->used);
	for (size_t i = 0; keys[i]; i++)
		buf_printf(out, "used %s\n", keys[i]);
	free(keys);
}

/* The next word of a line, cut off in place; NULL when there is none. */
static char *
word(char **at)
{
	char *s = *at, *end = s ? strchr(s, ' ') : NULL;

	if (!s || !*s)
		return NULL;
	if (end)
		*end = '\0';
	*at = end ? end + 1 : NULL;
	return s;
}

static bool
read_time(char **at, int64_t *out)
{
	char *s = word(at);

	return s && str_to_i64(s, out) == 0;
}

static bool
read_oid(char **at, struct oid *out)
{
	char *s = word(at);

	return s && oid_parse(s, out) == 0;
}

static bool
read_open(struct proof *t, char **at)
{
	struct proof_open o;

	if (!read_oid(at, &o.commit) || !read_time(at, &o.seen) || t->nopen >= PROOF_OPEN_MAX)
		return false;
	proof_open(t, &o.commit, o.seen);
	return true;
}

static bool
read_break(struct proof *t, char **at)
{
	struct oid commit;
	int64_t when;
	char *who;

	if (!read_oid(at, &commit) || !read_time(at, &when) || !(who = word(at)) || t->nbreaks >= BREAKS_MAX)
		return false;
	proof_broke(t, &commit, when, who, *at ? *at : "");
	return true;
}

static bool
read_seen(struct proof *t, char **at)
{
	char *key = word(at);
	int64_t when;

	if (!key || !read_time(at, &when))
		return false;
	(void)proof_seen(t, key, when);
	return true;
}

static bool
read_line(struct proof *t, char *line)
{
	char *at = line, *key = word(&at);

	if (!key)
		return false;
	if (str_eq(key, "anchor"))
		return read_oid(&at, &t->anchor);
	if (str_eq(key, "commit"))
		return read_oid(&at, &t->commit);
	if (str_eq(key, "tree"))
		return read_oid(&at, &t->tree);
	if (str_eq(key, "heartbeat"))
		return read_time(&at, &t->heartbeat);
	if (str_eq(key, "open"))
		return read_open(t, &at);
	if (str_eq(key, "break"))
		return read_break(t, &at);
	if (str_eq(key, "seen"))
		return read_seen(t, &at);
	if (!str_eq(key, "used") || !at || !*at)
		return false;
	proof_use(t, at);
	return true;
}

int
proof_parse(const char *text, size_t n, struct proof **out, struct err *e)
{
	struct proof *t;
	char *copy, *p;
	unsigned number = 1;

	if (n < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0 || memchr(text, 0, n))
		return err_set(e, ERR_INVALID, "it is no state of proofs of this version");
	t = proof_new();
	p = copy = need(strndup(text + strlen(HEAD), n - strlen(HEAD)));
	while (p && *p) {
		char *end = strchr(p, '\n');

		number++;
		if (end)
			*end = '\0';
		if (!end || !read_line(t, p))
			break;
		p = end + 1;
	}
	if ((p && *p) || oid_zero(&t->anchor) || oid_zero(&t->commit) || oid_zero(&t->tree)) {
		free(copy);
		proof_free(t);
		return err_set(e, ERR_INVALID, "line %u of it is damaged, or it has no anchor, commit and tree", number);
	}
	free(copy);
	t->dirty = false;
	*out = t;
	return 0;
}

struct proof *
proof_copy(const struct proof *t)
{
	struct buf text AUTO_BUF = BUF_INIT(PROOF_FILE_MAX);
	struct proof *copy = NULL;

	proof_write(t, &text);
	if (proof_parse(buf_cstr(&text), text.len, &copy, NULL) < 0)
		abort();
	copy->dirty = t->dirty;
	return copy;
}

void
proof_swap(struct proof *a, struct proof *b)
{
	struct proof keep = *a;

	*a = *b;
	*b = keep;
}

/* -- on disk ------------------------------------------------------------------------------------------------------------------- */

int
proof_load(const char *path, struct proof **out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(PROOF_FILE_MAX + ((size_t)1 << 20));
	char *text;
	size_t n;
	int rc = fs_read(path, PROOF_FILE_MAX, mem, &text, &n, e);

	if (rc < 0)
		return rc;
	if ((rc = proof_parse(text, n, out, e)) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

int
proof_store(struct proof *t, const char *path, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT(PROOF_FILE_MAX);
	int rc;

	if (!t->dirty)
		return 0;
	proof_write(t, &text);
	if ((rc = buf_check(&text, "the state of proofs", e)) < 0 || (rc = fs_write_atomic(path, buf_cstr(&text), text.len, 0600, e)) < 0)
		return rc;
	t->dirty = false;
	return 0;
}

/* -- what is remembered ---------------------------------------------------------------------------------------------------------- */

int64_t
proof_seen(struct proof *t, const char *key, int64_t now)
{
	const char *had = map_get(&t->seen, key);
	int64_t when;
	char *text = NULL;

	if (had && str_to_i64(had, &when) == 0)
		return when;
	if (asprintf(&text, "%lld", (long long)now) < 0)
		abort();
	(void)map_put(&t->seen, key, text);
	t->dirty = true;
	return now;
}

bool
proof_used(const struct proof *t, const char *key)
{
	return map_get(&t->used, key) != NULL;
}

void
proof_use(struct proof *t, const char *key)
{
	static char yes;

	(void)map_put(&t->used, key, &yes);
	t->dirty = true;
}

bool
proof_is_open(const struct proof *t, const struct oid *commit)
{
	for (size_t i = 0; i < t->nopen; i++)
		if (oid_eq(&t->open[i].commit, commit))
			return true;
	return false;
}

void
proof_open(struct proof *t, const struct oid *commit, int64_t seen)
{
	if (proof_is_open(t, commit))
		return;
	if (t->nopen == PROOF_OPEN_MAX)
		proof_close(t, &t->open[0].commit);
	t->open = need(reallocarray(t->open, t->nopen + 1, sizeof(*t->open)));
	t->open[t->nopen++] = (struct proof_open){ *commit, seen };
	t->dirty = true;
}

void
proof_close(struct proof *t, const struct oid *commit)
{
	for (size_t i = 0; i < t->nopen; i++) {
		if (!oid_eq(&t->open[i].commit, commit))
			continue;
		memmove(t->open + i, t->open + i + 1, (t->nopen - i - 1) * sizeof(*t->open));
		t->nopen--;
		t->dirty = true;
		return;
	}
}

void
proof_broke(struct proof *t, const struct oid *commit, int64_t when, const char *who, const char *reason)
{
	struct proof_break *b;

	if (t->nbreaks == BREAKS_MAX) {
		free((char *)(uintptr_t)t->breaks[0].who);
		free((char *)(uintptr_t)t->breaks[0].reason);
		memmove(t->breaks, t->breaks + 1, (--t->nbreaks) * sizeof(*t->breaks));
	}
	t->breaks = need(reallocarray(t->breaks, t->nbreaks + 1, sizeof(*t->breaks)));
	b = &t->breaks[t->nbreaks++];
	*b = (struct proof_break){ *commit, when, need(strdup(who)), need(strdup(reason)) };
	/* one line, whatever a commit's message says */
	for (char *p = (char *)(uintptr_t)b->reason; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	t->dirty = true;
}
