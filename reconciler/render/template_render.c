/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: rendering of compiled nodes, and the limits on it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "render/builtin.h"
#include "render/template_node.h"

#define STEPS_DEFAULT ((size_t)1000000)
#define DEPTH_DEFAULT 100
#define BYTES_DEFAULT ((size_t)4 << 20)

/* Kept free in the arena, which aborts when it is full: what one step makes without asking is far less. */
#define ARENA_SPARE ((size_t)16 * 1024)

int
render_fail(struct render *r, const char *fmt, ...)
{
	const struct formula *f = r->formula;
	char text[sizeof(r->e->text)];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		text[0] = '\0';
	if (f)
		(void)err_set(r->e, ERR_INVALID, "%s (in '%.*s%s')", text, (int)(f->len < 120 ? f->len : 120), f->text,
		              f->len < 120 ? "" : "\xe2\x80\xa6");
	else
		(void)err_set(r->e, ERR_INVALID, "%s", text);
	return place_wrap(r->e, r->at);
}

static size_t
bytes_made(const struct render *r)
{
	return arena_used(r->mem) - r->used_first + r->scratch.len;
}

int
render_steps(struct render *r, size_t n)
{
	if (n > r->steps_max - r->steps)
		return render_fail(r, "template takes more than the limit of %zu steps", r->steps_max);
	r->steps += n;
	return render_room(r, 0);
}

int
render_room(struct render *r, size_t n)
{
	size_t made = bytes_made(r);

	if (made > r->bytes_max || n > r->bytes_max - made)
		return render_fail(r, "template makes more than the limit of %zu bytes", r->bytes_max);
	return 0;
}

int
render_list(struct render *r, size_t n, struct value **out)
{
	int rc = n > SIZE_MAX / sizeof(struct value *) ? render_room(r, SIZE_MAX) : 0;

	if (rc < 0 || (rc = render_steps(r, n / 16)) < 0 || (rc = render_room(r, n * sizeof(struct value *))) < 0)
		return rc;
	*out = value_list(r->mem);
	(*out)->at = r->at;
	if (n) {
		(*out)->list.items = arena_array(r->mem, n, sizeof(struct value *));
		(*out)->list.cap = n;
	}
	return 0;
}

int
render_str(struct render *r, const char *s, size_t n, struct value **out)
{
	int rc = render_room(r, n);

	if (rc < 0)
		return rc;
	*out = value_strn(r->mem, s, n);
	(*out)->at = r->at;
	return 0;
}

int
render_put(struct render *r, const char *s, size_t n)
{
	int rc = render_room(r, n);

	if (rc == 0)
		buf_add(&r->scratch, s, n);
	return rc;
}

int
render_take(struct render *r, size_t from, struct value **out)
{
	size_t n = r->scratch.len - from;
	int rc;

	/* nothing was put: data may still be NULL */
	if ((rc = render_str(r, n ? r->scratch.data + from : "", n, out)) < 0)
		return rc;
	r->scratch.len = from;
	return 0;
}

int
render_put_scalar(struct render *r, const struct value *v, const char *null_text)
{
	char number[NUMBER_TEXT];
	const char *s = null_text;

	if (v->type == VALUE_STR)
		return render_put(r, v->str.s, v->str.len);
	if (v->type == VALUE_BOOL) {
		s = v->boolean ? "true" : "false";
	} else if (v->type != VALUE_NULL) {
		number_text(v, number);
		s = number;
	}
	return render_put(r, s, strlen(s));
}

/* Puts the text together in the scratch buffer, from its end on. */
static int
put_text(struct render *r, const struct scope *s, const struct text *t)
{
	int rc = 0;

	for (size_t i = 0; i < t->n && rc == 0; i++) {
		const struct piece *p = &t->items[i];
		struct value *v;

		if (!p->formula.root) {
			rc = render_put(r, p->s, p->len);
			continue;
		}
		if ((rc = formula_eval(r, s, &p->formula, &v)) < 0)
			return rc;
		if (v->type == VALUE_FUNCTION)
			return render_fail(r, "interpolation of '%.*s' produced a function",
			                   (int)(p->formula.len < 200 ? p->formula.len : 200), p->formula.text);
		if (v->type == VALUE_LIST || v->type == VALUE_MAP)
			return render_fail(r, "interpolation of '%.*s' produced an array or object",
			                   (int)(p->formula.len < 200 ? p->formula.len : 200), p->formula.text);
		rc = render_put_scalar(r, v, "");
	}
	return rc;
}

static int
render_list_node(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *list, *item;
	int rc;

	if ((rc = render_list(r, n->list.n, &list)) < 0)
		return rc;
	for (size_t i = 0; i < n->list.n; i++) {
		if ((rc = node_render(r, s, n->list.items[i], &item)) < 0)
			return rc;
		if (item)
			list->list.items[list->list.n++] = item;
	}
	*out = list;
	return 0;
}

static int
set_computed(struct render *r, const struct scope *s, const struct entry *en, struct value *map, struct value *item)
{
	size_t from = r->scratch.len, n;
	int rc;

	r->at = en->at;
	if ((rc = put_text(r, s, &en->text)) < 0)
		return rc;
	n = r->scratch.len - from;
	if (n && memchr(r->scratch.data + from, '\0', n))
		return render_fail(r, "key holds a NUL");
	if ((rc = render_room(r, n)) == 0)
		value_set_at(r->mem, map, n ? r->scratch.data + from : "", en->at, item);
	r->scratch.len = from;
	if (r->scratch.data)
		r->scratch.data[from] = '\0';
	return rc;
}

