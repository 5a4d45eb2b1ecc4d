/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth fmt: golden cases (tests/cases/fmt/<case>/in.yaml becomes want.yaml; UPDATE=1 rewrites want.yaml), and what holds for
 * every document: the same value, every comment, and formatted again the same text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "lib/doc/yaml_fmt.h"

#define CASES "tests/cases/fmt"

static struct arena *mem;

static int
setup(void **state)
{
	(void)state;
	mem = arena_new((size_t)512 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(mem);
	return 0;
}

/* NULL when refused; then *r says why. */
static const char *
fmt(const char *text, size_t len, struct report *r)
{
	struct buf out AUTO_BUF = BUF_INIT(0);

	report_init(r, mem);
	return yaml_fmt(mem, "f.yaml", text, len, r, &out) < 0 ? NULL : arena_strndup(mem, buf_cstr(&out), out.len);
}

static struct value *
read_text(const char *text, size_t len)
{
	struct value *v = NULL;
	struct report r;

	report_init(&r, mem);
	return yaml_read(mem, "f.yaml", text, len, NULL, &r, &v) < 0 ? NULL : v;
}

/* What holds for every document that the reader takes. Returns its canonical form. */
static const char *
holds(const char *name, const char *text, size_t len)
{
	struct value *v = read_text(text, len), *back;
	const char *once, *twice;
	struct report r;

	once = fmt(text, len, &r);
	if (!v) {
		if (once || !r.errors)
			fail_msg("%s: formatted, or refused without a finding", name);
		return NULL;
	}
	if (!once)
		fail_msg("%s: %s\n%s", name, r.items[r.n - 1].message, text);
	back = read_text(once, strlen(once));
	if (!back || !value_equal(v, back))
		fail_msg("%s: another value:\n%s\n----\n%s", name, text, once);
	twice = fmt(once, strlen(once), &r);
	if (!twice || strcmp(once, twice) != 0)
		fail_msg("%s: not the same again:\n%s\n----\n%s\n----\n%s", name, text, once, twice ? twice : "(refused)");
	return once;
}

static void
one_case(void **state)
{
	const char *name = *state, *got;
	char *in, *want, *path = arena_printf(mem, CASES "/%s/want.yaml", name);
	struct err e;
	size_t len;

	assert_int_equal(fs_read(arena_printf(mem, CASES "/%s/in.yaml", name), FILE_DOC_MAX, mem, &in, &len, &e), 0);
	got = holds(name, in, len);
	if (!got)
		fail_msg("%s/in.yaml is refused", name);
	if (getenv("UPDATE"))
		assert_int_equal(fs_write_atomic(path, got, strlen(got), 0644, &e), 0);
	if (fs_read(path, FILE_DOC_MAX, mem, &want, &len, &e) < 0)
		fail_msg("%s; UPDATE=1 writes it", e.text);
	if (strcmp(got, want) != 0)
		fail_msg("%s differs, UPDATE=1 rewrites it:\n%s", path, got);
}

static void
small_texts(void **state)
{
	static const struct { const char *in, *want; } rows[] = {
		{ "", "" }, { "\n\n", "" }, { "---\n...\n", "" }, { "---\n... # c\n# d", "# c\n# d\n" }, { "~", "null\n" }, { "null # c\n# d", "null  # c\n# d\n" }, { "x", "\"x\"\n" },
		{ "# c\n\n[ 1,2 ]  # d", "# c\n\n[1, 2]  # d\n" }, { "[ # c\n]", "[]  # c\n" }, { "[ # a\n # b\n] # c\n", "# a\n[]  # c\n# b\n" },
		{ "[ # a\n 1, # b\n] # c\n", "# a\n- 1  # b\n# c\n" }, { "{} \n", "{}\n" },
		/* two comments that would meet on one line */
		{ "a: # k\n  1 # v\n", "# k\na: 1  # v\n" }, { "\n\nb: 1\n\na: # k\n  1 # v\n", "b: 1\n\n# k\na: 1  # v\n" },
		{ "a: # k\n  # o\n  1\n", "# o\na: 1  # k\n" }, { "? a # k\n: # c\n  - 1\n", "a:  # k\n# c\n- 1\n" },
		{ "a: \"x\\ny\" # c\n          # d\n", "# c\n# d\na: |-\n  x\n  y\n" },
		/* comments of neighbours are aligned, but not by a line that is too wide, and not over a line without one */
		{ "a: 1 # x\nbcd: 2 # y\ne: 3\nf: 4 # z\n", "a: 1    # x\nbcd: 2  # y\ne: 3\nf: 4  # z\n" },
		{ "a: 1 # x\n\nbcd: 2 # y\n", "a: 1  # x\n\nbcd: 2  # y\n" }, { "a: \xc3\xa9 # x\nb: 22222 # y\n", "a: \"\xc3\xa9\"    # x\nb: 22222  # y\n" },
		{ "a: 1 # x\nb: 1234567890123456789012345678901234567890123456789012345678901234567890x # y\nc: 1 # z\n",
		  "a: 1  # x\nb: 1234567890123456789012345678901234567890123456789012345678901234567890x  # y\nc: 1  # z\n" },
		/* at the end of a block: the deepest that is not indented more */
		{ "a:\n    b:\n        c: 1\n        # c\n      # b\n    # b too\n  # a\n# root\n",
		  "a:\n  b:\n    c: 1\n    # c\n  # b\n  # b too\n# a\n# root\n" },
		{ "a:\n- b: 1\n # list\n# root\n", "a:\n- b: 1\n# list\n# root\n" },
		/* a value that is null or empty keeps what is below it; others do not */
		{ "a:\n  # b: 1\n\n  # c: 2\nd: 1\n", "a: null\n  # b: 1\n\n  # c: 2\nd: 1\n" }, { "a: 1\n  # b\nd: 1\n", "a: 1\n# b\nd: 1\n" },
		{ "-\n-\n    # c\n  a: 1\n", "- null\n-\n  # c\n  a: 1\n" },
		/* blank lines in a text are the text's */
		{ "a: |+\n  x\n\n\n# c\nb: 1\n", "a: |+\n  x\n\n\n# c\nb: 1\n" }, { "a: |\n  x\n\n\nb: 1\n", "a: |\n  x\n\nb: 1\n" },
		{ "a: |-\n  x \n   \n  y\n", "a: |-\n  x \n   \n  y\n" }, { "a: >+\n\n", "a: \"\\n\"\n" }, { "a: |\n", "a: \"\"\n" },
		{ "a:\n\n  b: 1\n\n\n  c: 2\n\n", "a:\n  b: 1\n\n  c: 2\n" },
		/* numbers as written; text is text */
		{ "[0x1F, 0o17, +7, 1e3, 0123, .5, -0]", "[0x1F, 0o17, +7, 1e3, 0123, .5, -0]\n" },
		{ "[90d, '10T', 1e, 0d, '1', '0x1F', 5E]", "[90d, 10T, \"1e\", \"0d\", \"1\", \"0x1F\", \"5E\"]\n" },
		{ "{on: no, 'a': \"b\", c: 2026-01-01, d: a:b}", "{\"on\": \"no\", a: b, c: \"2026-01-01\", d: \"a:b\"}\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = holds(rows[i].in, rows[i].in, strlen(rows[i].in));

		if (!got || strcmp(got, rows[i].want) != 0)
			fail_msg("%s\n---- becomes\n%s\n---- not\n%s", rows[i].in, got ? got : "(refused)", rows[i].want);
	}
}

static void
refusals(void **state)
{
	static const struct { const char *in; enum finding_code code; } rows[] = {
		{ "a: 1\na: 2\n", FINDING_YAML_DUPLICATE }, { "a: &x 1\n", FINDING_YAML_REFUSED }, { "a: [1\n", FINDING_YAML_SYNTAX },
		{ "a: *x\nb: [*y, {? *z : 1}]\n", FINDING_YAML_REFUSED }, { "a: !t {b: 1}\n", FINDING_YAML_REFUSED },
		{ "a: 1\n---\nb: 2\n", FINDING_YAML_REFUSED }, { "a: \xff\n", FINDING_YAML_CHARACTER },
		{ "a: 1#c\nb: \"x\"#c\n", FINDING_YAML_SYNTAX }, { "[[a]: 1]\n", FINDING_YAML_REFUSED },
	};
	struct report r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (fmt(rows[i].in, strlen(rows[i].in), &r))
			fail_msg("formatted: %s", rows[i].in);
		assert_true(r.n > 0);
		assert_int_equal(r.items[0].code, rows[i].code);
	}
}

/* Sources as hard as they get, and results too large to be read again. */
static void
large_texts(void **state)
{
	static const struct { const char *head, *line, *tail; size_t lines; bool fits; } rows[] = {
		{ "a: 1\n", "#\n", "b: 2\n", SIZE_MAX, true }, { "a:\n", "- # c\n", "", 16000, true }, { "a: [", "? x, ", "y]\n", 5000, true },
		{ "a: [\n", " ?\n x,\n", " y]\n", 5000, true }, { "a:\n", "         #\n", "b: 1\n", SIZE_MAX, true },
		{ "a: 1", "\n      # c", "\n", SIZE_MAX, true }, { "", "# c\n\n", "a: 1\n", SIZE_MAX, true },
		{ "a: [", "[], ", "1]\n", 16000, true }, { "a: [", "[[", "", SIZE_MAX, false }, { "a: [", "[], # c\n ", "1]\n", 16000, true },
		{ "a: \"", "x ", "\" # c\n", SIZE_MAX, true }, { "a: |+\n", "  x\n", "\n\n", SIZE_MAX, true },
		{ "a: |\n", "\n", "  x", SIZE_MAX, true },
		/* a text that was folded makes the line so wide that the lines which continue its comment fit no more */
		{ "a: x\n  yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n  z # c\n", "    # c\n", "",
		  SIZE_MAX, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b AUTO_BUF = BUF_INIT(0);
		const char *got;
		struct report r;

		buf_str(&b, rows[i].head);
		for (size_t k = 0; k < rows[i].lines && b.len < FILE_DOC_MAX - 32; k++)
			buf_str(&b, rows[i].line);
		buf_str(&b, rows[i].tail);
		got = fmt(buf_cstr(&b), b.len, &r);
		if (!got)
			assert_true(r.errors > 0);
		if (!got == rows[i].fits)
			print_message("# %s: %s\n", rows[i].line, got ? "formatted" : r.items[r.n - 1].message);
		assert_int_equal(got != NULL, rows[i].fits);
	}
}

static void
deep_texts(void **state)
{
	(void)state;
	for (int close = 0; close < 2; close++) {
		struct buf b AUTO_BUF = BUF_INIT(0);

		for (int i = 0; i < 99; i++)
			buf_str(&b, close ? "[ " : "- ");
		buf_str(&b, close ? "{a: 1} # c\n" : "a: 1 # c\n");
		for (int i = 0; close && i < 99; i++)
			buf_str(&b, " ]");
		assert_non_null(holds("deep", buf_cstr(&b), b.len));
	}
}

/* -- every document there is --------------------------------------------------------------------------------------- */

static size_t
walk(const char *dir, bool canonical)
{
	const char **paths;
	unsigned int *modes;
	struct err e;
	size_t n, seen = 0, len;
	char *text;

	if (fs_list(dir, 100000, mem, &paths, &modes, &n, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(mem, "%s/%s", dir, paths[i]), *got;

		if (!S_ISREG(modes[i]) || (!str_ends(path, ".yaml") && !str_ends(path, ".example")))
			continue;
		assert_int_equal(fs_read(path, (size_t)1 << 20, mem, &text, &len, &e), 0);
		got = holds(path, text, len);
		if (canonical && (!got || strcmp(got, text) != 0))
			fail_msg("%s is not in canonical form: run `berth fmt` on it", path);
		seen += got != NULL;
	}
	return seen;
}

static void
examples_are_canonical(void **state)
{
	(void)state;
	assert_true(walk("examples", true) >= 20);
	assert_true(walk("envs-repo-template", true) >= 15);
}

static void
all_documents(void **state)
{
	(void)state;
	assert_true(walk("tests/cases", false) >= 200);
	(void)walk("templates", false);
}

/* -- random ones --------------------------------------------------------------------------------------------------- */

/* A small xorshift: the same trees in every run. */
static uint64_t random_state = 88172645463325252u;

static uint32_t
pick(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % n;
}

static const char *
random_text(bool lines)
{
	static const char *const parts[] = { "a", "no", " ", ":", ": ", "#", " #", "-", "- ", "'", "\"", "\\", "0", "1", ".", "_", "+", "~", "null",
		"true", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "%", "@", "\t", "\xc3\xa9", "\xc2\x85", "\x01", "\r", "=", "<<", "Gi", "---", "?",
		"a long text that makes a line too wide to stay in one piece", "\n", "\n\n", "\n  " };
	struct buf b AUTO_BUF = BUF_INIT(0);

	for (uint32_t n = pick(6); n; n--)
		buf_str(&b, parts[pick(sizeof(parts) / sizeof(parts[0]) - (lines ? 0 : 3))]);
	return arena_strdup(mem, buf_cstr(&b));
}

static struct value *
random_value(unsigned int depth, bool lines)
{
	uint32_t kind = pick(depth ? 10 : 6);
	struct value *v;

	if (kind == 0)
		return value_null(mem);
	if (kind == 1)
		return value_bool(mem, pick(2));
	if (kind == 2)
		return value_int(mem, (int64_t)pick(1000) - 500);
	if (kind < 6)
		return value_str(mem, random_text(lines));
	v = kind < 9 ? value_map(mem) : value_list(mem);
	for (uint32_t n = pick(5); n; n--) {
		if (kind < 9)
			value_set(mem, v, random_text(false), random_value(depth - 1, lines));
		else
			value_push(mem, v, random_value(depth - 1, lines));
	}
	return v;
}

/* What programs write is canonical already. */
static void
writer_is_canonical(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct value *v = value_map(mem);
		struct buf b AUTO_BUF = BUF_INIT(0);

		value_set(mem, v, "k", random_value(4, true));
		yaml_write(v, &b);
		assert_string_equal(holds("random tree", buf_cstr(&b), b.len), buf_cstr(&b));
	}
}

/* Comments and blank lines wherever a line ends; each comment has a number and must come out once. */
static void
random_comments(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct buf b AUTO_BUF = BUF_INIT(0), from AUTO_BUF = BUF_INIT(0);
		struct value *v = value_map(mem);
		unsigned int count = 0;
		const char *got;

		value_set(mem, v, "k", random_value(4, false)); /* no text of several lines: '#' in it is no comment */
		yaml_write(v, &from);
		for (const char *s = buf_cstr(&from); *s; s += strcspn(s, "\n") + 1) {
			buf_add(&b, s, strcspn(s, "\n"));
			if (pick(3) == 0)
				buf_printf(&b, " # note %u;", count++);
			buf_char(&b, '\n');
			while (pick(3) == 0) {
				if (pick(3) == 0)
					buf_char(&b, '\n');
				buf_pad(&b, ' ', pick(12));
				buf_printf(&b, "# note %u;\n", count++);
			}
		}
		got = holds("random comments", buf_cstr(&b), b.len);
		assert_non_null(got);
		for (unsigned int k = 0; k < count; k++) {
			const char *note = arena_printf(mem, "# note %u;", k), *at = strstr(got, note);

			if (!at || strstr(at + 1, note))
				fail_msg("%s is lost or doubled:\n%s\n----\n%s", note, buf_cstr(&b), got);
		}
	}
}

static int
visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int
main(void)
{
	struct CMUnitTest tests[100] = {
		cmocka_unit_test(small_texts), cmocka_unit_test(refusals), cmocka_unit_test(large_texts), cmocka_unit_test(deep_texts),
		cmocka_unit_test(examples_are_canonical), cmocka_unit_test(all_documents), cmocka_unit_test(writer_is_canonical),
		cmocka_unit_test(random_comments),
	};
	struct dirent **names;
	int n = scandir(CASES, &names, visible, alphasort), rc;
	const int fixed = 8;

	if (n <= 0 || n > 100 - fixed) {
		printf("1..1\nnot ok 1 - no cases in " CASES "\n");
		return 1;
	}
	for (int i = 0; i < n; i++)
		tests[fixed + i] = (struct CMUnitTest){ names[i]->d_name, one_case, NULL, NULL, names[i]->d_name };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = _cmocka_run_group_tests("fmt", tests, (size_t)(fixed + n), setup, teardown);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return rc;
}
