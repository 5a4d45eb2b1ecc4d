/* SPDX-License-Identifier: Apache-2.0 */
/* The client of forges where things go wrong: refusals, no answer, strange answers, hostile texts, wrong calls. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/forge_lab.h"

/* -- refusals ------------------------------------------------------------------------------------------------------------------- */

static void
refusals(void **state)
{
	static const struct {
		const char *status, *headers, *text;
		int rc;
		const char *says, *hint;
	} rows[] = {
		{ "403 Forbidden", NULL, "{\"message\":\"Must have write access\"}", ERR_DENIED, "HTTP 403: Must have write access", "Commit statuses: write" },
		{ "404 Not Found", NULL, "{\"message\":\"Not Found\"}", ERR_NOTFOUND, "HTTP 404: Not Found", "Commit statuses: write" },
		{ "401 Unauthorized", NULL, "{\"message\":\"Bad credentials\"}", ERR_DENIED, "HTTP 401: Bad credentials", "is not accepted" },
		{ "422 No", NULL, "{\"message\":\"Validation \\u001b[31mFailed\",\"errors\":[{\"field\":\"description\",\"code\":\"too_long\"},\"and\\nmore\"]}",
		  ERR_INVALID, "Validation ?[31mFailed: description: too_long: and more", NULL },
		{ "422 No", NULL, "{\"message\":{\"title\":[\"can't be blank\"],\"x\":{\"y\":{\"z\":{\"deep\":\"no\"}}}}}", ERR_INVALID, "title: can't be blank", NULL },
		{ "422 No", NULL, "{\"error\":\"ref is missing\",\"message\":7}", ERR_INVALID, "HTTP 422: ref is missing", NULL },
		{ "400 No", NULL, "{\"message\":\"Bearer forge-token-1 is bad, ghp_0123456789abcdefghijABCDEFGHIJ012345\"}", ERR_INVALID, "[redacted]", NULL },
		{ "409 Conflict", NULL, "{}", ERR_CONFLICT, "HTTP 409", NULL },
		{ "301 Moved", "Location: http://127.0.0.1:1/\r\n", "{\"message\":\"Moved Permanently\"}", ERR_INVALID, "another address", "renamed" },
		{ "304 Not Modified", NULL, NULL, ERR_INVALID, "HTTP 304", NULL },
		{ "418 Teapot", NULL, "[[[[[[", ERR_INVALID, "HTTP 418", NULL },
		{ "200 OK", NULL, "{\"state\":", ERR_UNAVAILABLE, "is not JSON (application/json)", "check that the address" },
		{ "200 OK", "Content-Type: text/html; charset=utf-8\r\n", "<!DOCTYPE html><title>Sign in</title>", ERR_UNAVAILABLE,
		  "is not JSON (text/html; charset=utf-8)", "check that the address" },
	};
	struct forge_status s = { .context = "berth/plan", .state = FORGE_ERROR, .description = "x" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct exchange list[] = { { .ask = "POST " GH "/statuses/" HEAD7, .status = rows[i].status, .headers = rows[i].headers,
			                           .text = rows[i].text }, { .ask = NULL } };
		struct forge_peer p;
		struct forge *f;

		print_message("# %s %s\n", rows[i].status, rows[i].says);
		peer_start(&p, "github", list);
		f = open_at(&p, FORGE_GITHUB, 60000);
		check_text(forge_status_set(f, HEAD7, &s, &e), rows[i].rc);
		assert_non_null(strstr(e.text, "github example/envs: set the status berth/plan of 4f2c9d1e0b7a: "));
		assert_non_null(strstr(e.text, rows[i].says));
		if (rows[i].hint)
			assert_non_null(strstr(e.hint, rows[i].hint));
		finish(f, &p);
	}
}

