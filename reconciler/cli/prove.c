/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence from refs and from the status branch, and the same run as the daemon's. */
#include "cli/prove.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/map.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/git/clone.h"
#include "repo/approval_record.h"
#include "repo/review.h"
#include "repo/source.h"

#define FETCH_MS 60000

struct records {
	struct arena *mem;
	struct map seen;             /* commit as hex -> int64_t *, when berth saw it */
	struct evidence *evidence;
	size_t n, cap;
	bool times;                  /* are taken from them … */
	const struct status_commits *commits; /* … where these brought them */
	struct oid anchor;           /* what evidence is for … */
	const char *ref;             /* … and the branch */
	size_t doubted;
};

/* -- fetching ------------------------------------------------------------------------------------------------------------------- */

static void
fetch(const struct args *a, const struct proved *p)
{
	const char *const argv[] = { "git", "-C", p->dir, "fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*",
		"+refs/berth/approvals/*:refs/berth/approvals/*", NULL };
	struct proc c = { .argv = argv, .timeout_ms = FETCH_MS };
	struct proc_result r;
	struct err e = { 0 };

	if (args_flag(a, "offline"))
		return;
	if (proc_run(&c, &r, &e) < 0) {
		(void)fprintf(stderr, "berth: going on with what was fetched last: %s\n", e.text);
		return;
	}
	if (r.exit_code)
		(void)fprintf(stderr, "berth: going on with what was fetched last: %.*s\n", (int)strcspn(buf_cstr(&r.err), "\n"), buf_cstr(&r.err));
	proc_result_free(&r);
}

/* -- what the status branch has ----------------------------------------------------------------------------------------------------- */

/* A review has no signature: it is berth's word that the forge said so, and berth's word is what berth's key signed. */
static bool
take_review(struct records *r, const struct record_evidence *v, bool believed, struct evidence *out)
{
	struct review *w;

	if (!believed || !r->commits || !r->commits->signer) {
		r->doubted++;
		return false;
	}
	w = arena_alloc(r->mem, sizeof(*w));
	if (review_read(v->text, v->len, r->mem, w, NULL) < 0)
		return false;
	review_evidence(w, r->ref, r->mem, out);
	out->approval.anchor = r->anchor;
	return true;
}

static void
add_evidence(struct records *r, const struct record_evidence *v, bool believed, int64_t seen, struct proof *proof)
{
	char id[DIGEST_HEX];

	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 16;
		r->evidence = arena_regrow(r->mem, r->evidence, r->n, r->cap, sizeof(*r->evidence));
	}
	if (v->sig_len ? evidence_read(v->text, v->len, v->sig, v->sig_len, r->mem, &r->evidence[r->n], NULL) < 0
	               : !take_review(r, v, believed, &r->evidence[r->n]))
		return;
	evidence_id(&r->evidence[r->n], id);
	if (believed)
		(void)proof_seen(proof, id, seen);
	r->n++;
}

static void
read_record(struct records *r, const char *bytes, size_t len, bool believed, struct proof *proof)
{
	struct approval_record rec;
	char hex[OID_HEX];
	int64_t *seen;

	if (record_read(bytes, len, r->mem, &rec, NULL) < 0)
		return;
	if (believed) {
		seen = arena_alloc(r->mem, sizeof(*seen));
		*seen = rec.seen;
		oid_hex(&rec.commit, hex);
		(void)map_put(&r->seen, hex, seen);
	}
	for (size_t i = 0; i < rec.nevidence; i++) {
		add_evidence(r, &rec.evidence[i], believed, rec.seen, proof);
	}
}

