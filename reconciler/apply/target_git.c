/* SPDX-License-Identifier: Apache-2.0 */
/* The rendered branch: a tree edited in memory, one commit a pass, compare-and-swap. */
#include "apply/target_git.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/git_secrets.h"
#include "apply/kustomization.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"

#define DRIFT_PATHS_MAX 50
#define FOREIGN_WALK_MAX 1000

struct target_git {
	struct target base;
	struct source *source;
	struct arena *mem;  /* of the pass */
	struct arena *work; /* of one put or drop: a pass over ten thousand units must not add up */
	struct git_edit *edit;
	bool has_tip;
	struct oid tip, tree; /* before the pass; `tree` is the root after commit */
	bool has_base, restore; /* whether the edit starts from `tree`; whether that is not the tip's */
	bool has_known;
	struct oid known, known_tree; /* the tip that this process wrote or checked last */
	struct target_view view;
	struct map lists; /* folders whose kustomization must be made anew */
	struct decryptor *decryptor; /* NULL: no master key */
	char recipient[AGE_TEXT_MAX]; /* Secrets are written sealed for it; "": they are not written */
	bool keep_secrets;  /* no sealed Secret can be made now: those that are there stay */
};

static struct target_git *
self(struct target *t)
{
	return (struct target_git *)(void *)t;
}

struct unit_list {
	struct arena *mem;
	const char **items;
	size_t n, cap;
};

static void
unit_add(struct unit_list *l, const char *prefix, const char *unit)
{
	if (!str_starts(unit, prefix))
		return;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->items = arena_regrow(l->mem, l->items, l->n, l->cap, sizeof(*l->items));
	}
	l->items[l->n++] = unit;
}

/* -- begin: what is there, and whose ---------------------------------------------------------------------------- */

struct drift_paths {
	struct arena *mem;
	const char **paths;
	size_t n;
};

static int
drift_path(void *ctx, const struct git_change *c, struct err *e)
{
	struct drift_paths *d = ctx;

	(void)e;
	if (d->n < DRIFT_PATHS_MAX)
		d->paths[d->n++] = str_line(d->mem, c->path);
	return 0;
}

/* A commit of ours says which commit of main it was rendered from. */
static bool
is_ours(struct arena *mem, const struct git_commit_info *c, struct oid *source)
{
	const char *text = git_trailer(mem, c->message, "Berth-Source-Commit");

	return text && str_eq(c->committer_email, "berth@localhost") && oid_parse(text, source) == 0;
}

/*
 * The pass starts from the last tree of ours, not from what somebody made of it: an environment on hold has its last good
 * manifests nowhere else, and what is in a tree that cannot be read is not ours anyway.
 */
static int
start_from(struct target_git *t, const struct oid *tree)
{
	t->restore = true;
	t->has_base = tree != NULL;
	if (tree)
		t->tree = *tree;
	return 0;
}

/* Walks back from the tip over foreign commits to the last one of ours. */
static int
look_at_tip(struct target_git *t, struct err *e)
{
	struct git_repo *g = source_git(t->source);
	struct target_view *v = &t->view;
	struct drift_paths d = { .mem = t->mem };
	const struct oid *base = NULL;
	struct git_commit_info c;
	struct oid at = t->tip;
	int rc;

	for (size_t i = 0; i < FOREIGN_WALK_MAX; i++) {
		rc = git_commit_read(g, &at, t->mem, &c, e);
		if (rc == ERR_INVALID)
			return start_from(t, t->has_known ? &t->known_tree : NULL);
		if (rc < 0)
			return rc;
		if (i == 0)
			t->tree = c.tree;
		if ((v->has_source = is_ours(t->mem, &c, &v->source)))
			break;
		if (!v->drift.found) {
			char hex[OID_HEX];

			oid_hex(&c.id, hex);
			v->drift.found = true;
			v->drift.who = str_line(t->mem, arena_printf(t->mem, "%s <%s>", c.author, c.author_email));
			v->drift.what = arena_strdup(t->mem, hex);
		}
		if (!c.nparents)
			break;
		at = c.parents[0];
	}
	if (!v->drift.found)
		return 0;
	d.paths = arena_array(t->mem, DRIFT_PATHS_MAX, sizeof(*d.paths));
	if (v->has_source || t->has_known)
		base = v->has_source ? &c.tree : &t->known_tree;
	rc = git_tree_diff(g, base, &t->tree, 0, drift_path, &d, e);
	v->drift.paths = d.paths;
	v->drift.n = d.n;
	return rc == ERR_INVALID || (rc == 0 && base) ? start_from(t, base) : rc;
}

