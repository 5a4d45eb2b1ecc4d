/* SPDX-License-Identifier: Apache-2.0 */
/* Change-sets: from two trees, from text, onto a tree. */
#include "repo/changeset.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

#define LINE_FIXED (6 + 1 + 40 + 1 + 6 + 1 + 40 + 1) /* before the path */
#define PATH_MAX_LEN 4096

struct gather {
	struct arena *mem;
	struct changeset *c;
	size_t cap;
	bool *more; /* NULL: all or nothing */
};

static bool
path_fits(const char *path, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f || path[i] == '"' || path[i] == '\\')
			return false;
	return n > 0 && n <= PATH_MAX_LEN && str_utf8_valid(path, n);
}

static int
add(void *ctx, const struct git_change *c, struct err *e)
{
	struct gather *g = ctx;
	struct change_entry *x;

	if (g->more && (g->c->n == CHANGESET_MAX || !path_fits(c->path, strlen(c->path)))) {
		*g->more = true;
		return 0;
	}
	if (!path_fits(c->path, strlen(c->path)))
		return err_set(e, ERR_INVALID, "the path \"%.100s\" has characters that an approval cannot name", str_line(g->mem, c->path));
	if (g->c->n == CHANGESET_MAX)
		return err_set(e, ERR_INVALID, "the change has over %d files", CHANGESET_MAX);
	if (g->c->n == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 16;
		g->c->items = arena_regrow(g->mem, g->c->items, g->c->n, g->cap, sizeof(*g->c->items));
	}
	x = &g->c->items[g->c->n++];
	x->path = arena_strdup(g->mem, c->path);
	if (c->old_id) {
		x->old_id = *c->old_id;
		x->old_mode = c->old_mode;
	}
	if (c->new_id) {
		x->new_id = *c->new_id;
		x->new_mode = c->new_mode;
	}
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	const struct change_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void
digest(struct changeset *c)
{
	struct buf line AUTO_BUF = BUF_INIT(2 * PATH_MAX_LEN);
	struct hash_state h;

	hash_init(&h);
	for (size_t i = 0; i < c->n; i++) {
		buf_reset(&line);
		changeset_line(&c->items[i], &line);
		hash_add(&h, line.data, line.len);
	}
	hash_final(&h, &c->digest);
}

static int
between(struct git_repo *g, const struct oid *old_tree, const struct oid *new_tree, struct arena *mem, struct changeset *out, bool *more,
        struct err *e)
{
	struct changeset c = { 0 };
	struct gather gather = { .mem = mem, .c = &c, .more = more };
	int rc = git_tree_diff(g, old_tree, new_tree, 0, add, &gather, e);

	if (rc < 0)
		return rc;
	if (c.n) /* git's order puts "a.b" before "a/b" */
		qsort(c.items, c.n, sizeof(*c.items), by_path);
	digest(&c);
	*out = c;
	return 0;
}

int
changeset_between(struct git_repo *g, const struct oid *old_tree, const struct oid *new_tree, struct arena *mem,
                  struct changeset *out, struct err *e)
{
	return between(g, old_tree, new_tree, mem, out, NULL, e);
}

int
changeset_listed(struct git_repo *g, const struct oid *old_tree, const struct oid *new_tree, struct arena *mem, struct changeset *out,
                 bool *more, struct err *e)
{
	*more = false;
	return between(g, old_tree, new_tree, mem, out, more, e);
}

void
changeset_line(const struct change_entry *c, struct buf *out)
{
	char old[OID_HEX], new_[OID_HEX];

	oid_hex(&c->old_id, old);
	oid_hex(&c->new_id, new_);
	buf_printf(out, "%06o %s %06o %s %s\n", c->old_mode, old, c->new_mode, new_, c->path);
}

/* -- from text ---------------------------------------------------------------------------------------------------------------- */

static bool
read_mode(const char *s, uint32_t *out)
{
	static const struct {
		const char *text;
		uint32_t mode;
	} modes[] = { { "000000", 0 }, { "100644", FILE_REGULAR }, { "100755", FILE_EXECUTABLE }, { "120000", FILE_SYMLINK },
		{ "160000", FILE_SUBMODULE } };

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (memcmp(s, modes[i].text, 6) == 0) {
			*out = modes[i].mode;
			return true;
		}
	}
	return false;
}

