/* SPDX-License-Identifier: Apache-2.0 */
/* Observations in memory, transitions on the status branch. */
#include "status/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "status/message.h"

#define FOREIGN_WALK_MAX 1000
#define TRIES 20
#define FLUSH_ARENA ((size_t)1 << 30)
#define REPO_FINDINGS_MAX 50

/* What is known of one environment. */
struct seen {
	struct observation *obs; /* NULL: gone */
	bool waiting;
	unsigned pass;       /* that observed it last */
	struct oid gone_at;  /* main's commit without it */
	char *owner, *name;
};

struct publisher {
	struct publish_config c;
	struct map envs; /* "owner/name" -> struct seen * */
	struct map rows; /* path on the branch -> struct row_cache * */
	unsigned pass;
	bool complete, any_waiting, repo_waiting;
	bool has_tip;
	struct oid tip; /* as this process left or last compared it */
	struct arena *repo_mem;
	struct repo_status repo;
	bool has_repo;
};

struct publisher *
publisher_new(const struct publish_config *c)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->c = *c;
	return p;
}

static void
seen_free(struct seen *s)
{
	if (!s)
		return;
	free(s->obs);
	free(s->owner);
	free(s->name);
	free(s);
}

void
publisher_free(struct publisher *p)
{
	void *v;

	if (!p)
		return;
	for (size_t i = 0; map_next(&p->envs, &i, NULL, &v);)
		seen_free(v);
	map_free(&p->envs);
	for (size_t i = 0; map_next(&p->rows, &i, NULL, &v);)
		free(v);
	map_free(&p->rows);
	arena_free(p->repo_mem);
	free(p);
}

/* -- one observation in one block: a hundred thousand of them must stay small ------------------------------------ */

struct packer {
	char *at; /* NULL while measuring */
	size_t need;
};

static const char *
pack_str(struct packer *k, const char *s)
{
	size_t n;
	char *at = k->at;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	k->need += n;
	if (!at)
		return s;
	memcpy(at, s, n);
	k->at += n;
	return at;
}

static void
pack_list(struct packer *k, const char **slots, const char *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *s = pack_str(k, items[i]);

		if (slots)
			slots[i] = s;
	}
}

static struct observation *
observation_pack(const struct observation *o)
{
	size_t nptr = o->nobjects + o->nlater + o->nfindings;
	struct packer k = { 0 };
	struct observation *c = NULL;
	const char **slots;

	for (int pass = 0; pass < 2; pass++) {
		struct observation copy = *o;

		slots = NULL;
		if (pass == 1) {
			c = malloc(sizeof(*c) + nptr * sizeof(char *) + k.need);
			if (!c)
				abort();
			slots = (const char **)(void *)(c + 1);
			k.at = (char *)(slots + nptr);
		}
		copy.owner = pack_str(&k, o->owner);
		copy.name = pack_str(&k, o->name);
		copy.path = pack_str(&k, o->path);
		copy.revision = pack_str(&k, o->revision);
		copy.access_ssh = pack_str(&k, o->access_ssh);
		copy.access_web = pack_str(&k, o->access_web);
		copy.message = pack_str(&k, o->message);
		copy.approval = pack_str(&k, o->approval);
		pack_list(&k, slots, o->objects, o->nobjects);
		pack_list(&k, slots ? slots + o->nobjects : NULL, o->later, o->nlater);
		pack_list(&k, slots ? slots + o->nobjects + o->nlater : NULL, o->findings, o->nfindings);
		if (pass == 1) {
			copy.objects = slots;
			copy.later = slots + o->nobjects;
			copy.findings = slots + o->nobjects + o->nlater;
			*c = copy;
		}
	}
	return c;
}

static struct seen *
seen_of(struct publisher *p, const char *owner, const char *name)
{
	char key[256];
	struct seen *s;

	if (snprintf(key, sizeof(key), "%s/%s", owner, name) >= (int)sizeof(key))
		return NULL; /* names are at most 61 together; a longer one never passed validation */
	s = map_get(&p->envs, key);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s || !(s->owner = strdup(owner)) || !(s->name = strdup(name)))
		abort();
	(void)map_put(&p->envs, key, s);
	return s;
}

