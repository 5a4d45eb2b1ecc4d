/* SPDX-License-Identifier: Apache-2.0 */
/* Between repo/approve.h and the pass: state, what waits, what is told. */
#include "reconcile_approve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "approve_judge.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "reconcile_audit.h"
#include "reconcile_pass.h"
#include "repo/review.h"

#define FILES_ARENA ((size_t)256 << 20) /* the paths of a large repository */
#define TRUSTED_REF "refs/berth/trusted"
#define LOOK_MS 300          /* between looks at the refs of approvals */
#define EMERGENCY_S (7 * 86400)
#define WALK_MAX 1000        /* commits looked at for the one that brought a version */
#define LINES_MAX 50
#define BLIND "approvals.mode is forge, and berth runs without --forge: no review can be read, only signed approvals count; start it with --forge"
#define SOURCE_AGE "7d"     /* guards.maxSourceAge where berth.yaml says nothing */

/* A path whose newest state waits. */
struct waiting {
	char *missing;
	bool there;              /* something of it is trusted: it stays */
	struct oid commit;       /* that waits; zero: several */
};

struct approvals {
	struct git_repo *git;
	struct judge *judge;
	struct audit *audit;     /* made with the first proof */
	char *state_dir, *note;  /* what was said of the remote's approvals last */
	struct proof *proof;     /* NULL: this repository never asked for approvals */
	struct proof *next;      /* of the pass at hand */
	char *file, *ref;
	bool loaded, has_anchor;
	struct oid anchor;
	struct map pending;      /* path -> struct waiting * */
	bool many;               /* more waits than is listed */
	struct approve_result done; /* of the pass at hand, in its memory */
	bool has_org;
	struct oid org;          /* berth.yaml that `asks` was read from */
	bool asks;
	struct digest seen;      /* of the refs of approvals, and of the file of reviews */
	char *reviews;           /* that file */
	bool said_blind;         /* that nobody asks the forge */
	int64_t looked;          /* clock_mono_ms */
	bool stale;
};

/* -- set-up -------------------------------------------------------------------------------------------------------------------------- */

struct approvals *
approvals_new(struct git_repo *g, const char *state_dir, const char *branch, const struct oid *anchor)
{
	struct approvals *a = calloc(1, sizeof(*a));

	if (!a || asprintf(&a->file, "%s/proof", state_dir) < 0 || asprintf(&a->ref, "refs/heads/%s", branch) < 0 ||
	    !(a->state_dir = strdup(state_dir)) || asprintf(&a->reviews, "%s/" REVIEWS_FILE, state_dir) < 0)
		abort();
	a->git = g;
	a->judge = judge_new(g);
	a->has_anchor = anchor != NULL;
	if (anchor)
		a->anchor = *anchor;
	return a;
}

static void
pending_clear(struct map *m)
{
	void *v;

	for (size_t i = 0; map_next(m, &i, NULL, &v);) {
		free(((struct waiting *)v)->missing);
		free(v);
	}
	map_free(m);
}

void
approvals_free(struct approvals *a)
{
	if (!a)
		return;
	pending_clear(&a->pending);
	judge_free(a->judge);
	audit_free(a->audit);
	free(a->state_dir);
	free(a->note);
	proof_free(a->proof);
	proof_free(a->next);
	free(a->file);
	free(a->reviews);
	free(a->ref);
	free(a);
}

enum approval_mode
approvals_mode(const struct reconciler *r)
{
	const struct approvals *a = r->approvals;
	const struct approval_rules *rules = judge_rules(a->judge);

	return (a->proof || a->next) && rules ? approval_mode(rules) : APPROVAL_NONE;
}

/* -- whether ---------------------------------------------------------------------------------------------------------------------------- */

