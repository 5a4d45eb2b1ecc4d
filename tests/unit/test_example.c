/* SPDX-License-Identifier: Apache-2.0 */
/* The repository that `berth init` writes has no findings, and its example of a mistake has the ones it announces. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/share.h"
#include "lib/base/str.h"
#include "validate/validate.h"

#define FOLDER "envs-repo-template/"
#define OOPS "envs/bo/oops.yaml"

static struct arena *mem;

static int
read_share(void *ctx, const struct file_entry *f, size_t max, struct arena *to, const char **bytes, size_t *len,
           struct err *e)
{
	const char *name = str_eq(f->path, OOPS) ? OOPS ".example" : f->path;
	const struct share_file *s;
	int rc = share_get(arena_printf(to, "%s%s", (const char *)ctx, name), &s, e);

	if (rc < 0)
		return rc;
	if (s->len > max)
		return err_set(e, ERR_INVALID, "%s is too large", f->path);
	*bytes = s->bytes;
	*len = s->len;
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct file_entry *)a)->path, ((const struct file_entry *)b)->path);
}

/* The template as a tree; with `oops`, the example of a mistake stands in its place. */
static struct files
tree(bool oops)
{
	static char ctx[] = FOLDER;
	const struct share_file *share;
	struct file_entry *entries;
	struct err e;
	size_t n, used = 0;

	assert_int_equal(share_files(&share, &n, &e), 0);
	entries = arena_array(mem, n, sizeof(*entries));
	for (size_t i = 0; i < n; i++) {
		if (!str_starts(share[i].path, FOLDER))
			continue;
		entries[used].path = share[i].path + strlen(FOLDER);
		if (oops && str_eq(entries[used].path, OOPS ".example"))
			entries[used].path = OOPS;
		entries[used++].mode = FILE_REGULAR;
	}
	qsort(entries, used, sizeof(*entries), by_path);
	return (struct files){ entries, used, ctx, read_share };
}

/* Reads and checks everything; returns the number of environments that resolved. */
static size_t
check_tree(const struct files *files, struct report *r)
{
	struct schemas *schemas;
	struct site site = { 0 };
	struct err e = { 0 };
	size_t good = 0;
	const char *key;
	void *d;

	report_init(r, mem);
	assert_int_equal(schemas_load(&schemas, &e), 0);
	validate_tree(files, r);
	for (size_t i = 0; i < files->n; i++) {
		struct path_info info;
		struct doc *doc;

		path_classify(mem, files->entries[i].path, &info);
		if (info.class != PATH_DOC)
			continue;
		assert_int_equal(doc_read(mem, files, &files->entries[i], r, &doc, &e), 0);
		validate_doc(schemas, doc, r);
		site_add(&site, doc);
	}
	for (size_t i = 0; map_next(&site.docs[KIND_ENV], &i, &key, &d);) {
		struct env *env;

		if (((struct doc *)d)->ok && env_resolve(mem, &site, files, d, r, &env, &e) == 0)
			good += validate_env(env, &site, r) == 0;
	}
	report_sort(r);
	site_free(&site);
	schemas_free(schemas);
	return good;
}

static void
template_is_clean(void **state)
{
	struct files files = tree(false);
	struct buf AUTO_BUF text = BUF_INIT(0);
	struct report r;
	size_t good = check_tree(&files, &r);

	(void)state;
	report_text(&r, &files, false, &text);
	if (r.n)
		fail_msg("%s", buf_cstr(&text));
	assert_int_equal(good, 5);
}

static void
mistake_is_found(void **state)
{
	struct files files = tree(true);
	struct report r;

	(void)state;
	/* the others are as good as before */
	assert_int_equal(check_tree(&files, &r), 5);
	assert_int_equal(r.n, 3);
	for (size_t i = 0; i < r.n; i++)
		assert_string_equal(r.items[i].at.file, OOPS);
	assert_int_equal(r.items[0].code, FINDING_MISSING_FIELD);
	assert_int_equal(r.items[1].code, FINDING_UNKNOWN_FIELD);
	assert_non_null(strstr(r.items[1].help, "flavor"));
	assert_int_equal(r.items[2].code, FINDING_BAD_FORMAT);
}

static int
make_arena(void **state)
{
	(void)state;
	mem = arena_new((size_t)64 << 20);
	return 0;
}

static int
free_arena(void **state)
{
	(void)state;
	arena_free(mem);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(template_is_clean),
		cmocka_unit_test(mistake_is_found),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_arena, free_arena);
}
