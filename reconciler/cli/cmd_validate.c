/* SPDX-License-Identifier: Apache-2.0 */
/* berth validate: every finding of every file, offline. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/check_tree.h"
#include "cli/tree.h"
#include "cli/validate_changed.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/report_formats.h"
#include "lib/doc/yaml.h"
#include "validate/validate.h"
#include "world.h"

static int
check_whole(const struct files *files, struct report *all, struct err *e)
{
	const struct tree_check how = { 0 };
	struct world *w;
	int rc;

	if ((rc = world_new(&w, e)) < 0)
		return rc;
	if ((rc = world_adopt(w, files, NULL, 0, true, e)) == 0)
		rc = tree_check(w, &how, all, e);
	world_free(w);
	return rc;
}

/* Files named alone are checked without what they refer to: kind and schema. */
static int
check_files(const struct args *a, struct report *all, struct err *e)
{
	struct schemas *s;
	int rc;

	if ((rc = schemas_load(&s, e)) < 0)
		return rc;
	for (size_t i = 0; i < a->npos; i++) {
		struct value *v;
		char *bytes;
		size_t len;

		if ((rc = fs_read(a->pos[i], FILE_DOC_MAX * 64, a->mem, &bytes, &len, e)) < 0) {
			if (rc == ERR_NOTFOUND)
				e->code = rc = ERR_USAGE; /* a name typed wrong, nothing to wait for */
			break;
		}
		if (yaml_read(a->mem, a->pos[i], bytes, len, NULL, all, &v) == 0)
			validate_alone(s, a->mem, a->pos[i], v, all);
	}
	schemas_free(s);
	return rc;
}

static int
read_named(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	char *text;
	int rc = fs_read(f->path, max, mem, &text, len, e);

	(void)ctx;
	if (rc == 0)
		*bytes = text;
	return rc;
}

/* --format, else what -o asks for. */
static int
format_of_args(const struct args *a, const struct report_format **out, struct err *e)
{
	const char *name = args_str(a, "format", NULL);
	enum output o;
	int rc;

	if ((rc = args_output(a, &o, e)) < 0)
		return rc;
	*out = report_format_find(name ? name : o == OUTPUT_JSON ? "json" : o == OUTPUT_YAML ? "yaml" : "text");
	if (!*out)
		return err_set(e, ERR_USAGE, "--format %s: write text, json, yaml, github, gitlab or sarif", name);
	return 0;
}

/*
 * What a forge's runner reads must hold no command of a stranger's: a line of ours never starts with "::", but the older
 * "##[" counts anywhere in it.
 */
static void
print_log(const struct buf *text)
{
	const char *s = buf_cstr(text), *at;

	for (; (at = strstr(s, "##[")); s = at + 3)
		(void)fprintf(stderr, "%.*s## [", (int)(at - s), s);
	(void)fputs(s, stderr);
}

static int
print_report(const struct args *a, const struct report *r, const struct changed *what, const struct report_format *f, int64_t ms,
             struct err *e)
{
	const struct files *files = &what->files;
	struct buf text AUTO_BUF = BUF_INIT((size_t)1 << 30), out AUTO_BUF = BUF_INIT((size_t)1 << 30);
	bool is_text = strcmp(f->name, "text") == 0;

	if (is_text || f->text_beside) {
		report_text(r, files, is_text && use_colour(1), &text);
		buf_printf(&text, "%zu error%s, %zu warning%s in ", r->errors, r->errors == 1 ? "" : "s", r->warnings,
		           r->warnings == 1 ? "" : "s");
		if (what->checked != files->n)
			buf_printf(&text, "%zu of ", what->checked);
		buf_printf(&text, "%zu file%s (%lld ms)\n", files->n, files->n == 1 ? "" : "s", (long long)ms);
	}
	if (!is_text)
		f->write(a->mem, r, files, &out);
	if (buf_check(&text, "the report", e) < 0 || buf_check(&out, "the report", e) < 0)
		return ERR_INVALID;
	(void)fputs(buf_cstr(is_text ? &text : &out), stdout);
	if (f->text_beside)
		print_log(&text);
	(void)fflush(stdout); /* in a file or a pipe the hint below comes last too */
	if (is_text && r->errors)
		(void)fprintf(stderr, "`berth explain %s` tells more\n", finding_id(r->items[0].code));
	return 0;
}

/* Files named alone, a range of commits, a commit, or the working tree. */
static int
check(const struct args *a, struct report *r, struct changed *what, struct err *e)
{
	const char *range = args_str(a, "changed", NULL), *label;
	int rc;

	if (range && (a->npos || args_str(a, "commit", NULL)))
		return err_set(e, ERR_USAGE, "--changed says itself what is looked at: leave out %s", a->npos ? a->pos[0] : "--commit");
	if (!range && args_said(a, "config-from"))
		return err_set(e, ERR_USAGE, "--config-from goes with --changed BASE..HEAD alone");
	if (range)
		return validate_changed(a, range, r, what, e);
	if (a->npos) {
		struct file_entry *named = arena_array(a->mem, a->npos, sizeof(*named));

		for (size_t i = 0; i < a->npos; i++)
			named[i] = (struct file_entry){ .path = a->pos[i], .mode = FILE_REGULAR };
		what->files = (struct files){ .entries = named, .n = a->npos, .read = read_named };
		rc = check_files(a, r, e);
	} else if ((rc = tree_of_args(a, &what->files, &label, e)) == 0) {
		rc = check_whole(&what->files, r, e);
	}
	what->checked = what->files.n;
	return rc;
}

static int
run(const struct args *a, struct err *e)
{
	int64_t start = clock_mono_ms();
	const struct report_format *format;
	struct changed what = { 0 };
	struct report r;
	int rc;

	report_init(&r, a->mem);
	if ((rc = format_of_args(a, &format, e)) < 0 || (rc = check(a, &r, &what, e)) < 0)
		return rc;
	report_sort(&r);
	if ((rc = print_report(a, &r, &what, format, clock_mono_ms() - start, e)) < 0)
		return rc;
	if (what.rules)
		(void)fprintf(stderr, "note: berth.yaml differs; roles, guards and approvals are judged as %s has them\n", what.rules);
	return r.errors ? EXIT_FINDINGS : EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository (default: here)" },
	{ "commit", "REV", "check a commit instead of the working tree" },
	{ "changed", "BASE..HEAD", "only what differs between two commits and what depends on it (BASE...HEAD: since they parted)" },
	{ "config-from", "REV", "with --changed: roles, guards and approvals of this commit (default: of BASE), the branch's tip say" },
	{ "format", "text|json|yaml|github|gitlab|sarif", "how to print the findings; the last three for the checks of a forge" },
	{ "o", "table|json|yaml", "the same: text, json or yaml" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_validate = {
	.name = "validate", .args = "[FILE…]", .summary = "check every file: syntax, schema, references, rules",
	.examples = "berth validate                      the repository here\n"
	            "berth validate -C envs              another folder\n"
	            "berth validate --commit HEAD -o json\n"
	            "berth validate --format github      marks in a pull request; gitlab and sarif write a file's worth\n"
	            "berth validate --changed origin/main...HEAD\n"
	            "berth validate --changed origin/main...HEAD --config-from origin/main\n"
	            "berth validate envs/bo/train.yaml   one file alone: its syntax, kind and fields\n",
	.details = "Reads no network. Exit 1 when there are errors; warnings do not count. With github, gitlab and sarif the full text goes\n"
	           "to standard error, so that it stands in the job's log too.",
	.opts = opts, .max = 10000, .run = run,
};
