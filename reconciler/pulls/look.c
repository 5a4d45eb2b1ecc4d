/* SPDX-License-Identifier: Apache-2.0 */
/* One open pull request: what is wrong with it, what it does, what it still needs. */
#include <stdio.h>
#include <string.h>

#include "changed.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/git/clone.h"
#include "pulls/priv.h"
#include "status/markdown.h"

#define CHANGE_MAX ((size_t)8 << 20) /* of the new files: documents take up to sixteen times as much memory, and nobody has reviewed these */

struct look {
	struct pulls *p;
	const struct now *n;
	const struct memo *m;
	const struct forge_pull *pull;
	struct arena *mem;
	struct looked *out;
	struct oid head, fork, merged;   /* two commits; main's tree with the change in it */
	struct changeset changes;
	const char *collides;            /* a file that main has changed too since they parted; NULL: none */
	struct report findings;
	struct changed changed;
	bool planned_ok;
	struct planned planned;
	struct err why;                  /* no plan */
	struct approve_looked voices;
	bool asked;                      /* voices are known */
};

/* -- the change --------------------------------------------------------------------------------------------------------------------------- */

int
change_of(struct pulls *p, const struct oid *main, const struct oid *head, struct arena *mem, struct changeset *out, struct oid *fork,
          struct err *e)
{
	char a[OID_HEX], b[OID_HEX];
	struct oid base, from, to;
	int rc;

	oid_hex(main, a);
	oid_hex(head, b);
	if ((rc = git_fork_point(p->git, a, b, &base, e)) < 0 || (rc = tree_of(p, &base, mem, &from, e)) < 0 || (rc = tree_of(p, head, mem, &to, e)) < 0)
		return rc;
	if (fork)
		*fork = base;
	return changeset_between(p->git, &from, &to, mem, out, e);
}

/* What is larger than any file that berth reads is refused by name, and not read. */
static int
check_size(struct look *l, struct err *e)
{
	size_t sum = 0;

	for (size_t i = 0; i < l->changes.n; i++) {
		const struct change_entry *c = &l->changes.items[i];
		size_t n = c->new_mode == FILE_REGULAR || c->new_mode == FILE_EXECUTABLE ? git_object_size(l->p->git, &c->new_id) : 0;

		sum += n <= FILE_OTHER_MAX ? n : 0;
	}
	if (sum > CHANGE_MAX)
		return err_set(e, ERR_INVALID, "its files have over %zu MiB, which is not looked at in one pull request", CHANGE_MAX >> 20);
	return 0;
}

/* File by file, as approvals are; a forge that merges lines may find less in the way. */
static int
find_collision(struct look *l, struct err *e)
{
	for (size_t i = 0; i < l->changes.n; i++) {
		const struct change_entry *c = &l->changes.items[i];
		int was = changeset_is(l->p->git, &l->n->main_tree, c, true, e), is = was ? was : changeset_is(l->p->git, &l->n->main_tree, c, false, e);

		if (is < 0)
			return is;
		if (!is && !l->collides)
			l->collides = c->path;
	}
	return 0;
}

/* -- what is found -------------------------------------------------------------------------------------------------------------------------- */

static int
validate(struct look *l, struct err *e)
{
	struct changed_ask ask = { .git = l->p->git, .sides = l->p->sides, .has_base = true, .base = l->n->main, .base_tree = l->n->main_tree, .head = l->head,
		.head_tree = l->merged };
	int rc;

	report_init(&l->findings, l->mem);
	rc = changed_findings(&ask, l->mem, &l->findings, &l->changed, e);
	report_sort(&l->findings);
	return rc;
}

/* Of the trees that validate has read. */
static int
plan(struct look *l, struct err *e)
{
	struct preview_ask ask = { .sides = l->p->sides, .touched = true };
	struct files status;
	int rc;

	if (l->n->has_status) {
		if ((rc = git_files(l->p->git, &l->n->status_tree, l->mem, &status, e)) < 0)
			return rc;
		ask.status = &status;
	}
	rc = preview_make(&ask, l->mem, &l->planned, &l->why);
	l->planned_ok = rc == 0;
	if (rc < 0 && rc != ERR_INVALID) {
		*e = l->why;
		return rc;
	}
	return 0;
}

