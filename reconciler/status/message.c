/* SPDX-License-Identifier: Apache-2.0 */
/* Commit messages of the status branch. */
#include "status/message.h"

#include <string.h>

#include "lib/base/str.h"

#define NAMED_MAX 500

void
status_message_init(struct status_message *m, struct arena *mem)
{
	*m = (struct status_message){ .mem = mem };
}

void
status_message_add(struct status_message *m, const char *owner, const char *name, const char *from, const char *to,
                   const struct oid *commit)
{
	struct status_line *l;

	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 32;
		m->items = arena_regrow(m->mem, m->items, m->n, m->cap, sizeof(*m->items));
	}
	l = &m->items[m->n++];
	*l = (struct status_line){ .owner = str_line(m->mem, owner), .name = str_line(m->mem, name), .from = from, .to = to };
	if (commit)
		oid_hex(commit, l->commit);
}

/* "2 Rendered, 1 Gone": phases are few, so counting by scanning is fine. */
static void
write_counts(const struct status_message *m, struct buf *out)
{
	const char *sep = "";

	for (size_t i = 0; i < m->n; i++) {
		size_t count = 0, before = 0;

		for (size_t j = 0; j < m->n; j++) {
			bool same = strcmp(m->items[j].to, m->items[i].to) == 0;

			count += same;
			before += same && j < i;
			if (before)
				break;
		}
		if (before)
			continue;
		buf_printf(out, "%s%zu %s", sep, count, m->items[i].to);
		sep = ", ";
	}
}

static void
write_subject(const struct status_message *m, struct buf *out)
{
	if (m->n == 1)
		buf_printf(out, "status(%s/%s): %s -> %s\n", m->items[0].owner, m->items[0].name, m->items[0].from,
		           m->items[0].to);
	else if (m->n) {
		buf_printf(out, "status: %zu environments (", m->n);
		write_counts(m, out);
		buf_str(out, ")\n");
	} else if (m->repo)
		buf_printf(out, "status: repository %s\n", m->repo);
	else if (m->approved)
		buf_printf(out, "status: %zu approved change%s\n", m->approved, m->approved == 1 ? "" : "s");
	else if (m->files)
		buf_printf(out, "status: %zu file%s of recipients and host keys\n", m->files, m->files == 1 ? "" : "s");
	else
		buf_str(out, "status: tidy\n");
}

void
status_message_write(const struct status_message *m, const char *run, const char *reconciler, struct buf *out)
{
	const char *last = "", *who;

	write_subject(m, out);
	if (m->n > NAMED_MAX)
		buf_printf(out, "\n%zu of them are named below.\n", (size_t)NAMED_MAX);
	buf_str(out, "\nBerth-Event: transition\n");
	for (size_t i = 0; i < m->n && i < NAMED_MAX; i++)
		buf_printf(out, "Berth-Env: %s/%s %s..%s\n", m->items[i].owner, m->items[i].name, m->items[i].from,
		           m->items[i].to);
	for (size_t i = 0; i < m->n && i < NAMED_MAX; i++) {
		if (!*m->items[i].commit || strcmp(last, m->items[i].commit) == 0)
			continue;
		last = m->items[i].commit;
		buf_printf(out, "Berth-Spec-Commit: %s\n", last);
	}
	for (size_t i = 0; m->by && map_next(m->by, &i, &who, NULL);)
		buf_printf(out, "Berth-Approved-By: %s\n", str_line(m->mem, who));
	if (m->repo)
		buf_printf(out, "Berth-Repository: %s\n", m->repo);
	buf_printf(out, "Berth-Run: %s\nBerth-Reconciler: %s\n", run, reconciler);
}
