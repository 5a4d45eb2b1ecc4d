/* SPDX-License-Identifier: Apache-2.0 */
/* The source repository: heads, polling, publishing, the memory of what was adopted. */
#include "repo/source.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/git/heads.h"
#include "lib/git/remote.h"

#define DEADLINE_MS 60000

enum { REF_RENDERED, REF_STATUS, REF_MAIN, REF_COUNT }; /* outputs first */

struct source {
	struct arena *mem;
	struct git_repo *git;
	struct source_config c;
	bool local;
	const char *name;
	const char *remote_ref[REF_COUNT]; /* on the server */
	const char *local_ref[REF_COUNT];  /* where they stand in `git` */
	const char *adopted_path;
	bool approvals;                    /* are brought, too */
	bool told;                         /* the status branch was published since the last poll: what stands there now may be tidied up */
	bool approvals_noted;
	struct err approvals_note;
};

static void
name_refs(struct source *s)
{
	const char *const branch[REF_COUNT] = { BRANCH_RENDERED, BRANCH_STATUS, s->c.branch };

	for (size_t i = 0; i < REF_COUNT; i++) {
		s->remote_ref[i] = arena_printf(s->mem, "refs/heads/%s", branch[i]);
		s->local_ref[i] = s->local ? s->remote_ref[i] :
		                             arena_printf(s->mem, "refs/remotes/origin/%s", branch[i]);
	}
}

/* A token over plain HTTP is for servers on this machine alone. */
static int
check_token(const struct source_config *c, struct err *e)
{
	static const char *const here[] = { "http://127.", "http://localhost:", "http://localhost/", "http://[::1]" };

	if (!c->auth.token_file || !str_starts(c->repo, "http://"))
		return 0;
	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		if (str_starts(c->repo, here[i]))
			return 0;
	(void)err_set(e, ERR_USAGE, "--repo is plain http://: everybody on the way could read the token");
	return err_hint(e, "use the server's https:// URL");
}

static int
open_git(struct source *s, struct err *e)
{
	const char *path;
	int rc;

	s->local = git_url_is_local(s->c.repo, s->mem, &path);
	s->name = s->local ? path : s->c.repo;
	if (!s->local && git_url_check(s->c.repo, e) < 0) {
		e->code = ERR_USAGE; /* no waiting makes it a URL */
		return err_wrap(e, "--repo");
	}
	if (!s->local && (rc = check_token(&s->c, e)) < 0)
		return rc;
	if (!s->local)
		return git_open_or_init(arena_printf(s->mem, "%s/repo.git", s->c.state_dir), &s->git, e);
	rc = git_open(path, &s->git, e);
	if (rc == ERR_NOTFOUND)
		(void)err_hint(e, "give --repo a bare repository, a clone or a URL; `berth init DIR` makes a new one");
	return rc;
}

int
source_open(const struct source_config *c, struct source **out, struct err *e)
{
	struct arena *mem = arena_new((size_t)1 << 20);
	struct source *s = arena_alloc(mem, sizeof(*s));
	int rc;

	s->mem = mem;
	s->c = *c;
	if (!s->c.deadline_ms)
		s->c.deadline_ms = DEADLINE_MS;
	if ((rc = open_git(s, e)) < 0) {
		arena_free(mem);
		return rc;
	}
	name_refs(s);
	s->adopted_path = arena_printf(mem, "%s/adopted", c->state_dir);
	*out = s;
	return 0;
}

void
source_close(struct source *s)
{
	if (!s)
		return;
	git_close(s->git);
	arena_free(s->mem);
}

bool
source_is_local(const struct source *s)
{
	return s->local;
}

struct git_repo *
source_git(const struct source *s)
{
	return s->git;
}

const char *
source_name(const struct source *s)
{
	return s->name;
}

static int
read_ref(struct source *s, const char *ref, bool *has, struct oid *id, struct err *e)
{
	int rc = git_ref_read(s->git, ref, id, e);

	*has = rc == 0;
	return rc == ERR_NOTFOUND ? 0 : rc;
}

