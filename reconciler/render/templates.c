/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the built-in templates of each version and lays an organization's over them. */
#include "render/templates.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

#define TEMPLATES_ARENA ((size_t)64 << 20)
#define SCRIPTS "templates/scripts/"

struct loader {
	struct templates *t;
	struct template_sources sources;
	struct report *r; /* the organization's findings */
	unsigned int *misses; /* of each source: versions in which what it changes is not there */
};

static struct template_entry *
entry_of(const struct template_version *v, const char *path)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->entries[i].path, path) == 0)
			return &v->entries[i];
	return NULL;
}

static struct template_entry *
entry_new(struct arena *mem, struct template_version *v)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? 2 * v->cap : 32;

		v->entries = arena_regrow(mem, v->entries, v->n, cap, sizeof(*v->entries));
		v->cap = cap;
	}
	return &v->entries[v->n++];
}

/* False when it removes what is not there. */
static bool
lay_body(struct arena *mem, struct template_version *v, const struct template_source *s)
{
	struct template_entry *entry = entry_of(v, s->path);

	if (!entry && !s->made)
		return false;
	if (!entry)
		entry = entry_new(mem, v);
	*entry = (struct template_entry){ .path = s->path, .file = s->file, .own = s->own, .set = s->set, .body = s->made };
	return true;
}

static const char *
patched(struct arena *mem, const struct template_source *s)
{
	return arena_printf(mem, "%.*s.yaml", (int)(strlen(s->path) - strlen(".patch.yaml")), s->path);
}

static bool
lay_patch(struct arena *mem, struct template_version *v, const struct template_source *s)
{
	const char *path = patched(mem, s);
	struct template_entry *entry = entry_of(v, path);

	if (!entry || !entry->body) {
		v->broken = arena_printf(mem, "%s:1:1: there is no %s to patch in version %d of the templates", s->file, path, v->number);
		return false;
	}
	if (s->made) {
		entry->patch = s->made;
		entry->patch_path = s->file;
	}
	return true;
}

/* A later version's script of no bytes takes one away. */
static void
lay_script(struct arena *mem, struct template_version *v, const struct template_source *s)
{
	const char *name = s->path + strlen(SCRIPTS);
	struct value *text;

	if (s->len == 0 && !s->own && s->version != VERSION_FIRST) {
		(void)value_del(v->scripts.files, name);
		return;
	}
	text = value_strn(mem, s->bytes, s->len);
	value_know(mem, text);
	value_set(mem, v->scripts.files, name, text);
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct template_entry *)a)->path, ((const struct template_entry *)b)->path);
}

/* What only environments with secrets get: the others must not restart for it. */
static void
split_secrets(struct arena *mem, struct context_scripts *s)
{
	static const char *const names[] = { "secrets-git.sh", "secrets.sh" };

	s->secrets = value_map(mem);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct value *text = value_get(s->files, names[i]);

		if (!text)
			continue;
		value_set(mem, s->secrets, names[i], text);
		(void)value_del(s->files, names[i]);
	}
}

/* Whole templates first, so that a patch finds what it patches, the organization's own included. */
static void
lay_version(struct loader *l, struct template_version *v)
{
	struct arena *mem = l->t->mem;

	v->scripts.files = value_map(mem);
	for (int patches = 0; patches < 2; patches++)
		for (size_t i = 0; i < l->sources.n; i++) {
			const struct template_source *s = &l->sources.items[i];

			if ((!s->own && s->version > v->number) || (s->kind == SOURCE_PATCH) != (patches == 1))
				continue;
			if (s->kind == SOURCE_SCRIPT)
				lay_script(mem, v, s);
			else if (s->kind == SOURCE_BODY ? !lay_body(mem, v, s) : !lay_patch(mem, v, s))
				l->misses[i]++;
		}
	if (v->n > 0)
		qsort(v->entries, v->n, sizeof(*v->entries), by_path);
	split_secrets(mem, &v->scripts);
	value_sort(v->scripts.files);
	value_digest(v->scripts.files, &v->scripts.digest);
	value_digest(v->scripts.secrets, &v->scripts.secrets_digest);
}

/* What no version has is a mistake now; what only some lack is one when that version is asked for. */
static int
report_misses(struct loader *l, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < l->sources.n && rc == 0; i++) {
		const struct template_source *s = &l->sources.items[i];

		if (l->misses[i] < (s->own ? l->t->n : 1))
			continue;
		if (s->kind == SOURCE_PATCH)
			rc = template_complain(s, l->r, FINDING_NOT_FOUND, "a patch is named after the template that it changes: <name>.patch.yaml",
			                       e, "there is no %s to patch", patched(l->t->mem, s));
		else
			rc = template_complain(s, l->r, FINDING_NOT_FOUND, "delete the file, or name it after the template to remove", e,
			                       "is null, but there is no built-in template of this name to remove");
	}
	return rc;
}

static void
digest_sources(struct loader *l)
{
	struct hash_state h;

	hash_init(&h);
	for (size_t i = 0; i < l->sources.n; i++) {
		const struct template_source *s = &l->sources.items[i];

		if (s->own && (i == 0 || !l->sources.items[i - 1].own))
			hash_field_str(&h, "");
		hash_field_str(&h, s->file);
		hash_field(&h, s->bytes, s->len);
	}
	hash_final(&h, &l->t->digest);
}

static int
load(struct loader *l, const struct files *files, struct err *e)
{
	struct templates *t = l->t;
	struct versions known;
	int rc;

	if ((rc = versions_known(&known, e)) < 0 || (rc = template_sources(t->mem, files, l->r, &l->sources, e)) < 0)
		return rc;
	l->misses = arena_array(t->mem, l->sources.n + 1, sizeof(*l->misses));
	for (int number = known.first; number <= known.last; number++) {
		t->versions[t->n].number = number;
		lay_version(l, &t->versions[t->n++]);
	}
	digest_sources(l);
	return report_misses(l, e);
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

const struct template_version *
templates_version(const struct templates *t, int64_t number)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->versions[i].number == number)
			return &t->versions[i];
	return NULL;
}
