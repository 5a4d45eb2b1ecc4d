/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluating a value against compiled nodes: one walk for the verdict, for weighing branches and for findings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "validate/schema_node.h"

/* A document of 256 KiB has at most some 130,000 values; ours need a few steps for each. */
#define STEPS_MAX 4000000
#define DEPTH_MAX 500

unsigned
type_of(const struct value *v)
{
	switch (v->type) {
	case VALUE_NULL:
		return TYPE_NULL;
	case VALUE_BOOL:
		return TYPE_BOOLEAN;
	case VALUE_INT:
		return TYPE_INTEGER;
	case VALUE_REAL:
		return floor(v->real) < v->real || !isfinite(v->real) ? TYPE_NUMBER : TYPE_INTEGER;
	case VALUE_STR:
		return TYPE_STRING;
	case VALUE_LIST:
		return TYPE_ARRAY;
	default:
		return TYPE_OBJECT;
	}
}

bool
type_fits(unsigned types, const struct value *v)
{
	return types & type_of(v);
}

int
number_compare(const struct value *x, const struct value *y)
{
	long double a, b;

	if (x->type == VALUE_INT && y->type == VALUE_INT)
		return (x->integer > y->integer) - (x->integer < y->integer);
	a = x->type == VALUE_INT ? (long double)x->integer : (long double)x->real;
	b = y->type == VALUE_INT ? (long double)y->integer : (long double)y->real;
	return (a > b) - (a < b);
}

static double
number_real_of(const struct value *v)
{
	return v->type == VALUE_INT ? (double)v->integer : v->real;
}

static bool
is_multiple(const struct value *v, const struct value *of)
{
	double a, b, q;

	if (v->type == VALUE_INT && of->type == VALUE_INT)
		return v->integer % of->integer == 0;
	a = number_real_of(v);
	b = number_real_of(of);
	q = a / b;
	if (!isfinite(q))
		return !(fabs(fmod(a, b)) > 0);
	return fabs(q - round(q)) <= 1e-9;
}

size_t
text_length(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xC0) != 0x80;
	return n;
}

/* In verdict mode the first violation decides. */
#define CHECK(call) \
	do { \
		if (!(call)) { \
			if (ev->mode == EVAL_VERDICT) \
				return false; \
			ok = false; \
		} \
	} while (0)

static bool
eval_number(struct eval *ev, const struct node *n, const struct step *at)
{
	const struct value *v = at->value;
	bool ok = true;

	if (n->minimum && number_compare(v, n->minimum) < 0)
		CHECK(say_number(ev, at, "at least", n->minimum));
	if (n->maximum && number_compare(v, n->maximum) > 0)
		CHECK(say_number(ev, at, "at most", n->maximum));
	if (n->above && number_compare(v, n->above) <= 0)
		CHECK(say_number(ev, at, "more than", n->above));
	if (n->below && number_compare(v, n->below) >= 0)
		CHECK(say_number(ev, at, "less than", n->below));
	if (n->multiple_of && !is_multiple(v, n->multiple_of))
		CHECK(say_number(ev, at, "a multiple of", n->multiple_of));
	return ok;
}

static bool
eval_string(struct eval *ev, const struct node *n, const struct step *at)
{
	const struct value *v = at->value;
	bool ok = true;
	size_t len = n->min_length || n->max_length != SIZE_MAX ? text_length(v->str.s, v->str.len) : 0;
	int found;

	if (len < n->min_length)
		CHECK(say_count(ev, at, "at least", n->min_length, "character", len));
	if (len > n->max_length)
		CHECK(say_count(ev, at, "at most", n->max_length, "character", len));
	/* a text that is too long is not searched */
	if (!ok || !n->pattern)
		return ok;
	found = regex_match(n->pattern, &ev->run, v->str.s, v->str.len);
	if (found != 1)
		CHECK(say_pattern(ev, n, at, found < 0));
	return ok;
}

static bool
eval_child(struct eval *ev, const struct node *n, const struct step *parent, size_t i)
{
	const struct value *v = parent->value;
	struct step at = { .up = parent, .index = i, .about = n };

	if (v->type == VALUE_MAP)
		at.member = &v->map.items[i];
	at.value = at.member ? at.member->value : v->list.items[i];
	return eval_node(ev, n, &at, NULL);
}

struct digested {
	struct digest digest;
	size_t index;
};

static int
by_digest(const void *x, const void *y)
{
	const struct digested *a = x, *b = y;
	int d = memcmp(&a->digest, &b->digest, sizeof(a->digest));

	return d ? d : (a->index > b->index) - (a->index < b->index);
}

