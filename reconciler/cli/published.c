/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what is published, and believing it only with its signature. */
#include "cli/published.h"

#include <stdio.h>
#include <string.h>

#include "cli/tree.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/report.h"
#include "repo/source.h"
#include "status/document.h"

#define SIG_MAX ((size_t)16384)

/* -- the repository's own documents ----------------------------------------------------------------------------------------- */

static int
read_one(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	const char *dir = ctx;
	char *text;
	int rc = fs_read(arena_printf(mem, "%s/%s", dir, f->path), max, mem, &text, len, e);

	if (rc == 0)
		*bytes = text;
	return rc;
}

/* A folder is asked file by file: one with ten thousand environments need not be listed for two of them. */
static int
open_tree(struct published *p, struct err *e)
{
	const char *dir = args_str(p->a, "C", ".");
	struct oid id;
	int rc;

	if (fs_exists(arena_printf(p->a->mem, "%s/berth.yaml", dir))) {
		p->one = (struct files){ .ctx = arena_strdup(p->a->mem, dir), .read = read_one };
		return 0;
	}
	if ((rc = tree_from_rev(dir, "HEAD", p->a->mem, &p->one, &id, e)) < 0) {
		(void)err_set(e, ERR_NOTFOUND, "%s is no environments repository: there is no berth.yaml", dir);
		return err_hint(e, "give the environments repository or a clone of it with -C DIR");
	}
	return 0;
}

static int
read_doc(struct published *p, const char *path, const struct doc **out, struct err *e)
{
	struct file_entry f = { .path = arena_strdup(p->a->mem, path), .mode = FILE_REGULAR };
	const struct file_entry *entry = p->one.n ? files_find(&p->one, path) : &f;
	struct report r;
	struct doc *d;
	int rc;

	if (!entry)
		return err_set(e, ERR_NOTFOUND, "there is no %s", path);
	report_init(&r, p->a->mem);
	if ((rc = doc_read(p->a->mem, &p->one, entry, &r, &d, e)) < 0)
		return err_wrap(e, "%s", path);
	if (!d->spec) {
		(void)err_set(e, ERR_INVALID, "%s cannot be read", path);
		return err_hint(e, "`berth validate` says what is wrong with it");
	}
	*out = d;
	return 0;
}

int
published_open(const struct args *a, struct published *out, struct err *e)
{
	struct published p = { .a = a };
	int rc;

	if ((rc = open_tree(&p, e)) < 0 || (rc = read_doc(&p, "berth.yaml", &p.org, e)) < 0)
		return rc;
	secrets_settings(p.org, &p.set);
	*out = p;
	return 0;
}

int
published_need_signer(const struct published *p, struct err *e)
{
	if (p->set.signer && *p->set.signer)
		return 0;
	(void)err_set(e, ERR_NOTFOUND, "berth.yaml names no spec.secrets.signer: nothing is sealed for this repository yet");
	return err_hint(e, "an administrator runs `berth keygen`, gives the key to `berth run --master-key` and writes the signer into berth.yaml");
}

int
published_uid(struct published *p, const char *user, const char **uid, struct err *e)
{
	const char *path = arena_printf(p->a->mem, "users/%s.yaml", user);
	const struct doc *d;
	int rc;

	if (!name_valid(user))
		return err_set(e, ERR_USAGE, "%s is no name of a user", user);
	if ((rc = read_doc(p, path, &d, e)) < 0)
		return rc == ERR_NOTFOUND ? err_hint(e, "users are the files of users/, without .yaml") : rc;
	*uid = value_as_str(value_get(d->spec, "uid"), "");
	if (**uid)
		return 0;
	(void)err_set(e, ERR_INVALID, "%s has no uid, and nothing can be sealed for %s without one", path, user);
	return err_hint(e, "an administrator adds `uid:` to it once, any text that was never given to anybody, and never changes it");
}

/* -- the status branch ------------------------------------------------------------------------------------------------------ */

static int
open_branch(struct published *p, struct err *e)
{
	int rc;

	if (!p->has_branch && (rc = branch_open(p->a, BRANCH_STATUS, &p->branch, e)) < 0)
		return rc;
	p->has_branch = true;
	return 0;
}

static int
need_branch(struct published *p, struct err *e)
{
	int rc = open_branch(p, e);

	if (rc < 0 || p->branch.exists)
		return rc;
	(void)err_set(e, ERR_NOTFOUND, "there is no branch " BRANCH_STATUS " yet");
	return err_hint(e, "it appears when `berth run` has made its first pass over this repository");
}

static int
not_published(const char *path, struct err *e)
{
	(void)err_set(e, ERR_NOTFOUND, "%s is not on branch " BRANCH_STATUS " yet", path);
	return err_hint(e, "`berth run --master-key FILE` publishes it in the pass after the commit that asks for it");
}

static int
read_file(struct published *p, const char *path, size_t max, const char **text, size_t *n, struct err *e)
{
	int rc = git_tree_read(p->branch.git, &p->branch.tree, path, max, p->a->mem, text, n, e);

	return rc == ERR_NOTFOUND ? not_published(path, e) : rc;
}

