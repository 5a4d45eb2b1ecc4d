/* SPDX-License-Identifier: Apache-2.0 */
/* The tree that is being looked at: shared documents, owners, their environments. */
#include "world.h"
#include "world_secrets.h"

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
	struct arena *tree_mem, *template_mem, *site_mem; /* findings of the tree, of templates, between shared documents */
	struct report tree_findings, template_findings, site_findings;
	struct map shared; /* path -> struct shared * */
	struct site site;
	const struct files *files;
	world_live_fn live;
	void *live_ctx;
	world_look_fn look;
	world_host_fn host;
	world_ahead_fn ahead;
	void *seal_ctx;
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
	arena_free(w->site_mem);
	free(w);
}

static int
read_and_judge(struct world *w, const struct file_entry *f, struct arena *mem, struct report *r, struct doc **out, struct err *e)
{
	struct doc *d;
	int rc;

	report_init(r, mem);
	if ((rc = doc_read(mem, w->files, f, r, &d, e)) < 0)
		return rc;
	if (d->root)
		validate_doc(w->schemas, d, r);
	if (d->kind == KIND_ORG)
		validate_org(d, r);
	*out = d;
	return 0;
}

/* Ten thousand users are kept for as long as the process lives; what reading and judging them took is not. */
static void
keep_small(struct shared *s)
{
	struct arena *AUTO_ARENA measure = arena_new(SHARED_DOC_ARENA);
	struct arena *all = s->mem;

	(void)doc_copy(measure, s->doc);
	s->mem = arena_new_sized(SHARED_DOC_ARENA, arena_used(measure));
	s->doc = doc_copy(s->mem, s->doc);
	report_init(&s->findings, s->mem);
	arena_free(all);
}

static int
shared_read(struct world *w, const struct file_entry *f, struct err *e)
{
	struct shared *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		abort();
	s->mem = arena_new(SHARED_DOC_ARENA);
	if ((rc = read_and_judge(w, f, s->mem, &s->findings, &s->doc, e)) < 0) {
		shared_free(s);
		return rc;
	}
	if (s->findings.n == 0)
		keep_small(s);
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
	arena_free(w->site_mem);
	w->site_mem = arena_new((size_t)256 << 20);
	report_init(&w->site_findings, w->site_mem);
	validate_site(&w->site, &w->site_findings);
	validate_approvers(&w->site, w->files, &w->site_findings);
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
	if (any || any_under(changed, n, "approvers/"))
		site_rebuild(w);
	arena_free(w->tree_mem);
	w->tree_mem = arena_new((size_t)64 << 20);
	report_init(&w->tree_findings, w->tree_mem);
	validate_tree(files, &w->tree_findings);
	return 0;
}

void
world_judge_by(struct world *w, const struct doc *org)
{
	w->site.org = org;
}

bool
world_usable(const struct world *w)
{
	return w->templates && w->site.org && w->site.org->ok;
}

void
world_findings(const struct world *w, struct report *out)
{
	void *v;

	report_copy(out, &w->tree_findings);
	report_copy(out, &w->template_findings);
	report_copy(out, &w->site_findings);
	for (size_t i = 0; map_next(&w->shared, &i, NULL, &v);)
		report_copy(out, &((struct shared *)v)->findings);
	report_sort(out);
}

const struct site *
world_site(const struct world *w)
{
	return &w->site;
}