/* The first item that equals an earlier one, or SIZE_MAX. Large lists by digest, so that the time stays near linear. */
static size_t
find_twice(const struct value *list)
{
	struct digested *all;
	size_t n = list->list.n, first = SIZE_MAX;

	if (n <= 16) {
		for (size_t i = 1; i < n; i++)
			for (size_t k = 0; k < i; k++)
				if (value_equal(list->list.items[i], list->list.items[k]))
					return i;
		return SIZE_MAX;
	}
	all = calloc(n, sizeof(*all));
	if (!all)
		abort();
	for (size_t i = 0; i < n; i++) {
		value_digest(list->list.items[i], &all[i].digest);
		all[i].index = i;
	}
	qsort(all, n, sizeof(*all), by_digest);
	for (size_t i = 1; i < n; i++)
		if (memcmp(&all[i].digest, &all[i - 1].digest, sizeof(all[i].digest)) == 0 && all[i].index < first)
			first = all[i].index;
	free(all);
	return first;
}

static bool
eval_contains(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	const struct value *v = at->value;
	size_t found = 0;

	for (size_t i = 0; i < v->list.n; i++) {
		struct step item = { .up = at, .index = i, .value = v->list.items[i] };

		if (eval_quietly(ev, n->contains, &item, NULL)) {
			seen_add(seen, i);
			found++;
		}
	}
	return (found >= n->min_contains && found <= n->max_contains) || say_contains(ev, n, at, found);
}

static bool
eval_list(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	const struct value *v = at->value;
	size_t count = v->list.n, prefix = n->prefix.n < count ? n->prefix.n : count;
	bool ok = true;

	if (count < n->min_items)
		CHECK(say_count(ev, at, "at least", n->min_items, "item", count));
	if (count > n->max_items)
		CHECK(say_count(ev, at, "at most", n->max_items, "item", count));
	for (size_t i = 0; i < prefix; i++) {
		CHECK(eval_child(ev, n->prefix.items[i], at, i));
		seen_add(seen, i);
	}
	for (size_t i = prefix; n->items && i < count; i++)
		CHECK(eval_child(ev, n->items, at, i));
	if (n->items)
		seen_all(seen);
	if (n->unique && count > 1) {
		size_t i = find_twice(v);

		if (i != SIZE_MAX)
			CHECK(say_twice(ev, at, v->list.items[i], i));
	}
	if (n->contains)
		CHECK(eval_contains(ev, n, at, seen));
	return ok;
}

