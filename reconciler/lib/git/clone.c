/* SPDX-License-Identifier: Apache-2.0 */
/* Work trees and clones. */
#include "lib/git/clone.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fs.h"
#include "lib/git/priv.h"

#define IDENTITY_NAME "berth"
#define IDENTITY_EMAIL "berth@localhost"

/* libgit2 is told to read no configuration of the machine (git_start); a person's name is the one thing wanted from it. */
static int
signature_of_person(git_signature **out, struct arena *mem)
{
	const char *home = getenv("HOME"), *name = NULL, *email = NULL;
	git_config *config = NULL;
	int rc = -1;

	if (home && *home && git_config_new(&config) == 0 &&
	    git_config_add_file_ondisk(config, arena_printf(mem, "%s/.gitconfig", home), GIT_CONFIG_LEVEL_GLOBAL, NULL, 0) == 0) {
		git_config *snap = NULL;

		if (git_config_snapshot(&snap, config) == 0 && git_config_get_string(&name, snap, "user.name") == 0 &&
		    git_config_get_string(&email, snap, "user.email") == 0)
			rc = git_signature_now(out, name, email);
		git_config_free(snap);
	}
	git_config_free(config);
	return rc == 0 ? 0 : git_signature_now(out, IDENTITY_NAME, IDENTITY_EMAIL);
}

static int
must_be_empty(const char *dir, struct err *e)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_errno(e, "%s", dir);
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			rc = err_set(e, ERR_DENIED, "%s is not empty (there is %s)", dir, entry->d_name);
			(void)err_hint(e, "name a new folder; nothing was written");
			break;
		}
	(void)closedir(d);
	return rc;
}

static int
write_files(const char *dir, const struct git_new_file *files, size_t n, struct arena *mem, struct err *e)
{
	int rc;

	for (size_t i = 0; i < n; i++) {
		char *path = arena_printf(mem, "%s/%s", dir, files[i].path), *slash = strrchr(path, '/');

		*slash = '\0';
		if ((rc = fs_mkdirs(path, e)) < 0)
			return rc;
		*slash = '/';
		rc = fs_write_atomic(path, files[i].bytes, files[i].len, files[i].mode == FILE_EXECUTABLE ? 0755 : 0644, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
commit_all(git_repository *repo, const struct git_new_file *files, size_t n, const char *message, struct arena *mem)
{
	git_signature *who = NULL;
	git_index *index = NULL;
	git_tree *tree = NULL;
	git_oid id;
	int rc;

	if ((rc = git_repository_index(&index, repo)) < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = git_index_add_bypath(index, files[i].path);
	if (rc == 0 && (rc = git_index_write(index)) == 0 && (rc = git_index_write_tree(&id, index)) == 0 &&
	    (rc = git_tree_lookup(&tree, repo, &id)) == 0 && (rc = signature_of_person(&who, mem)) == 0)
		rc = git_commit_create(&id, repo, "HEAD", who, who, NULL, message, tree, 0, NULL);
	git_signature_free(who);
	git_tree_free(tree);
	git_index_free(index);
	return rc;
}

int
git_init_with(const char *dir, const char *branch, const struct git_new_file *files, size_t n, const char *message, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	git_repository_init_options o;
	git_repository *repo = NULL;
	int rc;

	git_start();
	if (git_repository_init_options_init(&o, GIT_REPOSITORY_INIT_OPTIONS_VERSION) < 0)
		return err_set(e, ERR_INTERNAL, "libgit2 is of another version");
	if ((rc = must_be_empty(dir, e)) < 0 || (rc = fs_mkdirs(dir, e)) < 0 || (rc = write_files(dir, files, n, mem, e)) < 0)
		return rc;
	o.flags = GIT_REPOSITORY_INIT_MKPATH;
	o.initial_head = branch;
	if ((rc = git_repository_init_ext(&repo, dir, &o)) == 0)
		rc = commit_all(repo, files, n, message, mem);
	git_repository_free(repo);
	return rc < 0 ? git_fail(e, rc, "make a repository in %s", dir) : 0;
}

/* The repository was opened without its configuration (repo.c), so the file is read here for this one value. */
int
git_origin_url(struct git_repo *g, const char *remote, struct arena *mem, const char **url, struct err *e)
{
	const char *path = arena_printf(mem, "%sconfig", git_repository_commondir(g->repo)), *value;
	git_config *config = NULL, *snap = NULL;
	int rc = git_config_open_ondisk(&config, path);

	if (rc == 0 && (rc = git_config_snapshot(&snap, config)) == 0 &&
	    (rc = git_config_get_string(&value, snap, arena_printf(mem, "remote.%s.url", remote))) == 0)
		*url = arena_strdup(mem, value);
	git_config_free(snap);
	git_config_free(config);
	return rc < 0 ? git_fail(e, rc, "remote %s", remote) : 0;
}

int
git_fork_point(struct git_repo *g, const char *a, const char *b, struct oid *out, struct err *e)
{
	struct oid x, y;
	git_oid base;
	int rc;

	if ((rc = git_rev_parse(g, a, &x, e)) < 0 || (rc = git_rev_parse(g, b, &y, e)) < 0)
		return rc;
	if ((rc = git_merge_base(&base, g->repo, git_oid_of(&x), git_oid_of(&y))) < 0)
		return git_fail(e, rc, "%s and %s share no history", a, b);
	git_oid_to(out, &base);
	return 0;
}
