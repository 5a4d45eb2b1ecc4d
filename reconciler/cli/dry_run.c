/* SPDX-License-Identifier: Apache-2.0 */
/* Every object of a tree, asked by server-side dry run. */
#include "cli/dry_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/live.h"
#include "cli/tree.h"
#include "cli/units.h"
#include "lib/base/str.h"

enum outcome { OUTCOME_CREATED, OUTCOME_CONFIGURED, OUTCOME_RECREATED, OUTCOME_UNCHANGED, OUTCOME_UNASKED, OUTCOME_REFUSED, OUTCOME_COUNT };

static const char *const outcome_names[] = { "created", "configured", "recreated", "unchanged", "not asked", "refused" };

struct dry {
	const struct args *a;
	struct cluster c;
	enum output form;
	bool colour;
	struct value *units;
	struct map missing;      /* namespaces that are not there */
	struct map made;         /* namespaces that this tree makes */
	size_t said;             /* missing namespaces that were said already */
	size_t count[OUTCOME_COUNT], invalid, elsewhere;
};

struct row {
	const char *id, *ns, *elsewhere;
	enum outcome outcome;
	const char **why; /* lines */
	size_t nwhy;
};

static void
because(struct arena *mem, struct row *r, enum outcome o, const char *line)
{
	r->outcome = o;
	r->why = arena_array(mem, 1, sizeof(*r->why));
	r->why[0] = line;
	r->nwhy = 1;
}

static const char *
maker(struct arena *mem, const struct live *l)
{
	const struct value *list = value_at(l->look.answer, "metadata.managedFields");

	return str_line(mem, value_as_str(value_get(value_item(list, 0), "manager"), "somebody"));
}

/* What the server will not change in place. */
static void
judge_immutable(struct arena *mem, const struct live *l, struct row *r)
{
	bool fine = !l->anew.code || (l->anew.status == 409 && strcmp(l->anew.reason, "AlreadyExists") == 0);

	if (live_is_volume(l)) {
		because(mem, r, OUTCOME_REFUSED,
		        arena_printf(mem, "%s cannot be changed on a volume that exists, and berth deletes no data: put the old value back, or copy "
		                     "the data to a claim of another name", l->immutable));
	} else if (fine) {
		because(mem, r, OUTCOME_RECREATED, arena_printf(mem, "%s cannot be changed in place: deleted and made anew", l->immutable));
	} else {
		r->outcome = OUTCOME_REFUSED;
		live_causes(mem, &l->anew, live_is_secret(l), &r->why, &r->nwhy);
	}
}

static void
judge_live(const struct dry *d, struct arena *mem, const struct live *l, struct row *r)
{
	const char *inventory = args_str(d->a, "inventory", "berth");
	struct differences found;

	if (!live_is_ours(l, inventory)) {
		because(mem, r, OUTCOME_REFUSED,
		        arena_printf(mem, "it is there already and not berth's (made by %s): remove or rename it, or hand it over with the "
		                     "annotation berth.dev/adopt=%s", maker(mem, l), inventory));
	} else if (l->immutable) {
		judge_immutable(mem, l, r);
	} else if (l->attempt.status != 200) {
		r->outcome = OUTCOME_REFUSED;
		live_causes(mem, &l->attempt, live_is_secret(l), &r->why, &r->nwhy);
	} else {
		live_differences(mem, l, &found);
		r->outcome = found.n ? OUTCOME_CONFIGURED : OUTCOME_UNCHANGED;
	}
}

static void
judge_new(struct arena *mem, const struct live *l, struct row *r)
{
	long status = l->attempt.status;

	if (status == 201 || status == 200 || status == 409) { /* 409: of that name there is one where it was asked; it was valid */
		r->outcome = OUTCOME_CREATED;
		return;
	}
	r->outcome = OUTCOME_REFUSED;
	live_causes(mem, &l->attempt, live_is_secret(l), &r->why, &r->nwhy);
	if (l->elsewhere && status == 403)
		because(mem, r, OUTCOME_UNASKED,
		        arena_printf(mem, "cannot be asked before the namespace %s is there (%s)", l->o->namespace_, l->attempt.message));
}

