/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one document: bytes, YAML, kind, and identity against the path. */
#include "parse/doc.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "parse/say.h"

#define API_VERSION "berth.dev/v1"
#define OWNER_AND_NAME_MAX 61
#define EACH_ARENA ((size_t)64 << 20) /* for one document and its findings */

struct reading {
	struct arena *mem;
	struct report *r;
	struct doc *d;
};

/* -- bytes ------------------------------------------------------------------------------------------------------ */

static int
read_bytes(struct reading *c, const struct files *files, const struct file_entry *f, const char **bytes, size_t *len,
           bool *have, struct err *e)
{
	struct err why = { 0 };
	int rc;

	*have = false;
	if (f->mode == FILE_SYMLINK || f->mode == FILE_SUBMODULE) {
		struct finding *x = say(c->r, NOT_REGULAR, say_file(c->d->path), "%s is a %s", c->d->path,
		                        f->mode == FILE_SYMLINK ? "symbolic link" : "submodule");

		finding_help(c->r, x, "put the document itself there");
		return 0;
	}
	rc = files->read(files->ctx, f, FILE_DOC_MAX, c->mem, bytes, len, &why);
	if (rc == ERR_INVALID) {
		struct finding *x = say(c->r, TOO_LARGE, say_file(c->d->path), "the document cannot be read: %s", why.text);

		finding_help(c->r, x, "documents are at most %zu KiB; keep data and scripts in files of their own",
		             FILE_DOC_MAX / 1024);
		return 0;
	}
	if (rc < 0) {
		err_set(e, rc, "%s", why.text);
		return err_wrap(e, "read %s", c->d->path);
	}
	*have = true;
	return 0;
}

/* -- kind ------------------------------------------------------------------------------------------------------- */

static void
check_api_version(struct reading *c)
{
	const struct value *v = value_get(c->d->root, "apiVersion");
	struct finding *x;

	if (!value_is(v, VALUE_STR) || strcmp(v->str.s, API_VERSION) == 0)
		return;
	x = say(c->r, NOT_ALLOWED_VALUE, v->at, "apiVersion '%s' is not one that berth reads", say_text(c->mem, v->str.s));
	finding_help(c->r, x, "write apiVersion: %s", API_VERSION);
}

/* The kind called `name`, KIND_COUNT when there is none; *alias says that it is the other name. */
static enum kind
kind_named(const char *name, bool *alias)
{
	for (enum kind k = KIND_ORG; k < KIND_COUNT; k++) {
		*alias = kinds[k].alias && strcmp(name, kinds[k].alias) == 0;
		if (*alias || strcmp(name, kinds[k].name) == 0)
			return k;
	}
	*alias = false;
	return KIND_COUNT;
}

/* A document of another kind than its folder's. */
static void
say_misplaced(struct reading *c, const struct value *v, enum kind found)
{
	const struct kind_info *here = &kinds[c->d->kind];
	const char *place = here->folder ? arena_printf(c->mem, "%s/ holds documents", here->folder) : "berth.yaml is the one";
	struct finding *x;

	if (found == KIND_COUNT) {
		x = say(c->r, WRONG_KIND, v->at, "kind '%s' is unknown; %s of kind %s", say_text(c->mem, v->str.s), place,
		        here->name);
		finding_help(c->r, x, "write kind: %s", here->name);
		return;
	}
	x = say(c->r, WRONG_KIND, v->at, "this is of kind %s; %s of kind %s", v->str.s, place, here->name);
	if (found == KIND_ORG)
		finding_help(c->r, x, "an Organization lives in berth.yaml; or write kind: %s", here->name);
	else if (found == KIND_ENV)
		finding_help(c->r, x, "move it to envs/<owner>/<name>.yaml, or write kind: %s", here->name);
	else
		finding_help(c->r, x, "move it to %s/%s.yaml, or write kind: %s", kinds[found].folder,
		             c->d->kind == KIND_ORG ? "<name>" : c->d->name, here->name);
}

/* False when the document is of another kind; a missing kind or apiVersion is the schema's finding. */
static bool
check_kind(struct reading *c)
{
	const struct value *v = value_get(c->d->root, "kind");
	bool alias = false;
	enum kind k;

	if (!value_is(v, VALUE_STR))
		return true;
	k = kind_named(v->str.s, &alias);
	if (k != c->d->kind) {
		say_misplaced(c, v, k);
		return false;
	}
	if (!alias)
		check_api_version(c);
	return true;
}

/* -- identity --------------------------------------------------------------------------------------------------- */

