/* SPDX-License-Identifier: Apache-2.0 */
/* Approving in a person's name, and what a token may do: against replayed exchanges in the published shapes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/forge_lab.h"

/* -- approving --------------------------------------------------------------------------------------------------------------------- */

#define HUB_APPROVED "{\"id\":80,\"user\":{\"login\":\"carol\",\"id\":3},\"body\":\"\",\"state\":\"APPROVED\",\"commit_id\":\"" HEAD7 "\"}"
#define TEA_ASK "{\"commit_id\":\"" HEAD7 "\",\"event\":\"APPROVED\",\"body\":\"\"}"

struct approve_row {
	const char *name;
	enum forge_kind kind;
	const char *sha, *status, *text; /* of the answer to the approval; status NULL: none is sent */
	int rc;
	const char *says, *hint;
};

static void
check_approve(const struct approve_row *r)
{
	bool lab = r->kind == FORGE_GITLAB;
	struct exchange list[4] = { { .ask = lab ? "GET " MR "/7" : "GET " GH "/pulls/7", .status = "200 OK", .file = "pull7" } };
	size_t n = 1;
	struct forge_peer p;
	struct forge *f;

	print_message("# %s: %s\n", forge_kind_name(r->kind), r->name);
	if (r->status)
		list[n++] = (struct exchange){ .ask = lab ? "POST " MR "/7/approve" : "POST " GH "/pulls/7/reviews",
			.has = { r->kind == FORGE_GITHUB ? "{\"commit_id\":\"" HEAD7 "\",\"event\":\"APPROVE\",\"body\":\"\"}" : lab ? "{\"sha\":\"" HEAD7 "\"}" : TEA_ASK },
			.status = r->status, .text = r->text };
	if (lab && r->status && str_starts(r->status, "401"))
		list[n++] = (struct exchange){ .ask = "GET /user", .status = r->hint ? "200 OK" : "401 Unauthorized", .text = "{\"id\":3,\"username\":\"carol\"}" };
	list[n] = (struct exchange){ .ask = NULL };
	peer_start(&p, forge_kind_name(r->kind), list);
	f = open_at(&p, r->kind, 60000);
	check_text(forge_review_approve(f, 7, r->sha, &e), r->rc);
	if (r->says)
		assert_non_null(strstr(e.text, r->says));
	if (r->hint)
		assert_non_null(strstr(e.hint, r->hint));
	finish(f, &p);
}

