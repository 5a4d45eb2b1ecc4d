/* SPDX-License-Identifier: Apache-2.0 */
/* allOf, anyOf, oneOf, not, if: and which branch to talk about when none fits. */
#include <stdlib.h>
#include <string.h>

#include "validate/schema_node.h"

void
seen_init(struct seen *s, const struct value *v)
{
	size_t n = value_len(v);

	if (v->type != VALUE_MAP && v->type != VALUE_LIST)
		return;
	s->n = n;
	if (n > 64 && !(s->many = calloc((n + 63) / 64, sizeof(uint64_t))))
		abort();
}

void
seen_free(struct seen *s)
{
	free(s->many);
	s->many = NULL;
}

void
seen_add(struct seen *s, size_t i)
{
	if (!s)
		return;
	if (s->many)
		s->many[i / 64] |= UINT64_C(1) << i % 64;
	else
		s->few |= UINT64_C(1) << i;
}

void
seen_all(struct seen *s)
{
	if (!s)
		return;
	s->few = UINT64_MAX;
	for (size_t i = 0; s->many && i < (s->n + 63) / 64; i++)
		s->many[i] = UINT64_MAX;
}

void
seen_merge(struct seen *into, const struct seen *from)
{
	into->few |= from->few;
	for (size_t i = 0; into->many && i < (into->n + 63) / 64; i++)
		into->many[i] |= from->many[i];
}

bool
seen_has(const struct seen *s, size_t i)
{
	uint64_t word = s->many ? s->many[i / 64] : s->few;

	return word >> i % 64 & 1;
}

bool
eval_quietly(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	enum eval_mode mode = ev->mode;
	bool ok;

	ev->mode = EVAL_VERDICT;
	ok = eval_node(ev, n, at, seen);
	ev->mode = mode;
	return ok;
}

static size_t
weigh(struct eval *ev, const struct node *n, const struct step *at)
{
	struct eval before = *ev;
	size_t weight;

	ev->mode = EVAL_WEIGH;
	ev->weight = 0;
	(void)eval_node(ev, n, at, NULL);
	weight = ev->weight;
	ev->mode = before.mode;
	ev->weight = before.weight;
	return weight;
}

/* Types that a branch takes, through references; 0: any. */
static unsigned
branch_types(const struct node *n)
{
	for (int hops = 0; hops < 8; hops++) {
		if (n->types || !n->ref)
			return n->types;
		n = n->ref;
	}
	return 0;
}

static bool
only_requires(const struct node_list *branches)
{
	for (size_t i = 0; i < branches->n; i++) {
		const struct node *n = branches->items[i];

		if (n->required.n == 0 || n->members.n || n->ref || n->has != HAS_MAP)
			return false;
	}
	return true;
}

/* No branch fits. One finding about what all of them want, or those of the branch that comes nearest. */
static bool
say_no_branch(struct eval *ev, const struct node_list *branches, const struct step *at)
{
	size_t best = 0, least = SIZE_MAX;
	unsigned types = 0;
	bool any = false;

	if (ev->gave_up)
		return false;
	for (size_t i = 0; i < branches->n; i++) {
		unsigned t = branch_types(branches->items[i]);

		any |= t == 0 || type_fits(t, at->value);
		types |= t;
	}
	if (!any)
		return say_type(ev, at, types);
	if (at->value->type == VALUE_MAP && only_requires(branches))
		return say_needs_one(ev, branches, at);
	for (size_t i = 0; i < branches->n; i++) {
		size_t w = weigh(ev, branches->items[i], at);

		if (w < least) {
			least = w;
			best = i;
		}
	}
	return eval_node(ev, branches->items[best], at, NULL);
}

static bool
eval_any(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	bool found = false;

	/* all of them, when what they look at is recorded */
	for (size_t i = 0; i < n->any_of.n && (!found || seen); i++)
		found |= eval_quietly(ev, n->any_of.items[i], at, seen);
	if (found)
		return true;
	return ev->mode == EVAL_VERDICT ? false : say_no_branch(ev, &n->any_of, at);
}

static bool
eval_one(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < n->one_of.n; i++) {
		if (!eval_quietly(ev, n->one_of.items[i], at, seen))
			continue;
		if (first != SIZE_MAX)
			return say_fits_many(ev, &n->one_of, at, first, i);
		first = i;
	}
	if (first != SIZE_MAX)
		return true;
	return ev->mode == EVAL_VERDICT ? false : say_no_branch(ev, &n->one_of, at);
}

bool
eval_branches(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen)
{
	bool ok = true;

	for (size_t i = 0; i < n->all_of.n; i++)
		if (!eval_node(ev, n->all_of.items[i], at, seen)) {
			ok = false;
			if (ev->mode == EVAL_VERDICT)
				return false;
		}
	if (n->any_of.n && !eval_any(ev, n, at, seen))
		ok = false;
	if (n->one_of.n && !eval_one(ev, n, at, seen))
		ok = false;
	if (n->not_ && eval_quietly(ev, n->not_, at, NULL))
		ok = say_not(ev, n, at);
	if (n->if_) {
		const struct node *next = eval_quietly(ev, n->if_, at, seen) ? n->then_ : n->else_;

		if (next && !eval_node(ev, next, at, seen))
			ok = false;
	}
	return ok;
}