static int
read_records(struct git_repo *g, const struct oid *tree, struct records *r, struct proof *proof, struct err *e)
{
	const struct file_entry *list;
	struct files files;
	size_t n;
	int rc = git_files(g, tree, r->mem, &files, e);

	if (rc < 0)
		return rc;
	list = files_under(&files, RECORD_FOLDER "/", &n);
	for (size_t i = 0; i < n; i++) {
		const char *bytes;
		size_t len;

		if (files.read(files.ctx, &list[i], RECORD_MAX, r->mem, &bytes, &len, NULL) == 0)
			read_record(r, bytes, len, r->times && status_told(r->commits, list[i].path, &list[i].id), proof);
	}
	return 0;
}

/* -- the anchor -------------------------------------------------------------------------------------------------------------------------- */

static int
find_anchor(const struct args *a, struct proved *p, const struct oid *status, struct oid *out, struct err *e)
{
	const char *given = args_str(a, "anchor", NULL), *text;
	struct proof *told;
	size_t n;
	int rc;

	p->anchored = given != NULL;
	if (given)
		return git_rev_parse(p->git, given, out, e);
	if (!status || git_tree_read(p->git, status, "proof.txt", PROOF_FILE_MAX, a->mem, &text, &n, NULL) < 0) {
		(void)err_set(e, ERR_NOTFOUND, "the status branch does not say where trust begins");
		return err_hint(e, "this repository asks for no signed approvals, or berth has not judged it yet; else give --anchor COMMIT");
	}
	if ((rc = proof_parse(text, n, &told, e)) < 0)
		return err_wrap(e, "proof.txt of the status branch");
	*out = told->anchor;
	proof_free(told);
	return 0;
}

static int64_t
seen_of(void *ctx, const struct oid *commit)
{
	struct records *r = ctx;
	char hex[OID_HEX];
	const int64_t *when;

	oid_hex(commit, hex);
	when = map_get(&r->seen, hex);
	return when ? *when : 0;
}

/* What stands behind refs and what the status branch kept: the same approval twice is one voice anyway. */
static int
gather(struct proved *p, struct records *r, const char *ref, struct err *e)
{
	struct evidence *live;
	size_t n, kept = 0;
	int rc = evidence_list(p->git, &p->proof->anchor, ref, r->mem, &live, &n, NULL, e);

	if (rc < 0)
		return rc;
	p->evidence = arena_array(r->mem, n + r->n + 1, sizeof(*p->evidence));
	for (size_t i = 0; i < r->n; i++)
		if (oid_eq(&r->evidence[i].approval.anchor, &p->proof->anchor) && str_eq(r->evidence[i].approval.ref, ref))
			p->evidence[kept++] = r->evidence[i];
	for (size_t i = 0; i < n; i++)
		p->evidence[kept++] = live[i];
	p->nevidence = kept;
	return 0;
}

static int
open_refs(const struct args *a, struct proved *p, struct oid *tip, struct oid *status, bool *has_status, struct err *e)
{
	struct git_commit_info c;
	const char *url, *ref;
	int rc;

	p->dir = args_str(a, "C", ".");
	p->branch = args_str(a, "branch", "main");
	if ((rc = git_open(p->dir, &p->git, e)) < 0) {
		(void)err_hint(e, "give the environments repository or a clone of it with -C DIR");
		return rc;
	}
	p->clone = git_origin_url(p->git, "origin", a->mem, &url, NULL) == 0 && str_ends(git_path(p->git), "/.git");
	if (p->clone)
		fetch(a, p);
	p->main_ref = arena_printf(a->mem, p->clone ? "refs/remotes/origin/%s" : "refs/heads/%s", p->branch);
	ref = p->clone ? "refs/remotes/origin/" BRANCH_STATUS : "refs/heads/" BRANCH_STATUS;
	*has_status = git_ref_read(p->git, ref, tip, NULL) == 0;
	if (!*has_status)
		return 0;
	if ((rc = git_commit_read(p->git, tip, a->mem, &c, e)) == 0)
		*status = c.tree;
	return rc;
}

