/* SPDX-License-Identifier: Apache-2.0 */
/* The questions of `berth new`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/new_doc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "parse/quantity.h"
#include "validate/cost.h"

#define QUESTIONS 5
#define NEVER "never"

struct asking {
	struct proposal *p;
	const char *owner;
	struct ask ask;
	struct wishes *w;
	const struct env *env; /* with what was chosen so far; NULL: it does not resolve, and the check says why */
};

/* -- which machine ----------------------------------------------------------------------------------------------------------------------- */

static const char *
flavor_text(struct arena *mem, const struct site *s, const struct env *env)
{
	const char *product = value_as_str(value_at(env->flavor->spec, "gpu.product"), NULL), *gpu = "", *price = "no price";
	struct cost c;

	if (env->gpu)
		gpu = arena_printf(mem, "%" PRId64 " gpu%s%s", env->gpu, product ? " " : "", product ? str_line(mem, product) : "");
	if (cost_of(mem, env, &c))
		price = arena_printf(mem, "%s %s an hour", str_line(mem, value_as_str(s->org ? value_get(s->org->spec, "currency") : NULL, "USD")),
		                     money_text(mem, c.hour));
	return arena_printf(mem, "%3s cpu  %6s  %-28s  %s", quantity_cpu_text(mem, env->cpu_limit), quantity_bytes_text(mem, env->mem_limit), gpu, price);
}

struct offer {
	const struct env *env;
	int64_t price; /* an hour; INT64_MAX: none is known */
};

/* The cheapest first: Enter must not be the dearest machine. */
static int
by_price(const void *a, const void *b)
{
	const struct offer *x = a, *y = b;

	if (x->price != y->price)
		return x->price < y->price ? -1 : 1;
	return strcmp(x->env->flavor->name, y->env->flavor->name);
}

/* Those that the owner may have, each as an environment of nothing else. */
static int
flavors(struct asking *q, struct ask_row **rows, size_t *n, size_t *closed, struct err *e)
{
	const struct map *docs = &world_site(q->p->was)->docs[KIND_FLAVOR];
	struct arena *mem = q->p->mem;
	struct probe *probes = arena_array(mem, docs->live + 1, sizeof(*probes));
	struct offer *offers;
	const char *name;
	struct cost c;
	size_t k = 0;
	int rc;

	for (size_t i = 0; map_next(docs, &i, &name, NULL);) {
		struct value *spec = probes[k++].spec = value_map(mem);

		value_set(mem, spec, "flavor", value_str(mem, name));
		if (q->w->team)
			value_set(mem, spec, "team", value_str(mem, q->w->team));
	}
	if ((rc = probe_all(q->p, q->owner, probes, k, e)) < 0)
		return rc;
	*rows = arena_array(mem, k + 1, sizeof(**rows));
	offers = arena_array(mem, k + 1, sizeof(*offers));
	*n = 0;
	for (size_t i = 0; i < k; i++)
		if (probes[i].r.ok && probes[i].r.env)
			offers[(*n)++] = (struct offer){ probes[i].r.env, cost_of(mem, probes[i].r.env, &c) ? c.hour : INT64_MAX };
	*closed = k - *n;
	qsort(offers, *n, sizeof(*offers), by_price);
	for (size_t i = 0; i < *n; i++)
		(*rows)[i] = (struct ask_row){ offers[i].env->flavor->name, flavor_text(mem, world_site(q->p->was), offers[i].env) };
	return 0;
}

static const char *
names_of(struct arena *mem, const struct ask_row *rows, size_t n)
{
	const char **names = arena_array(mem, n + 1, sizeof(*names));

	for (size_t i = 0; i < n; i++)
		names[i] = rows[i].name;
	return str_join(mem, names, n < 12 ? n : 12, "none");
}

static int
ask_flavor(struct asking *q, struct err *e)
{
	struct ask_row *rows;
	size_t n, closed;
	int rc;

	if (q->w->flavor)
		return 0;
	if ((rc = flavors(q, &rows, &n, &closed, e)) < 0)
		return rc;
	if (!n) {
		(void)err_set(e, ERR_DENIED, "no flavor is open to %s", q->owner);
		return err_hint(e, "flavors/ says for whom each is; an administrator can give %s another role or team", q->owner);
	}
	if (!q->p->asks) {
		(void)err_set(e, ERR_USAGE, "which flavor?");
		return err_hint(e, "add --flavor NAME, one of: %s", names_of(q->p->mem, rows, n));
	}
	(void)fprintf(stderr, "What machine?\n");
	if (closed)
		(void)fprintf(stderr, "      (%zu more %s not open to %s)\n", closed, closed == 1 ? "is" : "are", q->owner);
	return ask_pick(&q->ask, "flavor", rows, n, false, &q->w->flavor, e);
}

/* -- the rest ------------------------------------------------------------------------------------------------------------------------------- */

static int
look(struct asking *q, struct err *e)
{
	struct probe probe = { .spec = value_map(q->p->mem) };
	const char *const names[][2] = { { "flavor", q->w->flavor }, { "image", q->w->image }, { "team", q->w->team } };
	int rc;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i][1])
			value_set(q->p->mem, probe.spec, names[i][0], value_str(q->p->mem, names[i][1]));
	if ((rc = probe_all(q->p, q->owner, &probe, 1, e)) < 0)
		return rc;
	q->env = probe.r.env;
	return 0;
}

