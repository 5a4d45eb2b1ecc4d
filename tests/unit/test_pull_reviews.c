/* SPDX-License-Identifier: Apache-2.0 */
/* pulls/: what people say on a forge. The last word of each login on one head, commands in comments and what is answered, the change of a merged head. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "gitfix.h"
#include "lib/base/str.h"
#include "pulls/priv.h"
#include "with_arena.h"

#define HEAD "4f2c9d1e0b7a5c3d2e1f00112233445566778899"
#define OLD "0123456789abcdef0123456789abcdef01234567"
#define YES FORGE_APPROVED
#define NO FORGE_CHANGES
#define WORDS FORGE_COMMENTED

static struct err e;

/* -- the last word ------------------------------------------------------------------------------------------------------------------------ */

struct row {
	const char *what;
	struct forge_review said[5];
	const char *voices; /* "carol 3, -dana 4" */
};

#define MARKED(number, login, word, on, stale_, dismissed_) \
	{ .id = number, .user = login, .state = word, .sha = on, .submitted = 1000 + (number), .stale = stale_, .dismissed = dismissed_ }
#define SAID(number, login, word, on) MARKED(number, login, word, on, false, false)

static const char *
voices_text(const struct review_voice *v, size_t n)
{
	struct buf AUTO_BUF b = BUF_INIT(4096);

	for (size_t i = 0; i < n; i++) {
		buf_printf(&b, "%s%s%s %lld", i ? ", " : "", v[i].against ? "-" : "", v[i].login, (long long)v[i].id);
		assert_int_equal(v[i].at, v[i].id ? 1000 + v[i].id : 1000);
	}
	return arena_strdup(mem, buf_cstr(&b));
}

static void
check_row(enum forge_kind kind, const struct row *r, const struct spoken *spoken, size_t nspoken, const char *head_sha)
{
	struct forge_reviews list = { .items = arena_memdup(mem, r->said, sizeof(r->said)) };
	struct review_voice *v;
	size_t n;

	print_message("# %s\n", r->what);
	while (list.n < 5 && r->said[list.n].user)
		list.n++;
	(void)snprintf(list.head_sha, sizeof(list.head_sha), "%s", head_sha);
	list.head_at = 1004;
	reviews_fold(kind, HEAD, &list, spoken, nspoken, mem, &v, &n);
	assert_string_equal(voices_text(v, n), r->voices);
}

