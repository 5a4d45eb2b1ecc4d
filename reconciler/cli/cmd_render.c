/* SPDX-License-Identifier: Apache-2.0 */
/* berth render: manifests on standard output or into a folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kustomization.h"
#include "cli/explain_object.h"
#include "cli/tree.h"
#include "lib/base/fs.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml.h"
#include "world.h"

struct out {
	const struct args *a;
	const char *dir; /* or NULL: standard output */
	enum output form;
	struct value *list; /* json: all objects */
	size_t objects, failed, hits;
	struct map units; /* written below dir */
	const struct world *w;
	const char *explain; /* the object to explain, or NULL */
	struct buf text;     /* what was explained */
	size_t explained;
	const char *nearest; /* some object that was looked at, for the hint */
};

static int
write_folder(struct out *o, const struct bundle *b, struct err *e)
{
	const char *folder = arena_printf(o->a->mem, "%s/%s", o->dir, b->unit);
	struct buf text AUTO_BUF = BUF_INIT(0);
	int rc;

	if ((rc = fs_mkdirs(folder, e)) < 0)
		return rc;
	(void)map_put(&o->units, b->unit, NULL);
	for (size_t i = 0; i < b->n; i++) {
		buf_reset(&text);
		object_write(&b->objects[i], &text);
		rc = fs_write_atomic(arena_printf(o->a->mem, "%s/%s", folder, b->objects[i].file), text.data, text.len, 0644, e);
		if (rc < 0)
			return rc;
	}
	buf_reset(&text);
	bundle_kustomization(b, &text);
	return fs_write_atomic(arena_printf(o->a->mem, "%s/kustomization.yaml", folder), text.data, text.len, 0644, e);
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* kustomization.yaml of "envs" lists "alice/train/", that of the root ("") "envs/". */
static int
write_list(struct out *o, const char *folder, struct err *e)
{
	struct arena *mem = o->a->mem;
	const char **names = arena_array(mem, o->units.live + 1, sizeof(*names)), *unit, *prefix;
	struct buf text AUTO_BUF = BUF_INIT((size_t)16 << 20);
	size_t n = 0, k = 0, skip = *folder ? strlen(folder) + 1 : 0;
	int rc;

	prefix = skip ? arena_printf(mem, "%s/", folder) : "";
	for (size_t i = 0; map_next(&o->units, &i, &unit, NULL);)
		if (str_starts(unit, prefix))
			names[n++] = skip ? arena_printf(mem, "%s/", unit + skip) :
			                    arena_printf(mem, "%.*s/", (int)strcspn(unit, "/"), unit);
	if (!n)
		return 0;
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++)
		if (!k || strcmp(names[i], names[k - 1]) != 0)
			names[k++] = names[i];
	kustomization_write(mem, names, k, &text);
	if ((rc = buf_check(&text, "kustomization.yaml", e)) < 0)
		return rc;
	return fs_write_atomic(arena_printf(mem, "%s/%skustomization.yaml", o->dir, prefix), text.data, text.len, 0644, e);
}

static int
write_lists(struct out *o, struct err *e)
{
	static const char *const folders[] = { "", "envs", "teams", "users" };
	int rc;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if ((rc = write_list(o, folders[i], e)) < 0)
			return rc;
	return 0;
}

static void
explain(struct out *o, const struct explain_unit *u)
{
	for (size_t i = 0; i < u->bundle->n; i++) {
		const struct object *object = &u->bundle->objects[i];

		if (!explain_is_named(o->explain, u->bundle, object)) {
			if (!o->nearest || strcmp(object->kind, "StatefulSet") == 0)
				o->nearest = arena_printf(o->a->mem, "%s/%s", object->kind, object->name);
			continue;
		}
		explain_object(o->a->mem, u, object, &o->text, o->list);
		o->explained++;
	}
}

