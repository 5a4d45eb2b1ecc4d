/* SPDX-License-Identifier: Apache-2.0 */
/* The pure path on any bytes as envs/alice/fuzzed.yaml of the example repository: read, check, resolve, render, write. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "render/render.h"
#include "validate/validate.h"

#define FOLDER "envs-repo-template/"
#define FUZZED "envs/alice/fuzzed.yaml"

/* What stays the same from input to input. */
static struct arena *mem;
static struct site site;
static struct schemas *schemas;
static struct templates *templates;

static const uint8_t *input;
static size_t input_size;

static void
must(int rc, const struct err *e)
{
	if (rc == 0)
		return;
	(void)fprintf(stderr, "set-up: %s\n", e->text);
	abort();
}

static int
read_file(void *ctx, const struct file_entry *f, size_t max, struct arena *to, const char **bytes, size_t *len,
          struct err *e)
{
	const struct share_file *s;
	int rc;

	(void)ctx;
	if (str_eq(f->path, FUZZED)) {
		if (input_size > max)
			return err_set(e, ERR_INVALID, "%s is larger than %zu bytes", f->path, max);
		*bytes = arena_strndup(to, (const char *)input, input_size);
		*len = input_size;
		return 0;
	}
	rc = share_get(arena_printf(to, FOLDER "%s", f->path), &s, e);
	if (rc == 0) {
		*bytes = s->bytes;
		*len = s->len;
	}
	return rc;
}

static struct files files = { .read = read_file };

static void
set_up(void)
{
	const struct share_file *share;
	struct file_entry *entries;
	struct report r;
	struct err e = { 0 };
	size_t n;

	mem = arena_new((size_t)64 << 20);
	report_init(&r, mem);
	must(share_files(&share, &n, &e), &e);
	must(schemas_load(&schemas, &e), &e);
	must(templates_load(NULL, &r, &templates, &e), &e);
	entries = arena_array(mem, n, sizeof(*entries));
	for (size_t i = 0; i < n; i++) {
		struct file_entry *f = &entries[files.n];
		struct path_info info;
		struct doc *d;

		if (!str_starts(share[i].path, FOLDER))
			continue;
		*f = (struct file_entry){ .path = share[i].path + strlen(FOLDER), .mode = FILE_REGULAR };
		files.n++;
		files.entries = entries;
		path_classify(mem, f->path, &info);
		if (info.class != PATH_DOC)
			continue;
		must(doc_read(mem, &files, f, &r, &d, &e), &e);
		validate_doc(schemas, d, &r);
		site_add(&site, d);
	}
}

/* Writing and reading back must give the same bytes again: what is committed can be read by everybody. */
static void
check_object(struct arena *a, const struct object *o)
{
	struct buf AUTO_BUF once = BUF_INIT(0), twice = BUF_INIT(0);
	struct report r;
	struct value *v;

	report_init(&r, a);
	yaml_write(o->value, &once);
	if (yaml_read(a, o->file, buf_cstr(&once), once.len, NULL, &r, &v) < 0)
		abort();
	yaml_write(v, &twice);
	if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
		abort();
}

static void
render(struct arena *a, const struct env *env, const struct report *r)
{
	struct bundle *b;
	struct err e = { 0 };

	if (r->errors)
		return;
	/* what passed every check renders */
	if (render_env(templates, a, env, &b, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		abort();
	}
	for (size_t i = 0; i < b->n; i++)
		check_object(a, &b->objects[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct file_entry entry = { .path = FUZZED, .mode = FILE_REGULAR };
	struct buf AUTO_BUF text = BUF_INIT(0);
	struct arena *a;
	struct report r;
	struct env *env;
	struct doc *d;
	struct err e = { 0 };

	if (!mem)
		set_up();
	input = data;
	input_size = size;
	a = arena_new((size_t)64 << 20);
	report_init(&r, a);
	if (doc_read(a, &files, &entry, &r, &d, &e) == 0) {
		validate_doc(schemas, d, &r);
		if (d->ok && env_resolve(a, &site, &files, d, &r, &env, &e) == 0) {
			(void)validate_env(env, &site, &r);
			render(a, env, &r);
		}
		report_sort(&r);
		report_text(&r, &files, false, &text);
	}
	arena_free(a);
	return 0;
}
