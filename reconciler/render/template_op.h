/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that stand in template_list.c; their rows are in template_op.c. */
#pragma once

#include "render/template_node.h"

int op_flatten(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
int op_flatten_deep(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
int op_map(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
int op_reduce(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
int op_find(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
int op_merge(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
int op_merge_deep(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
int op_reverse(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
int op_sort(struct render *r, const struct scope *s, const struct node *n, struct value **out) MUST_USE;
