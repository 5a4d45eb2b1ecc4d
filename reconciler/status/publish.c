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
#include "status/document.h"
#include "status/kept.h"
#include "status/message.h"
#include "status/pack.h"
#include "status/text.h"

#define FOREIGN_WALK_MAX 1000
#define TRIES 20
#define FLUSH_ARENA ((size_t)1 << 30)
#define REPO_FINDINGS_MAX 50
#define KEY_MAX 256

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
	struct map sets; /* "users/alice" -> why it is not as it should be (malloc'd text) */
	struct map envs; /* "owner/name" -> struct seen * */
	struct map rows; /* path on the branch -> struct row_cache * */
	unsigned pass;
	bool complete, any_waiting, repo_waiting;
	bool has_tip;
	struct oid tip; /* as this process left or last compared it */
	struct arena *repo_mem;
	struct repo_status repo;
	bool has_repo;
	struct kept kept;
	struct map approved_by;  /* names of those whose approvals the next flush tells of */
	size_t napproved;
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
	for (size_t i = 0; map_next(&p->sets, &i, NULL, &v);)
		free(v);
	map_free(&p->sets);
	kept_free(&p->kept);
	map_free(&p->approved_by);
	arena_free(p->repo_mem);
	free(p);
}

/* "alice/train"; false when longer than any that passed validation (61 bytes together). */
static bool
seen_key(char key[KEY_MAX], const char *owner, const char *name)
{
	return snprintf(key, KEY_MAX, "%s/%s", owner, name) < KEY_MAX;
}

static struct seen *
seen_find(struct publisher *p, const char *owner, const char *name)
{
	char key[KEY_MAX];

	return seen_key(key, owner, name) ? map_get(&p->envs, key) : NULL;
}

static struct seen *
seen_of(struct publisher *p, const char *owner, const char *name)
{
	struct seen *s = seen_find(p, owner, name);
	char key[KEY_MAX];

	if (s || !seen_key(key, owner, name))
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

/* A drift that is not on the branch yet must not be forgotten by a later, calmer look. */
static void
keep_drift(struct observation *o, const struct observation *was)
{
	if (was && !o->state.drift_by) {
		o->state.drift_by = was->state.drift_by;
		o->state.drift_what = was->state.drift_what;
	}
}

static void
set_observation(struct seen *s, const struct observation *o)
{
	struct observation next = *o, *was = s->obs;

	keep_drift(&next, was);
	s->obs = observation_pack(&next);
	free(was);
}

void
publish_observe(struct publisher *p, const struct observation *o)
{
	struct seen *s = seen_of(p, o->owner, o->name);

	if (!s)
		return;
	set_observation(s, o);
	s->pass = p->pass;
	mark(p, s);
}

bool
publish_state(struct publisher *p, const char *owner, const char *name, const struct unit_state *state)
{
	struct seen *s = seen_find(p, owner, name);
	struct observation o;

	if (!s || !s->obs)
		return false;
	o = *s->obs;
	observe_state(&o, state);
	keep_drift(&o, s->obs); /* or a calm look would seem to differ */
	if (unit_state_equal(&o.state, &s->obs->state))
		return true;
	set_observation(s, &o);
	mark(p, s);
	return true;
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

		/* one that is being deleted is gone when the target says so */
		if (s->obs && s->obs->state.phase == UNIT_DELETING)
			continue;
		if (s->obs && s->pass != p->pass && (!owners || map_has(owners, s->owner)))
			set_gone(p, s, commit);
	}
	if (!owners)
		p->complete = p->any_waiting = true;
}

void
publish_set(struct publisher *p, const char *unit, const char *error)
{
	char *copy = error ? strdup(error) : NULL, *old = map_get(&p->sets, unit);

	if (error && !copy)
		abort();
	if (str_eq(old, copy)) {
		free(copy);
		return;
	}
	free(copy ? map_put(&p->sets, unit, copy) : map_del(&p->sets, unit));
	p->repo_waiting = p->has_repo;
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

void
publish_file(struct publisher *p, const char *path, const void *bytes, size_t n)
{
	kept_set(&p->kept, path, bytes, n);
}

void
publish_approved(struct publisher *p, const char *path, const void *bytes, size_t n, const char *const *by, size_t nby)
{
	kept_once(&p->kept, path, bytes, n);
	p->napproved++;
	for (size_t i = 0; i < nby; i++)
		(void)map_put(&p->approved_by, by[i], NULL);
}

void
publish_folder(struct publisher *p, const char *folder)
{
	kept_sweep(&p->kept, folder);
}

bool
publish_waiting(const struct publisher *p)
{
	return p->any_waiting || p->repo_waiting || p->kept.waiting;
}

static void
mark_all(struct publisher *p)
{
	void *v;

	for (size_t i = 0; map_next(&p->envs, &i, NULL, &v);)
		mark(p, v);
	kept_mark_all(&p->kept);
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
	struct value *v;
	struct oid id;

	return f->has_base && git_edit_find(f->edit, path, &id, NULL) >= 0 && status_read_blob(f->git, &id, path, mem, &v, NULL) == 0 ? v : NULL;
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
	const char *path = status_path(mem, s->owner, s->name);
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
	const char *unit;
	void *error;

	value_set(m, v, "apiVersion", value_str(m, "berth.dev/v1"));
	value_set(m, v, "kind", value_str(m, "RepositoryStatus"));
	value_set(m, v, "reason", value_str(m, r->reason));
	if (r->message)
		value_set(m, v, "message", value_str(m, r->message));
	if (r->approvals)
		value_set(m, v, "approvals", value_str(m, r->approvals));
	for (size_t i = 0; i < r->nfindings; i++)
		value_push(m, list, value_str(m, r->findings[i]));
	for (size_t i = 0; value_len(list) < REPO_FINDINGS_MAX && map_next(&f->p->sets, &i, &unit, &error);)
		value_push(m, list, value_str(m, text_line(m, arena_printf(m, "%s: %s", unit, (const char *)error))));
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
	old = read_old(f, f->mem, STATUS_REPO);
	next = repo_value(f, old);
	if (!next)
		return 0;
	f->msg.repo = value_as_str(value_get(next, "reason"), "");
	return put_doc(f, STATUS_REPO, next, e);
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
	struct status_row r;
	struct value *v;

	if (status_read_blob(f->git, c->new_id, c->path, mem, &v, NULL) < 0 || !v)
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
	if (!status_is_path(c->path))
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
	struct value *repo;
	struct oid tree;
	int rc;

	if ((rc = git_edit_write(f->edit, &tree, NULL, e)) < 0 ||
	    (rc = git_tree_diff(f->git, NULL, &tree, 0, row_visit, &l, e)) < 0)
		return rc;
	if (status_read_tree(f->git, &tree, STATUS_REPO, f->mem, &repo, NULL) < 0)
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

	f->msg.approved = f->p->napproved;
	f->msg.by = &f->p->approved_by;
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
	if ((rc = flush_repo(f, e)) < 0 || (f->p->complete && (rc = drop_unknown(f, e)) < 0) ||
	    (rc = kept_flush(&f->p->kept, f->edit, f->mem, &f->msg.files, e)) < 0)
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
	kept_settle(&p->kept);
	map_free(&p->approved_by);
	p->napproved = 0;
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