/* Does berth.yaml of this tree ask for approvals? What cannot be read asks for nothing: such a tree is refused later. */
static int
asks(struct approvals *a, const struct oid *tree, bool *out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(FILES_ARENA);
	enum approval_mode mode;
	struct files files;
	struct oid id;
	int rc = git_tree_find(a->git, tree, "berth.yaml", &id, NULL, e);

	*out = false;
	if (rc < 0)
		return rc == ERR_NOTFOUND ? 0 : rc;
	if (!a->has_org || !oid_eq(&a->org, &id)) {
		/* not the whole policy: where nothing is asked for, ten thousand users are no business of a start */
		if ((rc = git_files(a->git, tree, mem, &files, e)) < 0)
			return rc;
		rc = approval_mode_read(&files, &mode, e);
		if (rc < 0 && rc != ERR_INVALID)
			return rc;
		a->asks = rc == 0 && mode != APPROVAL_NONE;
		a->org = id;
		a->has_org = true;
	}
	*out = a->asks;
	return 0;
}

static int
load(struct approvals *a, struct err *e)
{
	int rc;

	if (a->loaded)
		return 0;
	rc = proof_load(a->file, &a->proof, e);
	if (rc < 0 && rc != ERR_NOTFOUND)
		return rc;
	a->loaded = true;
	return 0;
}

/* Something was proved already for this repository: the ref is berth's own, and no fetch brings it. */
static bool
was_proving(struct approvals *a)
{
	struct oid id;

	return git_ref_read(a->git, TRUSTED_REF, &id, NULL) == 0;
}

/* What was applied last while nobody asked for approvals. ERR_NOTFOUND: nothing, or somebody asked already, and what was proved then is lost. */
static int
applied_freely(struct pass *p, struct oid *out, struct err *e)
{
	struct approvals *a = p->r->approvals;
	struct git_commit_info c;
	bool asked = was_proving(a);
	int rc = source_adopted(p->r->c.source, out, e);

	if (asked)
		return err_set(e, ERR_NOTFOUND, "what was proved is lost");
	if (rc < 0 || (rc = git_commit_read(a->git, out, p->mem, &c, e)) < 0 || (rc = asks(a, &c.tree, &asked, e)) < 0)
		return rc;
	return asked ? err_set(e, ERR_NOTFOUND, "what was proved is lost") : 0;
}

/* Where trust begins: what was given at the start, else what was applied while nobody asked for approvals. */
static int
begin(struct pass *p, const char **reason, const char **message, struct err *e)
{
	struct approvals *a = p->r->approvals;
	struct oid anchor = a->anchor;
	char tip[OID_HEX];
	int rc = a->has_anchor ? 0 : applied_freely(p, &anchor, e);

	if (rc == ERR_NOTFOUND) {
		oid_hex(&p->heads.main, tip);
		*reason = "TrustAnchorMissing";
		*message = arena_printf(p->mem, "approvals are asked for, and nobody has said where trust begins, or what was proved is lost: start berth with the "
		                                "--trust-anchor that it had; the first time with a commit that you have looked at, with its approvers: "
		                                "--trust-anchor %s is main as it is now, approved or not", tip);
		return 1;
	}
	if (rc < 0 || (rc = proof_begin(a->git, &anchor, &a->next, e)) < 0)
		return rc;
	a->next->heartbeat = clock_now(); /* whoever named the anchor looked at it */
	return 0;
}

/* -- judging ------------------------------------------------------------------------------------------------------------------------------ */

/* What differs between what waited and what waits makes its owners dirty. */
static void
set_pending(struct pass *p, const struct approve_result *r)
{
	struct approvals *a = p->r->approvals;
	struct map fresh = { 0 };
	const char *path;
	void *v;

	for (size_t i = 0; i < r->npending; i++) {
		const struct unapproved *u = &r->pending[i];
		const struct waiting *was = map_get(&a->pending, u->change.path);
		struct waiting *w = calloc(1, sizeof(*w));

		if (!w || !(w->missing = strdup(u->missing)))
			abort();
		w->there = u->change.old_mode != 0;
		w->commit = u->commit;
		(void)map_put(&fresh, u->change.path, w);
		if (!was || was->there != w->there || !oid_eq(&was->commit, &w->commit) || !str_eq(was->missing, w->missing))
			dirty_path(p, u->change.path);
	}
	for (size_t i = 0; map_next(&a->pending, &i, &path, &v);)
		if (!map_has(&fresh, path))
			dirty_path(p, path);
	pending_clear(&a->pending);
	a->pending = fresh;
	a->many = r->many;
}