static int
ask_image(struct asking *q, struct err *e)
{
	const struct map *docs = &world_site(q->p->was)->docs[KIND_IMAGE];
	struct arena *mem = q->p->mem;
	struct ask_row *rows = arena_array(mem, docs->live + 2, sizeof(*rows));
	const char *def = value_as_str(value_get(q->env->spec, "image"), NULL), *name;
	void *doc;
	size_t n = 0;

	if (q->w->image)
		return 0;
	if (def)
		rows[n++] = (struct ask_row){ str_line(mem, def), "the default here" };
	for (size_t i = 0; map_next(docs, &i, &name, &doc);)
		if (!str_eq(name, def))
			rows[n++] = (struct ask_row){ name, str_line(mem, value_as_str(value_get(((const struct doc *)doc)->spec, "image"), "")) };
	if (!n)
		return 0;
	(void)fprintf(stderr, "What software? Another image by its reference.\n");
	return ask_pick(&q->ask, "image", rows, n, true, &q->w->image, e);
}

struct most {
	struct arena *mem;
	int64_t n; /* GPUs, or bytes */
};

static const char *
good_memory(void *ctx, const char *answer)
{
	const struct wishes w = { .memory = answer };
	const struct most *most = ctx;
	struct err e = { 0 };
	int64_t milli;

	if (wishes_check(most->mem, &w, &e) < 0 || quantity_parse(answer, &milli) < 0)
		return "write an amount with a unit, for example 32Gi";
	return milli / 1000 > most->n ? "that is more than the flavor has" : NULL;
}

static const char *
good_number(void *ctx, const char *answer)
{
	const struct most *most = ctx;
	int64_t n;

	if (str_to_i64(answer, &n) < 0 || n < 0)
		return "write a number";
	return n > most->n ? "that is more than the flavor has" : NULL;
}

/* GPUs where there may be more than one, else memory where there may be more than what comes by itself. */
static int
ask_size(struct asking *q, struct err *e)
{
	struct arena *mem = q->p->mem;
	const struct value *gpus = value_at(q->env->flavor->spec, "max.gpu"), *memory = value_at(q->env->flavor->spec, "max.memory");
	struct most most = { mem, value_as_int(gpus, 0) };
	const char *enter, *answer;
	int rc;

	if (q->w->gpus || q->w->memory)
		return 0;
	if (most.n > q->env->gpu && q->env->gpu > 0) {
		enter = arena_printf(mem, "%" PRId64, q->env->gpu);
		rc = ask_text(&q->ask, arena_printf(mem, "GPUs, at most %" PRId64, most.n), enter, good_number, &most, &answer, e);
		if (rc == 0 && !str_eq(answer, enter))
			q->w->gpus = answer;
		return rc;
	}
	if (!memory || quantity_units(memory, &most.n) < 0 || most.n <= q->env->mem_limit)
		return 0;
	enter = quantity_bytes_text(mem, q->env->mem_limit);
	rc = ask_text(&q->ask, arena_printf(mem, "memory, at most %s", quantity_bytes_text(mem, most.n)), enter, good_memory, &most, &answer, e);
	if (rc == 0 && !str_eq(answer, enter))
		q->w->memory = answer;
	return rc;
}

static const char *
good_access(void *ctx, const char *answer)
{
	const struct wishes w = { .access = answer };
	struct arena *mem = ctx;
	struct err e = { 0 };

	return wishes_check(mem, &w, &e) < 0 ? arena_strdup(mem, e.hint) : NULL;
}

static int
ask_access(struct asking *q, struct err *e)
{
	if (q->w->access)
		return 0;
	return ask_text(&q->ask, "reached by, of ssh, terminal, jupyter, vscode", access_text(q->p->mem, q->env->spec), good_access, q->p->mem,
	                &q->w->access, e);
}

static const char *
good_ttl(void *ctx, const char *answer)
{
	int64_t n;

	(void)ctx;
	return str_eq(answer, NEVER) || clock_parse_duration(answer, &n) == 0 ? NULL : "write a duration, for example 72h or 30d, or " NEVER;
}

static int
ask_ttl(struct asking *q, struct err *e)
{
	const char *enter = value_as_str(value_at(q->env->spec, "lifecycle.ttl"), NEVER), *answer;
	int rc;

	if (q->w->ttl)
		return 0;
	rc = ask_text(&q->ask, "time to live, for example 72h", enter, good_ttl, NULL, &answer, e);
	if (rc == 0 && !str_eq(answer, NEVER) && !str_eq(answer, enter))
		q->w->ttl = answer;
	return rc;
}

int
wishes_ask(struct proposal *p, const char *owner, unsigned asked, struct wishes *w, struct err *e)
{
	static int (*const questions[])(struct asking *, struct err *) = { ask_image, ask_size, ask_access, ask_ttl };
	struct asking q = { .p = p, .owner = owner, .ask = { p->mem, QUESTIONS - asked }, .w = w };
	int rc = ask_flavor(&q, e);

	for (size_t i = 0; p->asks && rc == 0 && i < sizeof(questions) / sizeof(questions[0]); i++) {
		if ((i < 2 && (rc = look(&q, e)) < 0) || !q.env)
			break;
		rc = questions[i](&q, e);
	}
	return rc;
}
