/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of JSON-e (https://json-e.js.org/operators.html). */
#include <string.h>

#include "lib/base/str.h"
#include "render/builtin.h"
#include "render/template_op.h"

static int
op_eval(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	return formula_eval(r, s, &n->op->formula, out);
}

static int
op_if(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	const struct node *branch;
	struct value *v;
	int rc;

	if ((rc = formula_eval(r, s, &n->op->formula, &v)) < 0)
		return rc;
	branch = value_truthy(v) ? n->op->yes : n->op->no;
	*out = NULL;
	return branch ? node_render(r, s, branch, out) : 0;
}

static int
op_let(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *variables;
	struct scope inner;
	int rc;

	if ((rc = node_render(r, s, n->op->value, &variables)) < 0)
		return rc;
	if (!variables)
		return node_render(r, s, n->op->yes, out);
	r->at = n->at;
	if (variables->type != VALUE_MAP)
		return render_fail(r, "$let value must be an object");
	if ((rc = scope_open(r, &inner, s, variables, "$let")) < 0)
		return rc;
	return node_render(r, &inner, n->op->yes, out);
}

static int
op_json(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	size_t from = r->scratch.len;
	struct value *v;
	int rc;

	if ((rc = node_render(r, s, n->op->value, &v)) < 0)
		return rc;
	r->at = n->at;
	if (!v)
		return render_fail(r, "$json value evaluated to nothing");
	if ((rc = json_put(r, v, 1)) < 0)
		return rc;
	return render_take(r, from, out);
}

static int
op_from_now(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *span, *reference = NULL;
	char text[32];
	struct err e = { 0 };
	int rc;

	if ((rc = node_render(r, s, n->op->value, &span)) < 0 ||
	    (n->op->yes && (rc = node_render(r, s, n->op->yes, &reference)) < 0))
		return rc;
	r->at = n->at;
	if (!value_is(span, VALUE_STR))
		return render_fail(r, "$fromNow expects a string");
	if (!n->op->yes)
		reference = scope_find(r, s, "now");
	if (!reference)
		return render_fail(r, "$fromNow needs a reference time (this rendering has no clock)");
	if (!value_is(reference, VALUE_STR))
		return render_fail(r, "$fromNow counts from a string");
	if (time_from(span->str.s, reference->str.s, text, &e) < 0)
		return render_fail(r, "%s", e.text);
	return render_str(r, text, strlen(text), out);
}

/* Renders the cases whose condition is true. */
static int
true_cases(struct render *r, const struct scope *s, const struct node *n, struct value **out, size_t *matches)
{
	struct value *v, *list;
	int rc;

	*matches = 0;
	if ((rc = render_list(r, n->op->n, &list)) < 0)
		return rc;
	for (size_t i = 0; i < n->op->n; i++) {
		r->at = n->op->cases[i].at;
		if ((rc = formula_eval(r, s, &n->op->conditions[i], &v)) < 0)
			return rc;
		if (!value_truthy(v))
			continue;
		++*matches;
		if ((rc = node_render(r, s, n->op->cases[i].value, &v)) < 0)
			return rc;
		if (v)
			list->list.items[list->list.n++] = v;
	}
	r->at = n->at;
	*out = list;
	return 0;
}

static int
op_match(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	size_t matches;

	return true_cases(r, s, n, out, &matches);
}

static int
op_switch(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *list;
	size_t matches;
	int rc;

	if ((rc = true_cases(r, s, n, &list, &matches)) < 0)
		return rc;
	if (matches > 1)
		return render_fail(r, "$switch can only have one truthy condition");
	*out = value_item(list, 0);
	return matches == 0 && n->op->no ? node_render(r, s, n->op->no, out) : 0;
}

/* Sorted by name. */
static const struct operator_ operators[] = {
	{ .name = "$eval", .operand_is_formula = true, .operand_message = "$eval must be given a string expression",
	  .render = op_eval },
	{ .name = "$find", .binder = "each", .vars_min = 1, .vars_max = 2, .exactly = 2, .render = op_find },
	{ .name = "$flatten", .render = op_flatten },
	{ .name = "$flattenDeep", .render = op_flatten_deep },
	{ .name = "$fromNow", .props = { "from" }, .render = op_from_now },
	{ .name = "$if", .props = { "then", "else" }, .operand_is_formula = true,
	  .operand_message = "$if can evaluate string expressions only", .render = op_if },
	{ .name = "$json", .render = op_json },
	{ .name = "$let", .props = { "in" }, .operand_message = "$let value must be an object", .render = op_let },
	{ .name = "$map", .binder = "each", .vars_min = 1, .vars_max = 2, .exactly = 2, .render = op_map },
	{ .name = "$match", .operand_is_cases = true, .operand_message = "$match can evaluate objects only",
	  .render = op_match },
	{ .name = "$merge", .render = op_merge },
	{ .name = "$mergeDeep", .render = op_merge_deep },
	{ .name = "$reduce", .props = { NULL, "initial" }, .binder = "each", .vars_min = 2, .vars_max = 3, .exactly = 3,
	  .render = op_reduce },
	{ .name = "$reverse", .render = op_reverse },
	{ .name = "$sort", .binder = "by", .vars_min = 1, .vars_max = 1, .render = op_sort },
	{ .name = "$switch", .operand_is_cases = true, .operand_message = "$switch can evaluate objects only",
	  .render = op_switch },
};

#define OPERATORS (sizeof(operators) / sizeof(operators[0]))

const struct operator_ *
operator_find(const char *key)
{
	for (size_t i = 0; i < OPERATORS; i++) {
		if (!strcmp(operators[i].name, key))
			return &operators[i];
	}
	return NULL;
}

const char *
operator_nearest(const char *key)
{
	const char *names[OPERATORS];

	for (size_t i = 0; i < OPERATORS; i++)
		names[i] = operators[i].name;
	return str_nearest(key, names, OPERATORS);
}