/* Which approvals and reviews there are; a file that was written anew is another one. */
static void
evidence_digest(struct approvals *a, struct digest *out)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct git_ref *refs;
	struct hash_state h;
	struct stat st;
	size_t n;

	hash_init(&h);
	if (stat(a->reviews, &st) == 0) {
		hash_field(&h, &st.st_ino, sizeof(st.st_ino));
		hash_field(&h, &st.st_size, sizeof(st.st_size));
		hash_field(&h, &st.st_mtim, sizeof(st.st_mtim));
	}
	if (git_refs_under(a->git, APPROVAL_REFS, APPROVALS_MAX, mem, &refs, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		hash_field_str(&h, refs[i].name);
		hash_field(&h, refs[i].id.b, sizeof(refs[i].id.b));
	}
	hash_final(&h, out);
}

/* What the forge told, behind the approvals in the list: the judge asks whether it counts. */
static int
add_reviews(struct pass *p, struct evidence **list, size_t *n, struct err *e)
{
	struct approvals *a = p->r->approvals;
	struct log_about about = pass_about(p, NULL, "repo");
	struct review *reviews;
	struct evidence *all;
	size_t have;
	int rc = reviews_load(a->reviews, p->mem, &reviews, &have, e);

	if (rc == ERR_INVALID) { /* whoever asks the forge writes it anew */
		log_err(LOG_WARN, &about, e);
		return 0;
	}
	if (rc < 0 || !have)
		return rc;
	all = arena_array(p->mem, *n + have, sizeof(*all));
	if (*n)
		memcpy(all, *list, *n * sizeof(*all));
	for (size_t i = 0; i < have; i++)
		review_evidence(&reviews[i], a->ref, p->mem, &all[*n + i]);
	*list = all;
	*n += have;
	return 0;
}

static int
list_evidence(struct pass *p, const struct proof *proof, struct evidence **out, size_t *n, struct err *e)
{
	struct approvals *a = p->r->approvals;
	struct log_about about = pass_about(p, NULL, "repo");
	int rc;

	evidence_digest(a, &a->seen); /* before they are read: what comes meanwhile moves it */
	rc = evidence_list(a->git, &proof->anchor, a->ref, p->mem, out, n, NULL, e);

	if (rc < 0 && rc != ERR_INVALID)
		return rc;
	if (rc < 0) { /* somebody filled the place up: signed commits still count */
		log_err(LOG_WARN, &about, e);
		*n = 0;
	}
	return add_reviews(p, out, n, e);
}

/* In mode forge, without anybody who asks the forge, approvals come by signatures alone: said once. */
static void
say_blind(struct pass *p)
{
	struct approvals *a = p->r->approvals;
	struct log_about about = pass_about(p, NULL, "repo");
	bool blind = approvals_mode(p->r) == APPROVAL_FORGE && !p->r->c.reviews;

	if (blind && !a->said_blind)
		log_line(LOG_WARN, &about, BLIND);
	a->said_blind = blind;
}

/* A rewritten history that somebody released: what is trusted stays, all that differs from it waits. */
static int
released(struct pass *p, struct approve *a, struct err *e)
{
	const struct reconcile_config *c = &p->r->c;
	struct err why = *e;
	int rc;

	if (!c->has_accept_rewind || !oid_eq(&c->accept_rewind, &p->heads.main))
		return ERR_DENIED;
	a->proof->commit = p->heads.main;
	a->proof->nopen = 0;
	a->proof->dirty = true;
	rc = approve_run(a, &p->heads.main, p->mem, &p->r->approvals->done, e);
	if (rc < 0)
		*e = why;
	return rc;
}