static void
last_words(void **state)
{
	static const struct row rows[] = {
		{ "nothing", { { 0 } }, "" },
		{ "one approves", { SAID(1, "carol", YES, HEAD) }, "carol 1" },
		{ "by login", { SAID(1, "dana", YES, HEAD), SAID(2, "Carol", YES, HEAD), SAID(3, "carol", YES, HEAD) }, "Carol 2, carol 3, dana 1" },
		{ "words change nothing", { SAID(1, "carol", YES, HEAD), SAID(2, "carol", WORDS, HEAD) }, "carol 1" },
		{ "of an older head", { SAID(1, "carol", YES, OLD) }, "" },
		{ "of no head", { SAID(1, "carol", YES, "") }, "" },
		{ "stale, says the forge", { MARKED(1, "carol", YES, HEAD, true, false) }, "" },
		{ "the older head is the later word", { SAID(1, "carol", YES, HEAD), SAID(2, "carol", YES, OLD) }, "" },
		{ "another mind", { SAID(1, "carol", YES, HEAD), SAID(2, "carol", NO, HEAD) }, "-carol 2" },
		{ "and another", { SAID(1, "carol", NO, HEAD), SAID(2, "carol", YES, HEAD) }, "carol 2" },
		{ "changes are asked for over a push", { MARKED(1, "carol", NO, OLD, true, false), SAID(2, "dana", YES, HEAD) }, "-carol 1, dana 2" },
		{ "dismissed", { MARKED(1, "carol", YES, HEAD, false, true), MARKED(2, "dana", NO, HEAD, false, true) }, "" },
		{ "what was said before is not back", { SAID(1, "carol", YES, HEAD), MARKED(2, "carol", NO, HEAD, false, true) }, "" },
		{ "as GitHub tells a dismissed one", { SAID(1, "carol", YES, HEAD), MARKED(2, "carol", WORDS, HEAD, false, true) }, "" },
		{ "again after that", { MARKED(1, "carol", WORDS, HEAD, false, true), SAID(2, "carol", YES, HEAD) }, "carol 2" },
		{ "somebody who is gone", { SAID(1, "", YES, HEAD) }, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(FORGE_GITHUB, &rows[i], NULL, 0, "");
		check_row(FORGE_GITEA, &rows[i], NULL, 0, "");
	}
}

/* Approvals have no commit: they are of the newest version, which must be this head. Comments name one. */
static void
gitlab_words(void **state)
{
	static const struct row rows[] = {
		{ "one approves", { SAID(0, "carol", YES, "") }, "carol 0" },
		{ "stale", { MARKED(0, "carol", YES, "", true, false) }, "" },
	};
	static const struct row none = { "another head is the newest", { SAID(0, "carol", YES, "") }, "" };
	static const struct row said = { "comments", { MARKED(0, "carol", YES, "", true, false), SAID(0, "dana", YES, "") }, "carol 6, dana 5" };
	static const struct row nothing = { "comments that name no newest head", { { 0 } }, "" };
	static const struct spoken good[] = { { .login = "dana", .sha = "4f2c9d1e0b7a", .id = 5, .at = 1005 }, { .login = "carol", .sha = HEAD, .id = 6, .at = 1006 } };
	static const struct spoken bad[] = { { .login = "dana", .sha = "4f2c9d1e0b7", .id = 5, .at = 1005 }, { .login = "carol", .sha = OLD, .id = 6, .at = 1006 },
		{ .login = "erin", .sha = "4f2c9d1e0b7b", .id = 7, .at = 1007 }, { .login = "", .sha = HEAD, .id = 8, .at = 1008 } };
	/* of another commit that begins alike: what was said before this head was pushed, or in the same second, or nobody knows when */
	static const struct row before = { "comments that are older than the newest head", { { 0 } }, "" };
	static const struct spoken early[] = { { .login = "dana", .sha = "4f2c9d1e0b7a", .id = 3, .at = 1003 }, { .login = "carol", .sha = "4f2c9d1e0b7a", .id = 4, .at = 1004 },
		{ .login = "erin", .sha = HEAD, .id = 0, .at = 0 } };

	(void)state;
	for (size_t i = 0; i < 2; i++)
		check_row(FORGE_GITLAB, &rows[i], NULL, 0, HEAD);
	check_row(FORGE_GITLAB, &none, NULL, 0, OLD);
	check_row(FORGE_GITLAB, &none, good, 2, OLD);
	check_row(FORGE_GITLAB, &said, good, 2, HEAD);
	check_row(FORGE_GITLAB, &nothing, bad, 4, HEAD);
	check_row(FORGE_GITLAB, &before, early, 3, HEAD);
}

static void
many_voices(void **state)
{
	struct forge_reviews list = { .items = arena_array(mem, FORGE_REVIEWS_MAX, sizeof(*list.items)), .n = FORGE_REVIEWS_MAX };
	struct spoken more = { .login = "one-more", .sha = HEAD, .id = 1, .at = 1 };
	struct review_voice *v;
	size_t n;

	(void)state;
	(void)snprintf(list.head_sha, sizeof(list.head_sha), "%s", HEAD);
	for (size_t i = 0; i < list.n; i++)
		list.items[i] = (struct forge_review){ .user = arena_printf(mem, "u%04zu", i), .state = YES };
	reviews_fold(FORGE_GITLAB, HEAD, &list, &more, 1, mem, &v, &n);
	assert_int_equal(n, REVIEW_VOICES_MAX);
}

/* -- commands --------------------------------------------------------------------------------------------------------------------------------- */

static void
command_lines(void **state)
{
	static const struct {
		const char *body;
		enum command_kind kind;
		const char *sha;
	} rows[] = {
		{ "/berth plan", COMMAND_PLAN, "" },
		{ "hello\r\n/berth plan  \r\nthanks", COMMAND_PLAN, "" },
		{ "please /berth plan", COMMAND_NONE, "" },
		{ "> /berth plan", COMMAND_NONE, "" },
		{ " /berth plan", COMMAND_NONE, "" },
		{ "/berthplan", COMMAND_NONE, "" },
		{ "/BERTH plan", COMMAND_NONE, "" },
		{ "/berth", COMMAND_UNKNOWN, "" },
		{ "/berth plan now", COMMAND_UNKNOWN, "" },
		{ "/berth  plan", COMMAND_UNKNOWN, "" },
		{ "```\n/berth plan\n```\n", COMMAND_NONE, "" },
		{ "````\n```\n/berth plan\n```\n````\n", COMMAND_NONE, "" },
		{ "```\n~~~\n/berth plan\n~~~\n```\n", COMMAND_NONE, "" },
		{ "```\n``` c\n/berth plan\n```\n", COMMAND_NONE, "" },
		{ "``` c\n/berth\n`````\n/berth plan", COMMAND_PLAN, "" },
		{ "``` a`b\n/berth plan", COMMAND_PLAN, "" },
		{ "~~~\n/berth plan\n~~~\n/berth approve " HEAD, COMMAND_APPROVE, HEAD },
		{ "/berth approve 4f2c9d1e0b7a", COMMAND_APPROVE, "4f2c9d1e0b7a" },
		{ "/berth approve 4f2c9d1e0b7", COMMAND_APPROVE, "" },
		{ "/berth approve 4F2C9D1E0B7A", COMMAND_APPROVE, "" },
		{ "/berth approve " HEAD HEAD, COMMAND_APPROVE, "" },
		{ "/berth approve " HEAD " please", COMMAND_APPROVE, "" },
		{ "/berth approve", COMMAND_APPROVE, "" },
		{ "/berth approve 4f2c9d1e0b7a\n/berth plan", COMMAND_PLAN, "" },
		{ "/berth approve 4f2c9d1e0b7a                                                                                                            "
		  "                                                            x", COMMAND_UNKNOWN, "" },
		{ "", COMMAND_NONE, "" },
	};
	struct command c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", rows[i].body);
		command_read(rows[i].body, &c);
		assert_int_equal(c.kind, rows[i].kind);
		assert_string_equal(c.sha, rows[i].sha);
	}
}