static int
emit(struct out *o, const struct explain_unit *u, struct err *e)
{
	const struct bundle *b = u->bundle;
	struct buf text AUTO_BUF = BUF_INIT(0);

	if (!b)
		return 0;
	o->objects += b->n;
	if (o->explain) {
		explain(o, u);
		return 0;
	}
	if (o->dir)
		return write_folder(o, b, e);
	for (size_t i = 0; i < b->n; i++) {
		if (o->form == OUTPUT_JSON) {
			value_push(o->a->mem, o->list, value_copy(o->a->mem, object_shown(o->a->mem, &b->objects[i])));
			continue;
		}
		buf_reset(&text);
		object_write(&b->objects[i], &text);
		(void)printf("---\n# %s/%s\n%s", b->unit, b->objects[i].file, buf_cstr(&text));
	}
	return 0;
}

static struct explain_unit
unit_of(const struct out *o, const struct bundle *b)
{
	return (struct explain_unit){ .templates = world_templates(o->w), .bundle = b, .org = world_site(o->w)->org };
}

static void
say_findings(const struct env_result *r)
{
	struct buf line AUTO_BUF = BUF_INIT(0);

	for (size_t i = 0; i < r->findings.n; i++) {
		if (r->findings.items[i].severity != SEVERITY_ERROR)
			continue;
		buf_reset(&line);
		finding_line(&r->findings.items[i], &line);
		(void)fprintf(stderr, "%s\n", buf_cstr(&line));
	}
}

static void
say_later(const struct env_result *r)
{
	if (!r->bundle || !r->bundle->nlater)
		return;
	(void)fprintf(stderr, "%s: not rendered by this version:", r->path);
	for (size_t i = 0; i < r->bundle->nlater; i++)
		(void)fprintf(stderr, "%s %s", i ? "," : "", r->bundle->later[i]);
	(void)fputc('\n', stderr);
}

static bool
named(const struct args *a, const char *owner, const char *name, bool *owner_named)
{
	size_t n = strlen(owner);
	bool hit = false;

	*owner_named = !a->npos;
	for (size_t i = 0; i < a->npos; i++) {
		bool same = strncmp(a->pos[i], owner, n) == 0 && a->pos[i][n] == '/';

		*owner_named |= same;
		hit |= same && name && strcmp(a->pos[i] + n + 1, name) == 0;
	}
	return hit || !a->npos;
}

static int
visit(void *ctx, const struct env_result *r, struct err *e)
{
	struct out *o = ctx;
	struct explain_unit u = unit_of(o, r->bundle);
	bool mine;

	if (!named(o->a, r->owner, r->name, &mine))
		return 0;
	o->hits++;
	if (!r->ok) {
		o->failed++;
		say_findings(r);
		return 0;
	}
	if (!o->explain)
		say_later(r);
	u.env = r->env;
	u.team = r->env->team;
	u.user = r->env->user;
	return emit(o, &u, e);
}

static int
render_owner(struct out *o, struct world *w, const char *owner, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	struct owner_result r;
	struct explain_unit u;
	bool mine;
	int rc;

	(void)named(o->a, owner, NULL, &mine);
	if (!mine)
		return 0;
	if ((rc = world_owner(w, mem, owner, true, visit, o, &r, e)) < 0)
		return rc;
	u = unit_of(o, r.bundle);
	u.user = r.user;
	return o->a->npos ? 0 : emit(o, &u, e);
}