int
source_heads(struct source *s, struct source_heads *out, struct err *e)
{
	struct source_heads h;
	int rc;

	memset(&h, 0, sizeof(h));
	/* outputs before the input, or a result could go back behind its input */
	if ((rc = read_ref(s, s->local_ref[REF_RENDERED], &h.has_rendered, &h.rendered, e)) < 0 ||
	    (rc = read_ref(s, s->local_ref[REF_STATUS], &h.has_status, &h.status, e)) < 0 ||
	    (rc = read_ref(s, s->local_ref[REF_MAIN], &h.has_main, &h.main, e)) < 0)
		return rc;
	*out = h;
	return 0;
}

static bool
heads_equal(const struct source_heads *a, const struct source_heads *b)
{
	return a->has_main == b->has_main && a->has_rendered == b->has_rendered && a->has_status == b->has_status &&
	       oid_eq(&a->main, &b->main) && oid_eq(&a->rendered, &b->rendered) && oid_eq(&a->status, &b->status);
}

/* -- approvals of a remote ----------------------------------------------------------------------------------------------------------- */

/* True: that is something new to say. */
static bool
note_approvals(struct source *s, const struct err *why)
{
	bool same = why ? s->approvals_noted && strcmp(s->approvals_note.text, why->text) == 0 : !s->approvals_noted;

	s->approvals_noted = why != NULL;
	if (why)
		s->approvals_note = *why;
	return !same;
}

static bool
refs_equal(const struct git_ref *a, size_t n, const struct git_ref *b, size_t m)
{
	for (size_t i = 0; i < n && n == m; i++)
		if (!oid_eq(&a[i].id, &b[i].id) || !str_eq(a[i].name, b[i].name))
			return false;
	return n == m;
}

/* 1: they moved here, or there is something else to say of them. `there` NULL: the server could not be asked. */
static int
bring_approvals(struct source *s, const struct git_below *there, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct git_ref *before, *after;
	struct err why = { 0 };
	size_t n, m;
	int rc;

	if ((rc = git_refs_under(s->git, GIT_APPROVALS, GIT_BELOW_MAX, mem, &before, &n, e)) < 0)
		return rc;
	if (there && there->many) {
		(void)err_set(&why, ERR_INVALID, "%s: over %d refs below " GIT_APPROVALS ": no new approval is taken up until those that nobody needs are "
		              "deleted; what is approved by signed commits goes on", s->name, GIT_BELOW_MAX);
		return note_approvals(s, &why);
	}
	if (there && refs_equal(before, n, there->refs, there->n))
		return note_approvals(s, NULL);
	rc = git_fetch_approvals(s->git, s->c.repo, &s->c.auth, s->c.deadline_ms, s->c.cancel, &why);
	if (rc == ERR_CANCELLED) {
		*e = why;
		return rc;
	}
	if (rc < 0)
		return note_approvals(s, &why);
	if ((rc = git_refs_under(s->git, GIT_APPROVALS, GIT_BELOW_MAX, mem, &after, &m, e)) < 0)
		return rc;
	return note_approvals(s, NULL) || !refs_equal(before, n, after, m);
}

void
source_approvals(struct source *s)
{
	struct err why = { 0 };

	if (s->local || s->approvals)
		return;
	s->approvals = true;
	if (bring_approvals(s, NULL, &why) < 0)
		(void)note_approvals(s, &why);
}

const char *
source_approvals_note(const struct source *s)
{
	return s->approvals_noted ? s->approvals_note.text : NULL;
}

int
source_forget_approval(struct source *s, const char *ref, const struct oid *id, struct err *e)
{
	int rc = 0;

	if (!s->local)
		rc = git_push_delete(s->git, s->c.repo, &s->c.auth, ref, id, s->c.deadline_ms, s->c.cancel, e);
	return rc < 0 ? rc : git_ref_delete(s->git, ref, id, e);
}

/* -- polling ---------------------------------------------------------------------------------------------------------------------------- */

