/* SPDX-License-Identifier: Apache-2.0 */
/* berth codeowners: the code owners' file of a forge, printed, written or compared with the one that is there. */
#include <stdio.h>
#include <string.h>

#include "cli/tree.h"
#include "lib/base/fs.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/doc/value.h"
#include "validate/codeowners.h"

#define FILE_BYTES ((size_t)3 << 20) /* GitHub reads no larger one */
#define SHOWN 20                     /* lines of a difference, notes */

struct job {
	const struct args *a;
	struct files files;
	struct codeowners owners;
	bool forges[OWNERS_FORGES];
	size_t stale;
};

/* -- which forges --------------------------------------------------------------------------------------------------- */

static bool
is_there(const struct files *files, const char *path)
{
	size_t n;

	if (!str_ends(path, "/"))
		return files_find(files, path) != NULL;
	(void)files_under(files, path, &n);
	return n > 0;
}

/* --forge, else each that has files here. */
static int
choose(struct job *j, size_t *n, struct err *e)
{
	const char *name = args_str(j->a, "forge", NULL);
	enum owners_forge f = name ? owners_forge_find(name) : OWNERS_FORGES;

	*n = 0;
	if (name && f == OWNERS_FORGES)
		return err_set(e, ERR_USAGE, "--forge %s: write github, gitlab or gitea", name);
	for (enum owners_forge i = 0; i < OWNERS_FORGES; i++) {
		for (const char *const *own = owners_places[i].own; *own && !name; own++)
			j->forges[i] = j->forges[i] || is_there(&j->files, *own);
		j->forges[i] = j->forges[i] || i == f;
		*n += j->forges[i];
	}
	if (*n)
		return 0;
	(void)err_set(e, ERR_USAGE, "no .github/, .gitlab/, .gitlab-ci.yml or .gitea/ here tells which forge this repository is on");
	return err_hint(e, "say it: berth codeowners --forge github");
}

/* -- what was read, for people -------------------------------------------------------------------------------------- */

static void
show_notes(const struct codeowners *c)
{
	for (size_t i = 0; i < c->nnotes && i < SHOWN; i++)
		(void)fprintf(stderr, "note: %s\n", c->notes[i]);
	if (c->nnotes > SHOWN)
		(void)fprintf(stderr, "note: and %zu more of that kind\n", c->nnotes - SHOWN);
}

static struct value *
rule_value(struct arena *mem, const char *pattern, const char *user, const char *const *logins, size_t n)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "pattern", value_str(mem, pattern));
	value_set(mem, v, "user", user ? value_str(mem, user) : value_null(mem));
	value_set(mem, v, "owners", value_strs(mem, logins, n));
	return v;
}

static struct value *
forge_value(const struct job *j, enum owners_forge f)
{
	struct arena *mem = j->a->mem;
	const struct codeowners *c = &j->owners;
	struct value *v = value_map(mem), *rules = value_list(mem);

	value_set(mem, v, "forge", value_str(mem, owners_places[f].forge));
	value_set(mem, v, "file", value_str(mem, owners_places[f].file));
	if (c->nadmins)
		value_push(mem, rules, rule_value(mem, codeowners_pattern(mem, f, NULL), NULL, c->admins, c->nadmins));
	for (size_t i = 0; i < c->nfolders; i++)
		value_push(mem, rules, rule_value(mem, codeowners_pattern(mem, f, c->folders[i].user), c->folders[i].user,
		                                  c->folders[i].logins, c->folders[i].n));
	value_set(mem, v, "rules", rules);
	return v;
}

