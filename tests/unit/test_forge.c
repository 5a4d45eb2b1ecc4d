/* SPDX-License-Identifier: Apache-2.0 */
/* The client of forges against replayed exchanges: one scenario on all three, then pages, tokens and limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "unit/forge_lab.h"

#define BAD_TITLE " [31mgrant  me all @carol <img src=x> `"

/* -- the scenario ------------------------------------------------------------------------------------------------------------ */

static void
check_seven(const struct forge_pull *p)
{
	assert_int_equal(p->number, 7);
	assert_string_equal(p->title, "train: two GPUs");
	assert_string_equal(p->author, "alice");
	assert_string_equal(p->head_ref, "alice/train");
	assert_string_equal(p->head_sha, HEAD7);
	assert_string_equal(p->base_ref, "main");
	assert_string_equal(p->merge_sha, "");
	assert_string_equal(p->merged_by, "");
	assert_int_equal(p->state, FORGE_OPEN);
	assert_false(p->fork);
	assert_int_equal(p->updated, 1795341491); /* 2026-11-22T09:58:11Z, in whatever zone it was told */
	assert_true(str_starts(p->url, "https://") && str_ends(p->url, "/7"));
}

static void
check_pulls(struct forge *f)
{
	const struct forge_pulls *l;
	uint64_t version;

	assert_int_equal(forge_pulls(f, &l, &e), 0);
	assert_int_equal(l->n, 2);
	assert_false(l->more);
	assert_int_equal(l->skipped, forge_kind(f) == FORGE_GITEA ? 1 : 0);
	check_seven(&l->items[0]);
	assert_int_equal(l->items[1].number, 9);
	assert_string_equal(l->items[1].title, BAD_TITLE);
	assert_string_equal(l->items[1].author, "");
	assert_string_equal(l->items[1].head_ref, "gone");
	assert_string_equal(l->items[1].head_sha, HEAD9);
	assert_true(l->items[1].fork);
	version = l->version;
	assert_int_equal(forge_pulls(f, &l, &e), 0);
	assert_int_equal(l->version, version);
	assert_int_equal(l->n, 2);
	check_seven(&l->items[0]);
	assert_int_equal(forge_counts(f).unchanged, forge_kind(f) == FORGE_GITEA ? 0 : 1);
}

static void
check_pull(struct forge *f)
{
	struct forge_pull p;

	assert_int_equal(forge_pull(f, 7, mem, &p, &e), 0);
	check_seven(&p);
	assert_string_equal(p.base_sha, BASE);
	assert_int_equal(forge_pull_of(f, MERGE5, "main", mem, &p, &e), 0);
	assert_int_equal(p.number, 5);
	assert_int_equal(p.state, FORGE_MERGED);
	assert_string_equal(p.author, "dana");
	assert_string_equal(p.head_ref, "dana/notebook");
	assert_string_equal(p.head_sha, HEAD5);
	assert_string_equal(p.merge_sha, MERGE5);
	assert_string_equal(p.merged_by, forge_kind(f) == FORGE_GITEA ? "carol" : ""); /* others' lists do not tell */
	check_text(forge_pull_of(f, OLD7, "main", mem, &p, &e), ERR_NOTFOUND);
	assert_int_equal(p.number, 5);
}

struct seen {
	size_t n;
	char text[512];
};

static bool
see(void *ctx, const struct forge_comment *c)
{
	struct seen *s = ctx;
	size_t used = strlen(s->text);

	s->n++;
	(void)snprintf(s->text + used, sizeof(s->text) - used, "%lld %s%s %s|", (long long)c->id, *c->author ? c->author : "-",
	               c->edited ? " (edited)" : "", c->body);
	return true;
}

static void
check_comments(struct forge *f)
{
	struct seen s = { 0 };
	int64_t id = 0;

	assert_int_equal(forge_comments(f, 7, see, &s, &e), 0);
	assert_string_equal(s.text, "41 berth <!-- berth:plan -->\n### berth plan: 1 update|43 bo (edited) /berth plan|"
	                            "44 - <!-- berth:plan -->\n### berth plan: 1 update|");
	assert_int_equal(forge_comment_add(f, 7, "one\ntwo", &id, &e), 0);
	assert_int_equal(id, 45);
	assert_int_equal(forge_comment_edit(f, 7, id, "three", &e), 0);
}

