/* SPDX-License-Identifier: Apache-2.0 */
/* Opening repositories, libgit2's settings and errors, reading objects. */
#include "lib/git/priv.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>

#define CACHE_MAX ((ssize_t)8 << 20)
#define WINDOW_SIZE ((size_t)4 << 20)
#define WINDOW_LIMIT ((size_t)32 << 20)
#define PACK_OBJECT_MAX ((size_t)256 << 20)

static void
start_once(void)
{
	static const int levels[] = { GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL,
		GIT_CONFIG_LEVEL_PROGRAMDATA };

	if (git_libgit2_init() < 0)
		abort();
	(void)git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, CACHE_MAX);
	(void)git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW_SIZE);
	(void)git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, WINDOW_LIMIT);
	(void)git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, PACK_OBJECT_MAX);
	/* the path was given by whoever runs us: there is no search upwards that could end in a stranger's repository,
	 * and no hook, filter or setting of the repository is ever obeyed */
	(void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		(void)git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
}

void
git_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, start_once);
}

static int
code_of(int rc, int class)
{
	switch (rc) {
	case GIT_ENOTFOUND:
		return ERR_NOTFOUND;
	case GIT_EEXISTS:
	case GIT_EMODIFIED:
	case GIT_ELOCKED:
	case GIT_ENONFASTFORWARD:
		return ERR_CONFLICT;
	case GIT_EAMBIGUOUS:
	case GIT_EINVALIDSPEC:
	case GIT_EPEEL:
	case GIT_EINVALID:
		return ERR_INVALID;
	case GIT_EAUTH:
	case GIT_ECERTIFICATE:
		return ERR_DENIED;
	case GIT_EUSER:
		return ERR_CANCELLED;
	default:
		break;
	}
	switch (class) {
	case GIT_ERROR_OS:
	case GIT_ERROR_NET:
	case GIT_ERROR_SSL:
	case GIT_ERROR_SSH:
	case GIT_ERROR_HTTP:
		return ERR_UNAVAILABLE;
	default:
		return ERR_INTERNAL;
	}
}