/* The signed ones, and in mode forge what was heard of reviews. */
static void
join_review(struct look *l, const char *ref, struct approve *a)
{
	struct evidence *all;
	struct review *r;

	if (l->n->mode != APPROVAL_FORGE || !l->m->review || !l->m->review->nvoices)
		return;
	r = arena_alloc(l->mem, sizeof(*r));
	*r = *l->m->review;
	r->head = l->head;
	r->changes = l->changes;
	all = arena_regrow(l->mem, a->evidence, a->nevidence, a->nevidence + 1, sizeof(*all));
	review_evidence(r, ref, l->mem, &all[a->nevidence]);
	a->evidence = all;
	a->nevidence++;
}

static int
ask_voices(struct look *l, struct err *e)
{
	const struct now *n = l->n;
	const char *ref = arena_printf(l->mem, "refs/heads/%s", l->p->c.branch);
	struct approve a = { .git = l->p->git, .proof = n->proof, .judge = judge_get(l->p->judge), .ref = ref, .now = clock_now(),
		.evidence = n->evidence, .nevidence = n->nevidence };
	struct approve_ask ask = { .changes = &l->changes, .main = n->main, .head = l->head };
	int rc;

	if (!n->proof || !l->changes.n)
		return 0;
	join_review(l, ref, &a);
	rc = approve_look(&a, &ask, l->mem, &l->voices, e);
	l->asked = rc == 0;
	return rc == ERR_INVALID ? 0 : rc; /* a policy that cannot be read: the daemon says so */
}

/* "carol (review 5 of pull request 7)", or "dana" who signed */
static const char *
said_by(const struct look *l, size_t i)
{
	const char *how = l->voices.how ? l->voices.how[i] : NULL;

	return how ? arena_printf(l->mem, "%s (%s)", l->voices.voices[i], how) : l->voices.voices[i];
}

static void
digest_needs(const struct look *l, struct answer *out)
{
	struct hash_state h;
	struct digest d;

	hash_init(&h);
	hash_field(&h, &l->asked, sizeof(l->asked));
	hash_field_str(&h, l->asked && l->voices.missing ? l->voices.missing : "");
	for (size_t i = 0; l->asked && i < l->voices.nvoices; i++)
		hash_field_str(&h, said_by(l, i));
	hash_final(&h, &d);
	digest_hex(&d, out->needs);
	out->fork = l->fork;
}

int
look_needs(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, struct arena *mem, struct changeset *changes, struct answer *out,
           struct err *e)
{
	struct look l = { .p = p, .n = n, .m = m, .pull = pull, .mem = mem };
	int rc;

	if ((rc = git_rev_parse(p->git, pull->head_sha, &l.head, e)) < 0 || (rc = change_of(p, &n->main, &l.head, mem, &l.changes, &l.fork, e)) < 0 ||
	    (rc = ask_voices(&l, e)) < 0)
		return rc;
	*changes = l.changes;
	*out = (struct answer){ .waits = false };
	digest_needs(&l, out);
	return 0;
}

/* -- the checks ------------------------------------------------------------------------------------------------------------------------------- */

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static const char *
first_line(struct look *l, enum severity s)
{
	struct buf AUTO_BUF line = BUF_INIT(8192);

	for (size_t i = 0; i < l->findings.n; i++)
		if (l->findings.items[i].severity == s) {
			finding_line(&l->findings.items[i], &line);
			return arena_strdup(l->mem, buf_cstr(&line));
		}
	return "";
}

