/* SPDX-License-Identifier: Apache-2.0 */
/* Raw trees: reading entries, walking two trees side by side, finding a path, listing all files. */
#include "lib/git/priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define FILES_MAX 1000000
#define FOLDERS_MAX 250000 /* that are walked: forty trees can name a thousand million folders, and no file */

/* ".git" as Windows and macOS would also spell it: other programs check the same trees out. */
static bool
is_dotgit(const char *name, size_t len)
{
	if (len >= 5 && strncasecmp(name, "git~1", 5) == 0)
		return len == 5;
	if (len < 4 || strncasecmp(name, ".git", 4) != 0)
		return false;
	return name[4] == '\0' || strspn(name + 4, " .") == len - 4 || name[4] == ':';
}

/* HFS+ ignores some code points: ".g<U+200C>it" is ".git" there. */
static bool
is_hfs_dotgit(const char *name, size_t len)
{
	char plain[8];
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(plain) - 1; i++) {
		const unsigned char *p = (const unsigned char *)name + i;
		bool skip = len - i >= 3 && ((p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0x8c && p[2] <= 0x8f) ||
		                             (p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) ||
		                             (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xaa && p[2] <= 0xaf) ||
		                             (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf));

		if (skip)
			i += 2;
		else
			plain[n++] = name[i];
	}
	plain[n] = '\0';
	return n == 4 && strcasecmp(plain, ".git") == 0;
}

bool
tree_name_ok(const char *name, size_t len)
{
	if (len == 0 || len > 255 || memchr(name, '/', len) || memchr(name, '\\', len))
		return false;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return false;
	return !is_dotgit(name, len) && !is_hfs_dotgit(name, len);
}

int
tree_order(const struct tree_entry *a, const struct tree_entry *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int c = memcmp(a->name, b->name, n);
	unsigned char x, y;

	if (c)
		return c;
	x = n < a->len ? (unsigned char)a->name[n] : a->mode == GIT_MODE_FOLDER ? '/' : '\0';
	y = n < b->len ? (unsigned char)b->name[n] : b->mode == GIT_MODE_FOLDER ? '/' : '\0';
	return (x > y) - (x < y);
}

const struct oid git_empty_tree = { { 0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6,
	0x92, 0x88, 0xfb, 0xee, 0x49, 0x04 } };

/* -- reading ---------------------------------------------------------------------------------------------------- */

/* "100644 " and its kin; other permission bits than git keeps are folded as git does. */
static bool
parse_mode(const char **at, const char *end, uint32_t *mode)
{
	uint32_t m = 0;
	const char *p = *at;

	while (p < end && *p >= '0' && *p <= '7' && p - *at < 7)
		m = m << 3 | (uint32_t)(*p++ - '0');
	if (p == end || *p != ' ' || p == *at)
		return false;
	*at = p + 1;
	switch (m & 0170000) {
	case 0100000:
		*mode = m & 0100 ? FILE_EXECUTABLE : FILE_REGULAR;
		return true;
	case 0040000:
	case 0120000:
	case 0160000:
		*mode = m & 0170000;
		return true;
	default:
		return false;
	}
}

static bool
parse_entry(struct tree_iter *it)
{
	const char *p = it->at, *nul;

	if (!parse_mode(&p, it->end, &it->e.mode))
		return false;
	nul = memchr(p, '\0', (size_t)(it->end - p));
	if (!nul || it->end - nul < 21)
		return false;
	it->e.name = p;
	it->e.len = (size_t)(nul - p);
	memcpy(it->e.id.b, nul + 1, sizeof(it->e.id.b));
	it->at = nul + 21;
	return true;
}

static int
bad_tree(const struct tree_iter *it, const char *what, struct err *e)
{
	char hex[OID_HEX];
	struct oid id;

	git_oid_to(&id, git_odb_object_id(it->object));
	oid_hex(&id, hex);
	return err_set(e, ERR_INVALID, "tree %s %s", hex, what);
}

static int
bad_name(const struct tree_iter *it, struct err *e)
{
	char text[64];
	size_t n = it->e.len < sizeof(text) ? it->e.len : sizeof(text) - 1;

	for (size_t i = 0; i < n; i++)
		text[i] = it->e.name[i] >= ' ' && it->e.name[i] < 127 ? it->e.name[i] : '?';
	text[n] = '\0';
	if (it->e.len > 255)
		return err_set(e, ERR_INVALID, "a name in the tree is longer than 255 bytes: \"%s...\"", text);
	return err_set(e, ERR_INVALID, "a name in the tree is not safe on every system: \"%s\"", text);
}

