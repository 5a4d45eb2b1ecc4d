/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a list of environments, and README.md of the status branch. */
#include <string.h>

#include "lib/base/str.h"
#include "status/status.h"

#define TABLE_MAX 1000

/* Pipes and line ends would break the table; angle brackets would be HTML, square ones somebody's link. */
static void
cell(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (strchr("|<`\\@[]", *s))
			buf_char(out, '\\');
		buf_char(out, (unsigned char)*s < 0x20 ? ' ' : *s);
	}
}

/* Phases of an environment that is as it should be: nothing to wait for. */
static bool
is_calm(enum phase p)
{
	return p == PHASE_READY || p == PHASE_RENDERED || p == PHASE_PAUSED;
}

static bool
says(const struct value *condition, const char *key, const char *text)
{
	return str_eq(value_as_str(value_get(condition, key), NULL), text);
}

bool
status_as_wanted(const struct value *status)
{
	return is_calm(status_phase(status)) && !value_get(status, "pending") &&
	       says(status_condition(status, "Applied"), "status", "True");
}

/* What stands in the way of an environment whose newest spec was taken; NULL: nothing. */
static const struct value *
obstacle(const struct value *status, enum phase phase)
{
	const struct value *applied = status_condition(status, "Applied");

	if (says(applied, "status", "False") && !says(applied, "reason", "Applying"))
		return applied;
	return is_calm(phase) ? NULL : status_condition(status, "Ready");
}

void
status_row_of(const struct value *status, struct status_row *out)
{
	const struct value *why = value_get(status, "pending");

	*out = (struct status_row){
		.owner = value_as_str(value_at(status, "metadata.owner"), "?"),
		.name = value_as_str(value_at(status, "metadata.name"), "?"),
		.phase = status_phase(status),
		.commit = value_as_str(value_at(status, "observed.commit"), ""),
		.newer = value_as_str(value_get(why, "reason"), NULL) != NULL,
	};
	if (!out->newer)
		why = obstacle(status, out->phase);
	out->reason = value_as_str(value_get(why, "reason"), "");
	out->message = value_as_str(value_get(why, "message"), "");
}

static void
table_row(const struct status_row *r, struct buf *out)
{
	buf_printf(out, "| [%s/%s](envs/%s/%s.yaml) | %s | %.7s | ", r->owner, r->name, r->owner, r->name,
	           phase_name(r->phase), r->commit);
	if (*r->reason) {
		cell(out, r->reason);
		buf_str(out, ": ");
		cell(out, r->message);
	}
	buf_str(out, " |\n");
}

static void
table_head(const struct status_row *rows, size_t n, struct buf *out)
{
	size_t count[PHASE_COUNT + 1] = { 0 }, waiting = 0;

	for (size_t i = 0; i < n; i++) {
		count[rows[i].phase]++;
		waiting += rows[i].newer;
	}
	buf_printf(out, "# Environments\n\n%zu environment%s", n, n == 1 ? "" : "s");
	for (int p = 0; p < PHASE_COUNT; p++)
		if (count[p])
			buf_printf(out, ", %zu %s", count[p], phase_name((enum phase)p));
	buf_printf(out, "; %zu with a newer spec that is not applied.\n", waiting);
}

void
status_table(const struct status_row *rows, size_t n, const struct value *repo, struct buf *out)
{
	const char *reason = value_as_str(value_get(repo, "reason"), "");
	size_t shown = 0;

	table_head(rows, n, out);
	if (*reason && strcmp(reason, "Adopted") != 0) {
		buf_printf(out, "\n**%s**: ", reason);
		cell(out, value_as_str(value_get(repo, "message"), ""));
		buf_str(out, " ([repo.yaml](repo.yaml))\n");
	}
	buf_str(out, "\n| environment | phase | commit | waiting |\n|---|---|---|---|\n");
	for (int calm = 0; calm < 2; calm++)
		for (size_t i = 0; i < n; i++)
			if ((*rows[i].reason == '\0') == calm && shown++ < TABLE_MAX)
				table_row(&rows[i], out);
	if (n > TABLE_MAX)
		buf_printf(out, "\n%zu more: see the folder envs/.\n", n - TABLE_MAX);
	buf_str(out, "\nWritten by berth; what is changed here by hand is overwritten.\n");
}