static int
print(const struct job *j, size_t n, struct err *e)
{
	struct value *list = value_list(j->a->mem);
	struct buf text AUTO_BUF = BUF_INIT(FILE_BYTES);
	enum output form;
	int rc;

	if ((rc = args_output(j->a, &form, e)) < 0)
		return rc;
	if (form == OUTPUT_TABLE && n > 1) {
		(void)err_set(e, ERR_USAGE, "this repository has files of more than one forge: say which with --forge");
		return err_hint(e, "--write and --check do all of them, -o json prints all");
	}
	for (enum owners_forge f = 0; f < OWNERS_FORGES; f++) {
		if (!j->forges[f])
			continue;
		value_push(j->a->mem, list, forge_value(j, f));
		codeowners_write(&j->owners, f, &text);
	}
	if (form != OUTPUT_TABLE)
		output_value(list, form);
	else if (buf_check(&text, "the file", e) < 0)
		return ERR_INVALID;
	else
		(void)fputs(buf_cstr(&text), stdout);
	return 0;
}

/* -- the file that is there ----------------------------------------------------------------------------------------- */

/* Of a stranger's file: on one line, and nothing that a forge's runner takes for a command. */
static void
show_line(struct arena *mem, char mark, const char *line, size_t n)
{
	const char *s = str_line(mem, arena_strndup(mem, line, n)), *at;

	(void)printf("%c ", mark);
	for (; (at = strstr(s, "##[")); s = at + 3)
		(void)printf("%.*s## [", (int)(at - s), s);
	(void)printf("%s\n", s);
}

static void
lines_of(struct arena *mem, const char *text, struct map *out)
{
	for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n')
		(void)map_put(out, arena_strndup(mem, s, strcspn(s, "\n")), NULL);
}

/* Lines of `text` that `other` does not have. Returns how many were left out. */
static size_t
show_missing(struct arena *mem, char mark, const char *text, const char *other)
{
	struct map there AUTO_MAP = MAP_INIT;
	size_t shown = 0, more = 0;

	lines_of(mem, other, &there);
	for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		size_t n = strcspn(s, "\n");

		if (map_has(&there, arena_strndup(mem, s, n)))
			continue;
		if (shown++ < SHOWN)
			show_line(mem, mark, s, n);
		else
			more++;
	}
	return more;
}

static int
read_old(const struct job *j, const char *path, const char **bytes, size_t *len, struct err *e)
{
	const struct file_entry *f = files_find(&j->files, path);

	*bytes = NULL;
	*len = 0;
	return f ? j->files.read(j->files.ctx, f, FILE_BYTES, j->a->mem, bytes, len, e) : 0;
}

static void
show_difference(struct arena *mem, const char *path, const char *old, const char *new_)
{
	size_t more;

	(void)printf("%s is %s\n", path, old ? "out of date" : "missing");
	if (!old)
		return;
	more = show_missing(mem, '-', old, new_);
	more += show_missing(mem, '+', new_, old);
	if (more)
		(void)printf("  and %zu more lines\n", more);
}

static int
compare(struct job *j, enum owners_forge f, const struct buf *text, struct err *e)
{
	const struct owners_place *p = &owners_places[f];
	const char *old;
	size_t len;
	int rc;

	if ((rc = read_old(j, p->file, &old, &len, e)) < 0)
		return rc;
	for (const char *const *b = p->before; *b; b++)
		if (files_find(&j->files, *b)) {
			(void)printf("%s is in the way: %s reads it instead of %s\n", *b, p->forge, p->file);
			j->stale++;
		}
	if (old && len == text->len && memcmp(old, buf_cstr(text), len) == 0)
		return 0;
	j->stale++;
	show_difference(j->a->mem, p->file, old, buf_cstr(text));
	return 0;
}

/* -- writing -------------------------------------------------------------------------------------------------------- */

/* A folder that is a link would lead out of the repository. */
static int
check_folder(const struct job *j, const char *path, struct err *e)
{
	const char *folder = arena_strndup(j->a->mem, path, strcspn(path, "/"));
	const struct file_entry *f = files_find(&j->files, folder);

	if (!f)
		return 0;
	(void)err_set(e, ERR_DENIED, "%s is a %s, not a folder", folder, f->mode == FILE_SYMLINK ? "symbolic link" : "file");
	return err_hint(e, "links are never followed: take it away, then try again");
}

