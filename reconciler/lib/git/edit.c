/* SPDX-License-Identifier: Apache-2.0 */
/* Editing a tree in memory: folders are read when a path goes through them, written when something in them changed. */
#include "lib/git/priv.h"

#include <stdlib.h>

#include "lib/git/objects.h"

#define FILE_MAX ((size_t)256 << 20)

struct node {
	struct node **kids; /* of a folder that is loaded: sorted by name */
	size_t n, cap;
	struct object *object; /* a file's new bytes, NULL when the repository has them */
	struct oid id;         /* out of date for a folder that is dirty */
	uint32_t mode;
	bool loaded, dirty;
	uint8_t len;
	char name[];
};

struct git_edit {
	struct git_repo *g;
	struct node *root;
	struct oid base;
	struct objects objects;
};

/* The folders that a path goes through, the root first. */
struct chain {
	struct node *at[GIT_DEPTH_MAX + 1];
	size_t n;
};

static void *
need(void *p)
{
	if (!p)
		abort();
	return p;
}

/* -- nodes --------------------------------------------------------------------------------------------------------- */

static struct node *
node_new(const char *name, size_t len, uint32_t mode)
{
	struct node *d = need(calloc(1, sizeof(*d) + len + 1));

	memcpy(d->name, name, len);
	d->len = (uint8_t)len;
	d->mode = mode;
	return d;
}

static void
node_free(struct node *d)
{
	for (size_t i = 0; i < d->n; i++)
		node_free(d->kids[i]);
	free(d->kids);
	free(d);
}

/* By name only: a file and a folder of one name are the same place. */
static int
name_cmp(const char *a, size_t n, const struct node *b)
{
	int c = memcmp(a, b->name, n < b->len ? n : b->len);

	return c ? c : (n > b->len) - (n < b->len);
}

static bool
kid_find(const struct node *d, const char *name, size_t len, size_t *pos)
{
	size_t lo = 0, hi = d->n;

	/* names come sorted most of the time */
	if (hi && name_cmp(name, len, d->kids[hi - 1]) > 0)
		lo = hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = name_cmp(name, len, d->kids[mid]);

		if (c == 0) {
			*pos = mid;
			return true;
		}
		if (c > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*pos = lo;
	return false;
}

static void
kid_insert(struct node *d, size_t pos, struct node *kid)
{
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 8;
		d->kids = need(reallocarray(d->kids, d->cap, sizeof(struct node *)));
	}
	memmove(d->kids + pos + 1, d->kids + pos, (d->n - pos) * sizeof(struct node *));
	d->kids[pos] = kid;
	d->n++;
}

static void
kid_remove(struct node *d, size_t pos)
{
	node_free(d->kids[pos]);
	d->n--;
	memmove(d->kids + pos, d->kids + pos + 1, (d->n - pos) * sizeof(struct node *));
}

static int
load(struct git_edit *ed, struct node *d, struct err *e)
{
	struct tree_iter it;
	int rc;

	if (d->loaded)
		return 0;
	rc = tree_open(ed->g, &d->id, &it, e);
	for (; rc == 0 && it.more; rc = rc ? rc : tree_next(&it, e)) {
		struct node *kid;
		size_t pos;

		if (kid_find(d, it.e.name, it.e.len, &pos)) {
			rc = err_set(e, ERR_INVALID, "a tree holds %s twice", it.e.name);
			break;
		}
		kid = node_new(it.e.name, it.e.len, it.e.mode);
		kid->id = it.e.id;
		kid_insert(d, pos, kid);
	}
	tree_close(&it);
	d->loaded = rc == 0;
	while (rc && d->n)
		kid_remove(d, d->n - 1);
	return rc;
}

int
git_edit_new(struct git_repo *g, const struct oid *base, struct git_edit **out, struct err *e)
{
	struct git_edit *ed = need(calloc(1, sizeof(*ed)));
	int rc;

	ed->g = g;
	ed->base = base ? *base : git_empty_tree;
	ed->root = node_new("", 0, GIT_MODE_FOLDER);
	ed->root->id = ed->base;
	(void)git_odb_refresh(g->odb); /* once: after this a miss is a miss */
	if ((rc = load(ed, ed->root, e))) {
		git_edit_free(ed);
		return rc;
	}
	/* the empty tree may not be in the repository yet */
	ed->root->dirty = ed->root->n == 0;
	*out = ed;
	return 0;
}

void
git_edit_free(struct git_edit *ed)
{
	if (!ed)
		return;
	node_free(ed->root);
	objects_free(&ed->objects);
	free(ed);
}

/* -- paths ---------------------------------------------------------------------------------------------------------- */

static int
path_check(const char *path, struct err *e)
{
	size_t depth = 0, len = strlen(path);

	if (len == 0 || len >= GIT_PATH_MAX)
		return err_set(e, ERR_INVALID, "a path of %zu bytes", len);
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, "/");

		if (!tree_name_ok(p, n) || ++depth > GIT_DEPTH_MAX)
			return err_set(e, ERR_INVALID, "path \"%.200s\" is not allowed", path);
		p += n;
		if (!*p)
			return 0;
	}
}