/* The smallest right, of each forge and each thing that is asked. */
static void
rights(void **state)
{
	static const char *const say[FORGE_KIND_COUNT][3] = {
		{ "Commit statuses: write", "Pull requests: write", "Pull requests: read" },
		{ "role Developer", "role Reporter", "read_api" },
		{ "write:repository", "write:issue", "read:repository" },
	};
	static const char *const asks[FORGE_KIND_COUNT][3] = {
		{ "POST " GH "/statuses/" HEAD7, "POST " GH "/issues/7/comments", "GET " GH "/pulls/7" },
		{ "POST " GL "/statuses/" HEAD7, "POST " MR "/7/notes", "GET " MR "/7" },
		{ "POST " GH "/statuses/" HEAD7, "POST " GH "/issues/7/comments", "GET " GH "/pulls/7" },
	};
	struct forge_status s = { .context = "berth/plan" };
	struct forge_pull pull;
	int64_t id;

	(void)state;
	for (enum forge_kind k = 0; k < FORGE_KIND_COUNT; k++) {
		struct exchange list[4] = { { .ask = NULL } };
		struct forge_peer p;
		struct forge *f;

		for (size_t i = 0; i < 3; i++)
			list[i] = (struct exchange){ .ask = asks[k][i], .status = "403 Forbidden", .text = "{\"message\":\"no\"}" };
		peer_start(&p, forge_kind_name(k), list);
		f = open_at(&p, k, 60000);
		check_text(forge_status_set(f, HEAD7, &s, &e), ERR_DENIED);
		assert_non_null(strstr(e.hint, say[k][0]));
		check_text(forge_comment_add(f, 7, "x", &id, &e), ERR_DENIED);
		assert_non_null(strstr(e.hint, say[k][1]));
		check_text(forge_pull(f, 7, mem, &pull, &e), ERR_DENIED);
		assert_non_null(strstr(e.hint, say[k][2]));
		finish(f, &p);
	}
}

static void
no_answer(void **state)
{
	static const struct exchange hang[] = { { .ask = "GET " GH "/pulls/7" }, { .ask = NULL } };
	static const struct exchange huge[] = { { .ask = "GET " GH "/pulls/7", .huge = (size_t)10 << 20 }, { .ask = NULL } };
	struct forge_pull pull;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "github", hang);
	f = open_at(&p, FORGE_GITHUB, 300);
	check_text(forge_pull(f, 7, mem, &pull, &e), ERR_UNAVAILABLE);
	assert_int_equal(forge_counts(f).failed, 1);
	finish(f, &p);
	check_text(forge_pull(f = open_at(&p, FORGE_GITHUB, 300), 7, mem, &pull, &e), ERR_UNAVAILABLE); /* nobody listens there any more */
	forge_close(f);
	peer_start(&p, "github", huge);
	f = open_at(&p, FORGE_GITHUB, 60000);
	check_text(forge_pull(f, 7, mem, &pull, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "larger than 4194304 bytes"));
	finish(f, &p);
}

struct heard {
	int64_t ids[8];
	size_t n;
};

static bool
hear(void *ctx, const struct forge_comment *c)
{
	struct heard *h = ctx;

	assert_true(h->n < 8);
	h->ids[h->n++] = c->id;
	return true;
}

#define SAID(id, type) "{\"id\":" id ",\"type\":\"" type "\",\"body\":\"x\",\"user\":{\"id\":9,\"login\":\"bo\"},\"created_at\":\"2026-11-22T11:00:00Z\"}"
#define LONG(page) "GET " GH "/issues/7/timeline?limit=" page

/* Gitea has no pages of comments: what is too large at once is on its timeline, whose counts and lengths of pages say nothing of its end. */
static void
large_comments(void **state)
{
	static const struct exchange list[] = {
		{ .ask = "GET " GH "/issues/7/comments", .huge = FORGE_ANSWER_MAX + 1 },
		{ .ask = LONG("10&page=1"), .status = "200 OK", .headers = "X-Total-Count: 3\r\n",
		  .text = "[" SAID("1", "pull_push") "," SAID("2", "comment") "," SAID("3", "comment") "]" },
		{ .ask = LONG("10&page=2"), .huge = FORGE_ANSWER_MAX + 1 },
		{ .ask = LONG("2&page=6"), .huge = FORGE_ANSWER_MAX + 1 },
		{ .ask = LONG("1&page=11"), .huge = FORGE_ANSWER_MAX + 1 }, /* no comment is that large: one does without it */
		{ .ask = LONG("1&page=12"), .status = "200 OK", .headers = "X-Total-Count: 1\r\n", .text = "[" SAID("4", "comment") "]" },
		{ .ask = LONG("2&page=7"), .status = "200 OK", .headers = "X-Total-Count: 1\r\n", .text = "[" SAID("5", "label") "]" },
		{ .ask = LONG("2&page=8"), .status = "200 OK", .headers = "X-Total-Count: 2\r\n", .text = "[" SAID("6", "comment") "]" },
		{ .ask = LONG("2&page=9"), .status = "200 OK", .headers = "X-Total-Count: 0\r\n", .text = "null" },
		{ .ask = NULL },
	};
	struct heard h = { .n = 0 };
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "gitea", list);
	f = open_at(&p, FORGE_GITEA, 60000);
	check_text(forge_comments(f, 7, hear, &h, &e), 0);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.ids[0], 2);
	assert_int_equal(h.ids[1], 3);
	assert_int_equal(h.ids[2], 4);
	assert_int_equal(h.ids[3], 6);
	finish(f, &p);
}