static int
moved_path(void *ctx, const struct git_change *c, struct err *e)
{
	struct unit_list *l = ctx;

	(void)e;
	unit_add(l, "", arena_strdup(l->mem, c->path));
	return 0;
}

/* Somebody else wrote: which paths must be looked at again. */
static int
look_at_move(struct target_git *t, struct err *e)
{
	struct unit_list l = { .mem = t->mem };
	int rc;

	if (!t->view.moved || !t->has_known || !t->has_tip || !t->has_base)
		return 0;
	rc = git_tree_diff(source_git(t->source), &t->known_tree, &t->tree, 0, moved_path, &l, e);
	if (rc == ERR_INVALID)
		return start_from(t, &t->known_tree);
	if (rc < 0)
		return rc;
	t->view.moved_known = true;
	t->view.moved_paths = l.items;
	t->view.nmoved = l.n;
	return 0;
}

static int
git_moved(struct target *base, bool *out, struct err *e)
{
	struct target_git *t = self(base);
	struct source_heads h;
	int rc = source_heads(t->source, &h, e);

	if (rc < 0)
		return rc;
	*out = t->has_known != h.has_rendered || (t->has_known && !oid_eq(&t->known, &h.rendered));
	return 0;
}

static int
list_folders(struct target_git *t, const char *folder, const char ***names, size_t *n, struct err *e)
{
	const char **all;
	size_t count, k = 0;
	int rc = git_edit_list(t->edit, folder, t->mem, &all, &count, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		if (str_ends(all[i], "/"))
			all[k++] = arena_strndup(t->mem, all[i], strlen(all[i]) - 1);
	*names = all;
	*n = k;
	return 0;
}

/* Files (folders when `folders`) directly below `folder` that are not its list. */
static int
drop_entries(struct target_git *t, const char *folder, bool folders, struct err *e)
{
	const char **names;
	size_t n;
	int rc;

	if ((rc = git_edit_list(t->edit, folder, t->work, &names, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);
		bool is_folder = names[i][len - 1] == '/';

		if (is_folder != folders || strcmp(names[i], "kustomization.yaml") == 0)
			continue;
		rc = git_edit_drop(t->edit, arena_printf(t->work, "%s/%.*s", folder, (int)(len - is_folder), names[i]), e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
drop_root_strangers(struct target_git *t, struct err *e)
{
	static const char *const ours[] = { "envs/", "kustomization.yaml", "org/", "teams/", "users/" };
	const char **names;
	size_t n;
	int rc;

	if ((rc = git_edit_list(t->edit, "", t->mem, &names, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		bool known = false;

		for (size_t j = 0; j < sizeof(ours) / sizeof(ours[0]); j++)
			known |= strcmp(names[i], ours[j]) == 0;
		if (!known &&
		    (rc = git_edit_drop(t->edit, arena_strndup(t->mem, names[i], strcspn(names[i], "/")), e)) < 0)
			return rc;
	}
	return 0;
}

/* Entries above the units that nothing of ours explains; before anything is put, since a file may stand where a folder belongs. */
static int
drop_strangers(struct target_git *t, struct err *e)
{
	static const char *const lists[] = { "envs", "teams", "users" };
	const char **owners;
	size_t n;
	int rc;

	if ((rc = drop_root_strangers(t, e)) < 0)
		return rc;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if ((rc = drop_entries(t, lists[i], false, e)) < 0)
			return rc;
	if ((rc = list_folders(t, "envs", &owners, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if ((rc = drop_entries(t, arena_printf(t->mem, "envs/%s", owners[i]), false, e)) < 0)
			return rc;
	return 0;
}

static int
git_begin(struct target *base, struct arena *mem, struct target_view *out, struct err *e)
{
	struct target_git *t = self(base);
	struct source_heads h;
	int rc;

	git_edit_free(t->edit);
	t->edit = NULL;
	map_free(&t->lists);
	t->mem = mem;
	base->changes = (struct target_changes){ 0 };
	memset(&t->view, 0, sizeof(t->view));
	if ((rc = source_heads(t->source, &h, e)) < 0)
		return rc;
	t->has_tip = t->has_base = t->view.exists = h.has_rendered;
	t->restore = false;
	t->tip = h.rendered;
	t->view.moved = t->has_known != h.has_rendered || (t->has_known && !oid_eq(&t->known, &t->tip));
	if (t->has_tip && ((rc = look_at_tip(t, e)) < 0 || (rc = look_at_move(t, e)) < 0))
		return err_wrap(e, "branch " BRANCH_RENDERED);
	if ((rc = git_edit_new(source_git(t->source), t->has_base ? &t->tree : NULL, &t->edit, e)) < 0 ||
	    (t->has_tip && t->view.moved && (rc = drop_strangers(t, e)) < 0))
		return rc;
	*out = t->view;
	return 0;
}

/* -- units ------------------------------------------------------------------------------------------------------ */

/*
 * Folders below `folder`, `depth` levels down, are units. A prefix that names a folder as a whole ("envs/alice/") goes straight
 * into it: looking through all owners once for each owner would be quadratic.
 */
static int
collect_units(struct target_git *t, const char *prefix, const char *folder, int depth, struct unit_list *l, struct err *e)
{
	size_t len = strlen(folder);
	const char **names, *rest = strncmp(prefix, folder, len) == 0 && prefix[len] == '/' ? prefix + len + 1 : "";
	const char *slash = strchr(rest, '/');
	size_t n;
	int rc;

	if (slash && depth > 1)
		return collect_units(t, prefix, arena_printf(t->mem, "%s/%.*s", folder, (int)(slash - rest), rest), depth - 1, l,
		                     e);
	if ((rc = list_folders(t, folder, &names, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(t->mem, "%s/%s", folder, names[i]);

		if (depth == 1)
			unit_add(l, prefix, path);
		else if ((rc = collect_units(t, prefix, path, depth - 1, l, e)) < 0)
			return rc;
	}
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
git_units(struct target *base, const char *prefix, const char ***out, size_t *n, struct err *e)
{
	static const struct {
		const char *folder;
		int depth;
	} places[] = { { "teams", 1 }, { "users", 1 }, { "envs", 2 } };
	struct target_git *t = self(base);
	struct unit_list l = { .mem = t->mem };
	const char **names;
	size_t count;
	int rc;

	if ((rc = git_edit_list(t->edit, "org", t->mem, &names, &count, e)) < 0)
		return rc;
	if (count)
		unit_add(&l, prefix, "org");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t m = strlen(places[i].folder);

		if (strncmp(places[i].folder, prefix, strlen(prefix) < m ? strlen(prefix) : m) != 0)
			continue;
		if ((rc = collect_units(t, prefix, places[i].folder, places[i].depth, &l, e)) < 0)
			return rc;
	}
	if (l.n)
		qsort(l.items, l.n, sizeof(*l.items), by_text);
	*out = l.items;
	*n = l.n;
	return 0;
}

/* The root lists the folders, and each folder its units (envs/ lists "alice/train"). */
static void
touch_lists(struct target_git *t, const char *unit)
{
	const char *slash = strchr(unit, '/');

	(void)map_put(&t->lists, "", NULL);
	if (slash)
		(void)map_put(&t->lists, arena_strndup(t->mem, unit, (size_t)(slash - unit)), NULL);
}

static int
put_object(struct target_git *t, const struct object *o, const char *unit, struct buf *text, bool *changed, struct err *e)
{
	const char *path = arena_printf(t->work, "%s/%s", unit, o->file);
	int rc;

	buf_reset(text);
	object_write(o, text);
	if ((rc = buf_check(text, path, e)) < 0 || (rc = git_edit_put(t->edit, path, text->data, text->len, e)) < 0)
		return rc;
	*changed = rc == 1;
	return 0;
}

/* Is this file what the bundle makes of the folder? */
static bool
belongs(const struct target_git *t, const struct bundle *b, const char *file)
{
	if (strcmp(file, "kustomization.yaml") == 0)
		return true;
	if (strcmp(file, SECRETS_DIGEST) == 0)
		return bundle_has_secrets(b) || t->keep_secrets;
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->objects[i].file, file) == 0)
			return !b->objects[i].nparts || *t->recipient || t->keep_secrets;
	return false;
}

/* Files of the unit that the bundle does not have; *kept gets those that stay. */
static int
drop_stale(struct target_git *t, const struct bundle *b, const char **names, size_t n, bool keep, struct target_change *c,
           struct err *e)
{
	int rc;

	for (size_t i = 0; i < n; i++) {
		bool manifest = str_ends(names[i], ".yaml");

		if (belongs(t, b, names[i]) || (keep && manifest))
			continue;
		rc = git_edit_drop(t->edit, arena_printf(t->work, "%s/%s", b->unit, names[i]), e);
		if (rc < 0)
			return rc;
		c->deleted++;
	}
	return 0;
}

static int
put_kustomization(struct target_git *t, const char *folder, struct buf *text, struct err *e)
{
	const char **names;
	size_t n;
	int rc;

	if ((rc = git_edit_list(t->edit, folder, t->work, &names, &n, e)) < 0)
		return rc;
	buf_reset(text);
	kustomization_write(t->work, names, n, text);
	return git_edit_put(t->edit, arena_printf(t->work, "%s%skustomization.yaml", folder, *folder ? "/" : ""),
	                    buf_cstr(text), text->len, e);
}

static bool
has_name(const char **names, size_t n, const char *name)
{
	return n && bsearch(&name, names, n, sizeof(*names), by_text) != NULL;
}

static void
count(struct target_change *c, bool there, bool changed)
{
	if (there)
		c->changed += changed;
	else
		c->created++;
}

/* The same sealed again is the same bytes, but asking the decryptor is not for nothing: its digests say what has not changed. */
static int
put_secret(struct target_git *t, const struct object *o, const char *unit, struct buf *text, bool *changed, struct err *e)
{
	const char *path = arena_printf(t->work, "%s/%s", unit, o->file);
	int rc;

	buf_reset(text);
	if ((rc = secret_reseal(t->decryptor, o, t->recipient, text, e)) < 0 || (rc = buf_check(text, path, e)) < 0 ||
	    (rc = git_edit_put(t->edit, path, text->data, text->len, e)) < 0)
		return rc;
	*changed = rc == 1;
	return 0;
}

static int
put_secrets(struct target_git *t, const struct bundle *b, const char **names, size_t n, struct target_change *c, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT((size_t)4 << 20);
	const char *path = arena_printf(t->work, "%s/" SECRETS_DIGEST, b->unit);
	int rc, same;

	if (!bundle_has_secrets(b) || t->keep_secrets)
		return 0;
	secrets_digest_write(b, *t->recipient ? t->recipient : NULL, &text);
	if ((rc = buf_check(&text, path, e)) < 0 || (rc = git_edit_put(t->edit, path, text.data, text.len, e)) < 0)
		return rc;
	same = rc == 0;
	count(c, has_name(names, n, SECRETS_DIGEST), !same);
	for (size_t i = 0; i < b->n && *t->recipient; i++) {
		const struct object *o = &b->objects[i];
		bool there = has_name(names, n, o->file), changed;

		if (!o->nparts || (same && there))
			continue;
		if ((rc = put_secret(t, o, b->unit, &text, &changed, e)) < 0) {
			struct err ignored = { 0 };
			int drop = git_edit_drop(t->edit, path, &ignored); /* all are sealed again next time, whatever it was */

			return drop < 0 ? drop : rc == ERR_DENIED ? ERR_INVALID : rc;
		}
		count(c, there, changed);
	}
	return 0;
}

static int
git_put(struct target *base, const struct bundle *b, bool keep_extra, struct err *e)
{
	struct target_git *t = self(base);
	struct target_change c = { 0 };
	struct buf text AUTO_BUF = BUF_INIT((size_t)4 << 20);
	const char **names;
	size_t n;
	int rc;

	arena_reset(t->work);
	/* a unit has no folders, whoever made one */
	if ((t->view.moved && (rc = drop_entries(t, b->unit, true, e)) < 0) ||
	    (rc = git_edit_list(t->edit, b->unit, t->work, &names, &n, e)) < 0)
		return rc;
	c.what = n ? UNIT_CHANGED : UNIT_CREATED;
	if (!n)
		touch_lists(t, b->unit);
	if ((rc = put_secrets(t, b, names, n, &c, e)) < 0)
		return rc;
	for (size_t i = 0; i < b->n; i++) {
		bool changed;

		if (b->objects[i].nparts)
			continue;
		if ((rc = put_object(t, &b->objects[i], b->unit, &text, &changed, e)) < 0)
			return rc;
		count(&c, has_name(names, n, b->objects[i].file), changed);
	}
	if ((rc = drop_stale(t, b, names, n, keep_extra, &c, e)) < 0 || (rc = put_kustomization(t, b->unit, &text, e)) < 0)
		return rc;
	if (!c.created && !c.changed && !c.deleted)
		return 0;
	c.unit = arena_strdup(t->mem, b->unit);
	target_note(base, t->mem, &c);
	return 0;
}

static int
git_drop(struct target *base, const char *unit, struct err *e)
{
	struct target_git *t = self(base);
	struct target_change c = { .unit = str_line(t->mem, unit), .what = UNIT_DELETED };
	const char **names;
	size_t n;
	int rc;

	arena_reset(t->work);
	if ((rc = git_edit_list(t->edit, unit, t->work, &names, &n, e)) < 0)
		return rc;
	if (!n)
		return 0;
	c.deleted = n - has_name(names, n, "kustomization.yaml");
	if ((rc = git_edit_drop(t->edit, unit, e)) < 0)
		return rc;
	touch_lists(t, unit);
	target_note(base, t->mem, &c);
	return 0;
}

static int
git_objects(struct target *base, const char *unit, const char ***out, size_t *n, struct err *e)
{
	struct target_git *t = self(base);
	const char **names, **ids;
	size_t count, k = 0;
	struct oid root = t->tree;
	int rc;

	*n = 0;
	if (!t->has_tip)
		return 0;
	if ((rc = git_edit_list(t->edit, unit, t->mem, &names, &count, e)) < 0)
		return rc;
	ids = arena_array(t->mem, count + 1, sizeof(*ids));
	for (size_t i = 0; i < count; i++) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
		const char *path = arena_printf(mem, "%s/%s", unit, names[i]), *bytes;
		struct report ignored;
		struct value *v;
		size_t len;

		if (strcmp(names[i], "kustomization.yaml") == 0 || strcmp(names[i], SECRETS_DIGEST) == 0 || !str_ends(names[i], ".yaml"))
			continue;
		report_init(&ignored, mem);
		/* the branch is ours, but anybody may have pushed to it: what cannot be read is left out */
		if (git_tree_read(source_git(t->source), &root, path, FILE_OTHER_MAX, mem, &bytes, &len, NULL) < 0 ||
		    yaml_read(mem, path, bytes, len, NULL, &ignored, &v) < 0)
			continue;
		ids[k++] = object_id(t->mem, v);
	}
	qsort(ids, k, sizeof(*ids), by_text);
	*out = ids;
	*n = k;
	return 0;
}

/* -- commit ------------------------------------------------------------------------------------------------------ */

static int
put_lists(struct target_git *t, struct err *e)
{
	static const char *const folders[] = { "envs", "teams", "users", "" };
	struct buf text AUTO_BUF = BUF_INIT((size_t)16 << 20);
	int rc;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		const char **names, **inner;
		size_t n, m, k = 0;

		if (!t->view.moved && !map_has(&t->lists, folders[i]))
			continue;
		if ((rc = git_edit_list(t->edit, folders[i], t->mem, &names, &n, e)) < 0)
			return rc;
		if (strcmp(folders[i], "envs") == 0) {
			/* two levels in one list: an owner's folder has no kustomization of its own */
			const char **all;

			if ((rc = git_units(&t->base, "envs/", &inner, &m, e)) < 0)
				return rc;
			all = arena_array(t->mem, m + 1, sizeof(*all));
			for (; k < m; k++)
				all[k] = arena_printf(t->mem, "%s/", inner[k] + strlen("envs/"));
			names = all;
			n = m;
		}
		for (k = 0; k < n && !str_ends(names[k], "/"); k++)
			;
		if (k == n) { /* nothing left to list */
			const char *path = arena_printf(t->mem, "%s%skustomization.yaml", folders[i],
			                                *folders[i] ? "/" : "");

			if ((rc = git_edit_drop(t->edit, path, e)) < 0)
				return rc;
			continue;
		}
		buf_reset(&text);
		kustomization_write(t->mem, names, n, &text);
		rc = git_edit_put(t->edit,
		                  arena_printf(t->mem, "%s%skustomization.yaml", folders[i], *folders[i] ? "/" : ""),
		                  buf_cstr(&text), text.len, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
write_commit(struct target_git *t, const struct target_reason *why, struct oid *id, struct err *e)
{
	struct buf message AUTO_BUF = BUF_INIT((size_t)1 << 20);
	struct oid tree;
	int rc;

	rendered_message(&t->base.changes, &t->view.drift, why, &message);
	if ((rc = git_edit_write(t->edit, &tree, NULL, e)) < 0 ||
	    (rc = git_commit_write(source_git(t->source), &tree, &t->tip, t->has_tip, buf_cstr(&message), why->time, id, e)) < 0)
		return rc;
	t->tree = tree;
	return 0;
}

static int
git_commit(struct target *base, const struct target_reason *why, bool *wrote, struct err *e)
{
	struct target_git *t = self(base);
	struct oid id;
	int rc;

	*wrote = false;
	if ((rc = put_lists(t, e)) < 0)
		return rc;
	if (t->restore || why->mark || git_edit_changed(t->edit)) {
		if ((rc = write_commit(t, why, &id, e)) < 0 ||
		    (rc = source_publish(t->source, SOURCE_RENDERED, t->has_tip ? &t->tip : NULL, &id, NULL, e)) < 0)
			return err_wrap(e, "branch " BRANCH_RENDERED);
		t->tip = id;
		t->has_tip = true;
		*wrote = true;
	}
	t->known = t->tip;
	t->known_tree = t->tree;
	t->has_known = t->has_tip;
	return 0;
}

static int
git_revision(struct target *base, const char *unit, char out[OID_HEX], struct err *e)
{
	struct target_git *t = self(base);
	struct oid id;
	int rc;

	if (!t->has_tip)
		return err_set(e, ERR_NOTFOUND, "%s: nothing is rendered yet", unit);
	if ((rc = git_edit_find(t->edit, unit, &id, e)) < 0)
		return rc;
	oid_hex(&id, out);
	return 0;
}

static void
git_end(struct target *base)
{
	struct target_git *t = self(base);

	git_edit_free(t->edit);
	t->edit = NULL;
	arena_reset(t->work);
}

static void
git_target_close(struct target *base)
{
	struct target_git *t = self(base);

	git_edit_free(t->edit);
	map_free(&t->lists);
	arena_free(t->work);
	free(t);
}

/* Only who applies the branch and has the recipient's identity can use a sealed Secret, and of those berth knows flux. */
static int
git_settings(struct target *base, const struct value *org, const struct err *no_secrets, struct err *e)
{
	struct target_git *t = self(base);
	const char *recipient = value_as_str(value_at(org, "rendered.recipient"), "");
	bool flux = str_eq(value_as_str(value_at(org, "rendered.consumer"), NULL), "flux");
	uint8_t pk[32];
	int rc = 0;

	t->keep_secrets = no_secrets != NULL;
	if (!flux || no_secrets || !t->decryptor || strlen(recipient) >= sizeof(t->recipient))
		recipient = "";
	if (*recipient && (rc = age_recipient_parse(recipient, strlen(recipient), pk, e)) < 0) {
		(void)err_wrap(e, "berth.yaml: spec.rendered.recipient: Secrets are not written");
		recipient = "";
	}
	(void)snprintf(t->recipient, sizeof(t->recipient), "%s", recipient);
	return rc;
}

static bool
git_delivers(struct target *base)
{
	return *self(base)->recipient != '\0';
}

static const struct target_ops ops = {
	.name = "git",
	.settings = git_settings,
	.delivers = git_delivers,
	.begin = git_begin,
	.moved = git_moved,
	.units = git_units,
	.put = git_put,
	.drop = git_drop,
	.objects = git_objects,
	.commit = git_commit,
	.revision = git_revision,
	.end = git_end,
	.close = git_target_close,
};

struct target *
target_git_new(struct source *s, struct decryptor *d)
{
	struct target_git *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->base.ops = &ops;
	t->work = arena_new((size_t)64 << 20);
	t->source = s;
	t->decryptor = d;
	return &t->base;
}