static void
mark(struct publisher *p, struct seen *s)
{
	s->waiting = true;
	p->any_waiting = true;
}

void
publish_observe(struct publisher *p, const struct observation *o)
{
	struct seen *s = seen_of(p, o->owner, o->name);

	if (!s)
		return;
	free(s->obs);
	s->obs = observation_pack(o);
	s->pass = p->pass;
	mark(p, s);
}

static void
set_gone(struct publisher *p, struct seen *s, const struct oid *commit)
{
	free(s->obs);
	s->obs = NULL;
	s->gone_at = *commit;
	mark(p, s);
}

void
publish_gone(struct publisher *p, const char *owner, const char *name, const struct oid *commit)
{
	struct seen *s = seen_of(p, owner, name);

	if (s)
		set_gone(p, s, commit);
}

void
publish_begin(struct publisher *p)
{
	p->pass++;
}

void
publish_sweep(struct publisher *p, const struct map *owners, const struct oid *commit)
{
	void *v;

	for (size_t i = 0; map_next(&p->envs, &i, NULL, &v);) {
		struct seen *s = v;

		if (s->obs && s->pass != p->pass && (!owners || map_has(owners, s->owner)))
			set_gone(p, s, commit);
	}
	if (!owners)
		p->complete = p->any_waiting = true;
}

void
publish_repo(struct publisher *p, const struct repo_status *r)
{
	struct arena *mem = arena_new((size_t)4 << 20);
	struct repo_status c = *r;
	const char **list = arena_array(mem, REPO_FINDINGS_MAX, sizeof(*list));

	c.nfindings = 0;
	for (size_t i = 0; i < r->nfindings && i < REPO_FINDINGS_MAX; i++)
		list[c.nfindings++] = arena_strdup(mem, r->findings[i]);
	c.findings = list;
	c.reason = arena_strdup(mem, r->reason);
	c.message = r->message ? arena_strdup(mem, r->message) : NULL;
	c.drift_by = r->drift_by ? arena_strdup(mem, r->drift_by) : NULL;
	c.drift_commit = r->drift_commit ? arena_strdup(mem, r->drift_commit) : NULL;
	c.approvals = r->approvals ? arena_strdup(mem, r->approvals) : NULL;
	/* a drift that is not on the branch yet must not be forgotten by a later, calmer pass */
	if (p->repo_waiting && !c.drift_by && p->repo.drift_by) {
		c.drift_by = arena_strdup(mem, p->repo.drift_by);
		c.drift_commit = arena_strdup(mem, p->repo.drift_commit);
	}
	arena_free(p->repo_mem);
	p->repo_mem = mem;
	p->repo = c;
	p->has_repo = p->repo_waiting = true;
}

bool
publish_waiting(const struct publisher *p)
{
	return p->any_waiting || p->repo_waiting;
}

static void
mark_all(struct publisher *p)
{
	void *v;

	for (size_t i = 0; map_next(&p->envs, &i, NULL, &v);)
		mark(p, v);
	p->repo_waiting = p->has_repo;
	p->any_waiting = true;
}

bool
publish_check_tip(struct publisher *p, bool has_tip, const struct oid *tip)
{
	if (has_tip == p->has_tip && (!has_tip || oid_eq(tip, &p->tip)))
		return false;
	mark_all(p);
	return true;
}

/* -- flush ------------------------------------------------------------------------------------------------------- */

struct flush {
	struct publisher *p;
	struct arena *mem;
	struct git_repo *git;
	struct git_edit *edit;
	bool has_tip, has_base, restore; /* restore: the tip's tree cannot be read, what stood before it is put back */
	struct oid tip, tree;
	struct status_message msg;
	int64_t now;
};

/* A document of the branch as it stands; NULL when missing or not readable (then it is written anew). */
static struct value *
read_old(struct flush *f, struct arena *mem, const char *path)
{
	struct report ignored;
	struct value *v;
	const char *bytes;
	struct oid id;
	size_t len;

	report_init(&ignored, mem);
	if (!f->has_base || git_edit_find(f->edit, path, &id, NULL) < 0 ||
	    git_blob_read(f->git, &id, FILE_DOC_MAX, mem, &bytes, &len, NULL) < 0 ||
	    yaml_read(mem, path, bytes, len, NULL, &ignored, &v) < 0 || v->type != VALUE_MAP)
		return NULL;
	return v;
}

