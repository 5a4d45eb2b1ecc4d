/* SPDX-License-Identifier: Apache-2.0 */
/* berth fmt: documents in canonical form, comments kept. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/tree.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/report.h"
#include "lib/doc/yaml_fmt.h"
#include "parse/kinds.h"

struct fmt {
	bool check;
	size_t changed, failed;
};

static int
read_disk(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	char *text;
	int rc = fs_read(f->path, max, mem, &text, len, e);

	(void)ctx;
	if (rc == 0)
		*bytes = text;
	return rc;
}

/* Errors alone: what a warning asks for, quotes, is being written. */
static void
say_errors(struct report *r, const char *path)
{
	struct file_entry entry = { .path = path, .mode = FILE_REGULAR };
	struct files files = { .entries = &entry, .n = 1, .read = read_disk };
	struct buf text AUTO_BUF = BUF_INIT(0);
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].severity == SEVERITY_ERROR)
			r->items[n++] = r->items[i];
	r->n = n;
	report_sort(r);
	report_text(r, &files, use_colour(STDERR_FILENO), &text);
	(void)fputs(buf_cstr(&text), stderr);
}

/* One file in an arena of its own. Only trouble with the disk is an error return. */
static int
fmt_file(struct fmt *f, const char *path, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)256 << 20);
	struct buf out AUTO_BUF = BUF_INIT(0);
	struct report r;
	struct stat st;
	char *bytes;
	size_t len;
	int rc;

	report_init(&r, mem);
	if (lstat(path, &st) < 0)
		return err_errno(e, "open %s", path);
	if (S_ISLNK(st.st_mode))
		return err_set(e, ERR_INVALID, "%s is a symbolic link, which berth never follows", path);
	if ((rc = fs_read(path, FILE_DOC_MAX * 64, mem, &bytes, &len, e)) < 0)
		return rc;
	if (yaml_fmt(mem, path, bytes, len, &r, &out) < 0) {
		say_errors(&r, path);
		f->failed++;
		return 0;
	}
	if (out.len == len && memcmp(buf_cstr(&out), bytes, len) == 0)
		return 0;
	f->changed++;
	if (!f->check && (rc = fs_write_atomic(path, buf_cstr(&out), out.len, st.st_mode & 07777, e)) < 0)
		return rc;
	(void)printf("%s\n", path);
	return 0;
}

static int
fmt_folder(struct fmt *f, const struct args *a, struct err *e)
{
	const char *dir = args_str(a, "C", ".");
	struct files files;
	int rc;

	if ((rc = tree_from_dir(dir, a->mem, &files, e)) < 0)
		return rc;
	for (size_t i = 0; i < files.n; i++) {
		const struct file_entry *file = &files.entries[i];
		struct path_info info;

		path_classify(a->mem, file->path, &info);
		if (info.class != PATH_DOC || (file->mode != FILE_REGULAR && file->mode != FILE_EXECUTABLE))
			continue;
		if ((rc = fmt_file(f, str_eq(dir, ".") ? file->path : arena_printf(a->mem, "%s/%s", dir, file->path), e)) < 0)
			return rc;
	}
	return 0;
}

static int
run(const struct args *a, struct err *e)
{
	struct fmt f = { .check = args_flag(a, "check") };
	int rc = 0;

	if (a->npos && args_str(a, "C", NULL))
		return err_set(e, ERR_USAGE, "give files or -C DIR, not both");
	for (size_t i = 0; i < a->npos && rc == 0; i++)
		rc = fmt_file(&f, a->pos[i], e);
	if (rc == 0 && !a->npos)
		rc = fmt_folder(&f, a, e);
	if (rc < 0)
		return rc;
	if (f.check && f.changed)
		(void)fprintf(stderr, "%zu file%s not in canonical form; `berth fmt` writes %s\n", f.changed,
		              f.changed == 1 ? " is" : "s are", f.changed == 1 ? "it" : "them");
	return f.failed || (f.check && f.changed) ? EXIT_FINDINGS : EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository (default: here)" },
	{ "check", NULL, "write nothing; list the files that would change" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_fmt = {
	.name = "fmt", .args = "[FILE…]", .summary = "write documents in canonical form, comments kept",
	.examples = "berth fmt                        every document of the repository here\n"
	            "berth fmt envs/bo/train.yaml     one file, whatever its place\n"
	            "berth fmt --check -C envs        for pull requests: exit 1 when a file would change\n",
	.details = "Prints the names of the files it changes. What a file says never changes: only layout, quotes and\n"
	           "indentation do. A file that does not parse is left alone; its findings are printed and the exit code is 1.",
	.opts = opts, .max = 10000, .run = run,
};