/* Told to stop, and told who it is: neither waits for the forge. */
static void
told(void **state)
{
	static const struct exchange none[] = { { .ask = NULL } };
	atomic_bool stop = true;
	struct forge_config c = { .kind = FORGE_GITHUB, .repo = "example/envs", .token_file = token_file, .login = "berth[bot]", .cancel = &stop };
	const char *login = NULL;
	struct forge_pull pull;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "github", none);
	c.api = arena_printf(mem, "http://127.0.0.1:%d", p.port);
	assert_int_equal(forge_open(&c, &f, &e), 0);
	assert_int_equal(forge_whoami(f, &login, &e), 0);
	assert_string_equal(login, "berth[bot]");
	check_text(forge_pull(f, 7, mem, &pull, &e), ERR_CANCELLED);
	forge_close(f);
	peer_stop(&p);
}

/* What is JSON, but not what the API gives. */
static void
strange(void **state)
{
	static const char *const answers[] = { "[]", "null", "7", "\"x\"", "{}", "{\"number\":-7}", "{\"number\":8}", "{\"number\":\"7\"}", "" };
	static const char *const lists[] = { "{}", "null", "[7]", "[[]]", "[{\"title\":\"x\"}]", "\"x\"", "" };
	struct forge_pull pull = { .number = 1 };
	const struct forge_pulls *l = NULL;
	struct forge_peer p;
	struct forge *f;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct exchange list[] = { { .ask = "GET " GH "/pulls/7", .status = "200 OK", .text = answers[i] }, { .ask = NULL } };

		peer_start(&p, "github", list);
		f = open_at(&p, FORGE_GITHUB, 60000);
		check_text(forge_pull(f, 7, mem, &pull, &e), ERR_UNAVAILABLE);
		assert_int_equal(pull.number, 1);
		finish(f, &p);
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const struct exchange list[] = { { .ask = HUB "50&page=1", .status = "200 OK", .text = lists[i] }, { .ask = NULL } };

		peer_start(&p, "github", list);
		f = open_at(&p, FORGE_GITHUB, 60000);
		check_text(forge_pulls(f, &l, &e), ERR_UNAVAILABLE);
		assert_null(l);
		finish(f, &p);
	}
}

/* -- texts ------------------------------------------------------------------------------------------------------------------------ */

static void
descriptions(void **state)
{
	static const struct exchange list[] = {
		{ .ask = "POST " GH "/statuses/" HEAD7, .has = { "\"description\":\"0123456789" }, .status = "201 Created", .text = "{}" },
		{ .ask = "POST " GH "/statuses/" HEAD7, .has = { "ééé…\"" }, .status = "201 Created", .text = "{}" },
		{ .ask = "POST " GH "/statuses/" HEAD7, .has = { "\"a b  [31m?\"" }, .status = "201 Created", .text = "{}" },
		{ .ask = NULL },
	};
	struct buf exact AUTO_BUF = BUF_INIT(0), over AUTO_BUF = BUF_INIT(0);
	struct forge_status s = { .context = "berth/plan", .state = FORGE_FAILURE };
	struct forge_peer p;
	struct forge *f;

	(void)state;
	for (int i = 0; i < 14; i++)
		buf_str(&exact, "0123456789");
	for (int i = 0; i < 141; i++)
		buf_str(&over, "é");
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	s.description = buf_cstr(&exact);
	assert_int_equal(forge_status_set(f, HEAD7, &s, &e), 0);
	assert_non_null(strstr(p.in, arena_printf(mem, "\"%s\"", buf_cstr(&exact)))); /* 140: as it is */
	s.description = buf_cstr(&over);
	assert_int_equal(forge_status_set(f, HEAD7, &s, &e), 0);
	assert_non_null(strstr(p.in, arena_printf(mem, "\"%.*s…\"", 139 * 2, buf_cstr(&over))));
	s.description = "a\nb\x1b [31m\xff";
	assert_int_equal(forge_status_set(f, HEAD7, &s, &e), 0);
	finish(f, &p);
}