static const char *
answer_to(enum forge_kind kind, enum approval_mode mode, const char *body)
{
	struct pulls p = { .c.forge.kind = kind };
	struct now n = { .mode = mode };
	struct forge_pull pull = { .number = 7, .head_sha = HEAD };
	struct command c;

	command_read(body, &c);
	return command_answer(&p, &n, &pull, "carol", 1795342200, &c, mem);
}

static void
answers(void **state)
{
	static const struct {
		enum forge_kind kind;
		enum approval_mode mode;
		const char *body, *has;
	} rows[] = {
		{ FORGE_GITHUB, APPROVAL_NONE, "/berth plan", "2026-11-22T10:10:00Z: looked at again" },
		{ FORGE_GITHUB, APPROVAL_NONE, "/berth approve " HEAD, "asks for no approvals" },
		{ FORGE_GITLAB, APPROVAL_SIGNED, "/berth approve " HEAD, "`berth approve` in a clone" },
		{ FORGE_GITHUB, APPROVAL_FORGE, "/berth approve " HEAD, "a review counts here" },
		{ FORGE_GITEA, APPROVAL_FORGE, "/berth approve " HEAD, "a review counts here" },
		{ FORGE_GITLAB, APPROVAL_FORGE, "/berth approve " HEAD, "heard as an approval of `4f2c9d1e0b7a`" },
		{ FORGE_GITLAB, APPROVAL_FORGE, "/berth approve " OLD, "not the newest commit; look at `4f2c9d1e0b7a` instead" },
		{ FORGE_GITLAB, APPROVAL_FORGE, "/berth approve 4f2c", "at least 12 digits" },
		{ FORGE_GITEA, APPROVAL_FORGE, "/berth merge", "There is `/berth plan`." },
		{ FORGE_GITLAB, APPROVAL_FORGE, "/berth merge", "There are `/berth plan` and `/berth approve COMMIT`." },
	};
	const char *odd;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = answer_to(rows[i].kind, rows[i].mode, rows[i].body);

		print_message("# %s\n", text);
		assert_non_null(strstr(text, rows[i].has));
		assert_non_null(strstr(text, "carol"));
		assert_null(strchr(text, '\n'));
	}
	odd = answer_to(FORGE_GITHUB, APPROVAL_NONE, "/berth `<img src=x>` @carol\t\x1b[31m");
	assert_non_null(strstr(odd, "``/berth `<img src=x>`"));
	assert_null(strchr(odd, 0x1b));
}

/* -- what the comment says ---------------------------------------------------------------------------------------------------------------------- */

static const char *
plan_text(struct comment_facts f)
{
	struct buf AUTO_BUF b = BUF_INIT(1 << 20);
	struct planned none = { .n = 0 };

	f.head = HEAD;
	f.mode = APPROVAL_FORGE;
	f.missing = "1 more of carol, dana";
	comment_plan(&none, &f, &b);
	assert_true(comment_whole(buf_cstr(&b)));
	return arena_strdup(mem, buf_cstr(&b));
}

