/* SPDX-License-Identifier: Apache-2.0 */
/* berth diff: what the cluster holds against what the tree renders. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/live.h"
#include "cli/tree.h"
#include "cli/units.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/kube/fields.h"

enum state { STATE_SAME, STATE_MISSING, STATE_DIFFERS, STATE_REFUSED, STATE_EXTRA, STATE_UNKNOWN, STATE_COUNT };

static const char *const state_names[] = { "same", "missing", "differs", "refused", "extra", "unknown" };

struct diff {
	const struct args *a;
	struct cluster c;
	enum output form;
	bool colour;
	struct value *units;     /* json, yaml: {unit, objects} */
	struct map rendered, kinds, namespaces, names; /* keys of what was looked at */
	size_t count[STATE_COUNT], invalid;
	size_t unasked;          /* objects that the dry run was refused for */
	const char *why_unasked;
	char today[11];          /* "2026-11-25" */
};

/* What is said of one object. */
struct row {
	const char *id, *ns;
	enum state state;
	const char *message;     /* or NULL */
	struct differences d;
	struct fields_view view; /* foreign hands; view.foreign NULL: none */
};

/* -- judging ------------------------------------------------------------------------------------------------------------- */

static const char *
joined(struct arena *mem, const struct question *q, bool secret)
{
	const char **lines, *out;
	size_t n;

	live_causes(mem, q, secret, &lines, &n);
	out = lines[0];
	for (size_t i = 1; i < n; i++)
		out = arena_printf(mem, "%s; %s", out, lines[i]);
	return out;
}

static void
note_unasked(struct diff *d, const struct live *l)
{
	d->unasked++;
	if (!d->why_unasked)
		d->why_unasked = arena_strdup(d->a->mem, l->attempt.message);
}

/* An object that is there. */
static void
judge_live(struct diff *d, struct arena *mem, const struct live *l, struct row *r)
{
	const struct value *meta = value_get(l->look.answer, "metadata");

	live_differences(mem, l, &r->d);
	fields_look(mem, meta, l->o->kind, KUBE_MANAGER, &r->view);
	if (!r->view.ours)
		r->view.foreign = NULL; /* others apply it, on purpose */
	r->state = r->d.n ? STATE_DIFFERS : STATE_SAME;
	if (l->attempt.status == 200)
		return;
	if (l->attempt.status == 403 || l->attempt.status == 405 || l->attempt.status == 415) {
		note_unasked(d, l);
		return;
	}
	r->state = STATE_REFUSED;
	r->message = joined(mem, &l->attempt, live_is_secret(l));
	if (l->immutable)
		r->message = arena_printf(mem, "%s cannot be changed in place%s", l->immutable,
		                          live_is_volume(l) ? ", and berth deletes no data" : ": berth makes it anew");
}

static void
judge(struct diff *d, struct arena *mem, const struct live *l, struct row *r)
{
	*r = (struct row){ .id = live_name(mem, l->o->kind, l->o->name), .ns = l->o->namespace_ };
	if (!l->kind) {
		r->state = STATE_MISSING;
		r->message = l->trouble;
	} else if (l->look.status == 404) {
		r->state = STATE_MISSING;
	} else if (l->look.status != 200 || !l->look.answer) {
		r->state = STATE_UNKNOWN;
		r->message = *l->look.message ? l->look.message : "the answer could not be read";
	} else {
		judge_live(d, mem, l, r);
		if (r->state != STATE_SAME && !live_is_ours(l, NULL))
			r->message = "it carries none of berth's labels: somebody else made it";
	}
}

/* -- as data --------------------------------------------------------------------------------------------------------------- */

static void
set(struct arena *mem, struct value *v, const char *key, const char *text)
{
	if (text)
		value_set(mem, v, key, value_str(mem, text));
}

