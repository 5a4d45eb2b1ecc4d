/* SPDX-License-Identifier: Apache-2.0 */
/* cli/pull_open: a pull request that is there already, or whose answer was lost, is found; somebody else's is not taken for it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/pull_open.h"
#include "unit/forge_lab.h"

#define LIST(body) { .ask = HUB "50&page=1", .status = "200 OK", .text = body }
#define ENTRY(number, head, repo, base) "{\"number\":" #number ",\"state\":\"open\",\"html_url\":\"https://github.example/example/envs/pull/" #number "\"," \
	"\"head\":{\"ref\":\"" head "\",\"sha\":\"" HEAD7 "\",\"repo\":{\"id\":" #repo "}},\"base\":{\"ref\":\"" base "\",\"repo\":{\"id\":1}}}"
#define EXISTS { .ask = "POST " GH "/pulls", .status = "422 Unprocessable Entity", .file = "exists" }

struct row {
	const char *name;
	struct exchange list[3];
	int rc;
	int64_t number;
	bool was;
	const char *says;
};

static void
check(const struct row *r)
{
	struct forge_new_pull n = { .title = "envs/bo/eval: new environment", .body = "", .head = "env/bo/eval", .base = "main" };
	struct forge_pull got = { .number = 0 };
	struct exchange list[4] = { r->list[0], r->list[1], r->list[2], { .ask = NULL } };
	struct forge_peer p;
	struct forge *f;
	bool was = false;

	print_message("# %s\n", r->name);
	peer_start(&p, "github", list);
	f = open_at(&p, FORGE_GITHUB, 60000);
	check_text(pull_open(f, &n, mem, &got, &was, &e), r->rc);
	if (r->rc)
		assert_non_null(strstr(e.text, r->says));
	else {
		assert_int_equal(got.number, r->number);
		assert_int_equal(was, r->was);
		assert_non_null(strstr(got.url, "https://github.example/example/envs/pull/"));
	}
	finish(f, &p);
}

static void
opening(void **state)
{
	static const struct row rows[] = {
		{ "new", { { .ask = "POST " GH "/pulls", .has = { "\"head\":\"env/bo/eval\",\"base\":\"main\"" }, .status = "201 Created",
		             .text = ENTRY(12, "env/bo/eval", 1, "main") } }, 0, 12, false, NULL },
		{ "there already, beside others", { EXISTS, LIST("[" ENTRY(3, "env/bo/other", 1, "main") "," ENTRY(4, "env/bo/eval", 1, "main") "]") }, 0, 4, true, NULL },
		{ "a fork's branch of that name is another one", { EXISTS, LIST("[" ENTRY(4, "env/bo/eval", 2, "main") "]") }, ERR_CONFLICT, 0, false, "there is one" },
		{ "for another base", { EXISTS, LIST("[" ENTRY(4, "env/bo/eval", 1, "next") "]") }, ERR_CONFLICT, 0, false, "there is one" },
		{ "an answer that was lost", { { .ask = "POST " GH "/pulls", .status = "502 Bad Gateway", .text = "{}" },
		                               LIST("[" ENTRY(5, "env/bo/eval", 1, "main") "]") }, 0, 5, false, NULL },
		{ "no answer, and none there", { { .ask = "POST " GH "/pulls", .status = "502 Bad Gateway", .text = "{}" }, LIST("[]") }, ERR_UNAVAILABLE, 0, false, "HTTP 502" },
		{ "not allowed: nothing is looked for", { { .ask = "POST " GH "/pulls", .status = "403 Forbidden", .text = "{\"message\":\"no\"}" } }, ERR_DENIED, 0, false, "HTTP 403" },
		{ "nothing in it", { { .ask = "POST " GH "/pulls", .status = "422 No", .text = "{\"message\":\"Validation Failed\",\"errors\":[{\"message\":\"No commits between main and x\"}]}" } },
		  ERR_INVALID, 0, false, "No commits between" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { WITH_ARENA(opening) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
