/* SPDX-License-Identifier: Apache-2.0 */
/* What forge.h offers, by the vtable. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/forge/forge_priv.h"

#define CONTEXT_MAX 100
#define TITLE_MAX 255
#define PATH_MAX_BYTES 4096
#define FINDINGS_MAX 10000
#define LONG_PAGE 10          /* comments of the greatest size are still below FORGE_ANSWER_MAX */
#define LONG_ENTRIES 2000     /* comments, and whatever else happened */
#define OUTSIDE_ROOM 64 /* what forge_outside keeps for its last line */

static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int
check_body(const struct forge *f, const char *what, const char *body, size_t room, struct err *e)
{
	size_t n = characters(body), max = forge_body_max(f) - room;

	if (!n)
		return forge_fail(f, what, ERR_INVALID, e, "its text is empty");
	if (n > max)
		return forge_fail(f, what, ERR_INVALID, e, "its text has %zu characters, and %s takes %zu", n, forge_ops(f)->name, max);
	return 0;
}

static int
check_number(const struct forge *f, int64_t number, struct err *e)
{
	return number > 0 ? 0 : forge_fail(f, "ask", ERR_INVALID, e, "%lld is no number of a %s", (long long)number, forge_ops(f)->thing);
}

static int
check_sha(const struct forge *f, const char *sha, struct err *e)
{
	return forge_sha_ok(sha) ? 0 : forge_fail(f, "ask", ERR_INVALID, e, "that is no full id of a commit in lower case");
}

/* -- pull requests -------------------------------------------------------------------------------------------------------------- */

int
forge_pull(struct forge *f, int64_t number, struct arena *mem, struct forge_pull *out, struct err *e)
{
	AUTO_ARENA struct arena *tmp = arena_new(FORGE_MEM);
	struct forge_call c = { .path = arena_printf(tmp, "%s/%lld", forge_ops(f)->pull, (long long)number), .right = RIGHT_READ,
		                .what = arena_printf(tmp, "read %s %lld", forge_ops(f)->thing, (long long)number) };
	struct forge_answer a;
	struct value *v = NULL;
	struct forge_pull p;
	int rc;

	if ((rc = check_number(f, number, e)) || (rc = forge_ask(f, &c, tmp, &v, &a, e)))
		return rc;
	if (!forge_ops(f)->read_pull(mem, v, &p) || p.number != number)
		return forge_strange(f, c.what, e);
	*out = p;
	return 0;
}

int
forge_pull_none(const struct forge *f, const char *sha, const char *base, struct err *e)
{
	return forge_fail(f, "find", ERR_NOTFOUND, e, "no %s into %s brought %.12s", forge_ops(f)->thing, base, sha);
}

struct best {
	const struct forge_ops *ops;
	struct arena *mem, *one; /* of the best, of the one that is looked at */
	const char *sha, *base;
	struct forge_pull pull;
	int rank;
	bool strange;
};

static bool
take_best(void *ctx, const struct value *v)
{
	struct best *b = ctx;
	struct forge_pull p;
	int rank;

	arena_reset(b->one);
	if (!b->ops->read_pull(b->one, v, &p)) {
		b->strange = true;
		return false;
	}
	rank = forge_pull_rank(&p, b->sha, b->base);
	if (rank > b->rank && b->ops->read_pull(b->mem, v, &b->pull))
		b->rank = rank;
	return rank < 2;
}

int
forge_pull_best(struct forge *f, const char *path, const char *sha, const char *base, struct arena *mem, struct forge_pull *out,
                struct err *e)
{
	AUTO_ARENA struct arena *one = arena_new(65536);
	struct best b = { .ops = forge_ops(f), .mem = mem, .one = one, .sha = sha, .base = base };
	struct forge_list l = { .path = path, .what = "find what brought a commit", .right = RIGHT_READ, .max = FORGE_PAGE,
		                .each = take_best, .ctx = &b };
	struct forge_end end = { .more = false };
	int rc = forge_each(f, &l, &end, e);

	if (rc == ERR_NOTFOUND || (rc && end.status == 422)) /* GitHub: "No commit found for SHA" */
		return forge_pull_none(f, sha, base, e);
	if (rc)
		return rc;
	if (b.strange)
		return forge_strange(f, l.what, e);
	if (!b.rank)
		return forge_pull_none(f, sha, base, e);
	*out = b.pull;
	return 0;
}

int
forge_pull_of(struct forge *f, const char *sha, const char *base, struct arena *mem, struct forge_pull *out, struct err *e)
{
	int rc = check_sha(f, sha, e);

	return rc ? rc : forge_ops(f)->pull_of(f, sha, base, mem, out, e);
}

