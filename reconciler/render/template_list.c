/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of JSON-e on lists and maps. */
#include <stdlib.h>
#include <string.h>

#include "render/builtin.h"
#include "render/template_op.h"

/* The operand, which must be a list; `message` otherwise. */
static int
operand_list(struct render *r, const struct scope *s, const struct node *n, const char *message, struct value **out)
{
	int rc = node_render(r, s, n->op->value, out);

	if (rc < 0)
		return rc;
	r->at = n->at;
	return value_is(*out, VALUE_LIST) ? 0 : render_fail(r, "%s", message);
}

int
op_flatten(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *in, *flat;
	size_t total = 0;
	int rc;

	if ((rc = operand_list(r, s, n, "$flatten value must evaluate to an array", &in)) < 0)
		return rc;
	for (size_t i = 0; i < in->list.n; i++)
		total += in->list.items[i]->type == VALUE_LIST ? in->list.items[i]->list.n : 1;
	if ((rc = render_list(r, total, &flat)) < 0)
		return rc;
	for (size_t i = 0; i < in->list.n; i++) {
		struct value *v = in->list.items[i];

		for (size_t k = 0; v->type == VALUE_LIST && k < v->list.n; k++)
			flat->list.items[flat->list.n++] = v->list.items[k];
		if (v->type != VALUE_LIST)
			flat->list.items[flat->list.n++] = v;
	}
	*out = flat;
	return 0;
}

/* Counts the leaves (flat NULL), or appends them. */
static int
flatten_deep(struct render *r, const struct value *in, unsigned depth, struct value *flat, size_t *total)
{
	int rc;

	if (depth > r->depth_max)
		return render_fail(r, "value is nested deeper than the limit of %u (depth)", r->depth_max);
	if ((rc = render_steps(r, 1 + in->list.n)) < 0)
		return rc;
	for (size_t i = 0; i < in->list.n; i++) {
		struct value *v = in->list.items[i];

		if (v->type == VALUE_LIST) {
			if ((rc = flatten_deep(r, v, depth + 1, flat, total)) < 0)
				return rc;
			continue;
		}
		++*total;
		if (flat)
			flat->list.items[flat->list.n++] = v;
	}
	return 0;
}

int
op_flatten_deep(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *in, *flat;
	size_t total = 0, again = 0;
	int rc;

	if ((rc = operand_list(r, s, n, "$flattenDeep value must evaluate to an array", &in)) < 0 ||
	    (rc = flatten_deep(r, in, 1, NULL, &total)) < 0 || (rc = render_list(r, total, &flat)) < 0 ||
	    (rc = flatten_deep(r, in, 1, flat, &again)) < 0)
		return rc;
	*out = flat;
	return 0;
}

/* The scope of one turn of each(x), each(x,i): the names bound. */
static struct scope
turn_scope(const struct scope *up, const struct op_node *op, struct value *x, struct value *i)
{
	return (struct scope){ .up = up, .height = up->height + 1, .names = { op->vars[0], op->vars[1] }, .values = { x, i } };
}

static int
map_list(struct render *r, const struct scope *s, const struct node *n, const struct value *in, struct value **out)
{
	struct value *list, *item;
	int rc;

	if ((rc = render_list(r, in->list.n, &list)) < 0)
		return rc;
	for (size_t i = 0; i < in->list.n; i++) {
		struct value *index = n->op->vars[1] ? value_int(r->mem, (int64_t)i) : NULL;
		struct scope turn = turn_scope(s, n->op, in->list.items[i], index);

		if ((rc = render_steps(r, 1)) < 0 || (rc = node_render(r, &turn, n->op->yes, &item)) < 0)
			return rc;
		if (item)
			list->list.items[list->list.n++] = item;
	}
	*out = list;
	return 0;
}

/* Sets every member of `from`; the keys are copied, so they count. */
static int
merge_into(struct render *r, struct value *map, const struct value *from)
{
	int rc;

	for (size_t i = 0; i < from->map.n; i++) {
		const struct member *m = &from->map.items[i];

		/* growth may double the members and rebuild the index */
		if ((rc = render_room(r, strlen(m->key) + (map->map.n + 4) * 2 * sizeof(struct member))) < 0 ||
		    (rc = render_steps(r, 1)) < 0)
			return rc;
		value_set_at(r->mem, map, m->key, m->at, m->value);
	}
	return 0;
}