static void
cleaning(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		bool lines;
		const char *out;
	} rows[] = {
		{ "plain", 0, false, "plain" }, { "a\nb\tc\r", 0, false, "a b c " }, { "a\nb\tc\r", 0, true, "a\nb\tc\r" },
		{ "\x1b[2J\x07\x7f\x01", 0, true, " [2J   " }, { "\xc2\x9b" "2J\xc2\xa0", 0, false, " 2J\xc2\xa0" }, { "\xff\xc3-\xed\xa0\x80", 0, false, "?" "?-???" },
		{ "12345", 5, false, "12345" }, { "123456", 5, false, "1234…" }, { "ééééé", 5, false, "ééééé" }, { "éééééé", 5, false, "éééé…" },
		{ "12", 1, false, "…" }, { "", 5, false, "" }, { "\xff\xff\xff", 2, false, "?…" }, { "1234\xf0\x9f\x9a\x80", 5, false, "1234\xf0\x9f\x9a\x80" },
	};
	char long_name[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(forge_clean(mem, rows[i].in, rows[i].max, rows[i].lines), rows[i].out);
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_string_equal(forge_name(mem, value_str(mem, "alice")), "alice");
	assert_string_equal(forge_name(mem, value_str(mem, long_name)), "");
	assert_string_equal(forge_name(mem, value_str(mem, "alice\n")), "");
	assert_string_equal(forge_name(mem, value_str(mem, "alice ")), "");
	assert_string_equal(forge_name(mem, value_str(mem, "al\xc2\x9bice")), "");
	assert_string_equal(forge_name(mem, value_strn(mem, "bo\0carol", 8)), "");
	assert_string_equal(forge_name(mem, value_int(mem, 7)), "");
	assert_string_equal(forge_url(mem, value_str(mem, "https://x.example/7")), "https://x.example/7");
	assert_string_equal(forge_url(mem, value_str(mem, "javascript:alert(1)")), "");
	assert_string_equal(forge_url(mem, value_str(mem, "https://x.example/\"><b>")), "");
	assert_false(forge_sha_ok("4F2C9D1E0B7A5C3D2E1F00112233445566778899"));
	assert_false(forge_sha_ok("4f2c9d1"));
	assert_true(forge_sha_ok(HEAD7));
	assert_true(forge_edited(value_null(mem), value_null(mem)));
}

/* What does not fit into the body is counted. */
static void
outside(void **state)
{
	struct forge_finding *g = arena_array(mem, 1000, sizeof(*g));
	struct forge_new_review r = { .sha = HEAD7, .body = "many", .findings = g, .n = 1000 };
	struct buf out AUTO_BUF = BUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		g[i] = (struct forge_finding){ .path = "a/`b`", .line = 7, .text = "0123456789012345678901234567890123456789", .outside = i % 2 == 0 };
	forge_outside(&r, 2000, &out);
	assert_true(out.len <= 2000 && out.len > 1800);
	assert_non_null(strstr(buf_cstr(&out), "many\n\n- `` a/`b` `` line 7: 0123"));
	assert_true(str_ends(buf_cstr(&out), " more"));
	buf_reset(&out);
	forge_outside(&r, 1000000, &out);
	assert_null(strstr(buf_cstr(&out), "more"));
}

/* -- GitLab alone -------------------------------------------------------------------------------------------------------------------- */

static void
gitlab_status_again(void **state)
{
#define STATUSES "[{\"name\":\"berth/validate\",\"status\":\"pending\",\"description\":\"new\"},{\"name\":\"berth/plan\",\"status\":\"pending\",\"description\":\"old\"}]"
	static const struct exchange list[] = {
		{ .ask = "POST " GL "/statuses/" HEAD7, .has = { "\"state\":\"pending\"", "\"ref\":\"bo/eval\"}" }, .status = "400 Bad Request", .file = "pending" },
		{ .ask = "GET " GL "/repository/commits/" HEAD7 "/statuses?per_page=50&page=1", .status = "200 OK", .text = STATUSES },
		/* another text: what waits keeps its own, so it is ended first */
		{ .ask = "POST " GL "/statuses/" HEAD7, .has = { "\"state\":\"pending\"", "\"new\"" }, .status = "400 Bad Request", .file = "pending" },
		{ .ask = "GET " GL "/repository/commits/" HEAD7 "/statuses?per_page=50&page=1", .status = "200 OK", .text = STATUSES },
		{ .ask = "POST " GL "/statuses/" HEAD7, .has = { "\"state\":\"canceled\"", "\"name\":\"berth/plan\"", "\"ref\":\"bo/eval\"}" }, .status = "201 Created", .file = "status" },
		{ .ask = "POST " GL "/statuses/" HEAD7, .has = { "\"state\":\"pending\"", "\"new\"", "\"ref\":\"bo/eval\"}" }, .status = "201 Created", .file = "status" },
		{ .ask = "POST " GL "/statuses/" HEAD7, .has = { "\"state\":\"failed\"" }, .status = "400 Bad Request", .file = "pending" },
		{ .ask = NULL },
	};
	struct forge_status s = { .context = "berth/plan", .state = FORGE_PENDING, .ref = "bo/eval", .description = "old" };
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "gitlab", list);
	f = open_at(&p, FORGE_GITLAB, 60000);
	assert_int_equal(forge_status_set(f, HEAD7, &s, &e), 0);
	s.description = "new";
	assert_int_equal(forge_status_set(f, HEAD7, &s, &e), 0);
	s.state = FORGE_ERROR;
	check_text(forge_status_set(f, HEAD7, &s, &e), ERR_INVALID);
	finish(f, &p);
}