static void
judge(const struct dry *d, struct arena *mem, const struct live *l, struct row *r)
{
	*r = (struct row){ .id = live_name(mem, l->o->kind, l->o->name), .ns = l->o->namespace_, .elsewhere = l->elsewhere };
	if (!l->kind)
		because(mem, r, OUTCOME_REFUSED, l->trouble);
	else if (l->look.status == 200)
		judge_live(d, mem, l, r);
	else if (l->attempt.status)
		judge_new(mem, l, r);
	else
		because(mem, r, OUTCOME_REFUSED, l->look.message);
}

/* -- printing -------------------------------------------------------------------------------------------------------------- */

static struct value *
row_value(struct arena *mem, const struct row *r)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "object", value_str(mem, r->id));
	if (r->ns)
		value_set(mem, v, "namespace", value_str(mem, r->ns));
	value_set(mem, v, "outcome", value_str(mem, outcome_names[r->outcome]));
	if (r->elsewhere)
		value_set(mem, v, "askedIn", value_str(mem, r->elsewhere));
	if (r->nwhy)
		value_set(mem, v, "reasons", value_strs(mem, r->why, r->nwhy));
	return v;
}

static void
print_row(const struct dry *d, const struct row *r)
{
	static const int colours[] = { 32, 33, 35, 2, 33, 31 };

	if (d->colour)
		(void)printf("  \033[%dm%-11s\033[0m %s", colours[r->outcome], outcome_names[r->outcome], r->id);
	else
		(void)printf("  %-11s %s", outcome_names[r->outcome], r->id);
	if (r->nwhy == 1)
		(void)printf(": %s", r->why[0]);
	(void)printf("\n");
	for (size_t i = 0; r->nwhy > 1 && i < r->nwhy; i++)
		(void)printf("                %s\n", r->why[i]);
}

static void
emit_unit(struct dry *d, struct arena *mem, const char *unit, const struct row *rows, size_t n)
{
	struct value *v = value_map(mem), *list = value_list(mem);

	for (size_t i = 0; i < n; i++) {
		d->count[rows[i].outcome]++;
		d->elsewhere += rows[i].elsewhere != NULL;
	}
	if (d->form == OUTPUT_TABLE) {
		(void)printf("%s\n", unit);
		for (size_t i = 0; i < n; i++)
			print_row(d, &rows[i]);
		return;
	}
	value_set(mem, v, "unit", value_str(mem, unit));
	for (size_t i = 0; i < n; i++)
		value_push(mem, list, row_value(mem, &rows[i]));
	value_set(mem, v, "objects", list);
	value_push(d->a->mem, d->units, value_copy(d->a->mem, v));
}

/* Each namespace that is not there is said once. */
static void
say_missing(struct dry *d)
{
	const char *ns;
	size_t k = 0;

	for (size_t i = 0; map_next(&d->missing, &i, &ns, NULL); k++)
		if (k >= d->said && d->form == OUTPUT_TABLE)
			(void)printf("namespace %s is not there yet: what goes into it was asked in another one\n", ns);
	d->said = k;
}

static int
visit(void *ctx, struct arena *mem, const struct bundle *b, size_t n, struct err *e)
{
	struct dry *d = ctx;
	struct live *l;
	size_t nl, at = 0;
	int rc;

	if ((rc = live_look(&d->c, mem, b, n, &l, &nl, e)) < 0 || (rc = live_attempt(&d->c, mem, l, nl, true, &d->missing, e)) < 0)
		return rc;
	say_missing(d);
	for (size_t i = 0; i < n; i++) {
		struct row *rows = arena_array(mem, b[i].n + 1, sizeof(*rows));

		for (size_t j = 0; j < b[i].n; j++) {
			if (strcmp(b[i].objects[j].kind, "Namespace") == 0)
				(void)map_put(&d->made, b[i].objects[j].name, NULL);
			judge(d, mem, &l[at++], &rows[j]);
		}
		emit_unit(d, mem, b[i].unit, rows, b[i].n);
	}
	return 0;
}