/*
 * Goes down the folders of `path` as far as they are there. *rest is the first part that is missing, is a file, or is the
 * last one; *found and *pos say whether and where the innermost folder reached has it.
 */
static int
descend(struct git_edit *ed, const char *path, struct chain *c, const char **rest, bool *found, size_t *pos, struct err *e)
{
	struct node *d = ed->root;

	c->n = 0;
	for (const char *p = path;;) {
		size_t len = strcspn(p, "/");
		int rc = load(ed, d, e);

		if (rc)
			return rc;
		c->at[c->n++] = d;
		*found = kid_find(d, p, len, pos);
		*rest = p;
		if (!p[len] || !*found || d->kids[*pos]->mode != GIT_MODE_FOLDER)
			return 0;
		d = d->kids[*pos];
		p += len + 1;
	}
}

static void
chain_dirty(struct chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		c->at[i]->dirty = true;
}

/* Makes the folders of `rest` below the end of the chain; returns the new, still empty, last node. */
static struct node *
grow(struct chain *c, const char *rest, size_t pos)
{
	struct node *d = c->at[c->n - 1];

	for (;;) {
		size_t len = strcspn(rest, "/");
		struct node *kid = node_new(rest, len, rest[len] ? GIT_MODE_FOLDER : FILE_REGULAR);

		kid_insert(d, pos, kid);
		if (!rest[len])
			return kid;
		kid->loaded = kid->dirty = true;
		rest += len + 1;
		d = kid;
		pos = 0;
	}
}

/* The file that stands there, by what `descend` found; NULL when there is none of exactly this path. */
static struct node *
file_at(const struct chain *c, const char *rest, bool found, size_t pos)
{
	return found && !strchr(rest, '/') ? c->at[c->n - 1]->kids[pos] : NULL;
}

/* Puts mode, id and object of `what` there. */
static void
set_file(struct chain *c, const char *rest, bool found, size_t pos, struct node what)
{
	struct node *f = file_at(c, rest, found, pos);

	if (found && (!f || f->mode == GIT_MODE_FOLDER)) { /* a file where a folder must be, or the other way round */
		kid_remove(c->at[c->n - 1], pos);
		f = NULL;
	}
	if (!f)
		f = grow(c, rest, pos);
	f->mode = what.mode;
	f->id = what.id;
	f->object = what.object;
	chain_dirty(c);
}

int
git_edit_put(struct git_edit *ed, const char *path, const void *bytes, size_t len, struct err *e)
{
	const struct node *f;
	struct chain c;
	const char *rest;
	struct oid id;
	size_t pos;
	bool found;
	int rc;

	if ((rc = path_check(path, e)))
		return rc;
	if (len > FILE_MAX)
		return err_set(e, ERR_INVALID, "%s: a file of %zu bytes, at most %zu are written", path, len, FILE_MAX);
	if ((rc = descend(ed, path, &c, &rest, &found, &pos, e)))
		return rc;
	git_hash_blob(bytes, len, &id);
	f = file_at(&c, rest, found, pos);
	if (f && f->mode == FILE_REGULAR && oid_eq(&f->id, &id))
		return 0;
	set_file(&c, rest, found, pos, (struct node){ .mode = FILE_REGULAR, .id = id, .object = objects_blob(&ed->objects, ed->g, &id, bytes, len) });
	return 1;
}

int
git_edit_place(struct git_edit *ed, const char *path, const struct oid *id, uint32_t mode, struct err *e)
{
	struct chain c;
	const char *rest;
	size_t pos;
	bool found;
	int rc;

	if ((rc = path_check(path, e)) || (rc = descend(ed, path, &c, &rest, &found, &pos, e)))
		return rc;
	set_file(&c, rest, found, pos, (struct node){ .mode = mode, .id = *id });
	return 0;
}

int
git_edit_drop(struct git_edit *ed, const char *path, struct err *e)
{
	struct chain c;
	const char *rest;
	size_t pos;
	bool found;
	int rc;

	if ((rc = path_check(path, e)) || (rc = descend(ed, path, &c, &rest, &found, &pos, e)))
		return rc;
	if (!found || strchr(rest, '/'))
		return 0;
	kid_remove(c.at[c.n - 1], pos);
	chain_dirty(&c);
	for (; c.n > 1 && c.at[c.n - 1]->n == 0; c.n--) {
		const struct node *empty = c.at[c.n - 1];
		struct node *up = c.at[c.n - 2];

		if (kid_find(up, empty->name, empty->len, &pos))
			kid_remove(up, pos);
	}
	return 0;
}

/* -- listing ---------------------------------------------------------------------------------------------------------- */