static int
render_map_node(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	struct value *map, *item;
	int rc;

	if ((rc = render_room(r, n->map.bytes)) < 0)
		return rc;
	map = value_map(r->mem);
	map->at = n->at;
	map->map.cap = n->map.n;
	map->map.items = arena_array(r->mem, n->map.n, sizeof(struct member));
	for (size_t i = 0; i < n->map.n; i++) {
		const struct entry *en = &n->map.items[i];

		if ((rc = node_render(r, s, en->value, &item)) < 0)
			return rc;
		if (!item)
			continue;
		if (en->key)
			value_set_at(r->mem, map, en->key, en->at, item);
		else if ((rc = set_computed(r, s, en, map, item)) < 0)
			return rc;
	}
	*out = map;
	return 0;
}

static int
render_kind(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	size_t from = r->scratch.len;
	int rc;

	if (n->kind == NODE_MAP)
		return render_map_node(r, s, n, out);
	if (n->kind == NODE_LIST)
		return render_list_node(r, s, n, out);
	if (n->kind == NODE_OP)
		return n->op->row->render(r, s, n, out);
	if ((rc = put_text(r, s, &n->text)) < 0)
		return rc;
	return render_take(r, from, out);
}

int
node_render(struct render *r, const struct scope *s, const struct node *n, struct value **out)
{
	int rc;

	if (n->kind == NODE_CONST) {
		*out = n->constant;
		return 0;
	}
	r->at = n->at;
	if ((rc = render_steps(r, 1)) < 0)
		return rc;
	if (r->depth >= r->depth_max)
		return render_fail(r, "nested deeper than the limit of %u (depth)", r->depth_max);
	r->depth++;
	rc = render_kind(r, s, n, out);
	r->depth--;
	return rc;
}

struct walk {
	struct render *r;
	size_t bytes;
};

static int
walk_result(struct walk *w, const struct value *v, unsigned depth)
{
	size_t n = value_len(v), more = sizeof(*v) + (v->type == VALUE_STR ? n : 0);
	int rc = 0;

	if (v->type == VALUE_FUNCTION)
		return render_fail(w->r, "evaluated template contained uncalled functions");
	if (depth > w->r->depth_max)
		return render_fail(w->r, "result is nested deeper than the limit of %u (depth)", w->r->depth_max);
	if (more > w->bytes)
		return render_fail(w->r, "template makes more than the limit of %zu bytes", w->r->bytes_max);
	w->bytes -= more;
	for (size_t i = 0; v->type == VALUE_LIST && i < n && rc == 0; i++)
		rc = walk_result(w, v->list.items[i], depth + 1);
	for (size_t i = 0; v->type == VALUE_MAP && i < n && rc == 0; i++)
		rc = walk_result(w, v->map.items[i].value, depth + 1);
	return rc;
}

int
result_check(struct render *r, const struct value *v)
{
	struct walk w = { r, r->bytes_max };

	return walk_result(&w, v, 1);
}

static bool
is_identifier(const char *s)
{
	if (!((*s | 32) >= 'a' && (*s | 32) <= 'z') && *s != '_')
		return false;
	for (; *s; s++) {
		if (!((*s | 32) >= 'a' && (*s | 32) <= 'z') && *s != '_' && !(*s >= '0' && *s <= '9'))
			return false;
	}
	return true;
}

static int
check_names(struct render *r, const struct value *map, const char *of)
{
	for (size_t i = 0; i < map->map.n; i++) {
		int rc = render_steps(r, 1 + STEPS_FOR_BYTES(strlen(map->map.items[i].key)));

		if (rc < 0)
			return rc;
		if (!is_identifier(map->map.items[i].key))
			return render_fail(r, "top level keys of %s must follow /[a-zA-Z_][a-zA-Z0-9_]*/ (\"%.80s\")", of,
			                   map->map.items[i].key);
	}
	return 0;
}

int
scope_open(struct render *r, struct scope *s, const struct scope *up, const struct value *map, const char *of)
{
	*s = (struct scope){ .up = up, .height = up ? up->height + 1 : 0, .map = map };
	return check_names(r, map, of);
}

static int
render_root(struct render *r, const struct template *t, const struct value *context, struct value **out)
{
	struct scope s;
	int rc;

	r->at = t->root->at;
	if (context->type != VALUE_MAP)
		return render_fail(r, "context must be an object");
	if ((rc = scope_open(r, &s, NULL, context, "context")) < 0 || (rc = node_render(r, &s, t->root, out)) < 0)
		return rc;
	r->at = t->root->at;
	return *out ? result_check(r, *out) : 0;
}

int
template_render(const struct template *t, struct arena *mem, const struct value *context, const char *now,
                const struct template_limits *limits, struct value **out, struct err *e)
{
	struct template_limits l = limits ? *limits : (struct template_limits){ 0, 0, 0 };
	struct value clock = { .type = VALUE_STR };
	struct value *result = NULL;
	size_t left = arena_room(mem);
	struct err unheard;
	struct render r = {
		.mem = mem,
		.e = e ? e : &unheard,
		.steps_max = l.steps ? l.steps : STEPS_DEFAULT,
		.depth_max = l.depth ? l.depth : DEPTH_DEFAULT,
		.bytes_max = l.bytes ? l.bytes : BYTES_DEFAULT,
		.used_first = arena_used(mem),
	};
	int rc;

	left = left > ARENA_SPARE ? left - ARENA_SPARE : 0;
	if (r.bytes_max > left)
		r.bytes_max = left;
	r.scratch.max = r.bytes_max + 1;
	if (now) {
		clock.str.s = arena_strdup(mem, now);
		clock.str.len = strlen(now);
		r.now = arena_memdup(mem, &clock, sizeof(clock));
	}
	rc = render_root(&r, t, context, &result);
	buf_free(&r.scratch);
	if (rc == 0)
		*out = result;
	return rc;
}