static void
check_review(const struct forge_review *r, const char *user, enum forge_review_state state, const char *sha, bool stale, bool dismissed)
{
	assert_string_equal(r->user, user);
	assert_int_equal(r->state, state);
	assert_string_equal(r->sha, sha);
	assert_int_equal(r->stale, stale);
	assert_int_equal(r->dismissed, dismissed);
}

static void
check_reviews(struct forge *f)
{
	bool lab = forge_kind(f) == FORGE_GITLAB, tea = forge_kind(f) == FORGE_GITEA;
	struct forge_reviews r;

	assert_int_equal(forge_reviews(f, 7, mem, &r, &e), 0);
	assert_int_equal(r.n, 3);
	check_review(&r.items[0], "dana", lab ? FORGE_APPROVED : FORGE_CHANGES, lab ? "" : OLD7, lab || tea, false);
	check_review(&r.items[1], "carol", FORGE_APPROVED, lab ? "" : HEAD7, false, false);
	/* on GitLab his has no time: nobody knows what was pushed since */
	check_review(&r.items[2], "bo", lab || tea ? FORGE_APPROVED : FORGE_COMMENTED, lab ? "" : HEAD7, lab, !lab);
	assert_int_equal(r.items[1].submitted, 1795342200); /* 10:10:00Z */
	assert_int_equal(r.items[2].submitted, lab ? 0 : 1795342260);
	assert_string_equal(r.head_sha, lab ? HEAD7 : "");
	assert_int_equal(r.head_at, lab ? 1795341491 : 0);
}

static void
check_findings(struct forge *f)
{
	struct forge_finding findings[] = { { .path = "envs/alice/train.yaml", .line = 4, .text = "E102: unknown field" },
		                            { .path = "a``b.yaml", .line = 99, .text = "Q201: one\ntwo" } };
	struct forge_new_review r = { .sha = HEAD7, .body = "2 findings", .findings = findings, .n = 2 };
	bool lab = forge_kind(f) == FORGE_GITLAB;

	assert_int_equal(forge_review_post(f, 7, &r, &e), 0);
	assert_int_equal(findings[0].posted, lab);
	assert_int_equal(findings[0].outside, !lab);
	assert_true(findings[1].outside && !findings[1].posted);
}

static void
check_open(struct forge *f)
{
	struct forge_new_pull n = { .title = "bo: eval", .body = "please", .head = "bo/eval", .base = "main" };
	struct forge_pull p = { .number = 0 };

	assert_int_equal(forge_pull_open(f, &n, mem, &p, &e), 0);
	assert_int_equal(p.number, 12);
	assert_string_equal(p.head_sha, HEAD12);
	check_text(forge_pull_open(f, &n, mem, &p, &e), ERR_CONFLICT);
	assert_non_null(strstr(e.text, "there is one of bo/eval already"));
}

static void
scenario(void **state)
{
	static const struct exchange *const lists[] = { github_scenario, gitlab_scenario, gitea_scenario };
	struct forge_status s = { .context = "berth/plan", .state = FORGE_SUCCESS, .description = "1 update",
		                  .url = "https://berth.example/alice/train" };

	(void)state;
	for (enum forge_kind k = 0; k < FORGE_KIND_COUNT; k++) {
		struct forge_peer p;
		struct forge *f;
		const char *login = NULL;

		print_message("# %s\n", forge_kind_name(k));
		peer_start(&p, forge_kind_name(k), lists[k]);
		f = open_at(&p, k, 60000);
		assert_int_equal(forge_whoami(f, &login, &e), 0);
		assert_int_equal(forge_whoami(f, &login, &e), 0); /* not asked twice */
		assert_string_equal(login, "berth");
		check_pulls(f);
		check_pull(f);
		assert_int_equal(forge_status_set(f, HEAD7, &s, &e), 0);
		check_comments(f);
		check_reviews(f);
		check_findings(f);
		check_open(f);
		assert_int_equal(forge_counts(f).requests, p.served);
		assert_int_equal(forge_counts(f).writes, k == FORGE_GITHUB ? 7 : 8);
		assert_true(p.connections <= 2 * forge_counts(f).writes + 1); /* what must not be sent twice has a connection of its own */
		finish(f, &p);
	}
}