static struct value *
row_value(struct arena *mem, const struct row *r)
{
	struct value *v = value_map(mem), *list = value_list(mem), *foreign = value_map(mem);

	set(mem, v, "object", r->id);
	set(mem, v, "namespace", r->ns);
	set(mem, v, "state", state_names[r->state]);
	set(mem, v, "message", r->message);
	for (size_t i = 0; i < r->d.n; i++) {
		struct value *f = value_map(mem);

		set(mem, f, "path", r->d.items[i].path);
		set(mem, f, "live", r->d.items[i].live);
		set(mem, f, "rendered", r->d.items[i].want);
		set(mem, f, "manager", r->d.items[i].manager);
		set(mem, f, "time", r->d.items[i].time);
		value_push(mem, list, f);
	}
	if (r->d.n)
		value_set(mem, v, "fields", list);
	if (r->view.foreign) {
		set(mem, foreign, "manager", r->view.foreign);
		set(mem, foreign, "time", r->view.foreign_time);
		set(mem, foreign, "field", r->view.what);
		value_set(mem, v, "foreign", foreign);
	}
	return v;
}

/* -- for people ------------------------------------------------------------------------------------------------------------ */

enum { RED = 31, GREEN = 32, YELLOW = 33, DIM = 2 };

static void
paint(const struct diff *d, int code, const char *text)
{
	if (d->colour)
		(void)printf("\033[%dm%s\033[0m", code, text);
	else
		(void)fputs(text, stdout);
}

/* "12:03:11" of today, else with its day. */
static const char *
short_time(const struct diff *d, struct arena *mem, const char *t)
{
	if (!t || strlen(t) < 19)
		return t ? t : "";
	if (strncmp(t, d->today, 10) == 0)
		return arena_strndup(mem, t + 11, 8);
	return arena_printf(mem, "%.10s %.8s", t, t + 11);
}

static void
print_hand(const struct diff *d, struct arena *mem, const struct difference *f)
{
	if (f->manager)
		paint(d, DIM, arena_printf(mem, "   (%s%s%s)", f->manager, f->time ? ", " : "", short_time(d, mem, f->time)));
	else if (f->nameless)
		paint(d, DIM, "   (whoever did it left no name)");
}

static void
print_row(const struct diff *d, struct arena *mem, const struct row *r)
{
	if (r->state != STATE_DIFFERS) {
		(void)printf("  %-34s  ", r->id);
		paint(d, YELLOW, state_names[r->state]);
		(void)printf("%s%s\n", r->message ? ": " : "", r->message ? r->message : "");
	} else if (r->message) {
		(void)printf("  %-34s  (%s)\n", r->id, r->message);
	}
	for (size_t i = 0; i < r->d.n; i++) {
		const struct difference *f = &r->d.items[i];

		(void)printf("  %-34s  %s: ", r->id, f->path);
		paint(d, RED, f->live);
		(void)printf(" -> ");
		paint(d, GREEN, f->want);
		print_hand(d, mem, f);
		(void)printf("\n");
	}
	if (r->d.more)
		(void)printf("  %-34s  and %zu more fields\n", r->id, r->d.more);
}

/* One line for a unit that is not there at all, or that may not be read at all; false: each object needs its own. */
static bool
print_whole(const struct diff *d, const struct row *rows, size_t n)
{
	if (n < 2 || (rows[0].state != STATE_MISSING && rows[0].state != STATE_UNKNOWN))
		return false;
	for (size_t i = 0; i < n; i++)
		if (rows[i].state != rows[0].state || (rows[i].state == STATE_MISSING && rows[i].message))
			return false;
	(void)printf("  all %zu objects  ", n);
	paint(d, YELLOW, state_names[rows[0].state]);
	(void)printf("%s%s\n", rows[0].message ? ": " : "", rows[0].message ? rows[0].message : "");
	return true;
}

