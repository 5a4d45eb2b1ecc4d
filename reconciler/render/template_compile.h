/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the compiling of templates. */
#pragma once

#include "render/template_node.h"

struct compiler {
	struct arena *mem;
	struct err *e;
	unsigned depth;
};

/* err_set has been called: puts the place in front. 0 stays 0. */
int compile_placed(struct compiler *c, struct place at, int rc) MUST_USE;
#define FAIL(c, at, ...) compile_placed((c), (at), err_set((c)->e, ERR_INVALID, __VA_ARGS__))

/* The arena aborts when it is full: what a document can make grow, n of `size` bytes, is checked before. */
int compile_room(struct compiler *c, struct place at, size_t n, size_t size) MUST_USE;

struct node *node_new(struct compiler *c, enum node_kind kind, struct place at);
int node_compile(struct compiler *c, const struct value *v, struct node **out) MUST_USE;

/* The map `v` whose member `m` is the operator of `row`; template_operator.c. */
int operator_compile(struct compiler *c, const struct value *v, const struct member *m, const struct operator_ *row,
                     struct node **out) MUST_USE;
