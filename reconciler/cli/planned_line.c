/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of a plan as a sentence. */
#include "cli/planned_line.h"

#include "preview.h"

void
planned_line(const struct planned *p, struct buf *out)
{
	buf_printf(out, "%zu to create, %zu to change (%zu with a restart), %zu to delete, %zu unchanged", p->count[ACTION_CREATE], p->count[ACTION_CHANGE],
	           p->restarts, p->count[ACTION_DELETE], p->same);
	if (p->data)
		buf_printf(out, ", DATA AT STAKE in %zu", p->data);
	if (p->refused)
		buf_printf(out, ", REFUSED in part in %zu", p->refused);
	if (p->waiting)
		buf_printf(out, ", %zu WAITING for room", p->waiting);
	if (p->invalid)
		buf_printf(out, ", %zu NOT VALID and left as %s", p->invalid, p->invalid == 1 ? "it is" : "they are");
	buf_char(out, '.');
}

static int
make(struct git_repo *g, const struct oid *base, const struct oid *head, struct arena *mem, struct planned *out, struct err *e)
{
	struct preview_ask ask = { .touched = true };
	int rc = sides_new(&ask.sides, e);

	if (rc < 0)
		return rc;
	if ((rc = sides_read(ask.sides, g, base, head, e)) == 0)
		rc = preview_make(&ask, mem, out, e);
	sides_free(ask.sides);
	return rc;
}

void
planned_between(struct git_repo *g, const struct oid *base, const struct oid *head, struct arena *mem, struct buf *out)
{
	struct planned p;
	struct err e = { 0 };

	if (make(g, base, head, mem, &p, &e) == 0)
		planned_line(&p, out);
	else
		buf_printf(out, "none, %s", e.text);
}