/*
 * With the approvals behind refs; where that leaves something waiting, once more with those that the status branch has: another berth may have
 * used them up and deleted them, or this one its state.
 */
static int
run_judge(struct pass *p, const struct proof *from, struct approve *run, struct err *e)
{
	struct approvals *a = p->r->approvals;
	struct evidence *evidence;
	size_t n;
	int rc;

	if ((rc = list_evidence(p, a->next, &evidence, &n, e)) < 0)
		return rc;
	audit_join(a->audit, from, a->ref, p->mem, &evidence, &n);
	run->evidence = evidence;
	run->nevidence = n;
	if ((rc = approve_run(run, &p->heads.main, p->mem, &a->done, e)) == 0 && a->done.npending && audit_more(a->audit)) {
		audit_join(a->audit, from, a->ref, p->mem, &evidence, &n);
		proof_free(a->next);
		run->proof = a->next = proof_copy(from);
		run->evidence = evidence;
		run->nevidence = n;
		rc = approve_run(run, &p->heads.main, p->mem, &a->done, e);
	}
	audit_used(a->audit, evidence, n, a->next);
	return rc;
}

static int
judge_main(struct pass *p, const char **reason, const char **message, struct err *e)
{
	struct approvals *a = p->r->approvals;
	struct approve run = { .git = a->git, .proof = a->next, .judge = judge_get(a->judge), .ref = a->ref, .now = clock_now() };
	struct proof *begun = a->proof ? NULL : proof_copy(a->next);
	int rc = run_judge(p, begun ? begun : a->proof, &run, e);

	proof_free(begun);
	if (rc == ERR_DENIED)
		rc = released(p, &run, e);
	if (rc == ERR_DENIED || rc == ERR_INVALID) {
		*reason = rc == ERR_DENIED ? "SourceRewound" : "InvalidPolicy";
		*message = arena_printf(p->mem, "%s%s%s", e->text, *e->hint ? "; " : "", e->hint);
		return 1;
	}
	if (rc < 0)
		return rc;
	set_pending(p, &a->done);
	say_blind(p);
	return 0;
}

int
approvals_tree(struct pass *p, const struct git_commit_info *c, struct oid *tree, const char **reason, const char **message,
               struct err *e)
{
	struct approvals *a = p->r->approvals;
	bool wanted;
	int rc;

	proof_free(a->next);
	a->next = NULL;
	a->done = (struct approve_result){ 0 };
	*tree = c->tree;
	if ((rc = load(a, e)) < 0)
		return rc;
	if (a->proof) {
		a->next = proof_copy(a->proof);
	} else {
		/* who names an anchor wants it proved, as who proved something before does: a berth.yaml that nobody approved may ask for nothing */
		if (!a->has_anchor && !was_proving(a) && ((rc = asks(a, &c->tree, &wanted, e)) < 0 || !wanted))
			return rc;
		if ((rc = begin(p, reason, message, e)) != 0)
			return rc;
	}
	if (!a->audit)
		a->audit = audit_new(p->r->c.source, p->r->c.publisher, a->state_dir);
	if ((rc = audit_load(a->audit, e)) < 0)
		return rc;
	source_approvals(p->r->c.source);
	if ((rc = judge_main(p, reason, message, e)) != 0)
		return rc;
	*tree = a->next->tree;
	return 0;
}

/* -- what is told ---------------------------------------------------------------------------------------------------------------------------- */