static void
bad(void *ctx, const char *unit, const char *why)
{
	struct dry *d = ctx;

	d->invalid++;
	if (d->form == OUTPUT_TABLE) {
		(void)printf("%s\n  not valid   left as it is: %s\n", unit, why);
	} else {
		struct value *v = value_map(d->a->mem);

		value_set(d->a->mem, v, "unit", value_str(d->a->mem, unit));
		value_set(d->a->mem, v, "invalid", value_str(d->a->mem, why));
		value_push(d->a->mem, d->units, v);
	}
}

/* Namespaces that are missing and that nothing here makes: everything in them would fail. */
static struct value *
homeless(struct dry *d)
{
	struct value *list = value_list(d->a->mem);
	const char *ns;

	for (size_t i = 0; map_next(&d->missing, &i, &ns, NULL);)
		if (!map_has(&d->made, ns))
			value_push(d->a->mem, list, value_str(d->a->mem, ns));
	return list;
}

static void
print_all(struct dry *d, const char *label, const struct value *lost)
{
	struct arena *mem = d->a->mem;
	struct value *v = value_map(mem), *sum = value_map(mem), *missing = value_list(mem);
	const char *ns;

	if (d->form == OUTPUT_TABLE) {
		for (size_t i = 0; i < value_len(lost); i++)
			(void)printf("namespace %s is not there and nothing here makes it: is its user's file missing or not valid?\n",
			             value_as_str(value_item(lost, i), "?"));
		if (d->elsewhere)
			(void)printf("%zu object%s asked in the namespace `default`: quota and pod security of their own do not count before "
			             "it is there.\n", d->elsewhere, d->elsewhere == 1 ? " was" : "s were");
		(void)printf("Dry run of %s against %s, nothing was written:", label, kube_server(d->c.kube));
		for (size_t i = 0; i < OUTCOME_COUNT; i++)
			if ((i != OUTCOME_UNASKED && i != OUTCOME_RECREATED) || d->count[i])
				(void)printf("%s %zu %s", i ? "," : "", d->count[i], outcome_names[i]);
		(void)printf(".\n");
		return;
	}
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		value_set(mem, sum, i == OUTCOME_UNASKED ? "notAsked" : outcome_names[i], value_int(mem, (int64_t)d->count[i]));
	for (size_t i = 0; map_next(&d->missing, &i, &ns, NULL);)
		value_push(mem, missing, value_str(mem, ns));
	value_set(mem, v, "cluster", value_str(mem, kube_server(d->c.kube)));
	value_set(mem, v, "tree", value_str(mem, label));
	value_set(mem, v, "missingNamespaces", missing);
	value_set(mem, v, "units", d->units);
	value_set(mem, v, "summary", sum);
	output_value(v, d->form);
}

static int
ask_all(struct dry *d, const char **label, struct err *e)
{
	struct world *w;
	struct units_visit v = { .with_owners = true, .visit = visit, .bad = bad, .ctx = d };
	int rc;

	for (size_t i = 0; i < d->a->npos; i++)
		if ((rc = env_of_arg(d->a->mem, d->a->pos[i], &d->a->pos[i], e)) < 0)
			return rc;
	if ((rc = cluster_of_args(d->a, &d->c, e)) < 0 || (rc = units_open(d->a, &w, label, e)) < 0)
		return rc;
	rc = units_each(d->a, w, &v, e);
	world_free(w);
	return rc;
}

int
dry_run(const struct args *a, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)4 << 30);
	struct args own = *a;
	struct dry d = { .a = &own, .colour = use_colour(STDOUT_FILENO) };
	size_t lost = 0;
	const char *label;
	int rc;

	own.mem = mem;
	d.units = value_list(mem);
	if ((rc = args_output(a, &d.form, e)) == 0 && (rc = ask_all(&d, &label, e)) == 0) {
		const struct value *list = homeless(&d);

		lost = value_len(list);
		print_all(&d, label, list);
	}
	cluster_close(&d.c);
	map_free(&d.missing);
	map_free(&d.made);
	if (rc < 0)
		return rc;
	return d.count[OUTCOME_REFUSED] + d.invalid + lost ? EXIT_FINDINGS : EXIT_FINE;
}
