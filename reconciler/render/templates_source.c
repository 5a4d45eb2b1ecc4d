/* SPDX-License-Identifier: Apache-2.0 */
/* The files that templates are made of: the built-in ones of every version and the organization's, read and compiled once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "render/templates.h"

#define TEMPLATES_MAX 500 /* files, built-in and the organization's together */
#define SCRIPTS "templates/scripts/"
#define LAYOUT "templates stand in templates/{org,team,user,env}/<name>.yaml, scripts in " SCRIPTS

static const char *const set_folders[SET_COUNT] = {
	[SET_ORG] = "templates/org/",
	[SET_TEAM] = "templates/team/",
	[SET_USER] = "templates/user/",
	[SET_ENV] = "templates/env/",
};

struct reader {
	struct arena *mem;
	struct report *r;
	struct template_sources *out;
	size_t cap;
};

int
template_complain(const struct template_source *s, struct report *r, enum finding_code code, const char *help, struct err *e,
                  const char *fmt, ...)
{
	struct place at = { .file = NULL };
	char text[sizeof(e->text) / 2];
	struct finding *f;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!s->own)
		return err_set(e, ERR_INTERNAL, "built-in %s: %s", s->file, text);
	at.file = arena_strdup(r->mem, s->file); /* findings outlive the templates */
	f = report_add(r, code, SEVERITY_ERROR, at, "%s", text);
	if (help)
		finding_help(r, f, "%s", help);
	return 0;
}

/* A compiler's "file:line:col: text" as a finding at that place. */
static int
complain_at(const struct template_source *s, struct report *r, const struct err *why, struct err *e)
{
	size_t n = strlen(s->file), before = r->n;
	const char *text = why->text, *after;
	unsigned int line, col;
	int used = 0, rc;

	if (strncmp(text, s->file, n) != 0 || sscanf(text + n, ":%u:%u: %n", &line, &col, &used) != 2 || !used)
		return template_complain(s, r, FINDING_TEMPLATE, NULL, e, "%s", text);
	after = text + n + used;
	rc = template_complain(s, r, FINDING_TEMPLATE, "templates/README.md of berth and json-e.js.org/language.html say what a template may hold",
	                       e, "%s", after);
	if (rc == 0 && r->n > before) {
		r->items[before].at.line = line;
		r->items[before].at.col = col;
	}
	return rc;
}

/* Findings may outlive the templates: their places move to the report's own memory. */
static void
keep_places(struct report *r, size_t from, const char *path)
{
	const char *file = arena_strdup(r->mem, path);

	for (size_t i = from; i < r->n; i++)
		r->items[i].at.file = file;
}

/* Parses and compiles; what is wrong makes it SOURCE_NOTHING. */
static int
compile(struct reader *rd, struct template_source *s, struct err *e)
{
	enum source_kind kind = s->kind;
	struct report own = { 0 };
	struct value *document;
	struct err why = { 0 };
	size_t before = rd->r->n;
	int rc;

	s->kind = SOURCE_NOTHING;
	report_init(&own, rd->mem);
	rc = yaml_read(rd->mem, s->file, s->bytes, s->len, NULL, s->own ? rd->r : &own, &document);
	if (s->own)
		keep_places(rd->r, before, s->file);
	if (rc < 0)
		return s->own ? 0
		              : template_complain(s, rd->r, FINDING_TEMPLATE, NULL, e, "line %u: %s", own.n ? own.items[0].at.line : 0,
		                                  own.n ? own.items[0].message : "unreadable");
	if (document->type != VALUE_NULL && template_compile(rd->mem, document, &s->made, &why) < 0) {
		s->made = NULL;
		return complain_at(s, rd->r, &why, e);
	}
	s->kind = kind;
	return 0;
}

static int
check_script(struct reader *rd, struct template_source *s, struct err *e)
{
	const char *name = s->path + strlen(SCRIPTS);

	/* a ConfigMap's keys, and text that can stand in YAML */
	if (*name && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen(name) &&
	    str_utf8_valid(s->bytes, s->len) && !memchr(s->bytes, '\0', s->len))
		return 0;
	s->kind = SOURCE_NOTHING;
	return template_complain(s, rd->r, FINDING_BAD_PLACE, NULL, e,
	                         "scripts are text, and their names have only letters, digits, '-', '_' and '.'");
}