struct signed_file {
	const char *path, *text, *sig;
	size_t n, nsig;
};

static int
read_signed(struct published *p, const char *path, struct signed_file *f, struct err *e)
{
	int rc;

	f->path = path;
	if ((rc = published_need_signer(p, e)) < 0 || (rc = need_branch(p, e)) < 0 ||
	    (rc = read_file(p, path, RECIPIENTS_FILE_MAX, &f->text, &f->n, e)) < 0)
		return rc;
	rc = read_file(p, arena_printf(p->a->mem, "%s.sig", path), SIG_MAX, &f->sig, &f->nsig, e);
	if (rc == ERR_NOTFOUND) { /* as good as a bad one: whoever can push there can take it away */
		f->sig = "";
		f->nsig = 0;
		return 0;
	}
	return rc;
}

/* Whatever is wrong with a signed file, it is refused. */
static int
not_checked(const struct signed_file *f, struct err *e)
{
	char why[sizeof(e->text)];

	(void)snprintf(why, sizeof(why), "%s", e->text);
	(void)err_set(e, ERR_DENIED, "%s: not checked: %s", f->path, why);
	return err_hint(e, "somebody else wrote to the status branch, or berth runs with another master key than berth.yaml names: seal nothing, ask "
	                   "an administrator");
}

static int
check_generation(const struct published *p, const struct recipients *r, const char *path, struct err *e)
{
	if (r->generation == p->set.generation)
		return 0;
	if (r->generation >= p->set.oldest) {
		(void)fprintf(stderr, "berth: %s is of generation %u, berth.yaml asks for %u: berth has not seen that commit yet\n", path, r->generation,
		              p->set.generation);
		return 0;
	}
	(void)err_set(e, ERR_DENIED, "%s is of generation %u, which is no longer opened (berth.yaml: spec.secrets.oldest is %u)", path, r->generation,
	              p->set.oldest);
	return err_hint(e, "berth publishes new ones in its next pass; in a clone, `git pull` first");
}

int
published_recipients(struct published *p, const char *user, struct recipients *out, struct err *e)
{
	const char *path = recipients_path(p->a->mem, user), *uid = NULL;
	struct signed_file f;
	struct recipients r;
	int rc;

	if ((rc = published_need_signer(p, e)) < 0 || (user && (rc = published_uid(p, user, &uid, e)) < 0) ||
	    (rc = read_signed(p, path, &f, e)) < 0)
		return rc;
	if (recipients_check(p->a->mem, f.text, f.n, f.sig, f.nsig, p->set.signer, user, &r, e) < 0)
		return not_checked(&f, e);
	if (user && strcmp(r.uid, uid) != 0) {
		(void)err_set(e, ERR_DENIED, "%s is of uid %s, users/%s.yaml has %s", path, r.uid, user, uid);
		return err_hint(e, "berth publishes new ones in its next pass; in a clone, `git pull` first");
	}
	if ((rc = check_generation(p, &r, path, e)) < 0)
		return rc;
	*out = r;
	return 0;
}

struct listing {
	struct arena *mem;
	const char **items;
	size_t n, cap;
};

static int
list_user(void *ctx, const struct git_change *c, struct err *e)
{
	struct listing *l = ctx;
	size_t head = strlen(RECIPIENTS_USERS "/");

	(void)e;
	if (!str_starts(c->path, RECIPIENTS_USERS "/") || !str_ends(c->path, ".txt"))
		return 0;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->items = arena_regrow(l->mem, l->items, l->n, l->cap, sizeof(*l->items));
	}
	l->items[l->n++] = arena_strndup(l->mem, c->path + head, strlen(c->path) - head - strlen(".txt"));
	return 0;
}

int
published_users(struct published *p, const char ***out, size_t *n, struct err *e)
{
	struct listing l = { .mem = p->a->mem };
	int rc;

	if ((rc = need_branch(p, e)) < 0 || (rc = git_tree_diff(p->branch.git, NULL, &p->branch.tree, 0, list_user, &l, e)) < 0)
		return rc;
	*out = l.items;
	*n = l.n;
	return 0;
}

int
published_known_hosts(struct published *p, const char **text, size_t *n, struct err *e)
{
	struct signed_file f;
	int rc;

	if ((rc = read_signed(p, KNOWN_HOSTS, &f, e)) < 0)
		return rc;
	if (known_hosts_check(f.text, f.n, f.sig, f.nsig, p->set.signer, e) < 0)
		return not_checked(&f, e);
	*text = f.text;
	*n = f.n;
	return 0;
}

int
published_status(struct published *p, struct arena *mem, const char *owner, const char *name, const struct value **out, struct err *e)
{
	struct value *v = NULL;
	int rc;

	*out = NULL;
	if ((rc = open_branch(p, e)) < 0 || !p->branch.exists)
		return rc;
	rc = status_read_tree(p->branch.git, &p->branch.tree, status_path(mem, owner, name), mem, &v, e);
	*out = v;
	return rc == ERR_NOTFOUND ? 0 : rc;
}