int
forge_pull_open(struct forge *f, const struct forge_new_pull *p, struct arena *mem, struct forge_pull *out, struct err *e)
{
	AUTO_ARENA struct arena *tmp = arena_new(FORGE_MEM);
	struct forge_new_pull clean = { .title = forge_clean(tmp, p->title, TITLE_MAX, false), .body = forge_clean(tmp, p->body, 0, true),
		                        .head = p->head, .base = p->base };
	struct forge_call c = { .method = "POST", .path = forge_ops(f)->pull, .told = true, .right = RIGHT_OPEN,
		                .what = arena_printf(tmp, "open a %s", forge_ops(f)->thing),
		                .body = forge_ops(f)->new_pull(tmp, &clean) };
	struct forge_answer a = { .status = 0 };
	struct value *v = NULL;
	struct forge_pull got;
	int rc = characters(clean.body) ? check_body(f, c.what, clean.body, 0, e) : 0;

	if (rc || (rc = forge_ask(f, &c, tmp, &v, &a, e))) {
		/* GitHub says it with a 422 */
		if (rc == ERR_CONFLICT || (a.status == 422 && strcasestr(a.message, "already exists"))) {
			(void)forge_fail(f, c.what, ERR_CONFLICT, e, "there is one of %s already: %s", p->head, a.message);
			return err_hint(e, "push to %s to change it", p->head);
		}
		return rc;
	}
	if (!forge_ops(f)->read_pull(mem, v, &got))
		return forge_strange(f, c.what, e);
	*out = got;
	return 0;
}

/* -- statuses -------------------------------------------------------------------------------------------------------------------- */

int
forge_status_set(struct forge *f, const char *sha, const struct forge_status *s, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct forge_status clean = { .state = s->state, .context = forge_clean(mem, s->context, CONTEXT_MAX, false), .url = s->url, .ref = s->ref,
		                      .description = forge_clean(mem, s->description ? s->description : "", FORGE_DESCRIPTION_MAX, false) };
	struct forge_call c = { .method = "POST", .right = RIGHT_STATUS, .path = arena_printf(mem, "/statuses/%s", sha),
		                .what = arena_printf(mem, "set the status %s of %.12s", clean.context, sha),
		                .body = forge_ops(f)->new_status(mem, &clean) };
	struct forge_answer a = { .status = 0 };
	struct value *v = NULL;
	int rc = check_sha(f, sha, e);

	if (rc)
		return rc;
	rc = forge_ask(f, &c, mem, &v, &a, e);
	if (rc && forge_ops(f)->status_again) {
		struct err again = { 0 };
		int mended = forge_ops(f)->status_again(f, sha, &clean, &a, &again);

		if (mended < 0)
			*e = again;
		rc = mended == 1 ? rc : mended;
	}
	return rc;
}

/* -- comments -------------------------------------------------------------------------------------------------------------------- */

struct comments {
	const struct forge_ops *ops;
	struct arena *mem; /* of one */
	bool (*each)(void *ctx, const struct forge_comment *c);
	void *ctx;
};

static bool
take_comment(void *ctx, const struct value *v)
{
	struct comments *to = ctx;
	struct forge_comment c;

	arena_reset(to->mem);
	return !to->ops->read_comment(to->mem, v, &c) || to->each(to->ctx, &c);
}

int
forge_comments(struct forge *f, int64_t number, bool (*each)(void *ctx, const struct forge_comment *c), void *ctx, struct err *e)
{
	const struct forge_ops *o = forge_ops(f);
	AUTO_ARENA struct arena *mem = arena_new(65536), *one = arena_new(65536);
	struct comments to = { .ops = o, .mem = one, .each = each, .ctx = ctx };
	struct forge_list l = { .path = arena_printf(mem, "%s/%lld%s%s", o->comments, (long long)number, o->comments_tail, o->comments_query),
		                .what = arena_printf(mem, "read the comments of %s %lld", o->thing, (long long)number), .right = RIGHT_READ,
		                .max = FORGE_COMMENTS_MAX, .unpaged = o->comments_unpaged, .each = take_comment, .ctx = &to };
	struct forge_end end = { .more = false };
	int rc = check_number(f, number, e);

	if (rc || !(rc = forge_each(f, &l, &end, e)) || !end.large || !o->comments_long)
		return rc;
	l.path = arena_printf(mem, "%s/%lld%s", o->comments, (long long)number, o->comments_long);
	l.unpaged = false;
	l.to_empty = true;
	l.page = LONG_PAGE;
	l.max = LONG_ENTRIES;
	return forge_each(f, &l, NULL, e);
}

