/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of JSON-e (https://json-e.js.org/expressions.html): parsed once, evaluated many times. */
#pragma once

#include "lib/doc/value.h"

/* Tallest syntax tree; a chain of n operators counts n. Bounds the stack of parsing and of evaluating. */
#define EXPR_HEIGHT_MAX 100

struct builtin;

enum expr_kind {
	EXPR_CONST,
	EXPR_NAME,
	EXPR_NOT,
	EXPR_PLUS,
	EXPR_MINUS,
	EXPR_OR,
	EXPR_AND,
	EXPR_IN,
	EXPR_EQ,
	EXPR_NE,
	EXPR_LT,
	EXPR_GT,
	EXPR_LE,
	EXPR_GE,
	EXPR_ADD,
	EXPR_SUB,
	EXPR_MUL,
	EXPR_DIV,
	EXPR_POW,
	EXPR_DOT,   /* a.name */
	EXPR_INDEX, /* a[b] */
	EXPR_SLICE, /* a[b:c], b and c may be NULL */
	EXPR_CALL,  /* a(items) */
	EXPR_LIST,  /* [items] */
	EXPR_MAP,   /* {keys: items} */
	EXPR_KIND_COUNT
};

struct expr {
	enum expr_kind kind;
	unsigned height;
	struct expr *a, *b, *c;
	struct value *constant;        /* EXPR_CONST */
	const char *name;              /* EXPR_NAME, EXPR_DOT */
	const struct builtin *builtin; /* EXPR_NAME: what the name means when no variable has it, or NULL */
	const char **keys;             /* EXPR_MAP */
	struct expr **items;
	size_t n; /* of items; EXPR_NAME, EXPR_DOT: bytes of the name */
};

/* A parsed expression with its text, for messages. */
struct formula {
	const struct expr *root;
	const char *text;
	size_t len;
};

/*
 * Parses the whole of `text`, or with `used` non-NULL up to the '}' that closes an interpolation (then *used is its
 * offset). The text is kept by pointer. Errors are ERR_INVALID without a place. Unlike the JavaScript implementation
 * `!a.b` is !(a.b); there it always fails.
 */
int expr_parse(struct arena *mem, const char *text, size_t len, size_t *used, struct formula *out,
               struct err *e) MUST_USE;