static int
map_map(struct render *r, const struct scope *s, const struct node *n, const struct value *in, struct value **out)
{
	struct value *merged = value_map(r->mem), *item;
	int rc;

	merged->at = n->at;
	for (size_t i = 0; i < in->map.n; i++) {
		const struct member *m = &in->map.items[i];
		struct value *key, *x = m->value;
		struct scope turn;

		if ((rc = render_steps(r, 1)) < 0 || (rc = render_str(r, m->key, strlen(m->key), &key)) < 0)
			return rc;
		if (!n->op->vars[1]) {
			x = value_map(r->mem);
			value_set(r->mem, x, "key", key);
			value_set(r->mem, x, "val", m->value);
		}
		turn = turn_scope(s, n->op, x, key);
		if ((rc = node_render(r, &turn, n->op->yes, &item)) < 0)
			return rc;
		r->at = n->at;
		if (item && item->type != VALUE_MAP)
			return render_fail(r, "$map on objects expects each(%s) to evaluate to an object", n->op->vars[0]);
		if (item && (rc = merge_into(r, merged, item)) < 0)
			return rc;
	}
	*out = merged;
	return 0;
}

int
op_map(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *in;
	int rc;

	if ((rc = node_render(r, s, n->op->value, &in)) < 0)
		return rc;
	r->at = n->at;
	if (value_is(in, VALUE_LIST))
		return map_list(r, s, n, in, out);
	if (value_is(in, VALUE_MAP))
		return map_map(r, s, n, in, out);
	return render_fail(r, "$map value must evaluate to an array or object");
}

int
op_reduce(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *in, *sum, *next;
	int rc;

	if ((rc = operand_list(r, s, n, "$reduce value must evaluate to an array", &in)) < 0 ||
	    (rc = node_render(r, s, n->op->no, &sum)) < 0)
		return rc;
	r->at = n->at;
	if (!sum)
		return render_fail(r, "$reduce initial evaluated to nothing");
	for (size_t i = 0; i < in->list.n; i++) {
		struct scope turn = turn_scope(s, n->op, sum, in->list.items[i]);

		if ((rc = render_steps(r, 1)) < 0)
			return rc;
		if ((turn.names[2] = n->op->vars[2]))
			turn.values[2] = value_int(r->mem, (int64_t)i);
		if ((rc = node_render(r, &turn, n->op->yes, &next)) < 0)
			return rc;
		if (next)
			sum = next;
	}
	*out = sum;
	return 0;
}

int
op_find(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *in, *v;
	int rc;

	if ((rc = operand_list(r, s, n, "$find value must evaluate to an array", &in)) < 0)
		return rc;
	*out = NULL;
	for (size_t i = 0; i < in->list.n && !*out; i++) {
		struct value *index = n->op->vars[1] ? value_int(r->mem, (int64_t)i) : NULL;
		struct scope turn = turn_scope(s, n->op, in->list.items[i], index);

		if ((rc = formula_eval(r, &turn, &n->op->formula, &v)) < 0)
			return rc;
		if (value_truthy(v))
			*out = in->list.items[i];
	}
	return 0;
}

static int
operand_maps(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	int rc = node_render(r, s, n->op->value, out);
	bool good = rc == 0 && value_is(*out, VALUE_LIST);

	if (rc < 0)
		return rc;
	for (size_t i = 0; good && i < (*out)->list.n; i++)
		good = (*out)->list.items[i]->type == VALUE_MAP;
	r->at = n->at;
	return good ? 0 : render_fail(r, "%s value must evaluate to an array of objects", n->op->row->name);
}

int
op_merge(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *in, *merged;
	int rc;

	if ((rc = operand_maps(r, s, n, &in)) < 0)
		return rc;
	merged = value_map(r->mem);
	merged->at = n->at;
	for (size_t i = 0; i < in->list.n; i++) {
		if ((rc = merge_into(r, merged, in->list.items[i])) < 0)
			return rc;
	}
	*out = merged;
	return 0;
}

