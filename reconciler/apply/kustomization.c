/* SPDX-License-Identifier: Apache-2.0 */
/* Kustomization lists and commit messages of the rendered branch. */
#include "apply/kustomization.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/yaml.h"

#define LINES_MAX 200 /* of units in one message; the rest is counted */

void
kustomization_write(struct arena *mem, const char *const *names, size_t n, struct buf *out)
{
	struct value *v = value_map(mem), *list = value_list(mem);

	value_set(mem, v, "apiVersion", value_str(mem, "kustomize.config.k8s.io/v1beta1"));
	value_set(mem, v, "kind", value_str(mem, "Kustomization"));
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		if (strcmp(names[i], "kustomization.yaml") == 0 || strcmp(names[i], "secrets.digest.yaml") == 0)
			continue;
		if (str_ends(names[i], "/"))
			value_push(mem, list, value_strn(mem, names[i], len - 1));
		else if (str_ends(names[i], ".yaml"))
			value_push(mem, list, value_str(mem, names[i]));
	}
	value_set(mem, v, "resources", list);
	yaml_write(v, out);
}

static const char *
word(enum unit_change c)
{
	static const char *const words[] = { "unchanged", "created", "changed", "deleted" };

	return words[c];
}

static void
subject(const struct target_changes *c, const struct target_drift *drift, struct buf *out)
{
	size_t count[4] = { 0 };
	const char *sep = "";

	if (!c->n) {
		buf_str(out, drift->found ? "render: restore what was changed by hand\n" : "render: tidy the lists\n");
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		count[c->items[i].what]++;
	buf_str(out, "render: ");
	if (c->n == 1) {
		buf_printf(out, "%s %s\n", c->items[0].unit, word(c->items[0].what));
		return;
	}
	for (size_t k = UNIT_CREATED; k <= UNIT_DELETED; k++) {
		if (!count[k])
			continue;
		buf_printf(out, "%s%zu %s", sep, count[k], word((enum unit_change)k));
		sep = ", ";
	}
	buf_char(out, '\n');
}

void
rendered_message(const struct target_changes *changes, const struct target_drift *drift, const struct target_reason *why,
                 struct buf *out)
{
	char hex[OID_HEX];

	subject(changes, drift, out);
	buf_char(out, '\n');
	for (size_t i = 0; i < changes->n && i < LINES_MAX; i++) {
		const struct target_change *c = &changes->items[i];

		buf_printf(out, "%s %s: %zu created, %zu changed, %zu deleted\n", c->unit, word(c->what), c->created, c->changed,
		           c->deleted);
	}
	if (changes->n > LINES_MAX)
		buf_printf(out, "and %zu more\n", changes->n - LINES_MAX);
	for (size_t i = 0; drift->found && i < drift->n; i++)
		buf_printf(out, "restored %s\n", drift->paths[i]);
	oid_hex(&why->source_commit, hex);
	buf_printf(out, "\nBerth-Event: %s\nBerth-Source-Commit: %s\n", drift->found ? "drift-fixed" : "applied", hex);
	if (drift->found)
		buf_printf(out, "Berth-Drift: %s\n", drift->what);
	buf_printf(out, "Berth-Run: %s\nBerth-Reconciler: %s\n", why->run, why->reconciler);
}