const struct templates *
world_templates(const struct world *w)
{
	return w->templates;
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

/* -- environments ------------------------------------------------------------------------------------------------ */

#define ENV_ARENA ((size_t)64 << 20)    /* a hostile document of FILE_DOC_MAX takes about 10 MiB to read, judge and resolve */
#define OWNER_DETAIL ((size_t)32 << 20) /* of an owner's arena, for what the owner's own set needs of the environments */

bool
world_has_env(const struct world *w, const char *owner, const char *name)
{
	struct arena *AUTO_ARENA mem = arena_new(65536);

	return files_find(w->files, arena_printf(mem, "envs/%s/%s.yaml", owner, name)) != NULL;
}

static int
read_env(struct world *w, struct arena *mem, const struct file_entry *f, bool render, struct env_result *r, struct err *e)
{
	struct bundle *bundle;
	struct doc *doc;
	struct env *env;
	int rc;

	report_init(&r->findings, mem);
	if ((rc = doc_read(mem, w->files, f, &r->findings, &doc, e)) < 0)
		return rc;
	r->doc = doc;
	if (doc->root)
		validate_doc(w->schemas, doc, &r->findings);
	if (!doc->root || !world_usable(w))
		return 0;
	/* a document with errors resolves too, as far as it goes: every finding in one run */
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
	if (world_open_secrets(w->look, w->host, w->seal_ctx, mem, env, &r->findings)) {
		r->ok = false;
		return 0;
	}
	if (render_env(w->templates, mem, env, &bundle, e) < 0) {
		/* a template's fault, or a value it cannot place: this environment alone is held */
		world_render_finding(&r->findings, doc, r->path, e);
		r->ok = false;
	} else {
		r->bundle = bundle;
	}
	return 0;
}

int
world_env(struct world *w, struct arena *mem, const char *owner, const char *name, bool render, struct env_result *out,
          struct err *e)
{
	const char *path = arena_printf(mem, "envs/%s/%s.yaml", owner, name);
	struct env_result r = { .owner = arena_strdup(mem, owner), .name = arena_strdup(mem, name), .path = path };
	const struct file_entry *f = files_find(w->files, path);
	int rc;

	if (!f)
		return err_set(e, ERR_NOTFOUND, "there is no %s", path);
	if ((rc = read_env(w, mem, f, render, &r, e)) < 0)
		return err_wrap(e, "%s", path);
	*out = r;
	return 0;
}

/* What render_user looks at, and nothing else: the environment itself goes when it has been visited. */
static const struct env *
env_digest(struct arena *mem, const struct env *env)
{
	static const char *const kept[] = { "access", "enableSSH", "packages", "resources", "scheduling", "sharedVolumeClaimName" };
	struct env *c = arena_alloc(mem, sizeof(*c));
	struct value *spec = value_map(mem);

	*c = *env;
	c->owner = arena_strdup(mem, env->owner);
	c->name = arena_strdup(mem, env->name);
	c->namespace_ = arena_strdup(mem, env->namespace_);
	c->image_ref = NULL;
	c->doc = NULL;
	c->secrets = NULL;
	c->nsecrets = 0;
	c->deps = NULL;
	c->ndeps = 0;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (value_get(env->spec, kept[i]))
			value_set(mem, spec, kept[i], value_copy(mem, value_get(env->spec, kept[i])));
	c->spec = spec;
	return c;
}

void
world_live_by(struct world *w, world_live_fn fn, void *ctx)
{
	w->live = fn;
	w->live_ctx = ctx;
}

void
world_seal_by(struct world *w, world_look_fn look, world_host_fn host, void *ctx)
{
	w->look = look;
	w->host = host;
	w->seal_ctx = ctx;
}

void
world_ahead_by(struct world *w, world_ahead_fn ahead)
{
	w->ahead = ahead;
}

struct text {
	const char *bytes;
	size_t len;
};

static int
read_text(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	const struct text *t = ctx;

	if (t->len > max)
		return err_set(e, ERR_INVALID, "%s: too large", f->path);
	*bytes = arena_strndup(mem, t->bytes, t->len);
	*len = t->len;
	return 0;
}

struct owner_state {
	struct world *w;
	struct arena *mem;
	struct owner_result r;
	const struct env **envs; /* digests */
	size_t n;
	struct map deps;
};

static void
keep_deps(struct owner_state *s, struct arena *env_mem, const struct env_result *r)
{
	const char *const *deps = NULL;
	size_t n = 0;

	if (r->env) {
		deps = r->env->deps;
		n = r->env->ndeps;
	} else if (r->doc && r->doc->root) {
		env_deps(env_mem, &s->w->site, r->doc, &deps, &n);
	}
	for (size_t i = 0; i < n; i++)
		(void)map_put(&s->deps, deps[i], NULL);
}

/* What is live of an environment that stays, with the flavors and images of today; whether it breaks a rule by now does not matter. */
static void
keep_live(struct owner_state *s, struct arena *mem, const char *name)
{
	struct text text = { 0 };
	struct file_entry f = { .path = arena_printf(mem, "envs/%s/%s.yaml", s->r.owner, name), .mode = FILE_REGULAR };
	struct files one = { .entries = &f, .n = 1, .ctx = &text, .read = read_text };
	int rc = s->w->live(s->w->live_ctx, mem, s->r.owner, name, &text.bytes, &text.len);
	struct err ignored = { 0 };
	struct report findings;
	struct doc *doc;
	struct env *env;

	if (rc == ERR_NOTFOUND)
		return;
	report_init(&findings, mem);
	if (rc < 0 || doc_read(mem, &one, &f, &findings, &doc, &ignored) < 0 || !doc->root ||
	    env_resolve(mem, &s->w->site, s->w->files, doc, &findings, &env, &ignored) < 0)
		s->r.unsure = true;
	else
		s->envs[s->n++] = env_digest(s->mem, env);
}

static int
one_env(struct owner_state *s, const char *name, bool render, int (*visit)(void *, const struct env_result *, struct err *),
        void *ctx, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(ENV_ARENA);
	struct env_result r;
	int rc;

	if ((rc = world_env(s->w, mem, s->r.owner, name, render, &r, e)) < 0)
		return rc;
	if (r.ok && arena_used(s->mem) > OWNER_DETAIL) {
		struct place at = { .file = r.path };

		(void)report_add(&r.findings, FINDING_TOO_LARGE, SEVERITY_ERROR, at,
		                 "the environments of %s are too large together", s->r.owner);
		r.ok = false;
		r.bundle = NULL;
	}
	keep_deps(s, mem, &r);
	s->r.bad += !r.ok;
	if ((rc = visit ? visit(ctx, &r, e) : 0) < 0 || !render) /* only the user's own objects need the rest */
		return rc;
	if (s->w->live && (!r.ok || rc == WORLD_STAYS))
		keep_live(s, mem, name);
	else if (r.ok)
		s->envs[s->n++] = env_digest(s->mem, r.env);
	return 0;
}

static void
user_bundle(struct owner_state *s)
{
	struct bundle *b;
	struct err e = { 0 };

	if (!s->r.user || !s->r.user->ok || !world_usable(s->w))
		return;
	if (render_user(s->w->templates, s->mem, &s->w->site, s->r.user, s->envs, s->n, &b, &e) < 0)
		s->r.failure = arena_memdup(s->mem, &e, sizeof(e));
	else
		s->r.bundle = b;
	if (s->r.failure)
		s->r.error = s->r.failure->text;
}

static void
list_deps(struct owner_state *s)
{
	const char *key, **list = arena_array(s->mem, s->deps.live + 1, sizeof(*list));
	size_t k = 0;

	for (size_t i = 0; map_next(&s->deps, &i, &key, NULL);)
		list[k++] = arena_strdup(s->mem, key);
	s->r.deps = list;
	s->r.ndeps = k;
}

void
world_names(const struct world *w, struct arena *mem, const char *owner, const char *const **names, size_t *n)
{
	const char *prefix = arena_printf(mem, "envs/%s/", owner), **list;
	size_t count, k = 0;
	const struct file_entry *f = files_under(w->files, prefix, &count);

	list = arena_array(mem, count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		struct path_info info;

		path_classify(mem, f[i].path, &info);
		if (info.class == PATH_DOC && info.kind == KIND_ENV)
			list[k++] = info.name;
	}
	*names = list;
	*n = k;
}

int
world_owner(struct world *w, struct arena *mem, const char *owner, bool render,
            int (*visit)(void *ctx, const struct env_result *r, struct err *e), void *ctx, struct owner_result *out,
            struct err *e)
{
	struct owner_state s = { .w = w, .mem = mem };
	int rc = 0;

	s.r.owner = arena_strdup(mem, owner);
	s.r.user = site_get(&w->site, KIND_USER, owner);
	world_names(w, mem, owner, &s.r.names, &s.r.n);
	s.envs = arena_array(mem, s.r.n + 1, sizeof(*s.envs));
	(void)map_put(&s.deps, arena_printf(mem, "users/%s.yaml", owner), NULL);
	(void)map_put(&s.deps, "berth.yaml", NULL);
	if (render && w->ahead)
		w->ahead(w->seal_ctx, w, owner);
	for (size_t i = 0; i < s.r.n && rc >= 0; i++)
		rc = one_env(&s, s.r.names[i], render, visit, ctx, e);
	if (rc >= 0) {
		if (render)
			user_bundle(&s);
		list_deps(&s);
		*out = s.r;
		rc = 0;
	}
	map_free(&s.deps);
	return rc;
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
