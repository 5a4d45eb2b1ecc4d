/* SPDX-License-Identifier: Apache-2.0 */
/* Raw commits, and refs by their prefix. */
#include <stdlib.h>

#include "lib/base/str.h"
#include "lib/git/priv.h"

#define COMMIT_MAX ((size_t)1 << 20)

int
git_commit_raw(struct git_repo *g, const struct oid *id, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	git_odb_object *AUTO_OBJECT o = NULL;
	int rc = git_object_get(g, id, GIT_OBJECT_COMMIT, COMMIT_MAX, &o, e);

	if (rc)
		return rc;
	*len = git_odb_object_size(o);
	*bytes = arena_strndup(mem, git_odb_object_data(o), *len);
	return 0;
}

#define SHAPE_MAX ((size_t)64 << 20)

/* "WORD <40 hex>\n" at *p, which moves on. */
static bool
take_id(const char **p, const char *end, const char *word, struct oid *out)
{
	size_t n = strlen(word);
	char hex[OID_HEX];

	if ((size_t)(end - *p) < n + OID_HEX || memcmp(*p, word, n) != 0 || (*p)[n + OID_HEX - 1] != '\n')
		return false;
	memcpy(hex, *p + n, OID_HEX - 1);
	hex[OID_HEX - 1] = '\0';
	*p += n + OID_HEX;
	return oid_parse(hex, out) == 0;
}

int
git_commit_shape(struct git_repo *g, const struct oid *id, struct oid *tree, struct oid *parent, struct err *e)
{
	git_odb_object *AUTO_OBJECT o = NULL;
	const char *p, *end;
	int rc = git_object_get(g, id, GIT_OBJECT_COMMIT, SHAPE_MAX, &o, e);

	if (rc)
		return rc;
	p = git_odb_object_data(o);
	end = p + git_odb_object_size(o);
	if (!take_id(&p, end, "tree ", tree))
		return err_set(e, ERR_INVALID, "a commit does not begin with its tree");
	if (!take_id(&p, end, "parent ", parent))
		*parent = (struct oid){ { 0 } };
	return 0;
}

int
git_commits_between(struct git_repo *g, const struct oid *without, const struct oid *from, size_t max, struct arena *mem,
                    struct oid **out, size_t *n, bool *all, struct err *e)
{
	git_revwalk *walk = NULL;
	struct oid *ids = NULL;
	size_t have = 0, cap = 0;
	git_oid id;
	int rc = git_revwalk_new(&walk, g->repo);

	if (rc == 0)
		rc = git_revwalk_push(walk, git_oid_of(from));
	if (rc == 0)
		rc = git_revwalk_hide(walk, git_oid_of(without));
	*all = true;
	while (rc == 0 && (rc = git_revwalk_next(&id, walk)) == 0) {
		if (have == max) {
			*all = false;
			rc = GIT_ITEROVER;
			break;
		}
		if (have == cap) {
			cap = cap ? 2 * cap : 16;
			ids = arena_regrow(mem, ids, have, cap, sizeof(*ids));
		}
		git_oid_to(&ids[have++], &id);
	}
	git_revwalk_free(walk);
	if (rc != GIT_ITEROVER)
		return git_fail(e, rc, "walk the commits of a merge");
	*out = ids;
	*n = have;
	return 0;
}

int
git_ref_order(const void *a, const void *b)
{
	const struct git_ref *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int
git_refs_under(struct git_repo *g, const char *prefix, size_t max, struct arena *mem, struct git_ref **out, size_t *n, struct err *e)
{
	git_reference_iterator *it = NULL;
	struct git_ref *refs = NULL;
	size_t cap = 0, have = 0;
	git_reference *r = NULL;
	int rc = git_reference_iterator_new(&it, g->repo);

	while (rc == 0 && (rc = git_reference_next(&r, it)) == 0) {
		const git_oid *id = git_reference_target(r);

		if (id && str_starts(git_reference_name(r), prefix)) {
			if (have == max) {
				git_reference_free(r);
				git_reference_iterator_free(it);
				return err_set(e, ERR_INVALID, "there are more than %zu refs %s…", max, prefix);
			}
			if (have == cap) {
				cap = cap ? 2 * cap : 16;
				refs = arena_regrow(mem, refs, have, cap, sizeof(*refs));
			}
			refs[have].name = arena_strdup(mem, git_reference_name(r));
			git_oid_to(&refs[have++].id, id);
		}
		git_reference_free(r);
	}
	git_reference_iterator_free(it);
	if (rc != GIT_ITEROVER)
		return git_fail(e, rc, "list refs");
	if (have)
		qsort(refs, have, sizeof(*refs), git_ref_order);
	*out = refs;
	*n = have;
	return 0;
}

int
git_ref_delete(struct git_repo *g, const char *ref, const struct oid *old, struct err *e)
{
	git_reference *r = NULL;
	int rc = git_reference_lookup(&r, g->repo, ref);

	if (rc == GIT_ENOTFOUND)
		return 0;
	if (rc < 0)
		return git_fail(e, rc, "read %s", ref);
	if (!git_reference_target(r) || git_oid_cmp(git_reference_target(r), git_oid_of(old)) != 0)
		rc = GIT_EMODIFIED;
	else
		rc = git_reference_delete(r);
	git_reference_free(r);
	if (rc == GIT_EMODIFIED)
		return err_set(e, ERR_CONFLICT, "%s was moved by somebody else", ref);
	return rc < 0 ? git_fail(e, rc, "delete %s", ref) : 0;
}
