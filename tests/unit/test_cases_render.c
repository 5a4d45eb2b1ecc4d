/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden cases: every folder of tests/cases/render/ holds in/, an environments repository (or the file `from` with the
 * path of one), and want/, what it renders to. UPDATE=1 rewrites want/.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>

#include "lib/base/share.h"
#include "lib/base/str.h"
#include "render/later.h"
#include "render/render.h"
#include "tree.h"

#define CASES "tests/cases/render"

/* Path -> content of everything rendered, in the order made. */
struct output {
	struct arena *mem;
	struct map files;
};

static void
put(struct output *o, const char *path, const struct buf *b)
{
	map_put(&o->files, path, arena_strndup(o->mem, buf_cstr(b), b->len));
}

/* The built-in scripts stand in every environment: here by name, so that want/ can be read. */
static struct object
without_scripts(struct output *o, const struct object *object)
{
	struct object out = *object;
	const struct value *data = value_get(object->value, "data");
	struct value *copy = value_copy(o->mem, object->value);

	for (size_t i = 0; value_is(data, VALUE_MAP) && i < data->map.n; i++) {
		/* under its own name, or where there are secrets under another */
		const char *names[] = { data->map.items[i].key, "ssh.sh", "secrets.sh" };
		const struct share_file *f;
		struct err e;

		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			if (share_get(arena_printf(o->mem, "templates/scripts/%s", names[k]), &f, &e) == 0 &&
			    str_eq(f->bytes, value_as_str(data->map.items[i].value, NULL)))
				value_set(o->mem, value_get(copy, "data"), data->map.items[i].key, value_fmt(o->mem, "(templates/scripts/%s)", names[k]));
	}
	out.value = copy;
	return out;
}

static void
put_bundle(struct output *o, const struct bundle *b)
{
	struct buf text AUTO_BUF = BUF_INIT(0);

	for (size_t i = 0; i < b->n; i++) {
		struct object shown = without_scripts(o, &b->objects[i]);

		buf_reset(&text);
		object_write(&shown, &text);
		put(o, arena_printf(o->mem, "%s/%s", b->unit, b->objects[i].file), &text);
	}
	buf_reset(&text);
	bundle_kustomization(b, &text);
	put(o, arena_printf(o->mem, "%s/kustomization.yaml", b->unit), &text);
	buf_reset(&text);
	for (size_t i = 0; i < b->nlater; i++)
		buf_printf(&text, "%s: %s\n", b->later[i], later_text(b->later[i]));
	if (text.len > 0)
		put(o, arena_printf(o->mem, "%s/later.txt", b->unit), &text);
}

/* Renders one unit's result: a bundle, or the error among the others. */
static void
take(struct output *o, int rc, struct bundle *const *b, const struct err *e, struct buf *errors)
{
	if (rc == 0)
		put_bundle(o, *b);
	else
		buf_printf(errors, "%s\n", e->text);
}

static void
render_docs(struct tree *t, const struct templates *ts, struct output *o, struct buf *errors)
{
	struct bundle *b = NULL;
	struct err e = { 0 };
	void *d;

	take(o, render_org(ts, t->mem, &t->site, &b, &e), &b, &e, errors);
	for (size_t i = 0; map_next(&t->site.docs[KIND_TEAM], &i, NULL, &d);)
		take(o, render_team(ts, t->mem, &t->site, d, &b, &e), &b, &e, errors);
	for (size_t i = 0; map_next(&t->site.docs[KIND_USER], &i, NULL, &d);) {
		const struct doc *user = d;
		const struct env **envs = arena_array(t->mem, t->nenvs + 1, sizeof(*envs));
		size_t n = 0;

		for (size_t k = 0; k < t->nenvs; k++)
			if (strcmp(t->envs[k]->owner, user->name) == 0)
				envs[n++] = t->envs[k];
		take(o, render_user(ts, t->mem, &t->site, user, envs, n, &b, &e), &b, &e, errors);
	}
	for (size_t i = 0; i < t->nenvs; i++)
		take(o, render_env(ts, t->mem, t->envs[i], &b, &e), &b, &e, errors);
}

