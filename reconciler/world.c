/* SPDX-License-Identifier: Apache-2.0 */
/* The tree that is being looked at: shared documents, owners, their environments. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

#define SHARED_DOC_ARENA ((size_t)16 << 20)

/* A shared document and its findings, kept for as long as its file does not change. */
struct shared {
	struct arena *mem;
	struct doc *doc;
	struct report findings;
};

struct world {
	struct schemas *schemas;
	struct templates *templates;
	struct arena *tree_mem, *template_mem; /* findings of the tree, of templates */
	struct report tree_findings, template_findings;
	struct map shared; /* path -> struct shared * */
	struct site site;
	const struct files *files;
};

static void
shared_free(struct shared *s)
{
	if (!s)
		return;
	arena_free(s->mem);
	free(s);
}

int
world_new(struct world **out, struct err *e)
{
	struct world *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		abort();
	if ((rc = schemas_load(&w->schemas, e)) < 0) {
		free(w);
		return rc;
	}
	*out = w;
	return 0;
}

void
world_free(struct world *w)
{
	void *v;

	if (!w)
		return;
	for (size_t i = 0; map_next(&w->shared, &i, NULL, &v);)
		shared_free(v);
	map_free(&w->shared);
	site_free(&w->site);
	templates_free(w->templates);
	schemas_free(w->schemas);
	arena_free(w->tree_mem);
	arena_free(w->template_mem);
	free(w);
}

static int
shared_read(struct world *w, const struct file_entry *f, struct err *e)
{
	struct shared *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		abort();
	s->mem = arena_new(SHARED_DOC_ARENA);
	report_init(&s->findings, s->mem);
	rc = doc_read(s->mem, w->files, f, &s->findings, &s->doc, e);
	if (rc < 0) {
		shared_free(s);
		return rc;
	}
	if (s->doc->root)
		validate_doc(w->schemas, s->doc, &s->findings);
	if (s->doc->kind == KIND_ORG)
		validate_org(s->doc, &s->findings);
	shared_free(map_put(&w->shared, f->path, s));
	return 0;
}

/* Is this the path of a document that environments refer to? */
static bool
is_shared(const char *path)
{
	struct arena *AUTO_ARENA mem = arena_new(65536);
	struct path_info info;

	if (strlen(path) > 1024)
		return false;
	path_classify(mem, path, &info);
	return info.class == PATH_DOC && info.kind != KIND_ENV;
}

static void
site_rebuild(struct world *w)
{
	void *v;

	site_free(&w->site);
	memset(&w->site, 0, sizeof(w->site));
	for (size_t i = 0; map_next(&w->shared, &i, NULL, &v);)
		site_add(&w->site, ((struct shared *)v)->doc);
}

static int
read_shared(struct world *w, const char *const *paths, size_t n, bool *any, struct err *e)
{
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct file_entry *f;

		if (!is_shared(paths[i]))
			continue;
		*any = true;
		f = files_find(w->files, paths[i]);
		if (!f)
			shared_free(map_del(&w->shared, paths[i]));
		else if ((rc = shared_read(w, f, e)) < 0)
			return err_wrap(e, "read %s", paths[i]);
	}
	return 0;
}

static int
read_all_shared(struct world *w, bool *any, struct err *e)
{
	void *v;
	int rc;

	for (size_t i = 0; map_next(&w->shared, &i, NULL, &v);)
		shared_free(v);
	map_free(&w->shared);
	for (size_t i = 0; i < w->files->n; i++)
		if (!str_starts(w->files->entries[i].path, "envs/") &&
		    (rc = read_shared(w, &w->files->entries[i].path, 1, any, e)) < 0)
			return rc;
	*any = true;
	return 0;
}

static int
load_templates(struct world *w, struct err *e)
{
	struct templates *t;
	int rc;

	arena_free(w->template_mem);
	w->template_mem = arena_new((size_t)64 << 20);
	report_init(&w->template_findings, w->template_mem);
	rc = templates_load(w->files, &w->template_findings, &t, e);
	if (rc == ERR_INVALID && w->template_findings.errors) {
		templates_free(w->templates);
		w->templates = NULL;
		return 0;
	}
	if (rc < 0)
		return rc;
	templates_free(w->templates);
	w->templates = t;
	return 0;
}