/* From the beginning to main; what is known of the status branch's commits decides which times count. */
static int
run_all(struct proved *p, const struct oid *anchor, const struct oid *status, struct records *r, struct err *e)
{
	struct approve run = { .git = p->git, .judge = judge_get(p->judge), .now = p->now, .seen = seen_of, .seen_ctx = r };
	int rc;

	map_free(&r->seen);
	r->n = r->doubted = 0;
	proof_free(p->proof);
	p->proof = NULL;
	if ((rc = proof_begin(p->git, &p->begin, &p->proof, e)) < 0)
		return rc;
	p->proof->anchor = *anchor; /* what approvals name, wherever the range begins */
	run.ref = r->ref = arena_printf(r->mem, "refs/heads/%s", p->branch);
	r->anchor = *anchor;
	if ((status && (rc = read_records(p->git, status, r, p->proof, e)) < 0) || (rc = gather(p, r, run.ref, e)) < 0)
		return rc;
	p->doubted = r->doubted;
	run.proof = p->proof;
	run.evidence = p->evidence;
	run.nevidence = p->nevidence;
	return approve_run(&run, &p->main, r->mem, &p->result, e);
}

/*
 * The signer is believed when it is trusted itself: as the range begins, or, where main has another one since, as far as approvals go that need no
 * times of the past.
 */
static int
find_signer(struct proved *p, const struct oid *anchor, const struct oid *status, struct records *r, const char **out, struct err *e)
{
	struct git_commit_info first, last;
	const char *newest;
	int rc;

	if ((rc = git_commit_read(p->git, &p->begin, r->mem, &first, e)) < 0 || (rc = git_commit_read(p->git, &p->main, r->mem, &last, e)) < 0)
		return rc;
	*out = status_signer(p->git, &first.tree, r->mem);
	newest = status_signer(p->git, &last.tree, r->mem);
	if (str_eq(*out, newest))
		return 0;
	r->times = false;
	if ((rc = run_all(p, anchor, status, r, e)) == 0)
		*out = status_signer(p->git, &p->proof->tree, r->mem);
	return rc;
}

static int
judge_all(struct proved *p, const struct oid *anchor, const struct oid *tip, const struct oid *status, struct records *r, struct err *e)
{
	const char *signer = NULL;
	int rc;

	if (status && ((rc = find_signer(p, anchor, status, r, &signer, e)) < 0 || (rc = status_commits_check(p->git, tip, signer, &p->status, e)) < 0))
		return rc;
	r->times = true;
	r->commits = &p->status;
	return run_all(p, anchor, status, r, e);
}

int
prove(const struct args *a, const char *from, const char *rev, struct proved *out, struct err *e)
{
	struct proved p = { .now = clock_now() };
	struct records r = { .mem = a->mem };
	struct oid tip, status, anchor;
	bool has_status;
	int rc;

	if ((rc = open_refs(a, &p, &tip, &status, &has_status, e)) < 0 ||
	    (rc = find_anchor(a, &p, has_status ? &status : NULL, &anchor, e)) < 0 ||
	    (rc = git_rev_parse(p.git, rev ? rev : p.main_ref, &p.main, e)) < 0)
		goto out;
	p.begin = anchor;
	if (from && (rc = git_rev_parse(p.git, from, &p.begin, e)) < 0)
		goto out;
	p.judge = judge_new(p.git);
	rc = judge_all(&p, &anchor, &tip, has_status ? &status : NULL, &r, e);
out:
	map_free(&r.seen);
	if (rc < 0 && p.git && !e->hint[0] && fs_exists(arena_printf(a->mem, "%s/shallow", git_path(p.git))))
		(void)err_hint(e, "this clone has not the whole history: `git fetch --unshallow`, or fetch-depth: 0 in a forge's job");
	if (rc < 0)
		prove_close(&p);
	else
		*out = p;
	return rc;
}

void
prove_close(struct proved *p)
{
	judge_free(p->judge);
	map_free(&p->status.told);
	proof_free(p->proof);
	git_close(p->git);
}