static const char *
result_text(struct comment_facts f)
{
	static const struct comment_outcome o = { .owner = "bo", .name = "lab", .phase = "Queued", .stuck = true, .reason = "ApprovalMissing", .message = "needs 1 more of carol" };
	struct buf AUTO_BUF b = BUF_INIT(1 << 20);

	f.head = HEAD;
	comment_result(&o, 1, &f, &b);
	return arena_strdup(mem, buf_cstr(&b));
}

static void
comment_texts(void **state)
{
	const char *text = plan_text((struct comment_facts){ .answer = "To `/berth plan` of carol: looked at again." });

	(void)state;
	assert_non_null(strstr(text, "By a review of this pull request (Approve). It counts for the newest commit alone"));
	assert_null(strstr(text, "/berth approve"));
	assert_non_null(strstr(text, "\nTo `/berth plan` of carol: looked at again.\n\n<sub>"));
	text = plan_text((struct comment_facts){ .by_comment = true });
	assert_non_null(strstr(text, "By Approve on this merge request, or by a comment that is the line `/berth approve 4f2c9d1e0b7a`."));
	assert_non_null(strstr(result_text((struct comment_facts){ .mode = APPROVAL_FORGE }), "a review by them here (Approve), which counts after the merge"));
	assert_non_null(strstr(result_text((struct comment_facts){ .mode = APPROVAL_FORGE, .by_comment = true }), "their Approve on this merge request"));
	assert_non_null(strstr(result_text((struct comment_facts){ .mode = APPROVAL_FORGE, .no_late = true }), "takes no review of what is merged"));
	assert_non_null(strstr(result_text((struct comment_facts){ .mode = APPROVAL_SIGNED }), "`berth approve` approves what waits"));
}

/* -- the change of a merged head ------------------------------------------------------------------------------------------------------------------ */

static void
put(char out[FORGE_SHA], const char *rev)
{
	(void)snprintf(out, FORGE_SHA, "%s", fix(rev));
}

static const char *
changed_paths(struct pulls *p, const struct memo *m)
{
	struct buf AUTO_BUF b = BUF_INIT(4096);
	struct changeset c;
	struct oid fork;

	if (merged_change(p, m, mem, &c, &fork, &e) < 0)
		return "none";
	for (size_t i = 0; i < c.n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", c.items[i].path);
	return arena_strdup(mem, buf_cstr(&b));
}

static void
merged_changes(void **state)
{
	struct pulls p = { .c.branch = "main" };
	struct memo m = { .number = 7 };

	(void)state;
	(void)fix("git init -q -b main . && echo 0 >x && git add -A && git commit -qm 0 && git tag start && git checkout -qb topic && echo 1 >a && git add -A && "
	              "git commit -qm a && echo 2 >b && git add -A && git commit -qm b && git checkout -q main && echo 1 >x && git commit -qam x");
	assert_int_equal(git_open(arena_printf(mem, "%s/.git", fix_dir), &p.git, &e), 0);
	put(m.head, "git rev-parse topic");
	put(m.merged, "git checkout -q --detach main && git merge -q --no-ff -m m topic && git rev-parse HEAD");
	assert_string_equal(changed_paths(&p, &m), "a b");
	put(m.merged, "git checkout -q --detach main && git merge -q --squash topic >/dev/null && git commit -qm s && git rev-parse HEAD");
	assert_string_equal(changed_paths(&p, &m), "a b");
	put(m.merged, "git checkout -q --detach topic && git rebase -q main >/dev/null 2>&1 && git rev-parse HEAD");
	assert_string_equal(changed_paths(&p, &m), "a b");
	/* main is moved on to the head itself: its first parent is a part of the change */
	put(m.merged, "git rev-parse topic");
	assert_string_equal(changed_paths(&p, &m), "none");
	put(m.base, "git rev-parse start");
	assert_string_equal(changed_paths(&p, &m), "a b");
	/* GitHub's base is a tip of main that went on */
	put(m.base, "git rev-parse main");
	assert_string_equal(changed_paths(&p, &m), "a b");
	(void)snprintf(m.head, sizeof(m.head), "%s", OLD);
	assert_string_equal(changed_paths(&p, &m), "none");
	git_close(p.git);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(last_words, setup, teardown), cmocka_unit_test_setup_teardown(gitlab_words, setup, teardown),
		cmocka_unit_test_setup_teardown(many_voices, setup, teardown), cmocka_unit_test_setup_teardown(command_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(comment_texts, setup, teardown), cmocka_unit_test_setup_teardown(merged_changes, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fix_start, fix_end);
}