int
tree_next(struct tree_iter *it, struct err *e)
{
	it->before = it->e;
	it->more = false;
	if (it->at == it->end)
		return 0;
	if (!parse_entry(it))
		return bad_tree(it, "is malformed", e);
	if (!tree_name_ok(it->e.name, it->e.len))
		return bad_name(it, e);
	if (it->before.name && tree_order(&it->before, &it->e) >= 0)
		return bad_tree(it, "is not sorted", e);
	it->more = true;
	return 0;
}

static int
tree_start(struct tree_iter *it, struct err *e)
{
	int rc;

	it->at = git_odb_object_data(it->object);
	it->end = it->at + git_odb_object_size(it->object);
	rc = tree_next(it, e);
	if (rc)
		tree_close(it);
	return rc;
}

int
tree_open(struct git_repo *g, const struct oid *id, struct tree_iter *it, struct err *e)
{
	int rc;

	memset(it, 0, sizeof(*it));
	if (!id || oid_eq(id, &git_empty_tree)) /* git knows the empty tree without having it */
		return 0;
	if ((rc = git_object_get(g, id, GIT_OBJECT_TREE, GIT_TREE_MAX, &it->object, e)))
		return rc;
	return tree_start(it, e);
}

void
tree_close(struct tree_iter *it)
{
	git_odb_object_free(it->object);
	it->object = NULL;
	it->more = false;
}

/* -- two trees side by side ---------------------------------------------------------------------------------------- */

struct walk {
	struct git_repo *g;
	int (*fn)(void *ctx, const struct git_change *c, struct err *e);
	void *ctx;
	size_t left, max, folders;
	char path[GIT_PATH_MAX];
};

static int walk_trees(struct walk *w, const struct oid *old_id, const struct oid *new_id, size_t len, int depth, struct err *e);

/* Puts `name` behind the first `len` bytes of the path; *end is where it ends. */
static int
path_push(struct walk *w, size_t len, const struct tree_entry *t, size_t *end, struct err *e)
{
	if (len + t->len + 2 > sizeof(w->path))
		return err_set(e, ERR_INVALID, "a path is longer than %d bytes", GIT_PATH_MAX - 2);
	memcpy(w->path + len, t->name, t->len + 1);
	*end = len + t->len;
	return 0;
}

/* One name that differs: `o` or `n` is NULL when that side has none. Both are files, or both are folders. */
static int
walk_entry(struct walk *w, const struct tree_entry *o, const struct tree_entry *n, size_t len, int depth, struct err *e)
{
	const struct tree_entry *t = o ? o : n;
	struct git_change c = { .path = w->path };
	int rc = path_push(w, len, t, &len, e);

	if (rc)
		return rc;
	if (t->mode == GIT_MODE_FOLDER) {
		w->path[len++] = '/';
		w->path[len] = '\0';
		return walk_trees(w, o ? &o->id : NULL, n ? &n->id : NULL, len, depth + 1, e);
	}
	if (w->left-- == 0)
		return err_set(e, ERR_INVALID, "more than %zu files differ", w->max);
	c.old_id = o ? &o->id : NULL;
	c.new_id = n ? &n->id : NULL;
	c.old_mode = o ? o->mode : 0;
	c.new_mode = n ? n->mode : 0;
	return w->fn(w->ctx, &c, e);
}

static int
walk_step(struct walk *w, struct tree_iter *a, struct tree_iter *b, size_t len, int depth, struct err *e)
{
	int c = !a->more ? 1 : !b->more ? -1 : tree_order(&a->e, &b->e), rc = 0;

	if (c != 0)
		rc = walk_entry(w, c < 0 ? &a->e : NULL, c < 0 ? NULL : &b->e, len, depth, e);
	else if (!oid_eq(&a->e.id, &b->e.id) || a->e.mode != b->e.mode)
		rc = walk_entry(w, &a->e, &b->e, len, depth, e);
	if (rc == 0 && c <= 0)
		rc = tree_next(a, e);
	if (rc == 0 && c >= 0)
		rc = tree_next(b, e);
	return rc;
}

static int
walk_trees(struct walk *w, const struct oid *old_id, const struct oid *new_id, size_t len, int depth, struct err *e)
{
	struct tree_iter a = { 0 }, b = { 0 };
	int rc;

	if (depth > GIT_DEPTH_MAX)
		return err_set(e, ERR_INVALID, "%.200s: more than %d folders deep", w->path, GIT_DEPTH_MAX);
	if (w->folders++ == FOLDERS_MAX)
		return err_set(e, ERR_INVALID, "more than %d folders", FOLDERS_MAX);
	if ((rc = tree_open(w->g, old_id, &a, e)))
		return rc;
	if ((rc = tree_open(w->g, new_id, &b, e)) == 0)
		while (rc == 0 && (a.more || b.more))
			rc = walk_step(w, &a, &b, len, depth, e);
	tree_close(&a);
	tree_close(&b);
	return rc;
}

