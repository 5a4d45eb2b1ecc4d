/* SPDX-License-Identifier: Apache-2.0 */
/* Two worlds that follow trees. */
#include "sides.h"

#include <stdlib.h>

#include "repo/tree_files.h"

#define PATHS_MAX ((size_t)512 << 20) /* those that differ */

struct side {
	struct world *world;
	struct git_repo *git;
	struct tree_files *files; /* of a tree of git; NULL: the caller's are used */
	bool known;               /* the world and the files are of `tree`, neither is half-way */
	struct oid tree;
};

struct sides {
	struct side base, head;
	bool has_base;
};

static int
move(struct side *s, const struct oid *tree, bool all, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(PATHS_MAX);
	const char *const *changed;
	size_t n;
	int rc;

	s->known = false;
	if (all) {
		tree_files_free(s->files);
		s->files = tree_files_new(s->git);
	}
	if ((rc = tree_files_move(s->files, tree, mem, &changed, &n, e)) < 0 ||
	    (rc = world_adopt(s->world, tree_files_get(s->files), changed, n, all, e)) < 0)
		return rc;
	s->tree = *tree;
	s->known = true;
	return 0;
}

static int
side_read(struct side *s, struct git_repo *g, const struct oid *tree, struct err *e)
{
	if (s->known && s->git == g && oid_eq(&s->tree, tree))
		return 0;
	/* the tree of a change that was not merged may have been swept away by now */
	if (s->known && s->git == g && move(s, tree, false, NULL) == 0)
		return 0;
	s->git = g;
	return move(s, tree, true, e);
}

static int
side_take(struct side *s, const struct files *files, struct err *e)
{
	s->known = false;
	return world_adopt(s->world, files, NULL, 0, true, e);
}

int
sides_read(struct sides *s, struct git_repo *g, const struct oid *base, const struct oid *head, struct err *e)
{
	int rc = side_read(&s->head, g, head, e);

	s->has_base = base != NULL;
	return rc == 0 && base ? side_read(&s->base, g, base, e) : rc;
}

int
sides_take(struct sides *s, const struct files *base, const struct files *head, struct err *e)
{
	int rc = side_take(&s->head, head, e);

	s->has_base = base != NULL;
	return rc == 0 && base ? side_take(&s->base, base, e) : rc;
}

struct world *
sides_base(const struct sides *s)
{
	return s->has_base ? s->base.world : NULL;
}

struct world *
sides_head(const struct sides *s)
{
	return s->head.world;
}

int
sides_new(struct sides **out, struct err *e)
{
	struct sides *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		abort();
	if ((rc = world_new(&s->head.world, e)) < 0 || (rc = world_new(&s->base.world, e)) < 0) {
		sides_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
sides_free(struct sides *s)
{
	if (!s)
		return;
	world_free(s->head.world);
	world_free(s->base.world);
	tree_files_free(s->head.files);
	tree_files_free(s->base.files);
	free(s);
}