static int
merge_deep(struct render *r, struct value *x, struct value *y, unsigned depth, struct value **out)
{
	struct value *v;
	int rc;

	if (depth > r->depth_max)
		return render_fail(r, "merged values are nested deeper than the limit of %u (depth)", r->depth_max);
	if (x->type == VALUE_LIST && y->type == VALUE_LIST) {
		if ((rc = render_list(r, x->list.n + y->list.n, &v)) < 0)
			return rc;
		for (size_t i = 0; i < x->list.n; i++)
			v->list.items[v->list.n++] = x->list.items[i];
		for (size_t i = 0; i < y->list.n; i++)
			v->list.items[v->list.n++] = y->list.items[i];
		*out = v;
		return 0;
	}
	*out = y;
	if (x->type != VALUE_MAP || y->type != VALUE_MAP)
		return 0;
	v = value_map(r->mem);
	v->at = r->at;
	if ((rc = merge_into(r, v, x)) < 0 || (rc = merge_into(r, v, y)) < 0)
		return rc;
	for (size_t i = 0; i < y->map.n; i++) {
		const struct member *m = &y->map.items[i];
		struct value *old = value_get(x, m->key), *both;

		if (!old)
			continue;
		if ((rc = merge_deep(r, old, m->value, depth + 1, &both)) < 0)
			return rc;
		value_set_at(r->mem, v, m->key, m->at, both);
	}
	*out = v;
	return 0;
}

int
op_merge_deep(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *in, *merged;
	int rc;

	if ((rc = operand_maps(r, s, n, &in)) < 0)
		return rc;
	merged = in->list.n ? in->list.items[0] : value_map(r->mem);
	for (size_t i = 1; i < in->list.n; i++) {
		if ((rc = merge_deep(r, merged, in->list.items[i], 1, &merged)) < 0)
			return rc;
	}
	*out = merged;
	return 0;
}

int
op_reverse(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *in, *list;
	int rc;

	if ((rc = operand_list(r, s, n, "$reverse value must evaluate to an array of objects", &in)) < 0 ||
	    (rc = render_list(r, in->list.n, &list)) < 0)
		return rc;
	for (size_t i = in->list.n; i > 0; i--)
		list->list.items[list->list.n++] = in->list.items[i - 1];
	*out = list;
	return 0;
}

struct sorted {
	struct value *by, *item;
	size_t order; /* keeps equal ones as they were */
};

static int
compare_sorted(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int c = a->by->type == VALUE_STR ? string_order(a->by, b->by) : number_order(a->by, b->by);

	return c ? c : (a->order > b->order) - (a->order < b->order);
}

/* Every string is read about log2(n) times. */
static size_t
sort_steps(const struct sorted *tagged, size_t n)
{
	size_t steps = n, rounds = 1;

	while (n >> rounds)
		rounds++;
	for (size_t i = 0; i < n; i++)
		steps += tagged[i].by->type == VALUE_STR ? STEPS_FOR_BYTES(tagged[i].by->str.len) * rounds : 0;
	return steps;
}

int
op_sort(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	static const char message[] = "$sorted values to be sorted must have the same type";
	struct value *in, *list;
	struct sorted *tagged;
	int rc;

	if ((rc = operand_list(r, s, n, message, &in)) < 0 || (rc = render_list(r, in->list.n, &list)) < 0 ||
	    (rc = render_room(r, in->list.n * sizeof(*tagged))) < 0)
		return rc;
	tagged = arena_array(r->mem, in->list.n, sizeof(*tagged));
	for (size_t i = 0; i < in->list.n; i++) {
		struct scope turn = turn_scope(s, n->op, in->list.items[i], NULL);

		tagged[i] = (struct sorted){ in->list.items[i], in->list.items[i], i };
		if (n->op->vars[0] && (rc = formula_eval(r, &turn, &n->op->formula, &tagged[i].by)) < 0)
			return rc;
		if (!(value_kind_bit(tagged[i].by) & (IS_STR | IS_NUM)) ||
		    value_kind_bit(tagged[i].by) != value_kind_bit(tagged[0].by))
			return render_fail(r, "%s", message);
	}
	if ((rc = render_steps(r, sort_steps(tagged, in->list.n))) < 0)
		return rc;
	if (in->list.n)
		qsort(tagged, in->list.n, sizeof(*tagged), compare_sorted);
	for (size_t i = 0; i < in->list.n; i++)
		list->list.items[list->list.n++] = tagged[i].item;
	*out = list;
	return 0;
}