static bool
any_under(const char *const *paths, size_t n, const char *prefix)
{
	for (size_t i = 0; i < n; i++)
		if (str_starts(paths[i], prefix))
			return true;
	return false;
}

int
world_adopt(struct world *w, const struct files *files, const char *const *changed, size_t n, bool all_changed, struct err *e)
{
	bool any = false;
	int rc;

	w->files = files;
	if ((all_changed || any_under(changed, n, "templates/")) && (rc = load_templates(w, e)) < 0)
		return rc;
	rc = all_changed ? read_all_shared(w, &any, e) : read_shared(w, changed, n, &any, e);
	if (rc < 0)
		return rc;
	if (any)
		site_rebuild(w);
	arena_free(w->tree_mem);
	w->tree_mem = arena_new((size_t)64 << 20);
	report_init(&w->tree_findings, w->tree_mem);
	validate_tree(files, &w->tree_findings);
	return 0;
}

bool
world_usable(const struct world *w)
{
	return w->templates && w->site.org && w->site.org->ok;
}

static void
copy_findings(struct report *out, const struct report *in)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct finding *f = &in->items[i];
		struct finding *g = report_add(out, f->code, f->severity, f->at, "%s", f->message);

		g->width = f->width;
		if (f->help)
			finding_help(out, g, "%s", f->help);
		if (f->note)
			finding_note(out, g, "%s", f->note);
	}
}

void
world_findings(const struct world *w, struct report *out)
{
	void *v;

	copy_findings(out, &w->tree_findings);
	copy_findings(out, &w->template_findings);
	for (size_t i = 0; map_next(&w->shared, &i, NULL, &v);)
		copy_findings(out, &((struct shared *)v)->findings);
	report_sort(out);
}

const struct site *
world_site(const struct world *w)
{
	return &w->site;
}

const struct files *
world_files(const struct world *w)
{
	return w->files;
}

static int
by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

void
world_owners(const struct world *w, struct arena *mem, const char ***owners, size_t *n)
{
	const struct file_entry *f;
	struct map seen AUTO_MAP = MAP_INIT;
	const char *key;
	size_t count, k = 0;

	for (size_t i = 0; map_next(&w->site.docs[KIND_USER], &i, &key, NULL);)
		(void)map_put(&seen, key, NULL);
	f = files_under(w->files, "envs/", &count);
	for (size_t i = 0; i < count; i++) {
		struct path_info info;

		path_classify(mem, f[i].path, &info);
		if (info.class == PATH_DOC && info.kind == KIND_ENV)
			(void)map_put(&seen, info.owner, NULL);
	}
	*owners = arena_array(mem, seen.live + 1, sizeof(**owners));
	for (size_t i = 0; map_next(&seen, &i, &key, NULL);)
		(*owners)[k++] = arena_strdup(mem, key);
	*n = k;
	qsort(*owners, k, sizeof(**owners), by_name);
}

/* -- one owner ------------------------------------------------------------------------------------------------- */

static int
one_env(struct world *w, struct arena *mem, const struct file_entry *f, const char *name, bool render,
        struct env_result *r, struct err *e)
{
	struct doc *doc;
	struct env *env;
	struct bundle *bundle;
	int rc;

	*r = (struct env_result){ .name = name, .path = arena_strdup(mem, f->path) };
	report_init(&r->findings, mem);
	if ((rc = doc_read(mem, w->files, f, &r->findings, &doc, e)) < 0)
		return rc;
	r->doc = doc;
	if (doc->root)
		validate_doc(w->schemas, doc, &r->findings);
	if (!doc->ok || !world_usable(w))
		return 0;
	rc = env_resolve(mem, &w->site, w->files, doc, &r->findings, &env, e);
	if (rc == ERR_INVALID)
		return 0;
	if (rc < 0)
		return rc;
	if (validate_env(env, &w->site, &r->findings))
		return 0;
	r->env = env;
	r->ok = true;
	if (!render)
		return 0;
	if ((rc = render_env(w->templates, mem, env, &bundle, e)) < 0) {
		struct place at = { .file = r->path };

		/* the template's fault or a value it cannot place: this environment alone is held */
		(void)report_add(&r->findings, FINDING_INCONSISTENT, SEVERITY_ERROR, at, "%s", e->text);
		r->ok = false;
		return 0;
	}
	r->bundle = bundle;
	return 0;
}