static void
emit_unit(struct diff *d, struct arena *mem, const char *unit, const struct row *rows, size_t n)
{
	size_t differing = 0;

	for (size_t i = 0; i < n; i++) {
		d->count[rows[i].state]++;
		differing += rows[i].state != STATE_SAME;
	}
	if (d->form != OUTPUT_TABLE) {
		struct value *v = value_map(mem), *list = value_list(mem);

		set(mem, v, "unit", unit);
		for (size_t i = 0; i < n; i++)
			value_push(mem, list, row_value(mem, &rows[i]));
		value_set(mem, v, "objects", list);
		value_push(d->a->mem, d->units, value_copy(d->a->mem, v));
		return;
	}
	if (!differing)
		return;
	(void)printf("%s\n", unit);
	if (print_whole(d, rows, n))
		return;
	for (size_t i = 0; i < n; i++)
		if (rows[i].state != STATE_SAME)
			print_row(d, mem, &rows[i]);
}

/* -- the run --------------------------------------------------------------------------------------------------------------- */

static void
note_object(struct diff *d, const struct object *o)
{
	const char *slash = strchr(o->api_version, '/');

	(void)map_put(&d->rendered, live_object_key(d->a->mem, o), NULL);
	(void)map_put(&d->kinds, arena_printf(d->a->mem, "%.*s/%s", slash ? (int)(slash - o->api_version) : 0, o->api_version, o->kind), NULL);
	if (o->namespace_)
		(void)map_put(&d->namespaces, o->namespace_, NULL);
}

