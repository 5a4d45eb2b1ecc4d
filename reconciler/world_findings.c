/* SPDX-License-Identifier: Apache-2.0 */
/* What rendering complains about, as a finding at the place that caused it. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "world.h"

/* "… templates/env/x.yaml:14:3: no such value": the last place in an error's text that is inside a template. */
static const char *
template_place(struct arena *mem, const char *text, struct place *at)
{
	const char *start = NULL, *colon;
	char *end;

	for (const char *s = strstr(text, "templates/"); s; s = strstr(s + 1, "templates/"))
		if ((colon = strpbrk(s, ": ")) && *colon == ':' && colon[1] >= '1' && colon[1] <= '9')
			start = s;
	if (!start)
		return NULL;
	colon = strchr(start, ':');
	at->file = arena_strndup(mem, start, (size_t)(colon - start));
	at->line = (uint32_t)strtoul(colon + 1, &end, 10);
	at->col = *end == ':' ? (uint32_t)strtoul(end + 1, &end, 10) : 1;
	return str_starts(end, ": ") ? end + 2 : NULL;
}

/* The value that "spec.volumes[1].path" leads to, as far as it goes; dots in keys do not matter before the last step. */
static const struct value *
walk_spec(struct arena *mem, const struct value *root, const char *path, size_t len)
{
	const struct value *v = root;

	for (size_t i = 0; v && i < len;) {
		const struct value *next;
		size_t n = strcspn(path + i, ".[]:");

		if (path[i] == '[') {
			next = value_item(v, (size_t)strtoul(path + i + 1, NULL, 10));
			i += strcspn(path + i, "]") + 1;
		} else {
			next = value_get(v, arena_strndup(mem, path + i, n));
			i += n;
		}
		if (!next)
			break;
		v = next;
		if (i < len && path[i] == '.')
			i++;
	}
	return v;
}

/* "render envs/alice/train: spec.volumes[1]: two volumes at /x": where that stands, when the document says it itself. */
static void
spec_place(struct arena *mem, const struct doc *doc, const char *text, struct place *at)
{
	const char *s = strstr(text, ": spec."), *end;
	const struct value *v;

	if (!doc || !doc->root || !s || !(end = strstr(s + 2, ": ")))
		return;
	v = walk_spec(mem, doc->root, s + 2, (size_t)(end - s - 2));
	if (v && v->at.line && v->at.file && strcmp(v->at.file, doc->path) == 0)
		*at = v->at;
}

void
world_render_finding(struct report *r, const struct doc *doc, const char *path, const struct err *e)
{
	struct place at = { .file = arena_strdup(r->mem, path) };
	const char *text = template_place(r->mem, e->text, &at);
	struct finding *f;

	if (text) {
		f = report_add(r, FINDING_TEMPLATE, SEVERITY_ERROR, at, "%s", text);
		finding_note(r, f, "met while rendering %s", path);
	} else {
		at = (struct place){ .file = arena_strdup(r->mem, path) };
		spec_place(r->mem, doc, e->text, &at);
		f = report_add(r, FINDING_INCONSISTENT, SEVERITY_ERROR, at, "%s", e->text);
	}
	if (e->hint[0])
		finding_help(r, f, "%s", e->hint);
}

/* One bundle, in an arena of its own. */
static int
check_one(struct world *w, const char *team, struct report *r, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	const struct bundle *b;
	struct err why = { 0 };
	int rc = team ? world_team(w, mem, team, &b, &why) : world_org(w, mem, &b, &why);

	if (rc < 0 && rc != ERR_INVALID && rc != ERR_DENIED) {
		*e = why;
		return rc;
	}
	if (rc < 0)
		world_render_finding(r, team ? site_get(world_site(w), KIND_TEAM, team) : world_site(w)->org,
		                     team ? arena_printf(mem, "teams/%s.yaml", team) : "berth.yaml", &why);
	return 0;
}

int
world_check_shared(struct world *w, struct report *r, struct err *e)
{
	const char *team;
	int rc;

	if (!world_usable(w))
		return 0;
	if ((rc = check_one(w, NULL, r, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&world_site(w)->docs[KIND_TEAM], &i, &team, NULL);)
		if ((rc = check_one(w, team, r, e)) < 0)
			return rc;
	return 0;
}

int
world_check_usable(const struct world *w, struct arena *mem, struct err *e)
{
	struct buf line AUTO_BUF = BUF_INIT(65536);
	struct report found;

	if (world_usable(w))
		return 0;
	report_init(&found, mem);
	world_findings(w, &found);
	for (size_t i = 0; i < found.n && !line.len; i++)
		if (found.items[i].severity == SEVERITY_ERROR)
			finding_line(&found.items[i], &line);
	return err_set(e, ERR_INVALID, "berth.yaml is missing or has errors, or templates/ do: %s", buf_cstr(&line));
}