/* Whether this is a template of a set's folder, and which set. */
static bool
path_set(const char *path, enum template_set *set)
{
	for (size_t i = 0; i < SET_COUNT; i++) {
		const char *name = path + strlen(set_folders[i]);

		if (!str_starts(path, set_folders[i]))
			continue;
		*set = (enum template_set)i;
		return !strchr(name, '/') && str_ends(name, ".yaml") && strcmp(name, ".yaml") != 0;
	}
	return false;
}

static int
take(struct reader *rd, struct template_source s, struct err *e)
{
	struct template_source *x;
	int rc;

	if (str_ends(s.path, ".md"))
		return 0;
	if (rd->out->n == rd->cap) {
		size_t cap = rd->cap ? 2 * rd->cap : 64;

		rd->out->items = arena_regrow(rd->mem, rd->out->items, rd->out->n, cap, sizeof(s));
		rd->cap = cap;
	}
	x = &rd->out->items[rd->out->n];
	*x = s;
	if (str_starts(s.path, SCRIPTS)) {
		x->kind = SOURCE_SCRIPT;
		rc = check_script(rd, x, e);
	} else if (path_set(s.path, &x->set)) {
		x->kind = str_ends(s.path, ".patch.yaml") ? SOURCE_PATCH : SOURCE_BODY;
		rc = compile(rd, x, e);
	} else {
		x->kind = SOURCE_NOTHING;
		rc = template_complain(x, rd->r, FINDING_BAD_PLACE, "put it there; `berth render --explain OBJECT` shows which file gives what",
		                       e, LAYOUT);
	}
	if (rc == 0 && x->kind != SOURCE_NOTHING)
		rd->out->n++;
	return rc;
}

/* What version v changes of the one before it; version 1 is the folder itself. */
static int
take_version(struct reader *rd, const struct share_file *files, size_t n, int v, struct err *e)
{
	const char *prefix = v == VERSION_FIRST ? "templates/" : arena_printf(rd->mem, "templates/v%d/", v);
	int rc;

	for (size_t i = 0; i < n; i++) {
		struct template_source s = { .path = files[i].path, .file = files[i].path, .bytes = files[i].bytes, .len = files[i].len,
			                     .version = v };

		if (!str_starts(s.path, prefix) || (v == VERSION_FIRST && s.path[10] == 'v' && s.path[11] >= '1' && s.path[11] <= '9'))
			continue;
		if (v != VERSION_FIRST)
			s.path = arena_printf(rd->mem, "templates/%s", s.path + strlen(prefix));
		if ((rc = take(rd, s, e)) < 0)
			return rc;
	}
	return 0;
}

static int
take_own(struct reader *rd, const struct files *files, struct err *e)
{
	size_t total = 0;
	const struct file_entry *f = files ? files_under(files, "templates/", &total) : NULL;

	if (total > TEMPLATES_MAX) {
		report_add(rd->r, FINDING_TOO_LARGE, SEVERITY_ERROR, (struct place){ .file = "templates" }, "%zu templates: at most %d",
		           total, TEMPLATES_MAX);
		total = 0;
	}
	for (size_t i = 0; i < total; i++) {
		struct template_source s = { .own = true };
		struct err why = { 0 };
		int rc = files->read(files->ctx, &f[i], FILE_DOC_MAX, rd->mem, &s.bytes, &s.len, &why);

		s.path = s.file = arena_strdup(rd->mem, f[i].path);
		if (rc == ERR_INVALID) {
			bool link = f[i].mode == FILE_SYMLINK || f[i].mode == FILE_SUBMODULE;

			rc = template_complain(&s, rd->r, link ? FINDING_NOT_REGULAR : FINDING_TOO_LARGE, NULL, e, "%s", why.text);
		} else if (rc < 0) {
			rc = err_set(e, rc, "%s: %s", f[i].path, why.text);
		} else {
			rc = take(rd, s, e);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
template_sources(struct arena *mem, const struct files *files, struct report *r, struct template_sources *out, struct err *e)
{
	struct reader rd = { .mem = mem, .r = r, .out = out };
	const struct share_file *built_in;
	struct versions known;
	size_t n;
	int rc;

	*out = (struct template_sources){ 0 };
	if ((rc = versions_known(&known, e)) < 0 || (rc = share_files(&built_in, &n, e)) < 0)
		return rc;
	for (int v = VERSION_FIRST; v <= known.last; v++)
		if ((rc = take_version(&rd, built_in, n, v, e)) < 0)
			return rc;
	return take_own(&rd, files, e);
}