static void
approving(void **state)
{
	static const struct approve_row rows[] = {
		{ "this head", FORGE_GITHUB, HEAD7, "200 OK", HUB_APPROVED, 0, NULL, NULL },
		{ "this head", FORGE_GITEA, HEAD7, "200 OK", HUB_APPROVED, 0, NULL, NULL },
		{ "this head", FORGE_GITLAB, HEAD7, "201 Created", "{\"iid\":7,\"approved\":true,\"approved_by\":[{\"user\":{\"username\":\"carol\"}}]}", 0, NULL, NULL },
		{ "another head", FORGE_GITHUB, OLD7, NULL, NULL, ERR_CONFLICT, "0123456789ab is not its head any more, but 4f2c9d1e0b7a", "nothing is approved" },
		{ "another head", FORGE_GITEA, OLD7, NULL, NULL, ERR_CONFLICT, "is not its head", "nothing is approved" },
		{ "another head", FORGE_GITLAB, OLD7, NULL, NULL, ERR_CONFLICT, "is not its head", "nothing is approved" },
		{ "pushed in between", FORGE_GITLAB, HEAD7, "409 Conflict", "{\"message\":\"SHA does not match HEAD of source branch: 12ab\"}", ERR_CONFLICT,
		  "is not its head any more", "nothing is approved" },
		{ "put at another commit", FORGE_GITEA, HEAD7, "200 OK", "{\"state\":\"APPROVED\",\"commit_id\":\"" OLD7 "\"}", ERR_UNAVAILABLE, "not what the API gives", NULL },
		{ "taken as something else", FORGE_GITHUB, HEAD7, "200 OK", "{\"state\":\"PENDING\",\"commit_id\":\"" HEAD7 "\"}", ERR_UNAVAILABLE, "not what", NULL },
		{ "one's own", FORGE_GITHUB, HEAD7, "422 No", "{\"message\":\"Unprocessable Entity\",\"errors\":[\"Can not approve your own pull request\"]}", ERR_DENIED,
		  "your own", "somebody else" },
		{ "one's own", FORGE_GITEA, HEAD7, "422 No", "{\"message\":\"approve your own pull is not allowed\"}", ERR_DENIED, "your own", "somebody else" },
		{ "one's own, or twice", FORGE_GITLAB, HEAD7, "401 Unauthorized", "{\"message\":\"401 Unauthorized\"}", ERR_DENIED, "carol may not approve it", "role Developer" },
		{ "a bad token", FORGE_GITLAB, HEAD7, "401 Unauthorized", "{\"message\":\"401 Unauthorized\"}", ERR_DENIED, "ask whose token it is", NULL },
		{ "without the right", FORGE_GITHUB, HEAD7, "403 Forbidden", "{\"message\":\"Resource not accessible by personal access token\"}", ERR_DENIED,
		  "not accessible", "Pull requests: write" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_approve(&rows[i]);
}

static void
not_open(void **state)
{
	static const struct exchange list[] = {
		{ .ask = "GET " GH "/pulls/7", .status = "200 OK", .text = "{\"number\":7,\"state\":\"closed\",\"head\":{\"sha\":\"" HEAD7 "\"}}" },
		{ .ask = "GET " GH "/pulls/7", .status = "200 OK",
		  .text = "{\"number\":7,\"state\":\"closed\",\"merged_at\":\"2026-11-22T09:58:11Z\",\"head\":{\"sha\":\"" HEAD7 "\"}}" },
		{ .ask = NULL },
	};
	struct forge_peer p;
	struct forge *f;

	(void)state;
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	check_text(forge_review_approve(f, 7, HEAD7, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "is closed already"));
	check_text(forge_review_approve(f, 7, HEAD7, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "is merged already"));
	check_text(forge_review_approve(f, 7, "4f2c9d1e", &e), ERR_INVALID);
	finish(f, &p);
}

/* -- rights ------------------------------------------------------------------------------------------------------------------------ */

#define HUB_REPO "{\"id\":1,\"full_name\":\"example/envs\",\"private\":true,\"permissions\":{\"admin\":false,\"maintain\":false,\"push\":true,\"triage\":true,\"pull\":true}}"
#define HUB_READER "{\"id\":1,\"private\":true,\"permissions\":{\"admin\":false,\"push\":false,\"pull\":true}}"
#define LAB_REPO(own, group) "{\"id\":1,\"permissions\":{\"project_access\":" own ",\"group_access\":" group "}}"
#define LAB_LEVEL(n) "{\"access_level\":" #n ",\"notification_level\":3}"
#define LAB_SELF(scopes) "{\"id\":4,\"name\":\"berth\",\"revoked\":false,\"scopes\":[" scopes "],\"user_id\":9,\"active\":true,\"expires_at\":\"2027-01-01\"}"

struct rights_row {
	const char *name;
	enum forge_kind kind;
	const char *user, *headers, *repo, *pulls, *more; /* statuses of /user and of the list of pull requests; the last body: tokens/self, comments */
	const char *say; /* of each right a letter: + may, - may not, ? not told */
	const char *why; /* stands in one of them, or NULL */
};

static void
check_rights(const struct rights_row *r)
{
	static const char *const list_of[] = { HUB "1&page=1", "GET " MR "?state=opened&order_by=created_at&sort=asc&per_page=1&page=1", TEA "1&page=1" };
	static const char letters[] = { '+', '-', '?' };
	bool lab = r->kind == FORGE_GITLAB, why = !r->why;
	const struct exchange list[] = {
		{ .ask = "GET /user", .status = r->user, .file = str_starts(r->user, "200") ? "user" : NULL, .text = "{\"message\":\"no\"}" },
		{ .ask = lab ? "GET " GL : "GET " GH, .status = "200 OK", .headers = r->headers, .text = r->repo },
		{ .ask = list_of[r->kind], .status = r->pulls, .text = str_starts(r->pulls, "200") ? "[]" : "{\"message\":\"no\"}" },
		{ .ask = r->kind == FORGE_GITHUB ? NULL : lab ? "GET /personal_access_tokens/self" : "GET " GH "/issues/comments?limit=1",
		  .status = *r->more == '4' ? r->more : "200 OK", .text = *r->more == '4' ? "{\"message\":\"no\"}" : r->more },
		{ .ask = NULL },
	};
	struct forge_rights got;
	struct forge_peer p;
	struct forge *f;
	char said[FORGE_RIGHTS + 1] = "";

	print_message("# %s: %s\n", forge_kind_name(r->kind), r->name);
	peer_start(&p, forge_kind_name(r->kind), list);
	f = open_at(&p, r->kind, 60000);
	assert_int_equal(forge_rights(f, mem, &got, &e), 0);
	assert_string_equal(got.login, str_starts(r->user, "200") ? "berth" : "");
	for (size_t i = 0; i < FORGE_RIGHTS; i++) {
		said[i] = letters[got.rows[i].may];
		why = why || strstr(got.rows[i].why, r->why);
		assert_true(*got.rows[i].what && *got.rows[i].needs);
	}
	assert_string_equal(said, r->say);
	assert_true(why);
	assert_int_equal(forge_counts(f).writes, 0);
	finish(f, &p);
}

static void
rights(void **state)
{
	static const struct rights_row rows[] = {
		{ "repo", FORGE_GITHUB, "200 OK", "X-OAuth-Scopes: gist, repo, read:org\r\n", HUB_REPO, "200 OK", "", "+++++", "gist, repo" },
		{ "repo:status alone", FORGE_GITHUB, "200 OK", "x-oauth-scopes: repo:status\r\n", HUB_REPO, "200 OK", "", "+++--", "its scopes are repo:status" },
		{ "no scope is like another", FORGE_GITHUB, "200 OK", "X-OAuth-Scopes: repo_deployment, xrepo, repox\r\n", HUB_REPO, "200 OK", "", "++---", NULL },
		{ "none at all", FORGE_GITHUB, "200 OK", "X-OAuth-Scopes: \r\n", HUB_REPO, "200 OK", "", "++---", "it has no scope" },
		{ "public_repo, and it is private", FORGE_GITHUB, "200 OK", "X-OAuth-Scopes: public_repo\r\n", HUB_REPO, "200 OK", "", "++---", NULL },
		{ "public_repo, and it is public", FORGE_GITHUB, "200 OK", "X-OAuth-Scopes: public_repo\r\n", "{\"private\":false}", "200 OK", "", "+++++", NULL },
		{ "somebody who only reads", FORGE_GITHUB, "200 OK", "X-OAuth-Scopes: repo\r\n", HUB_READER, "200 OK", "", "++-++", "may not write to this" },
		{ "a fine-grained one", FORGE_GITHUB, "200 OK", NULL, HUB_REPO, "200 OK", "", "++???", "fine-grained" },
		{ "an app's", FORGE_GITHUB, "403 Forbidden", NULL, HUB_READER, "403 Forbidden", "", "--???", "HTTP 403: no" },
		{ "a developer", FORGE_GITLAB, "200 OK", NULL, LAB_REPO(LAB_LEVEL(30), "null"), "200 OK", LAB_SELF("\"api\""), "+++++", NULL },
		{ "by the group", FORGE_GITLAB, "200 OK", NULL, LAB_REPO(LAB_LEVEL(10), LAB_LEVEL(40)), "200 OK", LAB_SELF("\"read_user\",\"api\""), "+++++", NULL },
		{ "a reporter", FORGE_GITLAB, "200 OK", NULL, LAB_REPO(LAB_LEVEL(20), "null"), "200 OK", LAB_SELF("\"api\""), "++-++", "level 20 of 30" },
		{ "a guest", FORGE_GITLAB, "200 OK", NULL, LAB_REPO(LAB_LEVEL(10), "null"), "200 OK", LAB_SELF("\"api\""), "++---", "level 10 of 20" },
		{ "read_api", FORGE_GITLAB, "200 OK", NULL, LAB_REPO(LAB_LEVEL(40), "null"), "200 OK", LAB_SELF("\"read_api\""), "++---", "has not the scope api" },
		{ "no role is told", FORGE_GITLAB, "200 OK", NULL, LAB_REPO("null", "null"), "200 OK", LAB_SELF("\"api\""), "++???", "does not tell its role" },
		{ "no scopes are told", FORGE_GITLAB, "200 OK", NULL, LAB_REPO(LAB_LEVEL(40), "null"), "200 OK", "403 Forbidden", "++???", "its scopes" },
		{ "a writer", FORGE_GITEA, "200 OK", NULL, HUB_REPO, "200 OK", "[]", "++???", "does not tell a token's scopes" },
		{ "a reader", FORGE_GITEA, "200 OK", NULL, HUB_READER, "200 OK", "[]", "++-??", "may not write" },
		{ "read:repository alone", FORGE_GITEA, "403 Forbidden", NULL, HUB_REPO, "200 OK", "403 Forbidden", "-+?-?", "HTTP 403: no" },
		{ "no pull requests there", FORGE_GITEA, "200 OK", NULL, HUB_REPO, "404 Not Found", "[]", "+-???", "HTTP 404: no" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_rights(&rows[i]);
}

/* What ends it: a token that is none, a repository that is not shown, a forge that does not answer. */
static void
no_rights(void **state)
{
	static const struct {
		const char *user, *repo;
		int rc;
		const char *says, *hint;
	} rows[] = {
		{ "401 Unauthorized", "401 Unauthorized", ERR_DENIED, "HTTP 401", "is not accepted" },
		{ "200 OK", "404 Not Found", ERR_NOTFOUND, "look at the repository: HTTP 404", "check the repository's path" },
		{ "200 OK", "502 Bad Gateway", ERR_UNAVAILABLE, "HTTP 502", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct exchange list[] = {
			{ .ask = "GET /user", .status = rows[i].user, .text = "{\"login\":\"berth\",\"message\":\"x\"}" },
			{ .ask = "GET " GH, .status = rows[i].repo, .text = "{\"message\":\"x\"}" }, { .ask = NULL },
		};
		struct forge_rights got;
		struct forge_peer p;
		struct forge *f;

		peer_start(&p, "gitea", list);
		f = open_at(&p, FORGE_GITEA, 60000);
		check_text(forge_rights(f, mem, &got, &e), rows[i].rc);
		assert_non_null(strstr(e.text, rows[i].says));
		if (rows[i].hint)
			assert_non_null(strstr(e.hint, rows[i].hint));
		finish(f, &p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { WITH_ARENA(approving), WITH_ARENA(not_open), WITH_ARENA(rights), WITH_ARENA(no_rights) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
