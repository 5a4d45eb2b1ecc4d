/* SPDX-License-Identifier: Apache-2.0 */
/* Between what took effect and what everybody can read of it. */
#include "reconcile_audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "repo/approval_record.h"

#define UNTOLD_MAX 100000          /* files that wait in the state folder */
#define KEPT_MAX ((size_t)64 << 20) /* bytes of approvals taken from the status branch */
#define DELETE_MAX 20              /* refs at once: each is a push to a remote */

/* A used approval behind a ref. */
struct used {
	struct oid commit;
	struct digest changes;
	size_t nsig;
	char sig[];
};

/* An approval of the status branch: its text, then its signature. */
struct kept_approval {
	size_t n, nsig;
	char bytes[];
};

struct audit {
	struct source *source;
	struct publisher *publisher;
	char *folder;              /* of what is not told yet */
	struct map untold;         /* path on the status branch -> NULL */
	struct map used;           /* ref -> struct used * */
	struct map read;           /* names of records whose approvals have been taken */
	struct kept_approval **kept;
	size_t nkept, kept_cap, kept_bytes;
	struct oid tidied, records; /* status tip looked at last; the tree of records read last */
	bool loaded, cannot_delete;
};

struct audit *
audit_new(struct source *s, struct publisher *p, const char *state_dir)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (!a || asprintf(&a->folder, "%s/untold", state_dir) < 0)
		abort();
	a->source = s;
	a->publisher = p;
	return a;
}

static void
free_map(struct map *m)
{
	void *v;

	for (size_t i = 0; map_next(m, &i, NULL, &v);)
		free(v);
	map_free(m);
}

void
audit_free(struct audit *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->nkept; i++)
		free(a->kept[i]);
	free(a->kept);
	map_free(&a->untold);
	free_map(&a->used);
	map_free(&a->read);
	free(a->folder);
	free(a);
}

/* -- telling ------------------------------------------------------------------------------------------------------------------------ */

/* One file a record; a slash of its path is a plus sign in its name. */
static const char *
untold_file(const struct audit *a, struct arena *mem, const char *path)
{
	char *name = arena_printf(mem, "%s/%s", a->folder, path);

	for (char *p = name + strlen(a->folder) + 1; *p; p++)
		if (*p == '/')
			*p = '+';
	return name;
}

/* The folder of records on the status branch, as it stands there now. */
static bool
records_of(struct audit *a, struct oid *tip, struct oid *tree)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)4 << 20);
	struct git_repo *g = source_git(a->source);
	struct git_commit_info c;
	struct source_heads h;

	if (source_heads(a->source, &h, NULL) < 0 || !h.has_status || git_commit_read(g, &h.status, mem, &c, NULL) < 0)
		return false;
	*tip = h.status;
	return git_tree_find(g, &c.tree, RECORD_FOLDER, tree, NULL, NULL) == 0;
}

int
audit_load(struct audit *a, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)256 << 20);
	const char **names;
	unsigned int *modes;
	struct oid tip, tree;
	bool has;
	size_t n;
	int rc;

	if (a->loaded)
		return 0;
	has = records_of(a, &tip, &tree);
	if ((rc = fs_mkdirs(a->folder, e)) < 0 || (rc = fs_list(a->folder, UNTOLD_MAX, mem, &names, &modes, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		struct arena *AUTO_ARENA tmp = arena_new(2 * RECORD_MAX);
		char *path = arena_strdup(mem, names[i]), *bytes;
		struct approval_record r;
		size_t len;

		if (!str_starts(path, RECORD_FOLDER "+") || !str_ends(path, ".txt")) { /* half a file of a write that was cut off */
			if (str_starts(path, RECORD_FOLDER "+"))
				(void)unlink(arena_printf(tmp, "%s/%s", a->folder, path));
			continue;
		}
		if ((rc = fs_read(arena_printf(tmp, "%s/%s", a->folder, path), RECORD_MAX, tmp, &bytes, &len, e)) < 0)
			return rc;
		for (char *p = path; *p; p++)
			if (*p == '+')
				*p = '/';
		if (has && git_tree_find(source_git(a->source), &tree, path + strlen(RECORD_FOLDER "/"), &tip, NULL, NULL) == 0) {
			(void)unlink(untold_file(a, tmp, path)); /* told before the end came */
			continue;
		}
		if (record_read(bytes, len, tmp, &r, e) < 0)
			return err_wrap(e, "%s/%s", a->folder, names[i]);
		publish_approved(a->publisher, path, bytes, len, r.by, r.nby);
		(void)map_put(&a->untold, path, NULL);
	}
	a->loaded = true;
	return 0;
}

int
audit_tell(struct audit *a, const struct approved *d, int64_t now, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 20);
	struct buf text AUTO_BUF = BUF_INIT(RECORD_MAX);
	const char *path = record_path(d, now, mem);
	int rc;

	record_write(d, now, &text);
	if ((rc = buf_check(&text, "the record of an approved change", e)) < 0 ||
	    (rc = fs_write_atomic(untold_file(a, mem, path), buf_cstr(&text), text.len, 0644, e)) < 0)
		return rc;
	publish_approved(a->publisher, path, buf_cstr(&text), text.len, d->voices, d->nvoices);
	(void)map_put(&a->untold, path, NULL);
	return 0;
}