static int
put_doc(struct flush *f, const char *path, const struct value *v, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT(FILE_DOC_MAX);
	int rc;

	yaml_write(v, &text);
	if ((rc = buf_check(&text, path, e)) < 0)
		return rc;
	return git_edit_put(f->edit, path, text.data, text.len, e);
}

/* "Rendered", or "Rendered GuardHeld" when a newer spec waits beside it. */
static const char *
status_word(struct arena *mem, const struct value *status)
{
	const char *reason = value_as_str(value_at(status, "pending.reason"), "");

	return arena_printf(mem, "%s%s%s", phase_name(status_phase(status)), *reason ? " " : "", reason);
}

static int
flush_env(struct flush *f, const struct seen *s, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20); /* documents of ten thousand must not add up */
	const char *path = arena_printf(mem, "envs/%s/%s.yaml", s->owner, s->name);
	struct value *old = read_old(f, mem, path), *next;
	const char *from = old ? phase_name(status_phase(old)) : "None";
	int rc;

	if (!s->obs) {
		if (!old)
			return 0;
		status_message_add(&f->msg, s->owner, s->name, from, "Gone", &s->gone_at);
		return git_edit_drop(f->edit, path, e);
	}
	next = status_next(mem, old, s->obs, f->now);
	if (old && value_equal(old, next))
		return 0;
	if ((rc = put_doc(f, path, next, e)) < 0)
		return rc;
	status_message_add(&f->msg, s->owner, s->name, from, status_word(f->mem, next), &s->obs->commit);
	return 0;
}

static struct value *
repo_value(struct flush *f, const struct value *old)
{
	const struct repo_status *r = &f->p->repo;
	struct arena *m = f->mem;
	struct value *v = value_map(m), *list = value_list(m), *drift = value_map(m), *was;
	char text[OID_HEX > RFC3339_LEN ? OID_HEX : RFC3339_LEN];

	value_set(m, v, "apiVersion", value_str(m, "berth.dev/v1"));
	value_set(m, v, "kind", value_str(m, "RepositoryStatus"));
	value_set(m, v, "reason", value_str(m, r->reason));
	if (r->message)
		value_set(m, v, "message", value_str(m, r->message));
	if (r->approvals)
		value_set(m, v, "approvals", value_str(m, r->approvals));
	for (size_t i = 0; i < r->nfindings; i++)
		value_push(m, list, value_str(m, r->findings[i]));
	if (value_len(list))
		value_set(m, v, "findings", list);
	was = value_get(old, "drift");
	if (r->drift_by) {
		value_set(m, drift, "by", value_str(m, r->drift_by));
		value_set(m, drift, "commit", value_str(m, r->drift_commit));
		clock_rfc3339(f->now, text);
		value_set(m, drift, "restored", value_str(m, text));
		if (!was || !value_equal(value_get(was, "commit"), value_get(drift, "commit")))
			was = drift;
	}
	if (was)
		value_set(m, v, "drift", was);
	/* from here on what may differ without being a change */
	if (old) {
		struct value *same = value_copy(m, old);

		(void)value_del(same, "commit");
		(void)value_del(same, "since");
		if (value_equal(same, v))
			return NULL;
	}
	oid_hex(&r->commit, text);
	value_set(m, v, "commit", value_str(m, text));
	clock_rfc3339(f->now, text);
	value_set(m, v, "since", value_str(m, text));
	return v;
}

static int
flush_repo(struct flush *f, struct err *e)
{
	struct value *old, *next;

	if (!f->p->has_repo)
		return 0;
	old = read_old(f, f->mem, "repo.yaml");
	next = repo_value(f, old);
	if (!next)
		return 0;
	f->msg.repo = value_as_str(value_get(next, "reason"), "");
	return put_doc(f, "repo.yaml", next, e);
}

