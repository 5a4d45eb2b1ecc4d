/* SPDX-License-Identifier: Apache-2.0 */
/* Inside validate/policy*.c: what a rule is given. */
#pragma once

#include "parse/env.h"
#include "parse/say.h"

struct rules {
	const struct env *env;
	const struct site *s;
	struct report *r;
	struct arena *mem;
};

/* Who and what may be used: policy_allow.c. */
void rules_allow(struct rules *c);

/* How much: policy_limit.c. */
void rules_limit(struct rules *c);

/* Fields that have to go together: policy_fit.c. */
void rules_fit(struct rules *c);

/* What its flavor and the cluster have to have: policy_shape.c. */
void rules_shape(struct rules *c);

/* Names and places taken twice: policy_names.c. */
void rules_names(struct rules *c);

/* What is put into the environment: packages, repositories, datasets: policy_contents.c. */
void rules_contents(struct rules *c);

/* How secrets are handed over, and those that are not sealed: policy_secrets.c. */
void rules_secrets(struct rules *c);

/* Absolute, without '.' and '..' parts and ':'; doubled slashes are fine: policy_names.c. */
bool rules_path_plain(const char *s);

/* Times, dates and the budget: policy_time.c. */
void rules_time(struct rules *c);

/* The value at a dotted path of the merged spec. */
static inline const struct value *
rules_get(const struct rules *c, const char *dotted)
{
	return value_at(c->env->spec, dotted);
}

/* A field of a document's spec; NULL for no document. */
static inline const struct value *
rules_doc(const struct doc *d, const char *dotted)
{
	return d ? value_at(d->spec, dotted) : NULL;
}

/* Where `v` stands in a document, else where the environment names its flavor, which everything left out comes from. */
static inline struct place
rules_place(const struct rules *c, const struct value *v)
{
	const struct value *flavor = value_get(c->env->doc->spec, "flavor");

	if (v && v->at.file && v->at.line)
		return v->at;
	return flavor ? flavor->at : say_file(c->env->doc->path);
}