/* -- tidying up --------------------------------------------------------------------------------------------------------------------------- */

void
audit_used(struct audit *a, const struct evidence *list, size_t n, const struct proof *t)
{
	free_map(&a->used);
	for (size_t i = 0; i < n; i++) {
		const struct evidence *v = &list[i];
		char key[EVIDENCE_KEY];
		struct used *u;

		evidence_key(v, key);
		if (!v->ref || oid_zero(&v->commit) || !proof_used(t, key))
			continue;
		u = malloc(sizeof(*u) + v->sig_len);
		if (!u)
			abort();
		*u = (struct used){ v->commit, v->approval.changes.digest, v->sig_len };
		memcpy(u->sig, v->sig_text, v->sig_len);
		free(map_put(&a->used, v->ref, u));
	}
	a->tidied = (struct oid){ { 0 } };
}

static bool
record_has(const struct files *f, const struct file_entry *entry, const struct used *u)
{
	struct arena *AUTO_ARENA mem = arena_new(2 * RECORD_MAX);
	struct approval_record r;
	const char *bytes;
	size_t len;

	if (f->read(f->ctx, entry, RECORD_MAX, mem, &bytes, &len, NULL) < 0 || record_read(bytes, len, mem, &r, NULL) < 0)
		return false;
	for (size_t i = 0; i < r.nevidence; i++)
		if (r.evidence[i].sig_len == u->nsig && memcmp(r.evidence[i].sig, u->sig, u->nsig) == 0)
			return true;
	return false;
}

static bool
is_told(const struct files *f, const struct used *u)
{
	for (size_t i = 0; i < f->n; i++) {
		const char *slash = strrchr(f->entries[i].path, '/');

		if (slash && record_names_changes(slash + 1, &u->changes) && record_has(f, &f->entries[i], u))
			return true;
	}
	return false;
}

static bool
forget_used(struct audit *a, const struct files *f, struct buf *note)
{
	size_t tries = 0;
	bool any = false;
	const char *ref;
	void *v;

	for (size_t i = 0; tries < DELETE_MAX && map_next(&a->used, &i, &ref, &v);) {
		const struct used *u = v;
		struct err e = { 0 };
		int rc;

		if (!is_told(f, u))
			continue;
		tries++;
		rc = source_forget_approval(a->source, ref, &u->commit, &e);
		if (rc == ERR_DENIED) {
			a->cannot_delete = true;
			buf_printf(note, "approvals that had their effect stay behind " APPROVAL_REFS ": %s", e.text);
			return any;
		}
		if (rc < 0 && rc != ERR_CONFLICT)
			return any; /* the next commit of the status branch is early enough */
		any |= rc == 0;
		(void)map_del(&a->used, ref);
		free(v);
	}
	return any;
}