/* A limit in the middle: the same call goes on behind what stands there already; a push in between is told. */
static void
gitlab_goes_on(void **state)
{
	static const struct exchange list[] = {
		{ .ask = "GET " MR "/7/versions?per_page=50&page=1", .status = "200 OK", .file = "versions" },
		{ .ask = "POST " MR "/7/discussions", .has = { "\"new_line\":1}" }, .status = "201 Created", .file = "discussion" },
		{ .ask = "POST " MR "/7/discussions", .has = { "\"new_line\":2}" }, .status = "400 Bad Request", .file = "outside" },
		{ .ask = "POST " MR "/7/discussions", .has = { "\"new_line\":3}" }, .status = "429 No", .headers = "Retry-After: 9\r\n" },
		{ .ask = "GET " MR "/7/versions?per_page=50&page=1", .status = "200 OK", .file = "versions" },
		{ .ask = "POST " MR "/7/discussions", .has = { "\"new_line\":3}" }, .status = "201 Created", .file = "discussion" },
		{ .ask = "POST " MR "/7/notes", .has = { "line 2: b", "!line 1", "!line 3" }, .status = "201 Created", .file = "comment" },
		{ .ask = "GET " MR "/7/versions?per_page=50&page=1", .status = "200 OK", .file = "versions" },
		{ .ask = NULL },
	};
	struct forge_finding g[] = { { .path = "a", .line = 1, .text = "a" }, { .path = "a", .line = 2, .text = "b" }, { .path = "a", .line = 3, .text = "c" } };
	struct forge_new_review r = { .sha = HEAD7, .body = "x", .findings = g, .n = 3 };
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "gitlab", list);
	f = open_at(&p, FORGE_GITLAB, 60000);
	check_text(forge_review_post(f, 7, &r, &e), ERR_UNAVAILABLE);
	now_ms += 9000;
	assert_int_equal(forge_review_post(f, 7, &r, &e), 0);
	assert_true(g[0].posted && g[1].outside && g[2].posted);
	r.sha = OLD7;
	check_text(forge_review_post(f, 7, &r, &e), ERR_CONFLICT);
	finish(f, &p);
}

/* -- what is refused without a request -------------------------------------------------------------------------------------------------- */