/* Files of environments that nobody has heard of. */
static int
drop_unknown(struct flush *f, struct err *e)
{
	const char **owners, **names;
	size_t n, m;
	int rc;

	if ((rc = git_edit_list(f->edit, "envs", f->mem, &owners, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *folder = arena_printf(f->mem, "envs/%.*s", (int)strcspn(owners[i], "/"), owners[i]);

		if ((rc = git_edit_list(f->edit, folder, f->mem, &names, &m, e)) < 0)
			return rc;
		for (size_t j = 0; j < m; j++) {
			size_t len = strcspn(names[j], "/"); /* a folder is nobody's status, but somebody may have pushed one */
			char *key = arena_printf(f->mem, "%s/%.*s", folder + 5, (int)(len > 5 ? len - 5 : len), names[j]);
			struct seen *s = map_get(&f->p->envs, key);

			if (s && s->obs && str_ends(names[j], ".yaml"))
				continue;
			if (!s)
				status_message_add(&f->msg, folder + 5, key + strlen(folder + 5) + 1, "Unknown", "Gone", NULL);
			if ((rc = git_edit_drop(f->edit, arena_printf(f->mem, "%s/%.*s", folder, (int)len, names[j]), e)) < 0)
				return rc;
		}
	}
	return 0;
}

/* -- README.md ---------------------------------------------------------------------------------------------------- */

struct row_list {
	struct flush *f;
	struct status_row *items;
	size_t n, cap;
};

/* A row of the table, kept for as long as its file does not change; its texts stand behind it in the same block. */
struct row_cache {
	struct oid id;
	struct status_row row;
};

/* Only what a row shows is copied: the parsed document goes at once. */
static struct row_cache *
row_read(struct flush *f, const struct git_change *c)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct row_cache *row = NULL;
	struct packer k = { 0 };
	struct report ignored;
	struct status_row r;
	struct value *v;
	const char *bytes;
	size_t len;

	report_init(&ignored, mem);
	if (git_blob_read(f->git, c->new_id, FILE_DOC_MAX, mem, &bytes, &len, NULL) < 0 ||
	    yaml_read(mem, c->path, bytes, len, NULL, &ignored, &v) < 0)
		return NULL;
	status_row_of(v, &r);
	for (int pass = 0; pass < 2; pass++) {
		const char **texts[] = { &r.owner, &r.name, &r.commit, &r.reason, &r.message };

		if (pass == 1) {
			row = malloc(sizeof(*row) + k.need);
			if (!row)
				abort();
			k.at = (char *)(row + 1);
		}
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			*texts[i] = pack_str(&k, *texts[i]);
	}
	row->id = *c->new_id;
	row->row = r;
	return row;
}

static int
row_visit(void *ctx, const struct git_change *c, struct err *e)
{
	struct row_list *l = ctx;
	struct row_cache *row;

	(void)e;
	if (!str_starts(c->path, "envs/") || !str_ends(c->path, ".yaml"))
		return 0;
	row = map_get(&l->f->p->rows, c->path);
	if (!row || !oid_eq(&row->id, c->new_id)) {
		if (!(row = row_read(l->f, c)))
			return 0;
		free(map_put(&l->f->p->rows, c->path, row));
	}
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 128;
		l->items = arena_regrow(l->f->mem, l->items, l->n, l->cap, sizeof(*l->items));
	}
	l->items[l->n++] = row->row;
	return 0;
}

/* The table shows what the branch will say, so it is made from the tree as edited. */
static int
put_readme(struct flush *f, struct err *e)
{
	struct row_list l = { .f = f };
	struct buf text AUTO_BUF = BUF_INIT((size_t)4 << 20);
	struct value *repo = NULL;
	struct report ignored;
	const char *bytes;
	struct oid tree, id;
	size_t len;
	int rc;

	if ((rc = git_edit_write(f->edit, &tree, NULL, e)) < 0 ||
	    (rc = git_tree_diff(f->git, NULL, &tree, 0, row_visit, &l, e)) < 0)
		return rc;
	report_init(&ignored, f->mem);
	if (git_tree_find(f->git, &tree, "repo.yaml", &id, NULL, NULL) == 0 &&
	    git_blob_read(f->git, &id, FILE_DOC_MAX, f->mem, &bytes, &len, NULL) == 0 &&
	    yaml_read(f->mem, "repo.yaml", bytes, len, NULL, &ignored, &repo) < 0)
		repo = NULL;
	status_table(l.items, l.n, repo, &text);
	if ((rc = buf_check(&text, "README.md", e)) < 0)
		return rc;
	return git_edit_put(f->edit, "README.md", text.data, text.len, e);
}