/* Who merged it, and from where its change is counted: of one that is asked for by its number. */
static void
merged_alone(void **state)
{
	static const struct {
		enum forge_kind kind;
		const char *text, *merge, *by;
	} rows[] = {
		{ FORGE_GITHUB, "{\"number\":7,\"state\":\"closed\",\"merged_at\":\"2026-11-22T10:00:00Z\",\"merge_commit_sha\":\"" MERGE5 "\",\"head\":{\"sha\":\"" HEAD7
		  "\"},\"base\":{\"ref\":\"main\",\"sha\":\"" BASE "\"},\"merged_by\":{\"id\":13,\"login\":\"carol\"}}", MERGE5, "carol" },
		{ FORGE_GITEA, "{\"number\":7,\"state\":\"closed\",\"merged\":true,\"merge_commit_sha\":\"" MERGE5 "\",\"head\":{\"sha\":\"" HEAD7
		  "\"},\"base\":{\"ref\":\"main\"},\"merge_base\":\"" BASE "\",\"merged_by\":{\"id\":13,\"login\":\"carol\"}}", MERGE5, "carol" },
		{ FORGE_GITEA, "{\"number\":7,\"state\":\"closed\",\"merged\":true,\"merge_commit_sha\":\"" MERGE5 "\",\"head\":{\"sha\":\"" HEAD7
		  "\"},\"base\":{\"ref\":\"main\"},\"merge_base\":\"" BASE "\",\"merged_by\":{\"id\":-1,\"login\":\"Ghost\"}}", MERGE5, "" },
		{ FORGE_GITLAB, "{\"iid\":7,\"state\":\"merged\",\"merge_commit_sha\":\"" MERGE5 "\",\"sha\":\"" HEAD7 "\",\"diff_refs\":{\"base_sha\":\"" BASE
		  "\"},\"merged_by\":{\"username\":\"bo\"},\"merge_user\":{\"username\":\"carol\"}}", MERGE5, "carol" },
		{ FORGE_GITLAB, "{\"iid\":7,\"state\":\"merged\",\"merge_commit_sha\":null,\"sha\":\"" HEAD7 "\",\"diff_refs\":{\"base_sha\":\"" BASE
		  "\"},\"merged_by\":{\"username\":\"carol\"},\"merge_user\":null}", HEAD7, "carol" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *ask = rows[i].kind == FORGE_GITLAB ? "GET " MR "/7" : "GET " GH "/pulls/7";
		const struct exchange list[] = { { .ask = ask, .status = "200 OK", .text = rows[i].text }, { .ask = NULL } };
		struct forge_pull pull;
		struct forge_peer p;
		struct forge *f;

		print_message("# %zu\n", i);
		peer_start(&p, "github", list);
		f = open_at(&p, rows[i].kind, 60000);
		assert_int_equal(forge_pull(f, 7, mem, &pull, &e), 0);
		assert_int_equal(pull.state, FORGE_MERGED);
		assert_string_equal(pull.merge_sha, rows[i].merge);
		assert_string_equal(pull.base_sha, BASE);
		assert_string_equal(pull.merged_by, rows[i].by);
		finish(f, &p);
	}
}

/* GitLab's approvals have no commit: only one of a later second than the newest version is of that version. */
static void
approval_times(void **state)
{
	static const struct {
		const char *at, *version;
		bool stale;
	} rows[] = {
		{ "\"2026-11-22T10:00:01.000Z\"", "\"2026-11-22T10:00:00.900Z\"", false },
		{ "\"2026-11-22T10:00:00.999Z\"", "\"2026-11-22T10:00:00.100Z\"", true },
		{ "\"2026-11-22T10:00:00.000Z\"", "\"2026-11-22T10:00:01.000Z\"", true },
		{ "null", "\"2026-11-22T10:00:00.000Z\"", true },
		{ "\"2026-11-22T10:00:01.000Z\"", "null", true },
		{ "\"2026-11-22T11:00:01.000+02:00\"", "\"2026-11-22T10:00:00.000Z\"", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct exchange list[] = {
			{ .ask = "GET " MR "/7/approvals", .status = "200 OK",
			  .text = arena_printf(mem, "{\"approved_by\":[{\"user\":{\"username\":\"carol\"},\"approved_at\":%s}]}", rows[i].at) },
			{ .ask = "GET " MR "/7/versions?per_page=50&page=1", .status = "200 OK",
			  .text = arena_printf(mem, "[{\"id\":3,\"head_commit_sha\":\"" HEAD7 "\",\"created_at\":%s}]", rows[i].version) },
			{ .ask = NULL },
		};
		struct forge_reviews r;
		struct forge_peer p;
		struct forge *f;

		print_message("# %zu\n", i);
		peer_start(&p, "gitlab", list);
		f = open_at(&p, FORGE_GITLAB, 60000);
		assert_int_equal(forge_reviews(f, 7, mem, &r, &e), 0);
		assert_int_equal(r.n, 1);
		assert_int_equal(r.items[0].stale, rows[i].stale);
		assert_string_equal(r.head_sha, HEAD7);
		finish(f, &p);
	}
}

/* -- pages --------------------------------------------------------------------------------------------------------------------- */

/* A list of open pull requests from..to as Gitea and GitHub give them, but only with what is read. */
static const char *
pulls_text(int from, int to)
{
	struct buf b = BUF_INIT(0);
	const char *text;

	for (int i = from; i <= to; i++)
		buf_printf(&b, "%c{\"number\":%d,\"state\":\"open\",\"title\":\"t\"}", i == from ? '[' : ',', i);
	buf_str(&b, from > to ? "[]" : "]");
	text = arena_strdup(mem, buf_cstr(&b));
	buf_free(&b);
	return text;
}


static void
pages(void **state)
{
	const struct exchange list[] = {
		{ .ask = HUB "50&page=1", .status = "200 OK", .headers = NEXT "ETag: \"a\"\r\n", .text = pulls_text(1, 50) },
		{ .ask = HUB "50&page=2", .status = "200 OK", .headers = "Link: <https://x/>; rel=\"prev\"\r\nETag: \"b\"\r\n", .text = pulls_text(50, 99) },
		/* nothing new: two times 304 and one look behind the full page */
		{ .ask = HUB "50&page=1", .has = { "If-None-Match: \"a\"" }, .status = "304 Not Modified" },
		{ .ask = HUB "50&page=2", .has = { "If-None-Match: \"b\"" }, .status = "304 Not Modified" },
		{ .ask = HUB "50&page=3", .status = "200 OK", .headers = "ETag: \"c\"\r\n", .text = "[]" },
		/* a new one there */
		{ .ask = HUB "50&page=1", .status = "304 Not Modified" },
		{ .ask = HUB "50&page=2", .status = "304 Not Modified" },
		{ .ask = HUB "50&page=3", .has = { "If-None-Match: \"c\"" }, .status = "200 OK", .text = pulls_text(100, 100) },
		/* all but one are closed */
		{ .ask = HUB "50&page=1", .status = "200 OK", .text = pulls_text(100, 100) },
		/* something that nobody keeps is another, then the title */
		{ .ask = HUB "50&page=1", .status = "200 OK", .text = "[{\"number\":100,\"state\":\"open\",\"title\":\"t\",\"base\":{\"repo\":{\"pushed_at\":1}}}]" },
		{ .ask = HUB "50&page=1", .status = "200 OK", .text = "[{\"number\":100,\"state\":\"open\",\"title\":\"T\"}]" },
		{ .ask = NULL },
	};
	static const size_t counts[] = { 99, 99, 100, 1, 1, 1 };
	static const uint64_t versions[] = { 1, 1, 2, 3, 3, 4 };
	const struct forge_pulls *l;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(forge_pulls(f, &l, &e), 0);
		assert_int_equal(l->n, counts[i]);
		assert_int_equal(l->version, versions[i]);
		assert_false(l->more);
		for (size_t k = 0; k < l->n; k++)
			assert_int_equal(l->items[k].number, i >= 3 ? 100 : (int64_t)k + 1);
	}
	finish(f, &p);
}

/* A server whose pages are smaller than what was asked for: none is left out, none is twice. */
static void
small_pages(void **state)
{
	const struct exchange list[] = {
		{ .ask = TEA "50&page=1", .status = "200 OK", .headers = NEXT "X-Total-Count: 45\r\n", .text = pulls_text(1, 20) },
		{ .ask = TEA "20&page=2", .status = "200 OK", .headers = NEXT "X-Total-Count: 45\r\n", .text = pulls_text(21, 40) },
		{ .ask = TEA "20&page=3", .status = "200 OK", .headers = "X-Total-Count: 45\r\n", .text = pulls_text(41, 45) },
		{ .ask = NULL },
	};
	const struct forge_pulls *l;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "gitea", list);
	f = open_at(&p, FORGE_GITEA, 60000);
	assert_int_equal(forge_pulls(f, &l, &e), 0);
	assert_int_equal(l->n, 45);
	assert_int_equal(l->items[44].number, 45);
	finish(f, &p);
}

