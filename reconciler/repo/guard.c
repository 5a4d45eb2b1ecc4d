/* SPDX-License-Identifier: Apache-2.0 */
/* Guards on a new commit of main. */
#include "repo/guard.h"

#include "lib/base/str.h"

#define WALK_MAX 10000

static int
contains(struct git_repo *g, const struct oid *before, const struct oid *commit, struct err *e)
{
	char was[OID_HEX], now[OID_HEX];
	int rc = git_is_ancestor(g, before, commit, e);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	oid_hex(before, was);
	oid_hex(commit, now);
	(void)err_set(e, ERR_DENIED, "E503 history was rewritten: %.12s does not contain %.12s, which was applied last", now,
	              was);
	return err_hint(e, "nothing was changed; if this is another repository than the one that was applied there, give it a target or --inventory of its own; if the rewrite is meant, start berth with --accept-rewind %s", now);
}

int
guard_rewind(struct git_repo *g, const struct guard_memory *m, const struct oid *commit, struct err *e)
{
	int rc;

	if (m->has_adopted && (rc = contains(g, &m->adopted, commit, e)) < 0)
		return rc;
	/* anybody who may push can write a trailer: one that names no commit here says nothing once `adopted` has vouched */
	if (m->has_rendered && m->has_adopted && git_is_ancestor(g, &m->rendered_source, &m->rendered_source, NULL) == 0)
		return 0;
	return m->has_rendered ? contains(g, &m->rendered_source, commit, e) : 0;
}

int
guard_released(struct git_repo *g, const struct oid *since, const struct oid *commit, size_t *n, struct err *e)
{
	return guard_released_by(g, since, commit, NULL, NULL, n, e);
}

int
guard_released_by(struct git_repo *g, const struct oid *since, const struct oid *commit,
                  bool (*counts)(void *ctx, const struct git_commit_info *c), void *ctx, size_t *n, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct oid at = *commit;
	size_t most = 0;

	for (size_t i = 0; i < WALK_MAX; i++) {
		struct git_commit_info c;
		const char *text;
		int64_t allow;
		int rc;

		/* after a merge `since` need not be a first parent: whatever it contains has had its effect */
		if (since && (rc = git_is_ancestor(g, &at, since, e)) != 0) {
			if (rc < 0)
				return rc;
			break;
		}
		arena_reset(mem);
		if ((rc = git_commit_read(g, &at, mem, &c, e)) < 0)
			return rc;
		text = git_trailer(mem, c.message, "Berth-Allow-Delete");
		if (text && str_to_i64(text, &allow) == 0 && allow > 0 && (size_t)allow > most && (!counts || counts(ctx, &c)))
			most = (size_t)allow;
		if (!since || !c.nparents)
			break;
		at = c.parents[0];
	}
	*n = most;
	return 0;
}
