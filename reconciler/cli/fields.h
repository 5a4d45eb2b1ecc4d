/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of the seven kinds, from the schemas that are compiled in. */
#pragma once

#include "lib/doc/value.h"
#include "parse/kinds.h"

struct fields {
	struct arena *mem;
	const struct value *docs[KIND_COUNT];
};

struct field {
	enum kind kind;
	const char *path;           /* "spec.volumes[].size", "spec.env.<name>"; "" is the document */
	const struct value *schema; /* what it refers to laid under what stands beside the reference; no $ref at its top */
	bool required;
};

struct field_list {
	struct field *items;
	size_t n, cap;
};

/* Reads the schemas; all that comes of them lives in mem. */
int fields_load(struct arena *mem, struct fields *out, struct err *e) MUST_USE;

/* All fields of a kind in the order of its schema. The environment's spec under `defaults` of other kinds is not repeated. */
void fields_of(const struct fields *f, enum kind k, struct field_list *out);

/* The fields directly inside one: of a map, or of the items of a list. */
void fields_inside(const struct fields *f, const struct field *of, struct field_list *out);

/*
 * The field at a dotted path; items of a list may be written "volumes[]" or "volumes". ERR_NOTFOUND says which step is not
 * there and, when there is one, the nearest name.
 */
int field_find(const struct fields *f, enum kind k, const char *path, struct field *out, struct err *e) MUST_USE;

/* Fields of any kind whose last steps are `tail` ("shm", "ssh.via"). */
void fields_ending(const struct fields *f, const char *tail, struct field_list *out);

/* "env" "flavor" "image" "dataset" "team" "user" "org": the first step of a field's name. */
const char *kind_word(enum kind k);
/* By that word, the kind's name, its folder or its alias, in any case; KIND_COUNT when it is none. */
enum kind kind_of_word(const char *s, size_t n);
/* "envs/<owner>/<name>.yaml" */
const char *kind_file(struct arena *mem, enum kind k);

/* "string", "list of map", "string or number". */
const char *field_type(struct arena *mem, const struct fields *f, const struct field *field);
/* What else the schema asks for ("minimum 0, at most 40 characters, matches …"), or NULL. */
const char *field_limits(struct arena *mem, const struct field *field);
/* "env.spec.flavor" */
const char *field_name(struct arena *mem, const struct field *field);
/* "flavor" of "spec.flavor" */
const char *last_step(const char *path);