static int
visit(void *ctx, struct arena *mem, const struct bundle *b, size_t n, struct err *e)
{
	struct diff *d = ctx;
	struct live *l;
	size_t nl, at = 0;
	int rc;

	if ((rc = live_look(&d->c, mem, b, n, &l, &nl, e)) < 0 || (rc = live_attempt(&d->c, mem, l, nl, false, NULL, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		struct row *rows = arena_array(mem, b[i].n + 1, sizeof(*rows));

		(void)map_put(&d->names, b[i].unit, NULL);
		for (size_t j = 0; j < b[i].n; j++) {
			note_object(d, &b[i].objects[j]);
			judge(d, mem, &l[at++], &rows[j]);
		}
		emit_unit(d, mem, b[i].unit, rows, b[i].n);
	}
	return 0;
}

static void
bad(void *ctx, const char *unit, const char *why)
{
	struct diff *d = ctx;

	d->invalid++;
	(void)map_put(&d->names, unit, d); /* what it had stays as it is: none of it is extra */
	if (d->form == OUTPUT_TABLE) {
		(void)printf("%s\n  not valid, left as it is: %s\n", unit, why);
	} else {
		struct value *v = value_map(d->a->mem);

		set(d->a->mem, v, "unit", unit);
		set(d->a->mem, v, "invalid", why);
		value_push(d->a->mem, d->units, v);
	}
}

/* Objects of the same unit come together. */
static void
emit_extras(struct diff *d, const struct extra *x, size_t n)
{
	struct map done AUTO_MAP = MAP_INIT;

	for (size_t i = 0; i < n; i++) {
		struct row *rows;
		size_t k = 0;

		if (map_has(&done, x[i].unit) || map_get(&d->names, x[i].unit) || (d->a->npos && !map_has(&d->names, x[i].unit)))
			continue;
		(void)map_put(&done, x[i].unit, NULL);
		rows = arena_array(d->a->mem, n - i, sizeof(*rows));
		for (size_t j = i; j < n; j++)
			if (strcmp(x[j].unit, x[i].unit) == 0)
				rows[k++] = (struct row){ .id = live_name(d->a->mem, x[j].kind, x[j].name), .ns = x[j].ns, .state = STATE_EXTRA,
					.message = x[j].kept ? "not rendered; it says that it stays" : "not rendered; berth deletes it" };
		emit_unit(d, d->a->mem, x[i].unit, rows, k);
	}
}

static int
find_extras(struct diff *d, struct err *e)
{
	struct value *refused = value_list(d->a->mem);
	struct extra *x;
	size_t n;
	int rc = live_extras(&d->c, d->a->mem, &d->rendered, &d->kinds, d->a->npos ? &d->namespaces : NULL, &x, &n, refused, e);

	if (rc < 0)
		return rc;
	emit_extras(d, x, n);
	if (value_len(refused))
		(void)fprintf(stderr, "berth: what is there but not rendered was not looked for in %zu kind%s: %s\n", value_len(refused),
		              value_len(refused) == 1 ? "" : "s", value_as_str(value_item(refused, 0), ""));
	return 0;
}

static void
print_all(const struct diff *d, const char *label)
{
	struct value *v = value_map(d->a->mem), *sum = value_map(d->a->mem);

	if (d->unasked)
		(void)fprintf(stderr, "berth: %zu object%s compared without the server's defaults: %s\n", d->unasked,
		              d->unasked == 1 ? " was" : "s were", d->why_unasked);
	if (d->form == OUTPUT_TABLE) {
		(void)printf("%s against %s:", label, kube_server(d->c.kube));
		for (size_t i = STATE_MISSING; i < STATE_COUNT; i++)
			if (d->count[i])
				(void)printf(" %zu %s,", d->count[i], state_names[i]);
		(void)printf(" %zu same.\n", d->count[STATE_SAME]);
		return;
	}
	for (size_t i = 0; i < STATE_COUNT; i++)
		value_set(d->a->mem, sum, state_names[i], value_int(d->a->mem, (int64_t)d->count[i]));
	set(d->a->mem, v, "cluster", kube_server(d->c.kube));
	set(d->a->mem, v, "tree", label);
	value_set(d->a->mem, v, "units", d->units);
	value_set(d->a->mem, v, "summary", sum);
	output_value(v, d->form);
}

static int
compare(struct diff *d, const char **label, struct err *e)
{
	struct world *w;
	struct units_visit v = { .visit = visit, .bad = bad, .ctx = d };
	int rc;

	for (size_t i = 0; i < d->a->npos; i++)
		if ((rc = env_of_arg(d->a->mem, d->a->pos[i], &d->a->pos[i], e)) < 0)
			return rc;
	if ((rc = cluster_of_args(d->a, &d->c, e)) < 0 || (rc = units_open(d->a, &w, label, e)) < 0)
		return rc;
	if ((rc = units_each(d->a, w, &v, e)) == 0)
		rc = find_extras(d, e);
	world_free(w);
	return rc;
}

static int
run(const struct args *a, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)4 << 30);
	struct args own = *a;
	struct diff d = { .a = &own, .colour = use_colour(STDOUT_FILENO) };
	char now[RFC3339_LEN];
	const char *label;
	int rc;

	own.mem = mem;
	d.units = value_list(mem);
	clock_rfc3339(clock_now(), now);
	memcpy(d.today, now, 10);
	if ((rc = args_output(a, &d.form, e)) == 0 && (rc = compare(&d, &label, e)) == 0)
		print_all(&d, label);
	cluster_close(&d.c);
	map_free(&d.rendered);
	map_free(&d.kinds);
	map_free(&d.namespaces);
	map_free(&d.names);
	if (rc < 0)
		return rc;
	if (d.count[STATE_MISSING] + d.count[STATE_DIFFERS] + d.count[STATE_REFUSED] + d.count[STATE_EXTRA] + d.invalid)
		return EXIT_FINDINGS;
	return d.count[STATE_UNKNOWN] ? EXIT_REFUSED : EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository (default: here)" },
	{ "commit", "REV", "compare a commit instead of the working tree" },
	CLUSTER_OPTS,
	{ "o", "table|json|yaml", "how to print it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_diff = {
	.name = "diff", .args = "[OWNER/NAME…]", .summary = "compare the cluster with what the files ask for, field by field",
	.examples = "berth diff                            everything, and what is there that nothing renders\n"
	            "berth diff alice/train --context lab  one environment\n"
	            "berth diff --commit origin/main -o json\n",
	.details = "Writes nothing. Each line: object, field, what the cluster holds -> what is rendered, and in parentheses who wrote the\n"
	           "field and when. Values of Secrets are never shown: digests that only this call can compare.\n"
	           "Exact where the right to patch is there (a server-side dry run fills in the defaults). Exit 1: something differs;\n"
	           "3: the cluster cannot be reached; 4: nothing differs but something could not be read.",
	.opts = opts, .max = 10000, .run = run,
};