static const struct node *
find_named(const struct named_nodes *all, const char *name)
{
	size_t lo = 0, hi = all->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(name, all->items[mid].name);

		if (d == 0)
			return all->items[mid].node;
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* properties, patternProperties, additionalProperties and propertyNames for one member. */
static bool
eval_member(struct eval *ev, const struct node *n, const struct step *at, size_t i, struct seen *seen)
{
	const struct member *m = &at->value->map.items[i];
	const struct node *known = find_named(&n->members, m->key);
	bool ok = true, matched = known != NULL;

	if (n->names) {
		struct value name = { .type = VALUE_STR, .at = m->at, .str = { m->key, strlen(m->key) } };
		struct step key = { .up = at, .member = m, .index = i, .value = &name, .about = n->names, .is_key = true };

		CHECK(eval_node(ev, n->names, &key, NULL));
	}
	if (known)
		CHECK(eval_child(ev, known, at, i));
	for (size_t k = 0; k < n->patterns.n; k++) {
		if (regex_match(n->patterns.items[k].pattern, &ev->run, m->key, strlen(m->key)) != 1)
			continue;
		matched = true;
		CHECK(eval_child(ev, n->patterns.items[k].node, at, i));
	}
	if (!matched && n->additional) {
		matched = true;
		if (n->additional->never)
			CHECK(say_unknown(ev, n, at, m));
		else
			CHECK(eval_child(ev, n->additional, at, i));
	}
	if (matched)
		seen_add(seen, i);
	return ok;
}

static bool
eval_map(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	const struct value *v = at->value;
	bool ok = true;

	if (v->map.n < n->min_members)
		CHECK(say_count(ev, at, "at least", n->min_members, "field", v->map.n));
	if (v->map.n > n->max_members)
		CHECK(say_count(ev, at, "at most", n->max_members, "field", v->map.n));
	for (size_t i = 0; i < n->required.n; i++)
		if (!value_member(v, n->required.items[i]))
			CHECK(say_missing(ev, n, at, n->required.items[i], NULL));
	for (size_t i = 0; i < n->ndependencies; i++) {
		const struct dependency *d = &n->dependencies[i];

		for (size_t k = 0; value_member(v, d->name) && k < d->needs.n; k++)
			if (!value_member(v, d->needs.items[k]))
				CHECK(say_missing(ev, n, at, d->needs.items[k], d->name));
	}
	for (size_t i = 0; i < v->map.n; i++)
		CHECK(eval_member(ev, n, at, i, seen));
	for (size_t i = 0; i < n->dependents.n; i++)
		if (value_member(v, n->dependents.items[i].name))
			CHECK(eval_node(ev, n->dependents.items[i].node, at, seen));
	return ok;
}

/* What no other keyword has looked at. */
static bool
eval_unevaluated(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	const struct value *v = at->value;
	const struct node *rest = v->type == VALUE_MAP ? n->unevaluated_members : n->unevaluated_items;
	bool ok = true;

	for (size_t i = 0; i < seen->n; i++) {
		if (seen_has(seen, i))
			continue;
		if (rest->never)
			CHECK(v->type == VALUE_MAP ? say_unknown(ev, n, at, &v->map.items[i]) : say_item(ev, at, i));
		else
			CHECK(eval_child(ev, rest, at, i));
	}
	seen_all(seen);
	return ok;
}

/* The target of a $dynamicRef: the outermost resource on the way here that has such an anchor, else the static one. */
static const struct node *
find_dynamic(const struct eval *ev, const struct node *n)
{
	const struct node *found = n->dynamic_ref;

	for (const struct scope *s = ev->scope; n->dynamic_name && s; s = s->up)
		for (const struct anchor *a = s->resource->anchors; a; a = a->next)
			if (a->dynamic && strcmp(a->name, n->dynamic_name) == 0)
				found = a->node;
	return found;
}

static bool
eval_keywords(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	const struct value *v = at->value;
	bool ok = true;

	/* what has the wrong type is wrong enough: nothing more is said about it */
	if (n->types && !type_fits(n->types, v))
		return say_type(ev, at, n->types);
	if (n->ref)
		CHECK(eval_node(ev, n->ref, at, seen));
	if (n->dynamic_ref)
		CHECK(eval_node(ev, find_dynamic(ev, n), at, seen));
	if (n->constant && !value_equal(n->constant, v))
		CHECK(say_const(ev, n, at));
	if (n->allowed) {
		bool found = false;

		for (size_t i = 0; !found && i < n->allowed->list.n; i++)
			found = value_equal(n->allowed->list.items[i], v);
		if (!found)
			CHECK(say_enum(ev, n, at));
	}
	if ((n->has & HAS_NUMBER) && (v->type == VALUE_INT || v->type == VALUE_REAL))
		CHECK(eval_number(ev, n, at));
	if ((n->has & HAS_STRING) && v->type == VALUE_STR)
		CHECK(eval_string(ev, n, at));
	if ((n->has & HAS_LIST) && v->type == VALUE_LIST)
		CHECK(eval_list(ev, n, at, seen));
	if ((n->has & HAS_MAP) && v->type == VALUE_MAP)
		CHECK(eval_map(ev, n, at, seen));
	if (n->has & HAS_BRANCHES)
		CHECK(eval_branches(ev, n, at, seen));
	if (ok && seen && ((n->unevaluated_members && v->type == VALUE_MAP) || (n->unevaluated_items && v->type == VALUE_LIST)))
		CHECK(eval_unevaluated(ev, n, at, seen));
	return ok;
}

bool
eval_node(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	struct scope scope = { ev->scope, n->resource };
	AUTO_SEEN struct seen mine = { 0 };
	bool ok, enter = !ev->scope || ev->scope->resource != n->resource;

	if (n->source->type == VALUE_BOOL)
		return n->never ? say_never(ev, at) : true;
	if (ev->gave_up || ev->depth >= DEPTH_MAX || ev->steps >= STEPS_MAX)
		return say_gave_up(ev, at);
	ev->steps++;
	ev->depth++;
	if (enter)
		ev->scope = &scope;
	if (ev->schema->tracks)
		seen_init(&mine, at->value);
	ok = eval_keywords(ev, n, at, ev->schema->tracks ? &mine : NULL);
	/* what a failed subschema has looked at does not count */
	if (ok && seen && ev->schema->tracks)
		seen_merge(seen, &mine);
	ev->scope = scope.up;
	ev->depth--;
	return ok;
}

size_t
schema_check(const struct schema *s, const struct value *v, struct report *r)
{
	struct eval ev = { .schema = s, .mode = EVAL_VERDICT, .report = r };
	struct step root = { .value = v, .about = s->root };

	/* most documents are fine, and the verdict is the cheapest walk */
	if (!eval_node(&ev, s->root, &root, NULL)) {
		struct regex_run run = ev.run;

		ev = (struct eval){ .schema = s, .mode = EVAL_REPORT, .report = r, .run = run };
		(void)eval_node(&ev, s->root, &root, NULL);
		/* a limit was hit where no findings are made */
		if (ev.errors == 0)
			say_gave_up(&ev, &root);
	}
	regex_run_free(&ev.run);
	return ev.errors;
}

bool
schema_valid(const struct schema *s, const struct value *v)
{
	struct eval ev = { .schema = s, .mode = EVAL_VERDICT };
	struct step root = { .value = v, .about = s->root };
	bool ok = eval_node(&ev, s->root, &root, NULL);

	regex_run_free(&ev.run);
	return ok;
}
