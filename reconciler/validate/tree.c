/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over the whole commit: what stands where. */
#include <string.h>

#include "parse/say.h"
#include "validate/validate.h"

/* Far above any organization; a commit beyond it would only be there to stall everybody. */
#define TREE_FILES_MAX 200000

/* Below, or in the place of, a folder of documents. */
static bool
in_documents(const char *path)
{
	for (enum kind k = KIND_ORG; k < KIND_COUNT; k++) {
		size_t n = kinds[k].folder ? strlen(kinds[k].folder) : 0;

		if (n && strncmp(path, kinds[k].folder, n) == 0 && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

static void
say_bad(struct report *r, const char *path, const struct path_info *p)
{
	const char *name = p->name;
	struct finding *f;

	if (name && !name_valid(name)) {
		f = say(r, BAD_NAME, say_file(path), "'%s' is no name: %s", name, p->why);
		finding_help(r, f, "rename it");
		return;
	}
	f = say(r, BAD_PLACE, say_file(path), "berth does not know what to do with this file: %s", p->why);
	if (p->kind == KIND_ORG)
		finding_help(r, f, "rename it to berth.yaml");
	else if (p->kind == KIND_ENV)
		finding_help(r, f, "rename or move it to envs/<owner>/<name>.yaml");
	else
		finding_help(r, f, "rename or move it to %s/<name>.yaml", kinds[p->kind].folder);
}

static void
check_entry(struct arena *mem, const struct file_entry *f, struct report *r)
{
	bool link = f->mode == FILE_SYMLINK || f->mode == FILE_SUBMODULE;
	struct path_info p;
	struct finding *x;

	path_classify(mem, f->path, &p);
	if (p.class == PATH_BAD)
		say_bad(r, arena_strdup(r->mem, f->path), &p);
	/* doc_read says it of documents */
	if (!link || p.class == PATH_DOC || !in_documents(f->path))
		return;
	x = say(r, NOT_REGULAR, say_file(arena_strdup(r->mem, f->path)), "%s is a %s", f->path, f->mode == FILE_SYMLINK ? "symbolic link" : "submodule");
	finding_help(r, x, "put the file itself there; links are never followed");
}

void
validate_tree(const struct files *files, struct report *r)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct finding *f;

	if (!files_find(files, "berth.yaml")) {
		f = say(r, NO_ORGANIZATION, say_file("berth.yaml"), "there is no berth.yaml at the root");
		finding_help(r, f, "add it (berth init writes one); without it nothing is applied");
	}
	if (files->n > TREE_FILES_MAX) {
		f = say(r, TOO_LARGE, say_file("berth.yaml"), "the commit has %zu files, at most %d are read", files->n, TREE_FILES_MAX);
		finding_help(r, f, "keep data and code in repositories of their own");
		return;
	}
	for (size_t i = 0; i < files->n; i++) {
		check_entry(mem, &files->entries[i], r);
		arena_reset(mem);
	}
}