static int
string_cmp(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

int
git_edit_find(struct git_edit *ed, const char *path, struct oid *out, struct err *e)
{
	struct chain c;
	const char *rest;
	size_t pos;
	bool found;
	int rc;

	if ((rc = path_check(path, e)) || (rc = descend(ed, path, &c, &rest, &found, &pos, e)))
		return rc;
	if (!found || strchr(rest, '/'))
		return err_set(e, ERR_NOTFOUND, "there is no %s", path);
	if (c.at[c.n - 1]->kids[pos]->dirty)
		return err_set(e, ERR_INTERNAL, "%s has no id before it is written", path);
	*out = c.at[c.n - 1]->kids[pos]->id;
	return 0;
}

int
git_edit_list(struct git_edit *ed, const char *folder, struct arena *mem, const char ***names, size_t *n, struct err *e)
{
	struct node *d = ed->root;
	struct chain c;
	const char *rest, **out;
	size_t pos;
	bool found;
	int rc;

	if (*folder) {
		if ((rc = path_check(folder, e)) || (rc = descend(ed, folder, &c, &rest, &found, &pos, e)))
			return rc;
		d = found && !strchr(rest, '/') ? c.at[c.n - 1]->kids[pos] : NULL;
		if (d && d->mode == GIT_MODE_FOLDER && (rc = load(ed, d, e)))
			return rc;
	}
	*n = d && d->mode == GIT_MODE_FOLDER ? d->n : 0;
	*names = out = arena_array(mem, *n + 1, sizeof(char *));
	for (size_t i = 0; i < *n; i++)
		out[i] = d->kids[i]->mode == GIT_MODE_FOLDER ? arena_printf(mem, "%s/", d->kids[i]->name)
		                                             : arena_strdup(mem, d->kids[i]->name);
	if (*n)
		qsort(out, *n, sizeof(char *), string_cmp);
	return 0;
}

/* -- trees ------------------------------------------------------------------------------------------------------------- */

static int
node_order(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;
	struct tree_entry s = { .name = (*x)->name, .len = (*x)->len, .mode = (*x)->mode };
	struct tree_entry t = { .name = (*y)->name, .len = (*y)->len, .mode = (*y)->mode };

	return tree_order(&s, &t);
}

/* The bytes of a tree object. Every folder below has its id. */
static void
tree_bytes(const struct node *d, struct buf *out)
{
	struct node **v = need(calloc(d->n + 1, sizeof(struct node *)));

	if (d->n)
		memcpy(v, d->kids, d->n * sizeof(struct node *));
	qsort(v, d->n, sizeof(struct node *), node_order);
	buf_reset(out);
	for (size_t i = 0; i < d->n; i++) {
		buf_printf(out, "%o ", v[i]->mode);
		buf_add(out, v[i]->name, v[i]->len + (size_t)1);
		buf_add(out, v[i]->id.b, sizeof(v[i]->id.b));
	}
	free(v);
}

/* Gives every dirty folder its id, innermost first; `keep`: and collects what has to be written. */
static int
settle(struct git_edit *ed, struct node *d, bool keep, struct buf *bytes, struct err *e)
{
	int rc;

	for (size_t i = 0; i < d->n; i++) {
		struct node *k = d->kids[i];

		if (k->mode == GIT_MODE_FOLDER && k->dirty && (rc = settle(ed, k, keep, bytes, e)))
			return rc;
		if (keep && k->object)
			object_want(&ed->objects, k->object);
	}
	tree_bytes(d, bytes);
	if ((rc = buf_check(bytes, "a folder's tree", e)))
		return rc;
	git_hash_object("tree", buf_cstr(bytes), bytes->len, &d->id);
	if (keep)
		objects_tree(&ed->objects, ed->g, &d->id, buf_cstr(bytes), bytes->len);
	return 0;
}

bool
git_edit_changed(const struct git_edit *ed)
{
	struct buf AUTO_BUF bytes = BUF_INIT(GIT_TREE_MAX);

	/* ids of dirty folders are a cache, not a change: the edit stays what it is */
	if (ed->root->dirty && settle((struct git_edit *)(uintptr_t)ed, ed->root, false, &bytes, NULL))
		return true;
	return !oid_eq(&ed->root->id, &ed->base);
}

static void
clean(struct node *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct node *k = d->kids[i];

		k->object = NULL;
		if (k->mode == GIT_MODE_FOLDER && k->dirty)
			clean(k);
	}
	d->dirty = false;
}

int
git_edit_write(struct git_edit *ed, struct oid *tree, size_t *written, struct err *e)
{
	struct buf AUTO_BUF bytes = BUF_INIT(GIT_TREE_MAX);
	size_t n = 0;
	int rc = 0;

	if (ed->root->dirty)
		rc = settle(ed, ed->root, true, &bytes, e);
	if (rc == 0)
		rc = objects_write(&ed->objects, ed->g, &n, e);
	if (rc)
		return rc;
	clean(ed->root);
	*tree = ed->root->id;
	if (written)
		*written = n;
	return 0;
}