static void
collect_deps(struct world *w, struct arena *mem, struct owner_result *out)
{
	struct map seen AUTO_MAP = MAP_INIT;
	const char *key, **list;
	size_t k = 0;

	(void)map_put(&seen, arena_printf(mem, "users/%s.yaml", out->owner), NULL);
	(void)map_put(&seen, "berth.yaml", NULL);
	for (size_t i = 0; i < out->n; i++) {
		const char *const *deps = NULL;
		size_t n = 0;

		if (out->envs[i].env) {
			deps = out->envs[i].env->deps;
			n = out->envs[i].env->ndeps;
		} else if (out->envs[i].doc && out->envs[i].doc->root) {
			env_deps(mem, &w->site, out->envs[i].doc, &deps, &n);
		}
		for (size_t j = 0; j < n; j++)
			(void)map_put(&seen, deps[j], NULL);
	}
	list = arena_array(mem, seen.live + 1, sizeof(*list));
	for (size_t i = 0; map_next(&seen, &i, &key, NULL);)
		list[k++] = arena_strdup(mem, key);
	out->deps = list;
	out->ndeps = k;
}

static void
user_bundle(struct world *w, struct arena *mem, struct owner_result *out)
{
	const struct env **envs = arena_array(mem, out->n + 1, sizeof(const struct env *));
	struct bundle *b;
	struct err e = { 0 };
	size_t n = 0;

	if (!out->user || !out->user->ok || !world_usable(w))
		return;
	for (size_t i = 0; i < out->n; i++)
		if (out->envs[i].ok)
			envs[n++] = out->envs[i].env;
	if (render_user(w->templates, mem, &w->site, out->user, envs, n, &b, &e) < 0)
		out->error = arena_strdup(mem, e.text);
	else
		out->bundle = b;
}

int
world_owner(struct world *w, struct arena *mem, const char *owner, bool render, struct owner_result *out, struct err *e)
{
	const char *prefix = arena_printf(mem, "envs/%s/", owner);
	struct owner_result r = { .owner = owner, .user = site_get(&w->site, KIND_USER, owner) };
	const struct file_entry *f;
	size_t count;
	int rc;

	f = files_under(w->files, prefix, &count);
	r.envs = arena_array(mem, count + 1, sizeof(*r.envs));
	for (size_t i = 0; i < count; i++) {
		struct path_info info;

		path_classify(mem, f[i].path, &info);
		if (info.class != PATH_DOC || info.kind != KIND_ENV)
			continue;
		if ((rc = one_env(w, mem, &f[i], info.name, render, &r.envs[r.n], e)) < 0)
			return err_wrap(e, "%s", f[i].path);
		r.n++;
	}
	collect_deps(w, mem, &r);
	if (render)
		user_bundle(w, mem, &r);
	*out = r;
	return 0;
}

int
world_org(struct world *w, struct arena *mem, const struct bundle **out, struct err *e)
{
	struct bundle *b;
	int rc = render_org(w->templates, mem, &w->site, &b, e);

	if (rc < 0)
		return rc;
	*out = b->n ? b : NULL;
	return 0;
}

int
world_team(struct world *w, struct arena *mem, const char *team, const struct bundle **out, struct err *e)
{
	const struct doc *d = site_get(&w->site, KIND_TEAM, team);
	struct bundle *b;
	int rc;

	*out = NULL;
	if (!d || !d->ok)
		return 0;
	if ((rc = render_team(w->templates, mem, &w->site, d, &b, e)) < 0)
		return rc;
	*out = b->n ? b : NULL;
	return 0;
}