static bool
read_side(const char *s, uint32_t *mode, struct oid *id)
{
	char hex[OID_HEX];

	memcpy(hex, s + 7, 40);
	hex[40] = '\0';
	return read_mode(s, mode) && s[6] == ' ' && oid_parse(hex, id) == 0 && s[47] == ' ' && (*mode == 0) == oid_zero(id);
}

static bool
read_line(const char *s, size_t n, struct arena *mem, struct change_entry *out)
{
	if (n <= LINE_FIXED || !read_side(s, &out->old_mode, &out->old_id) || !read_side(s + 48, &out->new_mode, &out->new_id))
		return false;
	if (!path_fits(s + LINE_FIXED, n - LINE_FIXED) || (out->old_mode == out->new_mode && oid_eq(&out->old_id, &out->new_id)))
		return false;
	out->path = arena_strndup(mem, s + LINE_FIXED, n - LINE_FIXED);
	return true;
}

int
changeset_parse(const char *lines, size_t n, size_t count, struct arena *mem, struct changeset *out, struct err *e)
{
	struct changeset c = { 0 };
	const char *p = lines, *end = lines + n;

	if (count == 0 || count > CHANGESET_MAX)
		return err_set(e, ERR_INVALID, "a change-set has 1 to %d lines", CHANGESET_MAX);
	c.items = arena_array(mem, count, sizeof(*c.items));
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));

		if (!stop || c.n == count || !read_line(p, (size_t)(stop - p), mem, &c.items[c.n]) ||
		    (c.n && strcmp(c.items[c.n - 1].path, c.items[c.n].path) >= 0))
			return err_set(e, ERR_INVALID, "line %zu of the changes is wrong, or there are more than were announced", c.n + 1);
		c.n++;
		p = stop + 1;
	}
	if (c.n != count)
		return err_set(e, ERR_INVALID, "%zu changes instead of %zu", c.n, count);
	digest(&c);
	*out = c;
	return 0;
}

/* -- onto a tree --------------------------------------------------------------------------------------------------------------- */

int
changeset_is(struct git_repo *g, const struct oid *tree, const struct change_entry *c, bool old, struct err *e)
{
	const struct oid *want = old ? &c->old_id : &c->new_id;
	uint32_t want_mode = old ? c->old_mode : c->new_mode, mode = 0;
	struct oid id;
	int rc = git_tree_find(g, tree, c->path, &id, &mode, e);

	if (rc == ERR_NOTFOUND)
		return want_mode == 0;
	if (rc < 0)
		return rc;
	if ((mode & 0170000) == 0040000) /* the file is gone where a folder is; what is in that is not said to go when a file comes */
		return !old && want_mode == 0;
	return want_mode == mode && oid_eq(want, &id);
}

int
changeset_apply(struct git_repo *g, const struct oid *tree, const struct changeset *c, struct oid *out, struct err *e)
{
	struct git_edit *ed;
	int rc = git_edit_new(g, tree, &ed, e);

	if (rc < 0)
		return rc;
	/* what goes makes room first: a file may come where a folder was */
	for (size_t i = 0; i < c->n && rc >= 0; i++)
		if (!c->items[i].new_mode)
			rc = git_edit_drop(ed, c->items[i].path, e);
	for (size_t i = 0; i < c->n && rc >= 0; i++)
		if (c->items[i].new_mode)
			rc = git_edit_place(ed, c->items[i].path, &c->items[i].new_id, c->items[i].new_mode, e);
	if (rc >= 0)
		rc = git_edit_write(ed, out, NULL, e);
	git_edit_free(ed);
	return rc < 0 ? rc : 0;
}