bool
audit_tidy(struct audit *a, struct buf *note)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct source_heads h;
	struct oid tip, tree;
	struct files files;
	const char *path;

	if ((!a->untold.live && (!a->used.live || a->cannot_delete)) || source_heads(a->source, &h, NULL) < 0 || !h.has_status ||
	    oid_eq(&h.status, &a->tidied))
		return false;
	a->tidied = h.status;
	if (!records_of(a, &tip, &tree) || git_files(source_git(a->source), &tree, mem, &files, NULL) < 0)
		return false;
	for (size_t i = 0; map_next(&a->untold, &i, &path, NULL);)
		if (files_find(&files, path + strlen(RECORD_FOLDER "/"))) {
			(void)unlink(untold_file(a, mem, path));
			(void)map_del(&a->untold, path);
		}
	return !a->cannot_delete && forget_used(a, &files, note);
}

/* -- what only the status branch has ------------------------------------------------------------------------------------------------------ */

static void
keep(struct audit *a, const struct record_evidence *v)
{
	size_t n = v->len + v->sig_len;
	struct kept_approval *k;

	if (!v->sig_len) /* a forge's word, and who writes that branch is not the one who asked it */
		return;
	if (v->len > APPROVAL_MAX || v->sig_len > SSHSIG_TEXT_MAX || a->kept_bytes + n > KEPT_MAX)
		return;
	if (a->nkept == a->kept_cap) {
		a->kept_cap = a->kept_cap ? 2 * a->kept_cap : 16;
		a->kept = reallocarray(a->kept, a->kept_cap, sizeof(struct kept_approval *));
		if (!a->kept)
			abort();
	}
	if (!(k = malloc(sizeof(*k) + n)))
		abort();
	*k = (struct kept_approval){ v->len, v->sig_len };
	memcpy(k->bytes, v->text, n); /* the signature stands behind the text */
	a->kept[a->nkept++] = k;
	a->kept_bytes += n;
}

bool
audit_more(struct audit *a)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20), *AUTO_ARENA one = arena_new(2 * RECORD_MAX);
	size_t before = a->nkept;
	struct oid tip, tree;
	struct files files;

	if (!records_of(a, &tip, &tree) || oid_eq(&tree, &a->records) || git_files(source_git(a->source), &tree, mem, &files, NULL) < 0)
		return false;
	a->records = tree;
	for (size_t i = 0; i < files.n; i++) {
		struct approval_record r;
		const char *bytes;
		size_t len;

		if (map_has(&a->read, files.entries[i].path))
			continue;
		(void)map_put(&a->read, files.entries[i].path, NULL);
		arena_reset(one);
		if (files.read(files.ctx, &files.entries[i], RECORD_MAX, one, &bytes, &len, NULL) < 0 || record_read(bytes, len, one, &r, NULL) < 0)
			continue;
		for (size_t k = 0; k < r.nevidence; k++)
			keep(a, &r.evidence[k]);
	}
	return a->nkept > before;
}

static void
drop_kept(struct audit *a, size_t i)
{
	a->kept_bytes -= a->kept[i]->n + a->kept[i]->nsig;
	free(a->kept[i]);
	a->kept[i] = a->kept[--a->nkept];
}

void
audit_join(struct audit *a, const struct proof *t, const char *ref, struct arena *mem, struct evidence **list, size_t *n)
{
	struct evidence *all;
	size_t have = *n;

	if (!a->nkept)
		return;
	all = arena_array(mem, *n + a->nkept, sizeof(*all));
	if (*n)
		memcpy(all, *list, *n * sizeof(*all));
	for (size_t i = 0; i < a->nkept;) {
		const struct kept_approval *k = a->kept[i];
		struct evidence *v = &all[have];
		char key[EVIDENCE_KEY];

		const char *bytes = arena_memdup(mem, k->bytes, k->n + k->nsig);

		if (evidence_read(bytes, k->n, bytes + k->n, k->nsig, mem, v, NULL) < 0 || !oid_eq(&v->approval.anchor, &t->anchor) ||
		    !str_eq(v->approval.ref, ref)) {
			drop_kept(a, i);
			continue;
		}
		evidence_key(v, key);
		if (proof_used(t, key)) {
			drop_kept(a, i);
			continue;
		}
		i++;
		have++;
	}
	*list = all;
	*n = have;
}
