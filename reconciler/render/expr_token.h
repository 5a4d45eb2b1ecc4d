/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of expressions; only expr_parse.c needs them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum token_kind {
	T_END,
	T_NUMBER,
	T_STRING,
	T_NAME,
	T_TRUE,
	T_FALSE,
	T_NULL,
	T_IN,
	T_PUNCT, /* one of the texts of `puncts` in expr_token.c */
};

struct token {
	enum token_kind kind;
	const char *s;
	size_t len;
};

struct parser {
	struct arena *mem;
	struct err *e;
	const char *text, *end, *next; /* next: behind the current token */
	struct token t;
};

/* Moves on to the next token. */
int token_next(struct parser *p) MUST_USE;

/* True when the current token is this operator or bracket, or "in". */
bool token_is(const struct parser *p, const char *text);

/* Moves on behind `text`, which must be the current token. */
int token_take(struct parser *p, const char *text) MUST_USE;

/* ERR_INVALID that names the current token and what could stand there. */
int token_unexpected(struct parser *p, const char *expected);
