/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the built-in templates and lays an organization's over them. */
#include "render/templates.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"

#define TEMPLATES_MAX 500              /* files, built-in and the organization's together */
#define TEMPLATES_ARENA ((size_t)64 << 20)

static const char *const set_folders[SET_COUNT] = {
	[SET_ORG] = "templates/org/",
	[SET_TEAM] = "templates/team/",
	[SET_USER] = "templates/user/",
	[SET_ENV] = "templates/env/",
};
#define SCRIPTS "templates/scripts/"

/* One file, from either side. */
struct source {
	const char *path, *bytes;
	size_t len;
	bool own; /* the organization's */
};

struct loader {
	struct templates *t;
	struct report *r; /* the organization's findings */
	size_t cap;
};

static struct template_entry *
entry_of(struct loader *l, const char *path, enum template_set set, bool create)
{
	struct templates *t = l->t;

	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->entries[i].path, path) == 0)
			return &t->entries[i];
	if (!create)
		return NULL;
	if (t->n == l->cap) {
		t->entries = arena_regrow(t->mem, t->entries, t->n, l->cap ? 2 * l->cap : 32, sizeof(*t->entries));
		l->cap = l->cap ? 2 * l->cap : 32;
	}
	t->entries[t->n] = (struct template_entry){ .path = path, .set = set };
	return &t->entries[t->n++];
}

/* Reports what is wrong with an organization's file; a built-in one is our own mistake. */
static int
complain(struct loader *l, const struct source *s, enum finding_code code, const struct err *why, struct err *e)
{
	struct place at = { .file = NULL };

	if (!s->own)
		return err_set(e, ERR_INTERNAL, "built-in %s: %s", s->path, why->text);
	at.file = arena_strdup(l->r->mem, s->path); /* findings outlive the templates */
	report_add(l->r, code, SEVERITY_ERROR, at, "%s", why->text);
	return 0;
}

/* Findings may outlive the templates: their places move to the report's own memory. */
static void
keep_places(struct report *r, size_t from, const char *path)
{
	const char *file = arena_strdup(r->mem, path);

	for (size_t i = from; i < r->n; i++)
		r->items[i].at.file = file;
}

/* Parses and compiles; *empty for a document that is null. 0 with *out NULL when there were findings. */
static int
compile(struct loader *l, const struct source *s, struct template **out, bool *empty, struct err *e)
{
	struct templates *t = l->t;
	struct report own = { 0 };
	struct value *document;
	struct err why = { 0 };
	size_t before = l->r->n;
	int rc;

	*out = NULL;
	*empty = false;
	report_init(&own, t->mem);
	rc = yaml_read(t->mem, s->path, s->bytes, s->len, NULL, s->own ? l->r : &own, &document);
	if (s->own && l->r->n > before)
		keep_places(l->r, before, s->path);
	if (rc < 0) {
		if (s->own)
			return 0;
		err_set(&why, ERR_INVALID, "line %u: %s", own.n ? own.items[0].at.line : 0, own.n ? own.items[0].message : "unreadable");
		return complain(l, s, FINDING_TEMPLATE, &why, e);
	}
	if (document->type == VALUE_NULL) {
		*empty = true;
		return 0;
	}
	if (template_compile(t->mem, document, out, &why) < 0) {
		*out = NULL;
		return complain(l, s, FINDING_TEMPLATE, &why, e);
	}
	return 0;
}

static int
add_patch(struct loader *l, const struct source *s, enum template_set set, struct err *e)
{
	size_t stem = strlen(s->path) - strlen(".patch.yaml");
	const char *base = arena_printf(l->t->mem, "%.*s.yaml", (int)stem, s->path);
	struct template_entry *entry = entry_of(l, base, set, false);
	struct template *patch;
	struct err why = { 0 };
	bool empty;
	int rc;

	if (!entry || !entry->body) {
		err_set(&why, ERR_INVALID, "there is no %s to patch", base);
		return complain(l, s, FINDING_NOT_FOUND, &why, e);
	}
	rc = compile(l, s, &patch, &empty, e);
	if (rc == 0 && patch) {
		entry->patch = patch;
		entry->patch_path = s->path;
	}
	return rc;
}

static int
add_body(struct loader *l, const struct source *s, enum template_set set, struct err *e)
{
	struct template_entry *entry = entry_of(l, s->path, set, false);
	struct template *body;
	struct err why = { 0 };
	bool empty;
	int rc = compile(l, s, &body, &empty, e);

	if (rc < 0 || (!body && !empty))
		return rc;
	if (empty && !entry) {
		err_set(&why, ERR_INVALID, "is null, but there is no built-in template of this name to remove");
		return complain(l, s, FINDING_NOT_FOUND, &why, e);
	}
	if (!entry)
		entry = entry_of(l, s->path, set, true);
	entry->body = body;
	return 0;
}