int
git_tree_diff(struct git_repo *g, const struct oid *old_tree, const struct oid *new_tree, size_t max,
              int (*fn)(void *ctx, const struct git_change *c, struct err *e), void *ctx, struct err *e)
{
	struct walk w = { .g = g, .fn = fn, .ctx = ctx };

	w.left = w.max = max ? max : FILES_MAX;
	if (old_tree && new_tree && oid_eq(old_tree, new_tree))
		return 0;
	return walk_trees(&w, old_tree, new_tree, 0, 0, e);
}

/* -- one path -------------------------------------------------------------------------------------------------------- */

/*
 * Whoever looks up ten thousand paths of one tree goes through the same upper folders each time, and those are the large
 * ones: they are kept, one a level.
 */
static int
find_open(struct git_repo *g, size_t level, const struct oid *id, struct tree_iter *it, struct err *e)
{
	struct git_kept_tree *k = level < GIT_KEPT_TREES ? &g->kept[level] : NULL;
	int rc;

	if (k && k->object && oid_eq(&k->id, id)) {
		memset(it, 0, sizeof(*it));
		if (git_odb_object_dup(&it->object, k->object) == 0)
			return tree_start(it, e);
	}
	if ((rc = tree_open(g, id, it, e)) || !k || !it->object || git_odb_object_size(it->object) > GIT_KEPT_MAX)
		return rc;
	git_odb_object_free(k->object);
	k->object = NULL;
	k->id = *id;
	return git_odb_object_dup(&k->object, it->object) == 0 ? 0 : err_set(e, ERR_INTERNAL, "keep a tree");
}

static int
find_in(struct git_repo *g, size_t level, const struct oid *tree, const char *name, size_t len, struct oid *out, uint32_t *mode,
        struct err *e)
{
	struct tree_iter it;
	int rc = find_open(g, level, tree, &it, e), found = 0;

	while (rc == 0 && it.more && !found) {
		if (it.e.len == len && memcmp(it.e.name, name, len) == 0) {
			*out = it.e.id;
			*mode = it.e.mode;
			found = 1;
		} else {
			rc = tree_next(&it, e);
		}
	}
	if (rc == 0 && !found)
		rc = err_set(e, ERR_NOTFOUND, "no entry %.*s", (int)(len > 255 ? 255 : len), name);
	tree_close(&it);
	return rc;
}

int
git_tree_find(struct git_repo *g, const struct oid *tree, const char *path, struct oid *out, uint32_t *mode, struct err *e)
{
	struct oid at = *tree;
	uint32_t m = GIT_MODE_FOLDER;
	size_t level = 0;

	for (const char *p = path; *p; level++) {
		size_t len = strcspn(p, "/");
		int rc;

		if (m != GIT_MODE_FOLDER)
			return err_set(e, ERR_NOTFOUND, "%s: not there", path);
		if ((rc = find_in(g, level, &at, p, len, &at, &m, e)))
			return rc == ERR_NOTFOUND ? err_set(e, rc, "%s: not there", path) : rc;
		p += len;
		if (*p == '/')
			p++;
	}
	*out = at;
	if (mode)
		*mode = m;
	return 0;
}

/* -- all files of a tree ------------------------------------------------------------------------------------------------ */

struct listing {
	struct arena *mem;
	struct file_entry *v;
	size_t n, cap;
};

static int
list_add(void *ctx, const struct git_change *c, struct err *e)
{
	struct listing *l = ctx;

	(void)e;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 256;
		l->v = reallocarray(l->v, l->cap, sizeof(*l->v));
		if (!l->v)
			abort();
	}
	l->v[l->n++] = (struct file_entry){ arena_strdup(l->mem, c->path), *c->new_id, c->new_mode };
	return 0;
}

static int
files_read(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len,
           struct err *e)
{
	int rc;

	if (f->mode != FILE_REGULAR && f->mode != FILE_EXECUTABLE)
		return err_set(e, ERR_INVALID, "%s is a %s: it is not read", f->path,
		               f->mode == FILE_SYMLINK ? "symbolic link" : "submodule");
	rc = git_blob_read(ctx, &f->id, max, mem, bytes, len, e);
	return rc ? err_wrap(e, "%s", f->path) : 0;
}

int
git_files(struct git_repo *g, const struct oid *tree, struct arena *mem, struct files *out, struct err *e)
{
	struct listing l = { .mem = mem };
	int rc = git_tree_diff(g, NULL, tree, 0, list_add, &l, e);

	if (rc == 0) {
		memset(out, 0, sizeof(*out));
		out->n = l.n;
		out->entries = arena_memdup(mem, l.v, l.n * sizeof(*l.v));
		out->ctx = g;
		out->read = files_read;
	}
	free(l.v);
	return rc;
}