/* "carol (review 4711 of pull request 42), dana" */
static const char *
who_and_how(struct arena *mem, const struct approved *d)
{
	const char **names = arena_array(mem, d->nvoices + 1, sizeof(*names));

	for (size_t i = 0; i < d->nvoices; i++)
		names[i] = d->how[i] ? arena_printf(mem, "%s (%s)", d->voices[i], d->how[i]) : d->voices[i];
	return str_join(mem, names, d->nvoices, "nobody");
}

static int
tell_done(struct pass *p, struct err *e)
{
	struct approvals *a = p->r->approvals;
	struct log_about about = pass_about(p, NULL, "repo");
	int64_t now = clock_now();
	char hex[OID_HEX];
	int rc;

	for (size_t i = 0; i < a->done.ndone; i++) {
		const struct approved *d = &a->done.done[i];

		oid_hex(&d->commit, hex);
		log_line(d->emergency ? LOG_WARN : LOG_INFO, &about, "%.12s: %s%s is approved by %s%s%s", hex, d->paths[0],
		         d->npaths > 1 ? " and more" : "", who_and_how(p->mem, d), d->emergency ? ", without the others: " : "",
		         d->emergency ? str_line(p->mem, d->emergency) : "");
		if ((rc = audit_tell(a->audit, d, now, e)) < 0)
			return rc;
	}
	return 0;
}

/* Where trust began and how far it has come: what `berth verify` starts from. Only what every berth comes to alike. */
static void
tell_proof(struct pass *p, const struct proof *t)
{
	const struct proof told = { .anchor = t->anchor, .commit = t->commit, .tree = t->tree };
	struct buf text AUTO_BUF = BUF_INIT(4096);

	proof_write(&told, &text);
	publish_file(p->r->c.publisher, "proof.txt", buf_cstr(&text), text.len);
}

/* What keeps the trusted tree's objects when git collects garbage. */
static int
keep_tree(struct approvals *a, struct err *e)
{
	struct oid old, id;
	bool has = git_ref_read(a->git, TRUSTED_REF, &old, NULL) == 0;
	char hex[OID_HEX];
	struct buf text AUTO_BUF = BUF_INIT(1024);
	int rc;

	oid_hex(&a->proof->commit, hex);
	buf_printf(&text, "trusted\n\nBerth-Source-Commit: %s\n", hex);
	rc = git_commit_write(a->git, &a->proof->tree, has ? &old : NULL, has, buf_cstr(&text), clock_now(), &id, e);
	return rc < 0 ? rc : git_ref_cas(a->git, TRUSTED_REF, has ? &old : NULL, &id, "berth", NULL, e);
}

int
approvals_keep(struct pass *p, struct err *e)
{
	struct approvals *a = p->r->approvals;
	bool tree;
	int rc;

	if (!a->next)
		return 0;
	if ((rc = tell_done(p, e)) < 0) /* before it is remembered: what is told twice is one file */
		return rc;
	tree = !a->proof || !oid_eq(&a->proof->tree, &a->next->tree);
	proof_free(a->proof);
	a->proof = a->next;
	a->next = NULL;
	tell_proof(p, a->proof);
	if (tree && (rc = keep_tree(a, e)) < 0)
		return rc;
	return proof_store(a->proof, a->file, e);
}

/* -- what moved ------------------------------------------------------------------------------------------------------------------------------- */

static bool
is_stale(struct reconciler *r)
{
	struct approvals *a = r->approvals;
	const struct doc *org = world_site(r->world)->org;
	const char *text = org ? value_as_str(value_at(org->root, "spec.guards.maxSourceAge"), NULL) : NULL;
	int64_t ms;

	return a->proof && a->proof->heartbeat && clock_parse_duration(text ? text : SOURCE_AGE, &ms) == 0 &&
	       clock_now() - a->proof->heartbeat > ms / 1000;
}