static void
check_identity(struct reading *c)
{
	const struct value *name = value_at(c->d->root, "metadata.name"), *owner = value_get(c->d->spec, "owner");
	struct finding *x;

	if (value_is(name, VALUE_STR) && strcmp(name->str.s, c->d->name) != 0) {
		x = say(c->r, IDENTITY_MISMATCH, name->at, "metadata.name is '%s', the file says '%s'",
		        say_text(c->mem, name->str.s), c->d->name);
		finding_help(c->r, x, "write %s, or leave it out, or rename the file", c->d->name);
	}
	if (c->d->kind != KIND_ENV)
		return;
	if (strlen(c->d->owner) + strlen(c->d->name) > OWNER_AND_NAME_MAX) {
		x = say(c->r, BAD_NAME, say_file(c->d->path), "owner and name together have %zu characters, at most %d fit a host name",
		        strlen(c->d->owner) + strlen(c->d->name), OWNER_AND_NAME_MAX);
		finding_help(c->r, x, "give the file a name of at most %zu characters", OWNER_AND_NAME_MAX - strlen(c->d->owner));
	}
	/* an address can be judged only with the user's document: env_resolve does it */
	if (value_is(owner, VALUE_STR) && !strchr(owner->str.s, '@') && strcmp(owner->str.s, c->d->owner) != 0) {
		x = say(c->r, IDENTITY_MISMATCH, owner->at, "spec.owner is '%s', the folder belongs to '%s'",
		        say_text(c->mem, owner->str.s), c->d->owner);
		finding_help(c->r, x, "write %s, or leave it out; each person's environments live in their own folder", c->d->owner);
	}
}

static void
check_document(struct reading *c)
{
	struct doc *d = c->d;
	struct finding *x;

	if (!value_is(d->root, VALUE_MAP)) {
		if (value_is(d->root, VALUE_NULL))
			x = say(c->r, EMPTY_DOCUMENT, say_file(d->path), "the document is empty");
		else
			x = say(c->r, WRONG_TYPE, d->root->at, "the document is a %s, not a map", value_type_name(d->root->type));
		finding_help(c->r, x, "start with apiVersion: %s, kind: %s and spec:", API_VERSION, kinds[d->kind].name);
		d->root = NULL;
		return;
	}
	d->spec = value_get(d->root, "spec");
	if (!value_is(d->spec, VALUE_MAP))
		d->spec = NULL;
	check_identity(c);
	if (!check_kind(c)) {
		/* nothing else can be said about it: the schema of this folder's kind would find fault with every field */
		d->root = NULL;
		d->spec = NULL;
	}
}

int
doc_read(struct arena *mem, const struct files *files, const struct file_entry *f, struct report *r, struct doc **out,
         struct err *e)
{
	struct doc *d = arena_alloc(mem, sizeof(*d));
	struct reading c = { .mem = mem, .r = r, .d = d };
	size_t errors = r->errors, len = 0;
	const char *bytes = NULL;
	struct path_info p;
	bool have;
	int rc;

	path_classify(mem, f->path, &p);
	if (p.class != PATH_DOC)
		return err_set(e, ERR_INTERNAL, "%s is no path of a document", f->path);
	*d = (struct doc){ .kind = p.kind, .path = arena_strdup(mem, f->path), .owner = p.owner, .name = p.name, .id = f->id };
	if ((rc = read_bytes(&c, files, f, &bytes, &len, &have, e)) < 0)
		return rc;
	if (have && yaml_read(mem, d->path, bytes, len, NULL, r, &d->root) == 0)
		check_document(&c);
	d->ok = r->errors == errors;
	*out = d;
	return 0;
}

int
doc_each(const struct files *files, enum kind k, const char *folder, doc_fn fn, void *ctx, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(EACH_ARENA);
	const struct file_entry *f;
	size_t n;
	int rc;

	f = files_under(files, folder, &n);
	for (size_t i = 0; i < n; i++) {
		struct path_info p;

		arena_reset(mem);
		path_classify(mem, f[i].path, &p);
		if (p.class == PATH_DOC && p.kind == k && (rc = fn(ctx, mem, &f[i], p.name, e)) < 0)
			return rc;
	}
	return 0;
}

static void
move_places(struct value *v, const char *path)
{
	v->at.file = v->at.file ? path : NULL;
	for (size_t i = 0; v->type == VALUE_LIST && i < v->list.n; i++)
		move_places(v->list.items[i], path);
	for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++) {
		v->map.items[i].at.file = v->map.items[i].at.file ? path : NULL;
		move_places(v->map.items[i].value, path);
	}
}

struct doc *
doc_copy(struct arena *mem, const struct doc *d)
{
	struct doc *c = arena_memdup(mem, d, sizeof(*d));

	c->path = arena_strdup(mem, d->path);
	c->owner = d->owner ? arena_strdup(mem, d->owner) : NULL;
	c->name = d->name ? arena_strdup(mem, d->name) : NULL;
	c->root = value_copy(mem, d->root);
	if (c->root)
		move_places(c->root, c->path);
	c->spec = d->spec ? value_get(c->root, "spec") : NULL;
	return c;
}
