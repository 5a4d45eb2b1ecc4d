/* SPDX-License-Identifier: Apache-2.0 */
/* After the merge: what the status branch says of the environments that the pull request touched. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "pulls/priv.h"
#include "status/document.h"

#define WATCH_S (7 * 86400)     /* then nobody waits for it any more */
#define EDIT_MS 10000           /* between two edits of one comment: phases come and go */
#define ADOPTED_MAX 256
#define FRESH_S 5               /* after a merge its reviews are being read, and what waits for them is no news */
#define CALM_S 600              /* after so long what the status says is taken for what came of it */

struct result {
	struct pulls *p;
	const struct now *n;
	struct memo *m;
	struct arena *mem;
	struct oid merged;
	struct comment_outcome *list;
	size_t settled, stuck;
	bool fresh;
	const char *first;      /* of what is not as wanted */
};

/* Is what the status says about the merge, or about something before it? */
static bool
is_after(struct result *r, const struct value *doc, const char *where)
{
	const char *hex = value_as_str(value_at(doc, where), "");
	struct oid id;

	return *hex && git_rev_parse(r->p->git, hex, &id, NULL) == 0 && git_is_ancestor(r->p->git, &r->merged, &id, NULL) == 1;
}

static const struct value *
status_of(struct result *r, const char *env)
{
	const char *path = arena_printf(r->mem, "envs/%s.yaml", env);
	struct value *v = NULL;

	return r->n->has_status && status_read_tree(r->p->git, &r->n->status_tree, path, r->mem, &v, NULL) == 0 ? v : NULL;
}

/* Has the daemon taken over a commit that has the merge in it? */
static bool
adopted(struct result *r)
{
	char *text;
	size_t len;
	struct oid id;

	if (fs_read(arena_printf(r->mem, "%s/adopted", r->p->c.state_dir), ADOPTED_MAX, r->mem, &text, &len, NULL) < 0)
		return false;
	text[strcspn(text, "\r\n ")] = '\0';
	return git_rev_parse(r->p->git, text, &id, NULL) == 0 && git_is_ancestor(r->p->git, &r->merged, &id, NULL) == 1;
}

static void
one_env(struct result *r, struct comment_outcome *o, const char *text, bool taken)
{
	const char *env = text + (*text == '-'), *slash = strchr(env, '/');
	const struct value *doc = status_of(r, env);
	bool after = doc && (is_after(r, doc, "observed.commit") || is_after(r, doc, "pending.commit"));

	*o = (struct comment_outcome){ 0 };
	/* where the merge changed nothing that is applied, the status goes on naming the commit before it */
	if (doc && *text != '-' && (after || (taken && clock_now() > r->m->since + CALM_S))) {
		comment_outcome_of(doc, o);
	} else if (*text == '-' && !doc && taken) {
		o->wanted = true;
	} else if (doc) { /* what it says is about what was before */
		o->phase = value_as_str(value_get(doc, "phase"), "Queued");
		o->message = *text == '-' ? "merged; it is being deleted" : "merged, and not applied yet";
	} else {
		o->phase = *text == '-' ? "Deleting" : "Queued";
		o->message = "merged, and not applied yet";
	}
	o->owner = slash ? arena_strndup(r->mem, env, (size_t)(slash - env)) : env;
	o->name = slash ? slash + 1 : "";
	r->settled += o->wanted;
	r->stuck += o->stuck;
	if (!o->wanted && (!r->first || (o->stuck && r->stuck == 1)))
		r->first = arena_printf(r->mem, "%s %s%s%s%s%s", env, o->phase ? o->phase : "", o->reason ? " " : "", o->reason ? o->reason : "",
		                        o->message ? ": " : "", o->message ? o->message : "");
}