/* What stands in the way of the remote's approvals, when that is another thing than before. */
static void
say_note(struct reconciler *r)
{
	struct approvals *a = r->approvals;
	struct log_about about = { .run = r->c.run, .stage = "repo" };
	const char *note = source_approvals_note(r->c.source);

	if (str_eq(note, a->note))
		return;
	if (note)
		log_line(LOG_WARN, &about, "%s", note);
	else
		log_line(LOG_INFO, &about, "approvals of the remote are read again");
	free(a->note);
	a->note = note ? strdup(note) : NULL;
}

static bool
tidy(struct reconciler *r)
{
	struct log_about about = { .run = r->c.run, .stage = "repo" };
	struct buf note AUTO_BUF = BUF_INIT(4096);
	bool any = audit_tidy(r->approvals->audit, &note);

	if (note.len)
		log_line(LOG_INFO, &about, "%s", buf_cstr(&note));
	return any;
}

bool
approvals_moved(struct reconciler *r)
{
	struct approvals *a = r->approvals;
	struct digest d;
	bool moved;

	if (!a->proof || clock_mono_ms() - a->looked < LOOK_MS)
		return false;
	a->looked = clock_mono_ms();
	say_note(r);
	if (a->pending.live && audit_more(a->audit))
		return true;
	evidence_digest(a, &d);
	if (memcmp(&d, &a->seen, sizeof(d)) == 0 && tidy(r))
		evidence_digest(a, &d);
	moved = memcmp(&d, &a->seen, sizeof(d)) != 0 || a->stale != is_stale(r);
	a->stale = is_stale(r);
	return moved;
}

/* -- who vouches for a commit ------------------------------------------------------------------------------------------------------------------- */

static bool
took_effect(struct approvals *a, const struct git_commit_info *c)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct git_commit_info parent;
	struct changeset changes;

	if (!c->nparents || git_commit_read(a->git, &c->parents[0], mem, &parent, NULL) < 0 ||
	    changeset_between(a->git, &parent.tree, &c->tree, mem, &changes, NULL) < 0)
		return false;
	for (size_t i = 0; i < a->done.ndone; i++)
		if (oid_eq(&a->done.done[i].commit, &c->id) && memcmp(&a->done.done[i].changes, &changes.digest, sizeof(changes.digest)) == 0)
			return true;
	return false;
}

bool
approvals_vouched(void *ctx, const struct git_commit_info *c)
{
	struct pass *p = ctx;
	struct approvals *a = p->r->approvals;
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	const char *who;

	if (!a->next || took_effect(a, c))
		return a->next != NULL;
	if (judge_policy(a->judge, &a->next->tree, NULL) < 0)
		return false;
	who = approve_signer(a->git, &a->next->tree, judge_get(a->judge), &c->id, clock_now(), mem);
	return who && approval_is_admin(judge_rules(a->judge), who);
}

/* -- what waits ---------------------------------------------------------------------------------------------------------------------------------- */

/* The newest commit of main that had the file as it is trusted: what is live came with it. */
static void
commit_of(struct pass *p, const char *path, struct oid *out)
{
	struct approvals *a = p->r->approvals;
	struct arena *mem = arena_new((size_t)4 << 20);
	struct oid id, at = p->heads.main, has;

	if (git_tree_find(a->git, &a->next->tree, path, &id, NULL, NULL) < 0) {
		arena_free(mem);
		return;
	}
	for (size_t i = 0; i < WALK_MAX; i++) {
		struct git_commit_info c;

		arena_reset(mem);
		if (git_commit_read(a->git, &at, mem, &c, NULL) < 0)
			break;
		if (git_tree_find(a->git, &c.tree, path, &has, NULL, NULL) == 0 && oid_eq(&has, &id)) {
			*out = at;
			break;
		}
		if (!c.nparents)
			break;
		at = c.parents[0];
	}
	arena_free(mem);
}

static struct observation *
observation_of(struct pass *p, const char *owner, const char *name)
{
	for (size_t i = p->nobs; i-- > 0;)
		if (str_eq(p->obs[i].name, name) && str_eq(p->obs[i].owner, owner))
			return &p->obs[i];
	return NULL;
}