static int
add_script(struct loader *l, const struct source *s, struct err *e)
{
	const char *name = s->path + strlen(SCRIPTS);
	struct err why = { 0 };

	/* a ConfigMap's keys, and text that can stand in YAML */
	if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != strlen(name) ||
	    !str_utf8_valid(s->bytes, s->len) || memchr(s->bytes, '\0', s->len)) {
		err_set(&why, ERR_INVALID, "scripts are text, and their names have only letters, digits, '-', '_' and '.'");
		return complain(l, s, FINDING_BAD_PLACE, &why, e);
	}
	value_set(l->t->mem, l->t->scripts.files, name, value_strn(l->t->mem, s->bytes, s->len));
	return 0;
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
add_source(struct loader *l, const struct source *s, bool patches, struct err *e)
{
	enum template_set set = SET_ORG;
	struct err why = { 0 };

	if (str_ends(s->path, ".md"))
		return 0;
	if (str_starts(s->path, SCRIPTS))
		return patches ? 0 : add_script(l, s, e);
	if (!path_set(s->path, &set)) {
		err_set(&why, ERR_INVALID, "templates stand in templates/{org,team,user,env}/<name>.yaml, scripts in " SCRIPTS);
		return patches ? 0 : complain(l, s, FINDING_BAD_PLACE, &why, e);
	}
	if (str_ends(s->path, ".patch.yaml"))
		return patches ? add_patch(l, s, set, e) : 0;
	return patches ? 0 : add_body(l, s, set, e);
}

static int
builtin_sources(struct arena *mem, struct source **out, size_t *n, struct err *e)
{
	const struct share_file *files;
	size_t total, found = 0;
	struct source *list;
	int rc = share_files(&files, &total, e);

	if (rc < 0)
		return rc;
	list = arena_array(mem, total + 1, sizeof(*list));
	for (size_t i = 0; i < total; i++)
		if (str_starts(files[i].path, "templates/"))
			list[found++] = (struct source){ files[i].path, files[i].bytes, files[i].len, false };
	*out = list;
	*n = found;
	return 0;
}

static int
own_sources(struct arena *mem, const struct files *files, struct report *r, struct source **out, size_t *n, struct err *e)
{
	size_t total = 0, found = 0;
	const struct file_entry *f = files ? files_under(files, "templates/", &total) : NULL;
	struct source *list = arena_array(mem, total + 1, sizeof(*list));

	if (total > TEMPLATES_MAX) {
		report_add(r, FINDING_TOO_LARGE, SEVERITY_ERROR, (struct place){ .file = "templates" }, "%zu templates: at most %d",
		           total, TEMPLATES_MAX);
		total = 0;
	}
	for (size_t i = 0; i < total; i++) {
		struct source *s = &list[found];
		struct err why = { 0 };
		int rc = files->read(files->ctx, &f[i], FILE_DOC_MAX, mem, &s->bytes, &s->len, &why);

		s->path = arena_strdup(mem, f[i].path);
		s->own = true;
		if (rc == ERR_INVALID) {
			bool link = f[i].mode == FILE_SYMLINK || f[i].mode == FILE_SUBMODULE;

			report_add(r, link ? FINDING_NOT_REGULAR : FINDING_TOO_LARGE, SEVERITY_ERROR,
			           (struct place){ .file = arena_strdup(r->mem, s->path) }, "%s", why.text);
			continue;
		}
		if (rc < 0)
			return err_set(e, rc, "%s: %s", f[i].path, why.text);
		found++;
	}
	*out = list;
	*n = found;
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct template_entry *)a)->path, ((const struct template_entry *)b)->path);
}

static void
add_digest(struct hash_state *h, const struct source *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		hash_field_str(h, list[i].path);
		hash_field(h, list[i].bytes, list[i].len);
	}
}

static int
load(struct loader *l, const struct files *files, struct err *e)
{
	struct source *lists[2];
	size_t n[2];
	struct hash_state h;
	int rc;

	if ((rc = builtin_sources(l->t->mem, &lists[0], &n[0], e)) < 0 ||
	    (rc = own_sources(l->t->mem, files, l->r, &lists[1], &n[1], e)) < 0)
		return rc;
	/* Whole templates first, so that a patch finds what it patches, the organization's own included. */
	for (int patches = 0; patches < 2; patches++)
		for (size_t side = 0; side < 2; side++)
			for (size_t i = 0; i < n[side]; i++)
				if ((rc = add_source(l, &lists[side][i], patches, e)) < 0)
					return rc;
	if (l->t->n > 0)
		qsort(l->t->entries, l->t->n, sizeof(*l->t->entries), by_path);
	value_sort(l->t->scripts.files);
	value_digest(l->t->scripts.files, &l->t->scripts.digest);
	hash_init(&h);
	add_digest(&h, lists[0], n[0]);
	hash_field_str(&h, "");
	add_digest(&h, lists[1], n[1]);
	hash_final(&h, &l->t->digest);
	return 0;
}

int
templates_load(const struct files *files, struct report *r, struct templates **out, struct err *e)
{
	struct templates *t = calloc(1, sizeof(*t));
	struct loader l = { .t = t, .r = r };
	size_t before = r->errors;
	int rc;

	if (!t)
		abort();
	t->mem = arena_new(TEMPLATES_ARENA);
	t->scripts.files = value_map(t->mem);
	rc = load(&l, files, e);
	if (rc == 0 && r->errors > before)
		rc = err_set(e, ERR_INVALID, "%zu errors in templates/", r->errors - before);
	if (rc < 0) {
		templates_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void
templates_free(struct templates *t)
{
	if (!t)
		return;
	arena_free(t->mem);
	free(t);
}

const struct digest *
templates_digest(const struct templates *t)
{
	return &t->digest;
}