static void
check_validate(struct look *l)
{
	struct forge_status *s = &l->out->status[CONTEXT_VALIDATE];
	size_t errors = l->findings.errors, warnings = l->findings.warnings;

	s->context = "berth/validate";
	s->state = errors ? FORGE_FAILURE : FORGE_SUCCESS;
	l->planned.errors = errors;
	l->planned.first_error = errors ? first_line(l, SEVERITY_ERROR) : NULL;
	if (errors)
		s->description = arena_printf(l->mem, "%zu error%s: %s", errors, plural(errors), first_line(l, SEVERITY_ERROR));
	else if (warnings)
		s->description = arena_printf(l->mem, "%zu warning%s: %s", warnings, plural(warnings), first_line(l, SEVERITY_WARNING));
	else
		s->description = arena_printf(l->mem, "%zu document%s checked", l->changed.checked, plural(l->changed.checked));
}

/* Without what is not there: a forge shows some eighty characters. */
static const char *
counts(struct look *l)
{
	const struct planned *d = &l->planned;
	const struct { size_t n; const char *text; } parts[] = {
		{ d->invalid, "not valid" }, { d->refused, "refused in part" }, { d->count[ACTION_CREATE], "to create" },
		{ d->count[ACTION_CHANGE] + d->count[ACTION_RECREATE], "to change" }, { d->count[ACTION_DELETE], "to delete" },
		{ d->restarts, d->restarts == 1 ? "restarts" : "restart" },
	};
	struct buf AUTO_BUF out = BUF_INIT(1024);

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i].n)
			buf_printf(&out, "%s%zu %s", out.len ? ", " : "", parts[i].n, parts[i].text);
	buf_str(&out, out.len ? "" : "nothing changes in what runs");
	buf_str(&out, d->data ? ", DATA AT STAKE" : "");
	return arena_strdup(l->mem, buf_cstr(&out));
}

static void
check_plan(struct look *l)
{
	struct forge_status *s = &l->out->status[CONTEXT_PLAN];

	s->context = "berth/plan";
	s->state = FORGE_FAILURE;
	if (!l->changes.n) {
		s->description = "it changes nothing: there is nothing to approve or to apply";
	} else if (!l->planned_ok) {
		s->description = arena_printf(l->mem, "no plan: %s", l->why.text);
	} else if (l->planned.invalid || l->planned.refused) {
		s->description = counts(l);
	} else if (l->collides) {
		s->state = FORGE_PENDING;
		s->description = arena_printf(l->mem, "%s has another %s by now: bring the branch up to date", l->p->c.branch, l->collides);
	} else if (l->asked && l->voices.missing) {
		s->state = FORGE_PENDING;
		s->description = arena_printf(l->mem, "needs %s; %s", l->voices.missing, counts(l));
	} else if (l->n->mode != APPROVAL_NONE && !l->asked) { /* nothing is proved yet, or the trusted policy cannot be read: nobody can tell who must approve */
		s->state = FORGE_PENDING;
		s->description = arena_printf(l->mem, "needs approvals, and berth has not proved any commit of %s yet; %s", l->p->c.branch, counts(l));
	} else {
		s->state = FORGE_SUCCESS;
		s->description = counts(l);
	}
}

/* -- the comment --------------------------------------------------------------------------------------------------------------------------------- */

/* What every plan's comment says, whatever is planned. */
static struct comment_facts
facts(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, struct arena *mem)
{
	bool lab = p->c.forge.kind == FORGE_GITLAB;
	struct comment_facts f = { .base = n->main_hex, .head = pull->head_sha, .lasting = true, .mode = n->mode, .main = p->c.branch, .answer = m->reply,
		.by_comment = lab, .approve = arena_printf(mem, "berth approve %lld", (long long)pull->number), .unknown = n->mode != APPROVAL_NONE,
		.max = forge_body_max(p->forge) };

	f.commands = command_list(p, n, &f.ncommands);
	if (f.max > COMMENT_MAX)
		f.max = COMMENT_MAX; /* who reads more than that? */
	return f;
}

static const char *
said_yes(struct look *l)
{
	const char **list = arena_array(l->mem, l->voices.nvoices + 1, sizeof(*list));

	for (size_t i = 0; i < l->voices.nvoices; i++)
		list[i] = said_by(l, i);
	return str_join(l->mem, list, l->voices.nvoices, "");
}