static int
render_shared(struct out *o, struct world *w, struct err *e)
{
	struct explain_unit u = unit_of(o, NULL);
	const char *team;
	int rc;

	if ((rc = world_org(w, o->a->mem, &u.bundle, e)) < 0 || (rc = emit(o, &u, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&world_site(w)->docs[KIND_TEAM], &i, &team, NULL);) {
		u.team = site_get(world_site(w), KIND_TEAM, team);
		if ((rc = world_team(w, o->a->mem, team, &u.bundle, e)) < 0 || (rc = emit(o, &u, e)) < 0)
			return rc;
	}
	return 0;
}

static int
render_all(struct out *o, struct world *w, struct err *e)
{
	const char **owners;
	size_t n;
	int rc;

	if (world_check_usable(w, o->a->mem, e) < 0)
		return err_hint(e, "`berth validate` shows them");
	if (!o->a->npos && (rc = render_shared(o, w, e)) < 0)
		return rc;
	world_owners(w, o->a->mem, &owners, &n);
	for (size_t i = 0; i < n; i++)
		if ((rc = render_owner(o, w, owners[i], e)) < 0)
			return rc;
	if (o->a->npos && o->hits < o->a->npos) {
		(void)err_set(e, ERR_USAGE, "%s is not here", o->a->npos == 1 ? o->a->pos[0] : "one of the environments named");
		return err_hint(e, "environments are OWNER/NAME for files envs/OWNER/NAME.yaml");
	}
	return 0;
}

/* Nothing of that name: what there is may help. */
static int
none_explained(const struct out *o, struct err *e)
{
	(void)err_set(e, ERR_USAGE, "no object %s in what is rendered%s", str_line(o->a->mem, o->explain),
	              o->failed ? " (some environments have errors: `berth validate`)" : "");
	if (!o->nearest)
		return err_hint(e, "objects are KIND/NAME, or named by their file: `berth render --out DIR` shows them all");
	return err_hint(e, "objects are KIND/NAME, for example `berth render --explain %s`; `berth render --out DIR` shows them all",
	                o->nearest);
}

static int
print(struct out *o, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT((size_t)1 << 30);
	int rc;

	if (o->dir && !o->explain) {
		if ((rc = write_lists(o, e)) == 0)
			(void)fprintf(stderr, "%zu objects written below %s\n", o->objects, o->dir);
		return rc;
	}
	if (o->explain && !o->explained)
		return none_explained(o, e);
	if (o->explain && o->form == OUTPUT_TABLE)
		return fputs(buf_cstr(&o->text), stdout) < 0 ? ERR_UNAVAILABLE : 0;
	if (o->explain) {
		output_value(o->list, o->form);
	} else if (o->form == OUTPUT_JSON) {
		json_write(o->list, 2, &text);
		(void)printf("%s\n", buf_cstr(&text));
	}
	return 0;
}

static int
run(const struct args *a, struct err *e)
{
	struct out o = { .a = a, .dir = args_str(a, "out", NULL), .explain = args_str(a, "explain", NULL), .text = BUF_INIT(64 << 20) };
	struct files files;
	struct world *w;
	const char *label;
	int rc;

	if ((rc = args_output(a, &o.form, e)) < 0)
		return rc;
	if (o.explain && o.dir)
		return err_set(e, ERR_USAGE, "--explain prints: leave out --out");
	for (size_t i = 0; i < a->npos; i++)
		if ((rc = env_of_arg(a->mem, a->pos[i], &a->pos[i], e)) < 0)
			return rc;
	o.list = value_list(a->mem);
	if ((rc = tree_of_args(a, &files, &label, e)) < 0 || (rc = world_new(&w, e)) < 0)
		return rc;
	o.w = w;
	if ((rc = world_adopt(w, &files, NULL, 0, true, e)) == 0)
		rc = render_all(&o, w, e);
	if (rc == 0)
		rc = print(&o, e);
	map_free(&o.units);
	buf_free(&o.text);
	world_free(w);
	if (rc < 0)
		return rc;
	return o.failed ? EXIT_FINDINGS : EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository (default: here)" },
	{ "commit", "REV", "render a commit instead of the working tree" },
	{ "out", "DIR", "write files below DIR, laid out like the rendered branch" },
	{ "explain", "OBJECT", "where each field of an object comes from: template line and input (KIND/NAME, or its file)" },
	{ "o", "yaml|json", "how to print to standard output" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_render = {
	.name = "render", .args = "[OWNER/NAME…]", .summary = "print the manifests that specs become",
	.examples = "berth render alice/train              one environment\n"
	            "berth render -C envs --out manifests  everything, as files\n"
	            "berth render bo/genome -o json | jq .\n"
	            "berth render --explain StatefulSet/train alice/train\n",
	.details = "Reads no network and no cluster. Without names everything is rendered, users, teams and organization too.\n\n"
	           "--explain lists an object's fields by the template line that wrote them. `42  spec.replicas: 4  <- env.replicas  <- "
	           "spec.distributed.worldSize envs/alice/train.yaml:9` means: line 42 of the template above places 4; it reads the variable "
	           "env.replicas, which follows from that field, written there. Without OWNER/NAME every object of that name is explained.",
	.opts = opts, .max = 10000, .run = run,
};
