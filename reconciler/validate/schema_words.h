/* SPDX-License-Identifier: Apache-2.0 */
/* Private to schema*.c: values, types and places in words. Everything is appended to a buffer. */
#pragma once

#include "validate/schema_node.h"

/* "spec.volumes[2].size"; nothing for the document itself. Keys that are no plain words stand in ["…"]. */
void words_path(const struct step *at, struct buf *out);

/* The path in backquotes, "the document", or "key `x` of `spec.env`". */
void words_subject(const struct step *at, struct buf *out);

/* "an integer", "a string or a number", … for bits of enum node_type. */
void words_types(unsigned types, struct buf *out);

/* `the string "2"`, "the number 1000", "a list", … with how it was written when that differs. */
void words_value(const struct value *v, struct buf *out);

/* The value alone, shortened, in quotes when it is not a plain word; words_shown puts plain words in backquotes. */
void words_plain(const struct value *v, struct buf *out);
void words_shown(const struct value *v, struct buf *out);
void words_number(const struct value *v, struct buf *out);

/* "for example 64Gi", from the examples of the node that describes the value. */
void words_example(const struct step *at, struct buf *out);

/* The description of `n`, and an example. */
void words_about(const struct node *n, const struct step *at, struct buf *out);

/* What to write when the type is wrong: quotes, no quotes, a list, … */
void words_type_help(struct regex_run *run, const struct step *at, unsigned types, struct buf *out);

/* What to add for a missing field. */
void words_missing_help(const struct node *n, const char *name, struct buf *out);

/* The field that was probably meant, here or one level up or down, or the list of fields when it is short. */
void words_unknown_help(const struct node *n, const struct step *at, const char *key, struct buf *out);

/* As str_nearest, letter case counting for nothing, and not too generous with short words. */
const char *words_nearest(const char *word, const char *const *names, size_t n);

/* Where to point and how wide: scalars themselves, lists and maps at their key. */
struct place words_place(const struct step *at, size_t *width);