static void
two_thousand(void **state)
{
	struct exchange *list = arena_array(mem, 41, sizeof(*list));
	const struct forge_pulls *l;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	for (int i = 0; i < 40; i++)
		list[i] = (struct exchange){ .ask = arena_printf(mem, HUB "50&page=%d", i + 1), .status = "200 OK", .headers = NEXT,
			                     .text = pulls_text(i * 50 + 1, i * 50 + 50) };
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	assert_int_equal(forge_pulls(f, &l, &e), 0);
	assert_int_equal(l->n, FORGE_PULLS_MAX);
	assert_true(l->more);
	finish(f, &p);
}

/* One huge entry hides no other, and costs its detour once. */
static void
huge_entry(void **state)
{
	const size_t big = FORGE_ANSWER_MAX + 1;
	const struct exchange list[] = {
		{ .ask = HUB "50&page=1", .huge = big },
		{ .ask = HUB "10&page=1", .status = "200 OK", .headers = NEXT "ETag: \"a\"\r\n", .text = pulls_text(1, 10) },
		{ .ask = HUB "10&page=2", .huge = big },
		{ .ask = HUB "1&page=11", .huge = big },
		{ .ask = HUB "1&page=12", .status = "200 OK", .headers = "ETag: \"b\"\r\n", .text = pulls_text(12, 12) },
		{ .ask = HUB "1&page=13", .status = "200 OK", .headers = "ETag: \"c\"\r\n", .text = "[]" },
		{ .ask = HUB "10&page=1", .has = { "If-None-Match: \"a\"" }, .status = "304 Not Modified" },
		{ .ask = HUB "1&page=12", .has = { "If-None-Match: \"b\"" }, .status = "304 Not Modified" },
		{ .ask = HUB "1&page=13", .has = { "If-None-Match: \"c\"" }, .status = "304 Not Modified" },
		/* another one is new: then the whole is tried again next time */
		{ .ask = HUB "10&page=1", .status = "304 Not Modified" },
		{ .ask = HUB "1&page=12", .status = "304 Not Modified" },
		{ .ask = HUB "1&page=13", .status = "200 OK", .headers = "Link: <https://x/>; rel=\"prev\"\r\n", .text = pulls_text(13, 13) },
		{ .ask = HUB "50&page=1", .status = "200 OK", .text = pulls_text(1, 13) },
		{ .ask = NULL },
	};
	static const size_t counts[] = { 11, 11, 12, 13 }, skipped[] = { 1, 1, 1, 0 };
	const struct forge_pulls *l;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(forge_pulls(f, &l, &e), 0);
		assert_int_equal(l->n, counts[i]);
		assert_int_equal(l->skipped, skipped[i]);
	}
	finish(f, &p);
}

