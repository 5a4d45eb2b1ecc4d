/* SPDX-License-Identifier: Apache-2.0 */
/* New objects waiting to be written. */
#include "lib/git/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_OVER 500
#define WRITES_MAX 4  /* of one object, while others take what it needs away */
#define HOLDS_MAX 256 /* folders made in vain: each time somebody removed it at once */

static void *
need(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct object **
slot(const struct objects *s, const struct oid *id)
{
	size_t at;

	memcpy(&at, id->b, sizeof(at));
	for (at &= s->size - 1; s->index[at] && !oid_eq(&s->index[at]->id, id);)
		at = (at + 1) & (s->size - 1);
	return &s->index[at];
}

static void
grow(struct objects *s)
{
	struct object **old = s->index;
	size_t n = s->size;

	s->size = n ? n * 2 : 64;
	s->index = need(calloc(s->size, sizeof(struct object *)));
	for (size_t i = 0; i < n; i++)
		if (old[i])
			*slot(s, &old[i]->id) = old[i];
	free(old);
}

/* Finds or makes. The repository's own packs were looked up when the edit began: no refresh for every miss. */
static struct object *
add(struct objects *s, struct git_repo *g, git_object_t type, const struct oid *id, const void *bytes, size_t len)
{
	struct object **at, *o;

	if (s->n * 2 >= s->size)
		grow(s);
	at = slot(s, id);
	if (*at)
		return *at;
	if (git_odb_exists_ext(g->odb, git_oid_of(id), GIT_ODB_LOOKUP_NO_REFRESH))
		return NULL;
	if (!s->zip)
		s->zip = zip_new();
	o = need(calloc(1, sizeof(*o)));
	o->id = *id;
	o->type = type;
	o->len = len;
	o->z = zip_bytes(s->zip, bytes, len, &o->zlen);
	*at = o;
	s->n++;
	return o;
}

struct object *
objects_blob(struct objects *s, struct git_repo *g, const struct oid *id, const void *bytes, size_t len)
{
	return add(s, g, GIT_OBJECT_BLOB, id, bytes, len);
}

void
object_want(struct objects *s, struct object *o)
{
	if (o->wanted || !o->z)
		return;
	if (s->nwanted == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->wanted = need(reallocarray(s->wanted, s->cap, sizeof(struct object *)));
	}
	o->wanted = true;
	s->wanted[s->nwanted++] = o;
}

void
objects_tree(struct objects *s, struct git_repo *g, const struct oid *id, const void *bytes, size_t len)
{
	struct object *o = add(s, g, GIT_OBJECT_TREE, id, bytes, len);

	if (o)
		object_want(s, o);
}

/* -- one loose object --------------------------------------------------------------------------------------------- */

/*
 * Puts an empty file into the folder that the object goes to: a folder with something in it is not removed. The file's name
 * is one that git takes for an object never finished, so that it does not stay when we are killed.
 */
static bool
hold_folder(struct git_repo *g, const git_oid *id, char path[GIT_PATH_MAX])
{
	char hex[GIT_OID_HEXSZ + 1];

	git_oid_tostr(hex, sizeof(hex), id);
	for (int i = 0; i < HOLDS_MAX; i++) {
		int fd, n = snprintf(path, GIT_PATH_MAX, "%sobjects/%.2s/tmp_obj_berth_XXXXXX", git_repository_commondir(g->repo), hex);

		if (n < 0 || n >= GIT_PATH_MAX)
			return false;
		if ((fd = mkostemp(path, O_CLOEXEC)) >= 0)
			return close(fd), true;
		if (errno != ENOENT)
			return false;
		*strrchr(path, '/') = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			return false;
	}
	return false;
}

/*
 * libgit2 makes the object's folder, then moves the object into it, and `git gc` removes every empty folder it comes by. The two
 * wait for the same lock of the parent, so that a folder made in the middle of a sweep is often gone with that sweep, and one
 * gc sweeps three times: to try again is not enough.
 */
int
odb_put(struct git_repo *g, git_object_t type, const void *bytes, size_t len, struct oid *out, struct err *e)
{
	git_oid id;
	int rc = git_odb_write(&id, g->loose, bytes, len, type);

	for (int i = 1; rc < 0 && i < WRITES_MAX && git_error_last() && git_error_last()->klass == GIT_ERROR_OS; i++) {
		char path[GIT_PATH_MAX];

		if (!hold_folder(g, &id, path))
			break;
		rc = git_odb_write(&id, g->loose, bytes, len, type);
		(void)unlink(path);
	}
	if (rc < 0)
		return git_fail(e, rc, "write an object to %s", g->path);
	git_oid_to(out, &id);
	return 0;
}

/* -- writing ------------------------------------------------------------------------------------------------------ */

static int
write_loose(struct objects *s, struct git_repo *g, struct err *e)
{
	for (size_t i = 0; i < s->nwanted; i++) {
		const struct object *o = s->wanted[i];
		void *bytes = zip_open(o->z, o->zlen, o->len);
		struct oid id;
		int rc = odb_put(g, o->type, bytes, o->len, &id, e);

		free(bytes);
		if (rc)
			return rc;
	}
	return 0;
}

static int
write_pack(struct objects *s, struct git_repo *g, struct err *e)
{
	struct pack_out *p = NULL;
	int rc = pack_begin(g, (uint32_t)s->nwanted, &p, e);

	for (size_t i = 0; rc == 0 && i < s->nwanted; i++) {
		const struct object *o = s->wanted[i];

		rc = pack_object(p, o->type, o->len, o->z, o->zlen, e);
	}
	if (rc == 0)
		rc = pack_commit(p, e);
	pack_free(p);
	return rc;
}

int
objects_write(struct objects *s, struct git_repo *g, size_t *n, struct err *e)
{
	int rc = s->nwanted > PACK_OVER ? write_pack(s, g, e) : write_loose(s, g, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < s->nwanted; i++) {
		free(s->wanted[i]->z);
		s->wanted[i]->z = NULL;
		s->wanted[i]->wanted = false;
	}
	*n = s->nwanted;
	s->nwanted = 0;
	return 0;
}

void
objects_free(struct objects *s)
{
	for (size_t i = 0; i < s->size; i++) {
		if (s->index[i])
			free(s->index[i]->z);
		free(s->index[i]);
	}
	free(s->index);
	free(s->wanted);
	zip_free(s->zip);
	memset(s, 0, sizeof(*s));
}