static int
observe_one(struct pass *p, const char *owner, const char *name, const char *path, const struct waiting *w, struct err *e)
{
	struct observation *o = observation_of(p, owner, name);
	int rc;

	if (!o) {
		if (w->there) /* `berth apply` does not name it */
			return 0;
		if ((rc = observe_held(p, owner, name, path, PENDING_APPROVAL, NULL, e)) < 0)
			return rc;
		o = &p->obs[p->nobs - 1];
	}
	commit_of(p, path, &o->commit);
	o->waits = w->commit;
	if (o->pending == PENDING_INVALID) { /* what is approved has errors, and what may mend them waits */
		o->pending = PENDING_APPROVAL;
		o->message = arena_printf(p->mem, "%s (and what is approved now: %s)", w->missing, o->message ? o->message : "not valid");
		o->nfindings = 0;
	} else if (o->pending == PENDING_NONE || o->pending == PENDING_APPROVAL) {
		p->out->pending += o->pending == PENDING_NONE;
		o->pending = PENDING_APPROVAL;
		o->message = arena_strdup(p->mem, w->missing);
	}
	return 0;
}

int
approvals_observe(struct pass *p, const char *owner, struct err *e)
{
	struct approvals *a = p->r->approvals;
	const char *prefix = arena_printf(p->mem, "envs/%s/", owner), *path;
	void *v;

	if (!a->next)
		return 0;
	for (size_t i = 0; map_next(&a->pending, &i, &path, &v);) {
		const char *name = path + strlen(prefix);
		int rc;

		if (!str_starts(path, prefix) || strchr(name, '/') || !str_ends(name, ".yaml"))
			continue;
		name = arena_strndup(p->mem, name, strlen(name) - strlen(".yaml"));
		if (pass_selected(p, owner, name) && (rc = observe_one(p, owner, name, path, v, e)) < 0)
			return rc;
	}
	return 0;
}

void
approvals_owners(struct pass *p)
{
	const char *path;

	for (size_t i = 0; map_next(&p->r->approvals->pending, &i, &path, NULL);)
		if (str_starts(path, "envs/"))
			(void)map_put(&p->dirty, path_owner(p->mem, path), NULL);
}

void
approvals_lines(struct pass *p, const char ***out, size_t *n)
{
	struct approvals *a = p->r->approvals;
	const struct proof *proof = a->next ? a->next : a->proof;
	const char **lines = arena_array(p->mem, LINES_MAX + 32, sizeof(*lines)), *path;
	char hex[OID_HEX];
	void *v;

	*out = lines;
	*n = 0;
	if (!proof)
		return;
	for (size_t i = 0; i < proof->nbreaks; i++) {
		const struct proof_break *b = &proof->breaks[i];

		oid_hex(&b->commit, hex);
		if (clock_now() - b->when < EMERGENCY_S)
			lines[(*n)++] = arena_printf(p->mem, "EmergencyChange: %s applied %.12s without the approvals that it needs: %s", b->who, hex, b->reason);
	}
	if (is_stale(p->r))
		lines[(*n)++] = "SourceStale: nobody who may approve has approved anything for longer than guards.maxSourceAge; is this the newest state of the repository?";
	if (a->said_blind)
		lines[(*n)++] = "ApprovalMissing: " BLIND;
	if (a->many)
		lines[(*n)++] = arena_printf(p->mem, "ApprovalMissing: main has changes that cannot be listed: over %d files, or names that no approval can have", CHANGESET_MAX);
	for (size_t i = 0; *n < LINES_MAX && map_next(&a->pending, &i, &path, &v);)
		if (!str_starts(path, "envs/") || !str_ends(path, ".yaml"))
			lines[(*n)++] = arena_printf(p->mem, "ApprovalMissing: %s: %s", path, ((struct waiting *)v)->missing);
}