/* Asks the server for the three heads; 1: the same as here, 0: not. *asked: false when it cannot be asked this way. */
static int
same_as_remote(struct source *s, struct git_below *below, bool *asked, struct err *e)
{
	struct source_heads here, there;
	struct oid ids[REF_COUNT];
	bool found[REF_COUNT];
	int rc;

	rc = git_remote_heads_below(s->c.repo, &s->c.auth, s->remote_ref, REF_COUNT, s->approvals ? below : NULL, s->c.deadline_ms,
	                            s->c.cancel, ids, found, e);
	*asked = rc == 0;
	if (rc == ERR_INVALID)
		return 0; /* no protocol v2, or not HTTP: the fetch decides */
	if (rc < 0 || (rc = source_heads(s, &here, e)) < 0)
		return rc;
	memset(&there, 0, sizeof(there));
	if ((there.has_rendered = found[REF_RENDERED]))
		there.rendered = ids[REF_RENDERED];
	if ((there.has_status = found[REF_STATUS]))
		there.status = ids[REF_STATUS];
	if ((there.has_main = found[REF_MAIN]))
		there.main = ids[REF_MAIN];
	return heads_equal(&here, &there);
}

static int
fetch_branches(struct source *s, bool *moved, struct err *e)
{
	struct source_heads before, after;
	int rc;

	if ((rc = source_heads(s, &before, e)) < 0 ||
	    (rc = git_fetch(s->git, s->c.repo, &s->c.auth, s->remote_ref, REF_COUNT, s->c.deadline_ms, s->c.cancel, e)) < 0 ||
	    (rc = source_heads(s, &after, e)) < 0)
		return rc;
	*moved = !heads_equal(&before, &after);
	return 0;
}

int
source_poll(struct source *s, bool *moved, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)32 << 20);
	struct git_below below = { .prefix = GIT_APPROVALS, .max = GIT_BELOW_MAX, .mem = mem };
	bool asked;
	int rc;

	*moved = true;
	if (s->local)
		return 0;
	if ((rc = same_as_remote(s, &below, &asked, e)) < 0)
		return rc;
	*moved = false;
	if (rc == 0 && (rc = fetch_branches(s, moved, e)) < 0)
		return rc;
	if (!s->approvals)
		return 0;
	rc = bring_approvals(s, asked ? &below : NULL, e);
	*moved |= rc > 0 || s->told;
	s->told = false;
	return rc < 0 ? rc : 0;
}

/* git keeps branches like files: beside a branch `berth` there is no room for berth/rendered. */
static int
name_taken(struct source *s, int rc, struct err *e)
{
	struct oid id;

	if (git_ref_read(s->git, "refs/heads/berth", &id, NULL) < 0)
		return rc;
	(void)err_set(e, ERR_DENIED, "a branch named berth is in the way of " BRANCH_RENDERED " and " BRANCH_STATUS);
	return err_hint(e, "give it another name: git branch -m berth NAME");
}

int
source_publish(struct source *s, enum source_branch b, const struct oid *old, const struct oid *id, bool *swept,
               struct err *e)
{
	size_t i = b == SOURCE_RENDERED ? REF_RENDERED : REF_STATUS;
	int rc;

	if (s->local) {
		rc = git_ref_cas(s->git, s->local_ref[i], old, id, "berth", swept, e);
		return rc < 0 && !old ? name_taken(s, rc, e) : rc;
	}
	rc = git_push_ref(s->git, s->c.repo, &s->c.auth, s->remote_ref[i], old, id, s->c.deadline_ms, s->c.cancel, e);
	if (rc < 0)
		return rc;
	s->told |= b == SOURCE_STATUS;
	/* the tracking ref follows what the server has just accepted; if it moved meanwhile the next poll tells */
	rc = git_ref_cas(s->git, s->local_ref[i], old, id, "berth", swept, e);
	return rc == ERR_CONFLICT ? 0 : rc;
}

int
source_adopted(struct source *s, struct oid *out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(65536);
	char *text;
	size_t len;
	int rc = fs_read(s->adopted_path, 256, mem, &text, &len, e);

	if (rc < 0)
		return rc;
	text[strcspn(text, "\n")] = '\0';
	if (oid_parse(text, out) < 0) {
		(void)err_set(e, ERR_INTERNAL, "%s: not a commit id", s->adopted_path);
		return err_hint(e, "remove the file: " BRANCH_RENDERED " also says what was applied last");
	}
	return 0;
}

int
source_adopt(struct source *s, const struct oid *id, struct err *e)
{
	char line[OID_HEX + 1];
	struct oid old;

	if (source_adopted(s, &old, NULL) == 0 && oid_eq(&old, id))
		return 0;
	oid_hex(id, line);
	line[OID_HEX - 1] = '\n';
	return fs_write_atomic(s->adopted_path, line, OID_HEX, 0644, e);
}