static int
write_file(struct job *j, enum owners_forge f, const struct buf *text, struct err *e)
{
	const char *dir = args_str(j->a, "C", "."), *path = owners_places[f].file, *old;
	size_t len;
	int rc;

	if ((rc = check_folder(j, path, e)) < 0 || (rc = read_old(j, path, &old, &len, e)) < 0)
		return rc;
	if (old && len == text->len && memcmp(old, buf_cstr(text), len) == 0) {
		(void)fprintf(stderr, "%s is up to date\n", path);
		return 0;
	}
	if ((rc = fs_mkdirs(arena_printf(j->a->mem, "%s/.%s", dir, owners_places[f].forge), e)) < 0 ||
	    (rc = fs_write_atomic(arena_printf(j->a->mem, "%s/%s", dir, path), buf_cstr(text), text->len, 0644, e)) < 0)
		return rc;
	(void)printf("%s\n", path);
	return 0;
}

/* -- the verb ------------------------------------------------------------------------------------------------------- */

static int
each_file(struct job *j, int (*fn)(struct job *j, enum owners_forge f, const struct buf *text, struct err *e), struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT(FILE_BYTES);
	int rc;

	for (enum owners_forge f = 0; f < OWNERS_FORGES; f++) {
		if (!j->forges[f])
			continue;
		buf_reset(&text);
		codeowners_write(&j->owners, f, &text);
		if ((rc = buf_check(&text, owners_places[f].file, e)) < 0 || (rc = fn(j, f, &text, e)) < 0)
			return rc;
	}
	return 0;
}

static int
run(const struct args *a, struct err *e)
{
	struct job j = { .a = a };
	bool check = args_flag(a, "check"), write = args_flag(a, "write");
	size_t n;
	int rc;

	if (check && write)
		return err_set(e, ERR_USAGE, "--check changes nothing and --write does: give one of them");
	if ((rc = tree_from_dir(args_str(a, "C", "."), a->mem, &j.files, e)) < 0 || (rc = choose(&j, &n, e)) < 0 ||
	    (rc = codeowners_read(a->mem, &j.files, &j.owners, e)) < 0)
		return rc;
	rc = check ? each_file(&j, compare, e) : write ? each_file(&j, write_file, e) : print(&j, n, e);
	if (rc < 0)
		return rc;
	(void)fflush(stdout);
	show_notes(&j.owners);
	if (!j.stale)
		return EXIT_FINE;
	(void)fprintf(stderr, "next: berth codeowners%s%s --write, and commit what it changes; a file that is in the way is to be deleted\n",
	              args_str(a, "forge", NULL) ? " --forge " : "", args_str(a, "forge", ""));
	return EXIT_FINDINGS;
}

static const struct opt opts[] = {
	{ "forge", "github|gitlab|gitea", "which dialect (default: of each forge that has files here)" },
	{ "write", NULL, "write .github/CODEOWNERS, .gitlab/CODEOWNERS, .gitea/CODEOWNERS, and print the paths" },
	{ "check", NULL, "exit 1, with the lines that differ, when such a file is missing or out of date" },
	{ "C", "DIR", "the environments repository (default: here)" },
	{ "o", "table|json|yaml", "how to print it; table is the file itself" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_codeowners = {
	.name = "codeowners", .args = "", .summary = "the code owners' file of a forge, from approvals, teams and users",
	.examples = "berth codeowners --forge github     print it\n"
	            "berth codeowners --write            write it for each forge that has files here\n"
	            "berth codeowners --check            in a pull request's job: 1 when it is out of date\n"
	            "berth codeowners --forge gitlab -o json\n",
	.details = "Admins (berth.yaml, approvals.admins) own everything; envs/USER/ belongs to the admins of USER's teams too, never to USER. People are\n"
	           "named as users/NAME.yaml says in spec.forge.login, else NAME. A forge asks these for reviews; whether a change is applied\n"
	           "is berth's to decide (approvals.mode). CODEOWNERS at the root is never written: --check reports one that another forge would prefer.",
	.opts = opts, .run = run,
};