static void
write_comment(struct look *l)
{
	struct comment_facts f = facts(l->p, l->n, l->m, l->pull, l->mem);
	char fork[OID_HEX];

	oid_hex(&l->fork, fork);
	f.fork = fork;
	if (l->asked) {
		f.unknown = false;
		f.missing = l->voices.missing;
		f.approved = l->voices.nvoices ? said_yes(l) : NULL;
	}
	if (!l->planned_ok)
		l->planned = (struct planned){ .none = l->why.text };
	comment_plan(&l->planned, &f, &l->out->comment);
}

void
look_none(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, const char *why, struct arena *mem, struct buf *out)
{
	struct comment_facts f = facts(p, n, m, pull, mem);
	struct planned none = { .none = why };

	f.unknown = true; /* of approvals there is nothing to say */
	comment_plan(&none, &f, out);
}

/* -- findings at their lines -------------------------------------------------------------------------------------------------------------------------- */

static bool
changes_path(const struct changeset *c, const char *path)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int d = strcmp(c->items[mid].path, path);

		if (d == 0)
			return c->items[mid].new_mode != 0;
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static void
write_findings(struct look *l)
{
	struct looked *out = l->out;

	if (!l->findings.errors)
		return;
	out->findings = arena_array(l->mem, PULL_FINDINGS_MAX, sizeof(*out->findings));
	for (size_t i = 0; i < l->findings.n && out->nfindings < PULL_FINDINGS_MAX; i++) {
		const struct finding *f = &l->findings.items[i];
		struct buf AUTO_BUF text = BUF_INIT(65536);

		if (f->at.line == 0 || !f->at.file || !changes_path(&l->changes, f->at.file))
			continue;
		buf_printf(&text, "**%s %s** ", f->severity == SEVERITY_ERROR ? "error" : "warning", finding_id(f->code));
		md_prose(l->mem, &text, f->message);
		if (f->help) {
			buf_str(&text, "\n\n**help** ");
			md_prose(l->mem, &text, f->help);
		}
		out->findings[out->nfindings++] = (struct forge_finding){ .path = f->at.file, .line = f->at.line, .text = arena_strdup(l->mem, buf_cstr(&text)) };
	}
	out->review = arena_printf(l->mem, "berth: %zu error%s. What is said at a line is what `berth validate` says there.", l->findings.errors,
	                           plural(l->findings.errors));
}

void
planned_envs(const struct planned *d, struct arena *mem, const char *const **out, size_t *n)
{
	const char **list = arena_array(mem, PULL_ENVS_MAX, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < d->n && *n < PULL_ENVS_MAX; i++) {
		const struct planned_row *r = &d->rows[i];

		if (r->owner && r->name && !r->before)
			list[(*n)++] = arena_printf(mem, "%s%s/%s", r->kind == PLANNED_UNIT && r->plan.action == ACTION_DELETE ? "-" : "", r->owner, r->name);
	}
	*out = list;
}

int
look_at(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, struct arena *mem, struct looked *out, struct err *e)
{
	struct look l = { .p = p, .n = n, .m = m, .pull = pull, .mem = mem, .out = out };
	int rc;

	*out = (struct looked){ .comment = BUF_INIT(1 << 20) };
	if ((rc = git_rev_parse(p->git, pull->head_sha, &l.head, e)) < 0 || (rc = change_of(p, &n->main, &l.head, mem, &l.changes, &l.fork, e)) < 0 ||
	    (rc = check_size(&l, e)) < 0 || (rc = changeset_apply(p->git, &n->main_tree, &l.changes, &l.merged, e)) < 0 || (rc = find_collision(&l, e)) < 0 ||
	    (rc = validate(&l, e)) < 0 || (rc = plan(&l, e)) < 0 || (rc = ask_voices(&l, e)) < 0)
		return rc;
	check_validate(&l);
	check_plan(&l);
	write_comment(&l);
	write_findings(&l);
	planned_envs(&l.planned, mem, &out->envs, &out->nenvs);
	out->answer = (struct answer){ .tree = n->main_tree, .waits = l.planned_ok && l.planned.waiting };
	digest_needs(&l, &out->answer);
	return 0;
}