int
git_fail(struct err *e, int rc, const char *fmt, ...)
{
	const git_error *last = git_error_last();
	char head[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	return err_set(e, code_of(rc, last ? last->klass : 0), "%s: %s", head, last ? last->message : "no reason given");
}

/* -- opening ---------------------------------------------------------------------------------------------------- */

static bool
is_repository(const char *path)
{
	char sub[GIT_PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		int n = snprintf(sub, sizeof(sub), "%s/%s", path, i ? "objects" : "HEAD");

		if (n < 0 || (size_t)n >= sizeof(sub) || stat(sub, &st))
			return false;
	}
	return S_ISDIR(st.st_mode);
}

static int
open_raw(const char *path, git_repository **out)
{
	char sub[GIT_PATH_MAX];
	int n = snprintf(sub, sizeof(sub), "%s/.git", path);

	if (is_repository(path))
		return git_repository_open_bare(out, path);
	if (n > 0 && (size_t)n < sizeof(sub) && is_repository(sub))
		return git_repository_open_bare(out, sub);
	/* a linked work tree: .git is a file that says where the repository is */
	return git_repository_open_ext(out, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
}

static int
loose_odb(git_repository *repo, git_odb **out)
{
	char objects[GIT_PATH_MAX];
	git_odb_backend *backend = NULL;
	int rc, n = snprintf(objects, sizeof(objects), "%sobjects", git_repository_commondir(repo));

	if (n < 0 || (size_t)n >= sizeof(objects))
		return GIT_EINVALID;
	if ((rc = git_odb_new(out)) < 0)
		return rc;
	rc = git_odb_backend_loose(&backend, objects, 1, 0, 0, 0);
	if (rc == 0)
		rc = git_odb_add_backend(*out, backend, 1);
	if (rc < 0)
		git_odb_free(*out);
	return rc;
}

/* An empty configuration: no reflogs, no rewritten URLs, no switched-off certificate checks, whatever the files say. */
static int
forget_config(git_repository *repo)
{
	git_config *none = NULL;
	int rc = git_config_new(&none);

	if (rc == 0)
		rc = git_repository_set_config(repo, none);
	git_config_free(none);
	return rc;
}

static int
attach(git_repository *repo, struct git_repo *g)
{
	int rc = forget_config(repo);

	if (rc < 0)
		return rc;
	if ((rc = git_repository_odb(&g->odb, repo)) < 0)
		return rc;
	if ((rc = loose_odb(repo, &g->loose)) < 0) {
		git_odb_free(g->odb);
		return rc;
	}
	g->repo = repo;
	return 0;
}

/* Its refs would look corrupted: ids here are SHA-1 ones. */
static int
check_format(git_repository *repo, const char *given, struct err *e)
{
	git_config *config = NULL;
	const char *format = NULL;
	int rc = 0;

	if (git_repository_config_snapshot(&config, repo) == 0 &&
	    git_config_get_string(&format, config, "extensions.objectformat") == 0 && strcasecmp(format, "sha1") != 0) {
		err_set(e, ERR_INVALID, "%s: repositories of object format %.20s are not supported", given, format);
		rc = err_hint(e, "berth reads SHA-1 repositories, git's default: git init --object-format=sha1");
	}
	git_config_free(config);
	return rc;
}

static int
wrap_repo(git_repository *repo, const char *given, struct git_repo **out, struct err *e)
{
	struct git_repo *g = calloc(1, sizeof(*g));
	size_t len;
	int rc;

	if (!g || !(g->path = strdup(git_repository_path(repo))) || !(g->given = strdup(given)))
		abort();
	rc = attach(repo, g);
	if (rc < 0) {
		rc = git_fail(e, rc, "open %s", g->path);
		git_repository_free(repo);
		free(g->given);
		free(g->path);
		free(g);
		return rc;
	}
	len = strlen(g->path);
	while (len > 1 && g->path[len - 1] == '/')
		g->path[--len] = '\0';
	*out = g;
	return 0;
}

int
git_open(const char *path, struct git_repo **out, struct err *e)
{
	git_repository *repo = NULL;
	struct stat st;
	int rc;

	git_start();
	if (stat(path, &st))
		return err_errno(e, "open repository %s", path);
	rc = open_raw(path, &repo);
	if (rc == GIT_ENOTFOUND) {
		err_set(e, ERR_NOTFOUND, "%s is not a git repository", path);
		return err_hint(e, "Create one with: berth init %s", path);
	}
	if (rc < 0)
		return git_fail(e, rc, "open repository %s", path);
	if ((rc = check_format(repo, path, e)) < 0) {
		git_repository_free(repo);
		return rc;
	}
	return wrap_repo(repo, path, out, e);
}

int
git_open_or_init(const char *path, struct git_repo **out, struct err *e)
{
	git_repository_init_options o = { .version = GIT_REPOSITORY_INIT_OPTIONS_VERSION };
	git_repository *repo = NULL;
	int rc;

	git_start();
	if (is_repository(path))
		return git_open(path, out, e);
	o.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
	o.initial_head = "main";
	if ((rc = git_repository_init_ext(&repo, path, &o)) < 0)
		return git_fail(e, rc, "create repository %s", path);
	return wrap_repo(repo, path, out, e);
}

void
git_close(struct git_repo *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < GIT_KEPT_TREES; i++)
		git_odb_object_free(g->kept[i].object);
	git_keep_blobs(g, 0);
	git_odb_free(g->loose);
	git_odb_free(g->odb);
	git_repository_free(g->repo);
	free(g->given);
	free(g->path);
	free(g);
}

const char *
git_path(const struct git_repo *g)
{
	return g->path;
}

/* -- objects ---------------------------------------------------------------------------------------------------- */

int
git_reopen(struct git_repo *g)
{
	git_repository *repo = NULL;
	struct git_repo fresh = { 0 };
	int rc = open_raw(g->given, &repo);

	if (rc < 0 || (rc = attach(repo, &fresh)) < 0) {
		git_repository_free(repo);
		return rc;
	}
	git_odb_free(g->loose);
	git_odb_free(g->odb);
	git_repository_free(g->repo);
	g->repo = fresh.repo;
	g->odb = fresh.odb;
	g->loose = fresh.loose;
	return 0;
}

static int
object_try(struct git_repo *g, const struct oid *id, git_object_t type, size_t max, git_odb_object **out, struct err *e)
{
	char hex[OID_HEX];
	git_object_t is = GIT_OBJECT_INVALID;
	size_t len = 0;
	int rc = git_odb_read_header(&len, &is, g->odb, git_oid_of(id));

	oid_hex(id, hex);
	if (rc < 0)
		return git_fail(e, rc, "read object %s", hex);
	if (is != type)
		return err_set(e, ERR_INVALID, "object %s is a %s, not a %s", hex, git_object_type2string(is),
		               git_object_type2string(type));
	if (len > max)
		return err_set(e, ERR_INVALID, "object %s has %zu bytes, at most %zu are read", hex, len, max);
	if ((rc = git_odb_read(out, g->odb, git_oid_of(id))) < 0)
		return git_fail(e, rc, "read object %s", hex);
	return 0;
}

int
git_object_get(struct git_repo *g, const struct oid *id, git_object_t type, size_t max, git_odb_object **out, struct err *e)
{
	int rc = object_try(g, id, type, max, out, e);

	if (rc == 0 || rc == ERR_INVALID || git_reopen(g) < 0)
		return rc;
	return object_try(g, id, type, max, out, e);
}

int
git_blob_read(struct git_repo *g, const struct oid *id, size_t max, struct arena *mem, const char **bytes, size_t *len,
              struct err *e)
{
	git_odb_object *AUTO_OBJECT o = NULL;
	int rc;

	if (git_kept_blob(g, id, max, mem, bytes, len))
		return 0;
	if ((rc = git_object_get(g, id, GIT_OBJECT_BLOB, max, &o, e)))
		return rc;
	*len = git_odb_object_size(o);
	*bytes = arena_strndup(mem, git_odb_object_data(o), *len);
	git_blob_keep(g, id, *bytes, *len);
	return 0;
}

size_t
git_object_size(struct git_repo *g, const struct oid *id)
{
	git_object_t is;
	size_t len;

	return git_odb_read_header(&len, &is, g->odb, git_oid_of(id)) == 0 ? len : 0;
}

int
git_tree_read(struct git_repo *g, const struct oid *tree, const char *path, size_t max, struct arena *mem, const char **bytes,
              size_t *len, struct err *e)
{
	struct oid id;
	int rc = git_tree_find(g, tree, path, &id, NULL, e);

	return rc < 0 ? rc : git_blob_read(g, &id, max, mem, bytes, len, e);
}