static void
render_tree(struct tree *t, struct output *o)
{
	struct buf errors AUTO_BUF = BUF_INIT(0);
	struct templates *ts = NULL;
	struct err e = { 0 };

	o->mem = t->mem;
	tree_resolve(t);
	if (templates_load(&t->files, &t->report, &ts, &e) == 0)
		render_docs(t, ts, o, &errors);
	else
		buf_printf(&errors, "%s\n", e.text);
	report_sort(&t->report);
	for (size_t i = 0; i < t->report.n; i++)
		if (t->report.items[i].severity == SEVERITY_ERROR) {
			finding_line(&t->report.items[i], &errors);
			buf_char(&errors, '\n');
		}
	if (errors.len > 0)
		put(o, "errors.txt", &errors);
	templates_free(ts);
}

static void
update(const char *want, const struct output *o)
{
	const char **paths, *path;
	unsigned int *modes;
	struct err e = { 0 };
	void *text;
	size_t n = 0;

	if (fs_mkdirs(want, &e) < 0 || fs_list(want, 10000, o->mem, &paths, &modes, &n, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n; i++)
		if (!map_has(&o->files, paths[i]))
			(void)remove(arena_printf(o->mem, "%s/%s", want, paths[i]));
	for (size_t i = 0; map_next(&o->files, &i, &path, &text);) {
		char *full = arena_printf(o->mem, "%s/%s", want, path);
		char *slash = strrchr(full, '/');

		*slash = '\0';
		if (fs_mkdirs(full, &e) < 0)
			fail_msg("%s", e.text);
		*slash = '/';
		if (fs_write_atomic(full, text, strlen(text), 0644, &e) < 0)
			fail_msg("%s", e.text);
	}
}

/* The first line that differs, for a person to look at. */
static void
differ(const char *path, const char *want, const char *got)
{
	int line = 1;

	while (*want && *want == *got) {
		line += *want == '\n';
		want++;
		got++;
	}
	print_message("# %s:%d: want '%.*s', got '%.*s'\n", path, line, (int)strcspn(want, "\n"), want, (int)strcspn(got, "\n"), got);
}

static void
compare(const char *want, const struct output *o)
{
	const char **paths, *path;
	unsigned int *modes;
	struct err e = { 0 };
	size_t n = 0, wrong = 0, len;
	void *text;
	char *old;

	if (fs_list(want, 10000, o->mem, &paths, &modes, &n, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n; i++)
		if (!map_has(&o->files, paths[i]) && ++wrong)
			print_message("# %s is not rendered any more\n", paths[i]);
	for (size_t i = 0; map_next(&o->files, &i, &path, &text);) {
		if (fs_read(arena_printf(o->mem, "%s/%s", want, path), (size_t)1 << 20, o->mem, &old, &len, &e) < 0) {
			print_message("# %s is new\n", path);
			wrong++;
		} else if (strcmp(old, text) != 0) {
			differ(path, old, text);
			wrong++;
		}
	}
	if (wrong > 0)
		fail_msg("%zu files of %s differ; UPDATE=1 rewrites them", wrong, want);
}

static void
one_case(void **state)
{
	const char *name = *state;
	char in[512], want[512];
	struct output o = { NULL, MAP_INIT };
	struct tree t;
	FILE *from;

	(void)snprintf(in, sizeof(in), CASES "/%s/from", name);
	(void)snprintf(want, sizeof(want), CASES "/%s/want", name);
	from = fopen(in, "re");
	if (from) {
		assert_non_null(fgets(in, sizeof(in), from));
		in[strcspn(in, "\n")] = '\0';
		(void)fclose(from);
	} else {
		(void)snprintf(in, sizeof(in), CASES "/%s/in", name);
	}
	tree_load(&t, in);
	render_tree(&t, &o);
	if (getenv("UPDATE"))
		update(want, &o);
	else
		compare(want, &o);
	map_free(&o.files);
	tree_free(&t);
}

static int
visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int
main(void)
{
	struct dirent **names;
	struct CMUnitTest tests[200] = { 0 };
	int n = scandir(CASES, &names, visible, alphasort), rc;

	if (n <= 0 || n > 200) {
		printf("1..1\nnot ok 1 - no cases in " CASES "\n");
		return 1;
	}
	for (int i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){ names[i]->d_name, one_case, NULL, NULL, names[i]->d_name };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = _cmocka_run_group_tests("cases/render", tests, (size_t)n, NULL, NULL);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return rc;
}
