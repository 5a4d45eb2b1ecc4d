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
	return err_hint(e, "nothing was changed; if the rewrite is meant, start berth with --accept-rewind %s", now);
}

int
guard_rewind(struct git_repo *g, const struct guard_memory *m, const struct oid *commit, const struct oid *accept,
             struct err *e)
{
	int rc;

	if (accept && oid_eq(accept, commit))
		return 0;
	if (m->has_adopted && (rc = contains(g, &m->adopted, commit, e)) < 0)
		return rc;
	if (m->has_rendered && (rc = contains(g, &m->rendered_source, commit, e)) < 0)
		return rc;
	return 0;
}

size_t
guard_allowed(int64_t max_delete, double fraction, size_t live)
{
	size_t by_count = max_delete > 0 ? (size_t)max_delete : 0;
	size_t by_share = fraction > 0 && fraction <= 1 ? (size_t)(fraction * (double)live) : 0;

	return by_count > by_share ? by_count : by_share;
}

int
guard_released(struct git_repo *g, const struct oid *since, const struct oid *commit, size_t *n, struct err *e)
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
		if (text && str_to_i64(text, &allow) == 0 && allow > 0 && (size_t)allow > most)
			most = (size_t)allow;
		if (!since || !c.nparents)
			break;
		at = c.parents[0];
	}
	*n = most;
	return 0;
}