static int
flush_commit(struct flush *f, struct oid *id, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT((size_t)1 << 20);
	struct oid tree;
	int rc;

	status_message_write(&f->msg, f->p->c.run, f->p->c.reconciler, &text);
	if ((rc = put_readme(f, e)) < 0 || (rc = git_edit_write(f->edit, &tree, NULL, e)) < 0 ||
	    (rc = git_commit_write(f->git, &tree, &f->tip, f->has_tip, buf_cstr(&text), f->now, id, e)) < 0)
		return rc;
	return source_publish(f->p->c.source, SOURCE_STATUS, f->has_tip ? &f->tip : NULL, id, NULL, e);
}

/* The tree to go on from: the tip's, or in need the last that berth wrote. */
static int
find_base(struct flush *f, struct err *e)
{
	struct git_commit_info c = { .nparents = 0 };
	struct oid at = f->tip;

	for (int i = 0; i < FOREIGN_WALK_MAX; i++) {
		int rc = git_commit_read(f->git, &at, f->mem, &c, e);

		if (rc < 0)
			return rc == ERR_INVALID && f->restore ? 0 : rc;
		f->has_base = !f->restore || str_eq(c.committer_email, "berth@localhost");
		f->tree = c.tree;
		if (f->has_base || !c.nparents)
			break;
		at = c.parents[0];
	}
	return 0;
}

static int
flush_begin(struct flush *f, struct err *e)
{
	struct source_heads h;
	int rc;

	if ((rc = source_heads(f->p->c.source, &h, e)) < 0)
		return rc;
	(void)publish_check_tip(f->p, h.has_status, &h.status);
	f->has_tip = h.has_status;
	f->tip = h.status;
	if (f->has_tip && (rc = find_base(f, e)) < 0)
		return rc;
	return git_edit_new(f->git, f->has_base ? &f->tree : NULL, &f->edit, e);
}

static int
flush_once(struct flush *f, struct err *e)
{
	struct oid id = { { 0 } };
	void *v;
	int rc;

	if ((rc = flush_begin(f, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&f->p->envs, &i, NULL, &v);)
		if (((struct seen *)v)->waiting && (rc = flush_env(f, v, e)) < 0)
			return rc;
	if ((rc = flush_repo(f, e)) < 0 || (f->p->complete && (rc = drop_unknown(f, e)) < 0))
		return rc;
	if (f->restore || git_edit_changed(f->edit)) {
		if ((rc = flush_commit(f, &id, e)) < 0)
			return rc;
		f->tip = id;
		f->has_tip = true;
	}
	f->p->has_tip = f->has_tip;
	f->p->tip = f->tip;
	return 0;
}

static void
settle(struct publisher *p)
{
	const char *key;
	void *v;

	for (size_t i = 0; map_next(&p->envs, &i, &key, &v);) {
		struct seen *s = v;

		s->waiting = false;
		if (!s->obs) {
			(void)map_del(&p->envs, key);
			seen_free(s);
		}
	}
	p->any_waiting = p->repo_waiting = p->complete = false;
	p->repo.drift_by = p->repo.drift_commit = NULL;
}

int
publish_flush(struct publisher *p, int64_t now, size_t *transitions, struct err *e)
{
	bool restore = false;
	int rc = 0;

	for (int i = 0; i < TRIES; i++) {
		struct arena *AUTO_ARENA mem = arena_new(FLUSH_ARENA);
		struct flush f = { .p = p, .mem = mem, .git = source_git(p->c.source), .now = now, .restore = restore };
		bool moved;

		status_message_init(&f.msg, mem);
		rc = flush_once(&f, e);
		git_edit_free(f.edit);
		if (rc == 0) {
			*transitions = f.msg.n;
			settle(p);
			return 0;
		}
		if (rc == ERR_INVALID && !restore) {
			restore = true;
			continue;
		}
		if (rc != ERR_CONFLICT)
			break;
		clock_sleep_ms(5 + i);
		if ((rc = source_poll(p->c.source, &moved, e)) < 0)
			break;
		rc = ERR_CONFLICT;
	}
	return err_wrap(e, "branch " BRANCH_STATUS);
}