static int
write_comment(struct forge *f, const char *method, const char *path, const char *what, const char *body, int64_t *id, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct value *v = value_map(mem), *json = NULL;
	struct forge_call c = { .method = method, .path = path, .told = true, .right = RIGHT_COMMENT, .what = what, .body = v };
	struct forge_answer a;
	int rc = check_body(f, what, body, 0, e);

	if (rc)
		return rc;
	value_set(mem, v, "body", value_str(mem, forge_clean(mem, body, 0, true)));
	if ((rc = forge_ask(f, &c, mem, &json, &a, e)))
		return rc;
	*id = forge_id(value_get(json, "id"));
	return *id ? 0 : forge_strange(f, what, e);
}

int
forge_comment_add(struct forge *f, int64_t number, const char *body, int64_t *id, struct err *e)
{
	const struct forge_ops *o = forge_ops(f);
	AUTO_ARENA struct arena *mem = arena_new(65536);
	const char *path = arena_printf(mem, "%s/%lld%s", o->comments, (long long)number, o->comments_tail);
	const char *what = arena_printf(mem, "comment on %s %lld", o->thing, (long long)number);
	int rc = check_number(f, number, e);
	int64_t got = 0;

	if (rc || (rc = write_comment(f, "POST", path, what, body, &got, e)))
		return rc;
	*id = got;
	return 0;
}

int
forge_comment_edit(struct forge *f, int64_t number, int64_t id, const char *body, struct err *e)
{
	const struct forge_ops *o = forge_ops(f);
	AUTO_ARENA struct arena *mem = arena_new(65536);
	const char *what = arena_printf(mem, "edit comment %lld on %s %lld", (long long)id, o->thing, (long long)number);
	int rc = check_number(f, number, e);
	int64_t got = 0;

	return rc ? rc : write_comment(f, o->edit, o->comment_path(mem, number, id), what, body, &got, e);
}

/* -- reviews ---------------------------------------------------------------------------------------------------------------------- */

int
forge_reviews(struct forge *f, int64_t number, struct arena *mem, struct forge_reviews *out, struct err *e)
{
	int rc = check_number(f, number, e);

	return rc ? rc : forge_ops(f)->reviews(f, number, mem, out, e);
}

struct course {
	struct forge *f;
	struct forge_course got;
};

static bool
take_event(void *ctx, const struct value *v)
{
	struct course *c = ctx;

	forge_ops(c->f)->read_event(v, &c->got);
	return true;
}

int
forge_course(struct forge *f, int64_t number, struct forge_course *out, struct err *e)
{
	const struct forge_ops *o = forge_ops(f);
	AUTO_ARENA struct arena *mem = arena_new(65536);
	struct course to = { .f = f };
	struct forge_list l = { .path = arena_printf(mem, "%s/%lld%s", o->comments, (long long)number, o->course ? o->course : ""),
		                .what = arena_printf(mem, "read what happened to %s %lld", o->thing, (long long)number), .right = RIGHT_READ,
		                .max = FORGE_EVENTS_MAX, .to_empty = o->course_to_empty, .each = take_event, .ctx = &to };
	struct forge_end end = { .more = false };
	int rc = check_number(f, number, e);

	if (rc || (o->course && (rc = forge_each(f, &l, &end, e))))
		return rc;
	if (end.more)
		return forge_fail(f, l.what, ERR_INVALID, e, "there are more than %d entries", FORGE_EVENTS_MAX);
	*out = to.got;
	return 0;
}

int
forge_review_post(struct forge *f, int64_t number, struct forge_new_review *r, struct err *e)
{
	int rc;

	if ((rc = check_number(f, number, e)) || (rc = check_sha(f, r->sha, e)) || (rc = check_body(f, "review", r->body, OUTSIDE_ROOM, e)))
		return rc;
	if (r->n > FINDINGS_MAX)
		return forge_fail(f, "review", ERR_INVALID, e, "%zu findings are too many, at most %d", r->n, FINDINGS_MAX);
	for (size_t i = 0; i < r->n; i++) {
		const struct forge_finding *g = &r->findings[i];

		if (g->line < 1 || !*g->path || strlen(g->path) > PATH_MAX_BYTES || !str_utf8_valid(g->path, strlen(g->path)))
			return forge_fail(f, "review", ERR_INVALID, e, "finding %zu has no path or no line", i + 1);
		if ((rc = check_body(f, "review", g->text, OUTSIDE_ROOM, e)))
			return rc;
	}
	return forge_ops(f)->review_post(f, number, r, e);
}