/* A path of it that nobody has approved; NULL: none. */
static const char *
unapproved(struct result *r)
{
	struct changeset c;
	struct oid main, head;

	if (!r->n->proof || git_rev_parse(r->p->git, r->m->main, &main, NULL) < 0 || git_rev_parse(r->p->git, r->m->head, &head, NULL) < 0 ||
	    change_of(r->p, &main, &head, r->mem, &c, NULL, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < c.n; i++)
		/* main may have moved on since; what waits is what main has and the trusted tree has not */
		if (changeset_is(r->p->git, &r->n->proof->tree, &c.items[i], false, NULL) == 0 &&
		    changeset_is(r->p->git, &r->n->main_tree, &c.items[i], false, NULL) == 1)
			return c.items[i].path;
	return NULL;
}

static void
check_apply(struct result *r, bool taken, struct forge_status *s)
{
	const char *waits = unapproved(r);
	size_t n = r->m->nenvs;

	s->context = "berth/apply";
	s->state = r->stuck || waits ? FORGE_FAILURE : taken && r->settled == n ? FORGE_SUCCESS : FORGE_PENDING;
	r->fresh = s->state == FORGE_FAILURE && clock_now() < r->m->since + FRESH_S && commit_waits(r->p, r->n, r->m->merged);
	if (r->fresh) {
		s->state = FORGE_PENDING;
		s->description = "merged; its reviews are being read";
		r->m->again = clock_mono_ms() + FRESH_S * 1000;
	} else if (waits && !r->stuck && r->n->mode == APPROVAL_FORGE) {
		s->description = arena_printf(r->mem, "ApprovalMissing: %s waits for a review of the %s", waits,
		                              r->p->c.forge.kind == FORGE_GITLAB ? "merge request" : "pull request");
	} else if (waits && !r->stuck)
		s->description = arena_printf(r->mem, "ApprovalMissing: %s waits for an approval; `berth verify` says whose", waits);
	else if (r->first)
		s->description = arena_printf(r->mem, "%zu of %zu as wanted; %s", r->settled, n, r->first);
	else if (!taken)
		s->description = "merged, and not looked at yet";
	else if (n)
		s->description = arena_printf(r->mem, "%zu environment%s as wanted", n, n == 1 ? "" : "s");
	else
		s->description = "applied";
}

static int
say(struct result *r, struct err *e)
{
	struct comment_facts f = { .base = r->m->main, .head = r->m->head, .main = r->p->c.branch, .mode = r->n->mode,
		.by_comment = r->p->c.forge.kind == FORGE_GITLAB, .no_late = r->p->c.forge.kind == FORGE_GITEA };
	struct buf AUTO_BUF body = BUF_INIT(1 << 20);
	int64_t now = clock_mono_ms();
	char was[DIGEST_HEX];
	int rc;

	if (now < r->m->again && !r->stuck && r->settled != r->m->nenvs)
		return 0;
	memcpy(was, r->m->digest, sizeof(was));
	comment_result(r->list, r->m->nenvs, &f, &body);
	rc = say_comment(r->p, r->m, &body, e);
	if (rc == 0 && strcmp(was, r->m->digest) != 0)
		r->m->again = clock_mono_ms() + EDIT_MS;
	return rc;
}

int
result_of(struct pulls *p, const struct now *n, struct memo *m, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	struct result r = { .p = p, .n = n, .m = m, .mem = mem };
	struct forge_status s = { 0 };
	bool taken;
	int rc;

	if (git_rev_parse(p->git, m->merged, &r.merged, NULL) < 0)
		return clock_now() > m->since + WATCH_S; /* not fetched yet */
	taken = adopted(&r);
	r.list = arena_array(mem, m->nenvs + 1, sizeof(*r.list));
	for (size_t i = 0; i < m->nenvs; i++)
		one_env(&r, &r.list[i], m->envs[i], taken);
	check_apply(&r, taken, &s);
	if ((rc = say_status(p, m, m->merged, CONTEXT_APPLY, &s, e)) < 0)
		return rc;
	/* without environments there is nothing to tell before it is applied */
	if (!r.fresh && (m->nenvs || s.state == FORGE_SUCCESS) && (rc = say(&r, e)) < 0)
		return rc;
	/* a review may come late, and is asked for as long as it is waited for */
	return s.state == FORGE_SUCCESS || (clock_now() > m->since + WATCH_S && !commit_waits(p, n, m->merged));
}
