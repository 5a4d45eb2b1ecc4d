/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the template engine: compiled nodes and the state of one rendering. */
#pragma once

#include "lib/base/buf.h"
#include "render/expr.h"
#include "render/template.h"

enum node_kind {
	NODE_CONST, /* nothing to do below: the value itself, shared by all results */
	NODE_TEXT,  /* a string with ${...} */
	NODE_LIST,
	NODE_MAP,
	NODE_OP,
};

/* A run of plain bytes (root NULL), or an expression. */
struct piece {
	const char *s;
	size_t len;
	struct formula formula;
};

struct text {
	struct piece *items;
	size_t n;
};

struct entry {
	const char *key;  /* NULL: computed from key_text */
	struct text text;
	struct place at;
	struct node *value;
};

struct op_node {
	const struct operator_ *row;
	struct node *value;      /* the operand, where it is rendered */
	struct formula formula;  /* the operand, where it is an expression; or the one of each(), by() */
	struct node *yes, *no;   /* then else; in; from; each and initial */
	const char *vars[3];     /* names bound by each(), by() */
	struct entry *cases;     /* $match and $switch: sorted by condition */
	struct formula *conditions;
	size_t n;
};

struct node {
	enum node_kind kind;
	struct place at;
	union {
		struct value *constant;
		struct text text;
		struct {
			struct node **items;
			size_t n;
		} list;
		struct {
			struct entry *items;
			size_t n;
			size_t bytes; /* that a rendered map takes at most, without its values and computed keys */
		} map;
		struct op_node *op;
	};
};

struct template {
	struct node *root;
};

/* Variables, innermost first: up to three names, or the members of a map. */
struct scope {
	const struct scope *up;
	unsigned height; /* number of scopes above */
	const struct value *map;
	const char *names[3];
	struct value *values[3];
};

struct render {
	struct arena *mem;
	struct err *e;
	struct value *now; /* a string, or NULL */
	size_t steps, steps_max;
	unsigned depth, depth_max;
	size_t used_first, bytes_max;
	struct buf scratch;  /* texts under construction; users stack on top of each other and cut back */
	struct place at;     /* of the template value being worked on */
	const struct formula *formula; /* being evaluated, or NULL */
};

/* One row an operator; template_op.c. */
struct operator_ {
	const char *name;
	const char *props[2];           /* further properties it may have */
	const char *binder;             /* "each" or "by": a property like each(x,i), or NULL */
	unsigned vars_min, vars_max;    /* names in the binder */
	size_t exactly;                 /* properties it must have, 0: any */
	bool operand_is_formula;        /* the operand is an expression in a string */
	bool operand_is_cases;          /* the operand is a map from condition to value */
	const char *operand_message;    /* when the operand is not of that form */
	int (*render)(struct render *r, const struct scope *s, const struct node *n, struct value **out);
};

/* The operator that has this key, or NULL. */
const struct operator_ *operator_find(const char *key);
const char *operator_nearest(const char *key);

/* ERR_INVALID "file:line:col: text", with the expression at hand when there is one. */
int render_fail(struct render *r, const char *fmt, ...) PRINTF(2, 3);
int place_wrap(struct err *e, struct place at);

/* Counts n steps; ERR_INVALID over a limit. */
int render_steps(struct render *r, size_t n) MUST_USE;
/* The steps that reading n bytes counts for: long names and strings must not make a step slow. */
#define STEPS_FOR_BYTES(n) ((n) / 64)
/* Checks that n more bytes may be made. */
int render_room(struct render *r, size_t n) MUST_USE;

/* Renders a node; *out is NULL when it gives nothing (a deleted value). */
int node_render(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;

/* Evaluates a formula of the node at `at`; *out is never NULL on success. */
int formula_eval(struct render *r, const struct scope *s, const struct formula *f, struct value **out) MUST_USE;

/* The value of a variable or builtin, or NULL. */
struct value *scope_find(const struct render *r, const struct scope *s, const char *name);

/* JSON-e's idea of true: not null, false, 0, "", [] or {}. */
bool value_truthy(const struct value *v);

bool value_is_number(const struct value *v);
/* Below, at or above 0 as the first is less, the same or more: of two numbers, of two strings (bytewise). */
int number_order(const struct value *a, const struct value *b);
int string_order(const struct value *a, const struct value *b);

/* JSON equality, functions included; counts steps. */
int render_equal(struct render *r, const struct value *x, const struct value *y, bool *out) MUST_USE;

/* A list with room for n items, already counted. */
int render_list(struct render *r, size_t n, struct value **out) MUST_USE;
int render_str(struct render *r, const char *s, size_t n, struct value **out) MUST_USE;
/* Appends to the scratch buffer, within the limit on bytes. */
int render_put(struct render *r, const char *s, size_t n) MUST_USE;
/* Makes what stands in the scratch buffer from `from` on into a string value, and cuts it off. */
int render_take(struct render *r, size_t from, struct value **out) MUST_USE;

/* A number result: integral doubles within 2^53 become integers; ERR_INVALID when not finite. */
int number_make(struct render *r, double d, struct value **out) MUST_USE;
double number_of(const struct value *v);
/* The number as JavaScript prints it. */
#define NUMBER_TEXT 48
void number_text(const struct value *v, char out[NUMBER_TEXT]);
/* Appends the text of a scalar; `v` must be one. Null becomes `null_text`. */
int render_put_scalar(struct render *r, const struct value *v, const char *null_text) MUST_USE;

/* Appends compact JSON with sorted keys. */
int json_put(struct render *r, const struct value *v, unsigned depth) MUST_USE;

/*
 * Checks a result as a whole: no functions in it, and not larger or deeper than the limits once values that occur
 * many times in it are written out.
 */
int result_check(struct render *r, const struct value *v) MUST_USE;

/* A scope over `map`, whose keys must be names; `of` is for the message. */
int scope_open(struct render *r, struct scope *s, const struct scope *up, const struct value *map,
               const char *of) MUST_USE;