static void
bad_config(void **state)
{
	static const struct {
		enum forge_kind kind;
		const char *api, *repo;
		bool allow_http, good;
	} rows[] = {
		{ FORGE_GITHUB, "https://api.github.com", "example/envs", false, true },
		{ FORGE_GITHUB, "https://api.github.com///", "example/envs", false, true },
		{ FORGE_GITLAB, "https://gitlab.example/api/v4", "a/b/c/d", false, true },
		{ FORGE_GITEA, "http://127.0.0.1:3000/api/v1", "example/envs", false, true },
		{ FORGE_GITEA, "http://[::1]:3000/api/v1", "example/envs", false, true },
		{ FORGE_GITEA, "http://localhost/api/v1", "example/envs", false, true },
		{ FORGE_GITEA, "http://gitea.example/api/v1", "example/envs", true, true },
		{ FORGE_GITEA, "http://gitea.example/api/v1", "example/envs", false, false },
		{ FORGE_GITEA, "http://127.0.0.1.evil.example/", "example/envs", false, false },
		{ FORGE_GITEA, "http://localhost.evil.example/", "example/envs", false, false },
		{ FORGE_GITEA, "http://localhost@evil.example/", "example/envs", false, false },
		{ FORGE_GITHUB, "https://bo:forge-token-x@api.github.com", "example/envs", false, false },
		{ FORGE_GITHUB, "https://api.github.com?access_token=forge-token-x", "example/envs", false, false },
		{ FORGE_GITHUB, "https://api.github.com/\r\nX: y", "example/envs", false, false },
		{ FORGE_GITHUB, "https://", "example/envs", false, false },
		{ FORGE_GITHUB, "ftp://api.github.com", "example/envs", false, false },
		{ FORGE_GITHUB, "", "example/envs", false, false },
		{ FORGE_GITHUB, "https://api.github.com", "example", false, false },
		{ FORGE_GITHUB, "https://api.github.com", "example/envs/more", false, false },
		{ FORGE_GITHUB, "https://api.github.com", "example/..", false, false },
		{ FORGE_GITHUB, "https://api.github.com", "example/e nvs", false, false },
		{ FORGE_GITHUB, "https://api.github.com", "example/envs?x", false, false },
		{ FORGE_GITHUB, "https://api.github.com", "/envs", false, false },
		{ FORGE_GITHUB, "https://api.github.com", "example/", false, false },
		{ FORGE_GITHUB, "https://api.github.com", "", false, false },
		{ FORGE_GITLAB, "https://gitlab.example/api/v4", "envs", false, false },
		{ FORGE_GITLAB, "https://gitlab.example/api/v4", "a//b", false, false },
	};
	struct forge_config c = { .kind = FORGE_GITHUB, .api = "https://api.github.com", .repo = "example/envs", .token_file = "/nonexistent" };
	enum forge_kind k;
	struct forge *f;

	(void)state;
	check_text(forge_open(&c, &f, &e), ERR_NOTFOUND);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = (struct forge_config){ .kind = rows[i].kind, .api = rows[i].api, .repo = rows[i].repo, .token_file = token_file,
			                   .allow_http = rows[i].allow_http };
		print_message("# %s %s\n", rows[i].api, rows[i].repo);
		check_text(forge_open(&c, &f, &e), rows[i].good ? 0 : ERR_INVALID);
		if (rows[i].good)
			forge_close(f);
	}
	assert_true(forge_kind_parse("forgejo", &k) == 0 && k == FORGE_GITEA);
	assert_true(forge_kind_parse("gitlab", &k) == 0 && k == FORGE_GITLAB);
	assert_int_equal(forge_kind_parse("bitbucket", &k), ERR_INVALID);
}

static void
bad_calls(void **state)
{
	static const struct exchange none[] = { { .ask = NULL } };
	struct forge_finding g = { .path = "a", .line = 0, .text = "x" };
	struct forge_new_review r = { .sha = HEAD7, .body = "x", .findings = &g, .n = 1 };
	struct forge_status s = { .context = "berth/plan" };
	struct buf large AUTO_BUF = BUF_INIT(0);
	struct forge_reviews reviews;
	struct forge_pull pull;
	struct forge_peer p;
	struct forge *f;
	int64_t id;

	(void)state;
	buf_pad(&large, 'x', 65537);
	peer_start(&p, "github", none);
	f = open_at(&p, FORGE_GITHUB, 60000);
	check_text(forge_pull(f, 0, mem, &pull, &e), ERR_INVALID);
	check_text(forge_reviews(f, -1, mem, &reviews, &e), ERR_INVALID);
	check_text(forge_pull_of(f, "../../user", "main", mem, &pull, &e), ERR_INVALID);
	check_text(forge_status_set(f, "HEAD", &s, &e), ERR_INVALID);
	check_text(forge_comment_add(f, 7, "", &id, &e), ERR_INVALID);
	check_text(forge_comment_add(f, 7, buf_cstr(&large), &id, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "65537 characters, and github takes 65536"));
	check_text(forge_review_post(f, 7, &r, &e), ERR_INVALID);
	g.line = 1;
	g.path = "";
	check_text(forge_review_post(f, 7, &r, &e), ERR_INVALID);
	assert_int_equal(forge_counts(f).requests, 0);
	finish(f, &p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ARENA(refusals), WITH_ARENA(rights), WITH_ARENA(no_answer), WITH_ARENA(strange), WITH_ARENA(large_comments), WITH_ARENA(told), WITH_ARENA(descriptions),
		WITH_ARENA(cleaning), WITH_ARENA(outside), WITH_ARENA(gitlab_status_again), WITH_ARENA(gitlab_goes_on), WITH_ARENA(bad_config),
		WITH_ARENA(bad_calls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
