/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the evaluation of expressions. */
#pragma once

#include "render/template_node.h"

int expr_eval(struct render *r, const struct scope *s, const struct expr *x, struct value **out) MUST_USE;

/* expr_access.c: a.name, a[b], a[b:c] */
int expr_dot(struct render *r, const struct scope *s, const struct expr *x, struct value **out) MUST_USE;
int expr_index(struct render *r, const struct scope *s, const struct expr *x, struct value **out) MUST_USE;
int expr_slice(struct render *r, const struct scope *s, const struct expr *x, struct value **out) MUST_USE;