/* -- tokens, limits ---------------------------------------------------------------------------------------------------------------- */

static void
new_token(void **state)
{
	static const struct exchange list[] = {
		{ .ask = "GET " GH "/pulls/7", .has = { "Bearer forge-token-1\r\n" }, .status = "200 OK", .file = "pull7" },
		{ .ask = "GET " GH "/pulls/7", .has = { "Bearer forge-token-22\r\n" }, .status = "200 OK", .file = "pull7" },
		{ .ask = "GET " GH "/pulls/7", .status = "401 Unauthorized", .text = "{\"message\":\"Bad credentials forge-token-22\"}" },
		{ .ask = NULL },
	};
	struct forge_pull pull;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	assert_int_equal(forge_pull(f, 7, mem, &pull, &e), 0);
	write_token("forge-token-22\n");
	assert_int_equal(forge_pull(f, 7, mem, &pull, &e), 0);
	check_text(forge_pull(f, 7, mem, &pull, &e), ERR_DENIED);
	assert_non_null(strstr(e.hint, token_file));
	write_token(TOKEN);
	finish(f, &p);
}

/* The file changes while the request is under way: the answer to the old token is a 401, and the new one is tried. */
static void
token_in_between(void **state)
{
	static const struct exchange list[] = {
		{ .ask = "GET " GH "/pulls/7", .has = { "Bearer forge-token-1\r\n" }, .status = "401 Unauthorized", .text = "{\"message\":\"x\"}" },
		{ .ask = "GET " GH "/pulls/7", .has = { "Bearer forge-token-3\r\n" }, .status = "200 OK", .file = "pull7" },
		{ .ask = NULL },
	};
	struct forge_pull pull;
	const struct timespec keep[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
	struct forge_peer p;
	struct forge *f;
	int fd;

	(void)state;
	/* same inode, size and time: only the 401 tells */
	fd = open(token_file, O_WRONLY | O_CLOEXEC);
	assert_int_equal(futimens(fd, keep), 0);
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	assert_int_equal(pwrite(fd, "forge-token-3", 13, 0), 13);
	assert_int_equal(futimens(fd, keep), 0);
	(void)close(fd);
	assert_int_equal(forge_pull(f, 7, mem, &pull, &e), 0);
	write_token(TOKEN);
	finish(f, &p);
}

struct limit_row {
	const char *name, *status, *headers, *text;
	int64_t wait_ms; /* at least; 0: none */
	int rc;
};

static void
check_limit(enum forge_kind kind, const struct limit_row *r)
{
	const char *ask = kind == FORGE_GITLAB ? "GET " MR "/7" : "GET " GH "/pulls/7";
	const struct exchange list[] = { { .ask = ask, .status = r->status, .headers = r->headers, .text = r->text }, { .ask = NULL } };
	struct forge_pull pull;
	struct forge_peer p;
	struct forge *f;
	const char *login;

	print_message("# %s\n", r->name);
	peer_start(&p, forge_kind_name(kind), list);
	f = open_at(&p, kind, 60000);
	assert_int_equal(forge_limit_ms(f), 0);
	check_text(forge_pull(f, 7, mem, &pull, &e), r->rc);
	if (r->wait_ms) {
		assert_in_range(forge_limit_ms(f), r->wait_ms > 6000 ? r->wait_ms / 2 : 1000, r->wait_ms);
		assert_true(forge_may_write_at(f, false) == now_ms + forge_limit_ms(f));
		/* without a request */
		check_text(forge_whoami(f, &login, &e), ERR_UNAVAILABLE);
		assert_non_null(strstr(e.text, "nothing is asked until 20"));
		check_text(forge_comment_add(f, 7, "x", &(int64_t){ 0 }, &e), ERR_UNAVAILABLE);
		assert_int_equal(forge_counts(f).requests, 1);
		assert_int_equal(forge_counts(f).limited, 1);
		now_ms += r->wait_ms;
	}
	assert_int_equal(forge_limit_ms(f), 0);
	finish(f, &p);
}

static void
limits(void **state)
{
	const char *soon = arena_printf(mem, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: %lld\r\n", (long long)clock_now() + 600);
	const char *past = arena_printf(mem, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: %lld\r\n", (long long)clock_now() - 600);
	const char *left = arena_printf(mem, "x-ratelimit-remaining: 9\r\nx-ratelimit-reset: %lld\r\n", (long long)clock_now() + 600);
	const char *lab = arena_printf(mem, "RateLimit-Remaining: 0\r\nRateLimit-Reset: %lld\r\n", (long long)clock_now() + 30);
	const struct limit_row rows[] = {
		{ "403 with a reset", "403 Forbidden", soon, "{\"message\":\"API rate limit exceeded\"}", 600000, ERR_UNAVAILABLE },
		{ "403 with a reset in the past", "403 Forbidden", past, "{\"message\":\"API rate limit exceeded\"}", 1000, ERR_UNAVAILABLE },
		{ "429 with Retry-After", "429 Too Many Requests", "Retry-After: 17\r\n", "{}", 17000, ERR_UNAVAILABLE },
		{ "429 for ever", "429 Too Many Requests", "Retry-After: 99999999999\r\n", "{}", 3600000, ERR_UNAVAILABLE },
		{ "429 without a word", "429 Too Many Requests", NULL, NULL, 60000, ERR_UNAVAILABLE },
		{ "429 with a date", "429 No", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", "", 60000, ERR_UNAVAILABLE },
		{ "secondary limit", "403 Forbidden", left, "{\"message\":\"You have exceeded a secondary rate limit.\"}", 60000, ERR_UNAVAILABLE },
		{ "secondary limit with Retry-After", "403 Forbidden", "Retry-After: 5\r\n", "{\"message\":\"slow down\"}", 5000, ERR_UNAVAILABLE },
		{ "the last one", "200 OK", soon, "{\"number\":7,\"state\":\"open\"}", 600000, 0 },
		{ "503 with Retry-After", "503 Service Unavailable", "Retry-After: 3\r\n", "", 3000, ERR_UNAVAILABLE },
		{ "403 that is none", "403 Forbidden", left, "{\"message\":\"Resource not accessible by integration\"}", 0, ERR_DENIED },
		{ "500", "500 No", NULL, "oops", 0, ERR_UNAVAILABLE },
		{ "502 in HTML", "502 Bad Gateway", "Content-Type: text/html\r\n", "<h1>\x1b[2J</h1>", 0, ERR_UNAVAILABLE },
	};
	const struct limit_row gitlab = { "gitlab", "429 Too Many Requests", lab, "Retry later\n", 30000, ERR_UNAVAILABLE };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_limit(FORGE_GITHUB, &rows[i]);
	check_limit(FORGE_GITLAB, &gitlab);
}

/* A second between writes, 500 an hour that people are told of; statuses are none of these. */
static void
may_write(void **state)
{
	struct exchange *list = arena_array(mem, 502, sizeof(*list));
	struct forge_status s = { .context = "berth/plan", .state = FORGE_PENDING };
	struct forge_peer p;
	struct forge *f;
	int64_t id, first;

	(void)state;
	list[0] = (struct exchange){ .ask = "POST " GH "/statuses/" HEAD7, .has = { "\"description\":\"\"}" }, .status = "201 Created", .text = "{}" };
	for (size_t i = 1; i < 501; i++)
		list[i] = (struct exchange){ .ask = "POST " GH "/issues/7/comments", .status = "201 Created", .text = "{\"id\":45}" };
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	assert_true(forge_may_write_at(f, true) <= now_ms);
	assert_int_equal(forge_status_set(f, HEAD7, &s, &e), 0);
	assert_int_equal(forge_may_write_at(f, false), now_ms + 1000);
	now_ms += 2000;
	first = now_ms;
	for (size_t i = 0; i < 500; i++, now_ms += 1000) {
		assert_true(forge_may_write_at(f, true) <= now_ms);
		assert_int_equal(forge_comment_add(f, 7, "x", &id, &e), 0);
	}
	assert_int_equal(forge_may_write_at(f, true), first + 3600000);
	assert_true(forge_may_write_at(f, false) <= now_ms);
	finish(f, &p);
}

/* An end that the caller gives, and one that the number of comments gives. */
static bool
one_is_enough(void *ctx, const struct forge_comment *c)
{
	(void)c;
	return ++*(size_t *)ctx < 1;
}

static void
ends(void **state)
{
	static const struct exchange list[] = {
		{ .ask = "GET " GH "/issues/7/comments?per_page=50&page=1", .status = "200 OK", .headers = NEXT, .file = "comments" }, { .ask = NULL },
	};
	size_t n = 0;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	assert_int_equal(forge_comments(f, 7, one_is_enough, &n, &e), 0);
	assert_int_equal(n, 1);
	finish(f, &p);
}

/* Reviews beyond the bound prove nothing: an error, not a part of them. */
static void
too_many_reviews(void **state)
{
	struct exchange *list = arena_array(mem, 23, sizeof(*list));
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct forge_reviews r;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	for (int i = 0; i < 50; i++)
		buf_printf(&b, "%c{\"id\":1,\"state\":\"APPROVED\",\"user\":{\"id\":7,\"login\":\"bo\"}}", i ? ',' : '[');
	buf_char(&b, ']');
	for (int i = 0; i < 21; i++)
		list[i] = (struct exchange){ .ask = arena_printf(mem, "GET " GH "/pulls/7/reviews?per_page=50&page=%d", i + 1), .status = "200 OK",
			                     .headers = NEXT, .text = buf_cstr(&b) };
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	check_text(forge_reviews(f, 7, mem, &r, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "there are more than 1000"));
	finish(f, &p);
}

#define EVENT(key, name, at) "{\"id\":1,\"" key "\":\"" name "\",\"created_at\":\"" at "\"}"
#define LATE "2026-11-22T10:11:00Z"
#define EARLY "2026-11-22T10:10:00Z"

/* What people said before is not of what it is now; and who told the forge to merge it later did not see what that was. */
static void
courses(void **state)
{
	static const struct {
		enum forge_kind kind;
		const char *text;
		int64_t retargeted;
		bool scheduled;
	} rows[] = {
		{ FORGE_GITHUB, "[]", 0, false },
		{ FORGE_GITHUB, "[" EVENT("event", "labeled", LATE) "," EVENT("event", "closed", LATE) ",null,7]", 0, false },
		{ FORGE_GITHUB, "[" EVENT("event", "base_ref_changed", LATE) "," EVENT("event", "base_ref_changed", EARLY) "]", 1795342260, false },
		{ FORGE_GITHUB, "[" EVENT("event", "automatic_base_change_succeeded", EARLY) "]", 1795342200, false },
		{ FORGE_GITHUB, "[" EVENT("event", "auto_squash_enabled", EARLY) "," EVENT("event", "auto_merge_disabled", LATE) "]", 0, true },
		{ FORGE_GITHUB, "[" EVENT("event", "base_ref_changed", "") "]", INT64_MAX, false },
		{ FORGE_GITEA, "[" EVENT("type", "change_target_branch", LATE) "," EVENT("type", "comment", EARLY) "]", 1795342260, false },
		{ FORGE_GITEA, "[" EVENT("type", "pull_scheduled_merge", LATE) "]", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool tea = rows[i].kind == FORGE_GITEA;
		const struct exchange list[] = {
			{ .ask = tea ? "GET /repos/example/envs/issues/7/timeline?limit=50&page=1" : "GET " GH "/issues/7/events?per_page=50&page=1", .status = "200 OK",
			  .text = rows[i].text },
			{ .ask = tea ? "GET /repos/example/envs/issues/7/timeline?limit=50&page=2" : NULL, .status = "200 OK", .text = "null" },
			{ .ask = NULL },
		};
		struct forge_course c;
		struct forge_peer p;
		struct forge *f;

		peer_start(&p, tea ? "gitea" : "github", list);
		f = open_at(&p, rows[i].kind, 60000);
		print_message("# %s\n", rows[i].text);
		assert_int_equal(forge_course(f, 7, &c, &e), 0);
		assert_int_equal(c.retargeted, rows[i].retargeted);
		assert_int_equal(c.scheduled, rows[i].scheduled);
		finish(f, &p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(scenario), WITH_ARENA(merged_alone), WITH_ARENA(approval_times), WITH_ARENA(pages), WITH_ARENA(small_pages), WITH_ARENA(two_thousand), WITH_ARENA(huge_entry),
		WITH_ARENA(new_token), WITH_ARENA(token_in_between), WITH_ARENA(limits), WITH_ARENA(may_write), WITH_ARENA(ends),
		WITH_ARENA(too_many_reviews),
		WITH_ARENA(courses),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
