/* SPDX-License-Identifier: Apache-2.0 */
/* Private to schema*.c: the compiled form of a schema, and how references find other documents. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/doc/regex.h"
#include "validate/schema.h"

struct node;

struct node_list {
	struct node **items;
	size_t n;
};

/* A name with a subschema (properties, dependentSchemas), sorted by name, or a pattern with one. */
struct named_node {
	const char *name;
	struct regex *pattern; /* patternProperties only */
	struct node *node;
};

struct named_nodes {
	struct named_node *items;
	size_t n;
};

struct name_list {
	const char **items;
	size_t n;
};

struct dependency {
	const char *name;
	struct name_list needs;
};

/* Which keywords a node has, so that evaluation skips whole groups. */
enum node_has {
	HAS_NUMBER = 1 << 0,
	HAS_STRING = 1 << 1,
	HAS_LIST = 1 << 2,
	HAS_MAP = 1 << 3,
	HAS_BRANCHES = 1 << 4, /* allOf anyOf oneOf not if */
};

/* Bits of `type`; integers are numbers too. */
enum node_type {
	TYPE_NULL = 1 << 0,
	TYPE_BOOLEAN = 1 << 1,
	TYPE_INTEGER = 1 << 2,
	TYPE_NUMBER = 1 << 3,
	TYPE_STRING = 1 << 4,
	TYPE_ARRAY = 1 << 5,
	TYPE_OBJECT = 1 << 6,
};

/* One subschema. Absent keywords are NULL, 0, or SIZE_MAX for upper limits. */
struct node {
	const struct value *source;
	const struct resource *resource;
	unsigned has;
	bool never;     /* the schema `false` */
	unsigned types; /* 0: any */
	const char *title, *description;
	const struct value *examples;

	const struct value *allowed; /* enum */
	const struct value *constant;
	const struct value *minimum, *maximum, *above, *below, *multiple_of;
	size_t min_length, max_length;
	struct regex *pattern;

	size_t min_items, max_items, min_contains, max_contains;
	bool unique;
	struct node_list prefix;
	struct node *items, *contains, *unevaluated_items;

	size_t min_members, max_members;
	struct name_list required;
	struct dependency *dependencies;
	size_t ndependencies;
	struct named_nodes members, patterns, dependents;
	struct node *additional, *names, *unevaluated_members;

	struct node_list all_of, any_of, one_of;
	struct node *not_, *if_, *then_, *else_;
	struct node *ref, *dynamic_ref;
	const char *dynamic_name; /* $dynamicRef that may be redirected by the dynamic scope */
};

struct anchor {
	const char *name;
	const struct value *at;
	bool dynamic;
	struct node *node; /* dynamic ones only */
	struct anchor *next;
};

/* A schema with a URI of its own: a document, or a part of one with $id. */
struct resource {
	const char *uri; /* absolute when known, without fragment; "" for a document without one */
	const struct value *root;
	struct anchor *anchors;
	bool asserts; /* its dialect has the validation vocabulary */
};

struct schema {
	struct node *root;
	bool tracks; /* some unevaluated* keyword is there: evaluated members and items are recorded */
};

struct schema_options {
	const char *uri; /* of the document: relative references start from it; NULL: none */
	/* Gives the document at an absolute URI (must outlive the schema); NULL: references stay within the document. */
	int (*load)(void *ctx, const char *uri, const struct value **out, struct err *e);
	void *ctx;
	bool lax; /* unknown keywords are annotations, as the specification says; otherwise only x-* are */
};

int schema_compile_with(struct arena *mem, const struct value *document, const struct schema_options *o,
                        struct schema **out, struct err *e) MUST_USE;

/* --- schema_refs.c: URIs, resources, anchors --- */

struct refs;

/* What a reference leads to. */
struct ref_target {
	const struct value *at;
	struct resource *resource;
	struct anchor *anchor; /* when the fragment is an anchor */
};

struct refs *refs_new(struct arena *mem, const struct schema_options *o);

/* Takes in a document: its resources and anchors become known. NULL uri: "". */
int refs_add(struct refs *refs, const char *uri, const struct value *document, struct resource **out,
             struct err *e) MUST_USE;

/* Follows `ref` from `from`, loading documents as needed. */
int refs_find(struct refs *refs, const struct resource *from, const char *ref, struct ref_target *out,
              struct err *e) MUST_USE;

/* The resource that begins at exactly this value, or NULL. */
struct resource *refs_at(const struct refs *refs, const struct value *v);

/* The dynamic anchors that were added since the last call, one a call; NULL when there are no more. */
struct anchor *refs_next_dynamic(struct refs *refs, struct resource **resource);

/* `ref` resolved against `base` (RFC 3986 chapter 5.2), without the fragment: that is in `ref` behind '#', or NULL. */
char *uri_resolve(struct arena *mem, const char *base, const char *ref, const char **fragment);

/* --- schema_keywords.c: what each keyword looks like --- */

/* Where a keyword holds subschemas. */
enum keyword_shape { SHAPE_NONE, SHAPE_ONE, SHAPE_LIST, SHAPE_MAP };

/* How a keyword's value is taken into a node. */
enum keyword_take {
	TAKE_NOTHING,   /* an annotation, or handled elsewhere */
	TAKE_TYPE, TAKE_VALUE, TAKE_ENUM, TAKE_NUMBER, TAKE_COUNT, TAKE_BOOL, TAKE_TEXT, TAKE_PATTERN,
	TAKE_NAMES, TAKE_DEPENDENCIES, TAKE_NODE, TAKE_NODES, TAKE_NAMED, TAKE_PATTERNS,
	TAKE_REF, TAKE_DYNAMIC_REF,
};

struct keyword {
	const char *name;
	enum keyword_shape shape;
	enum keyword_take take;
	size_t offset;  /* of the field in struct node */
	unsigned has;   /* bits of enum node_has that it sets */
	bool asserts;   /* belongs to the validation vocabulary */
};

/* The row of a keyword, or NULL. */
const struct keyword *keyword_find(const char *name);

/* A map from addresses, in an arena. Starts zeroed. */
struct table {
	const void **keys;
	void **values;
	size_t n, cap;
};

void *table_get(const struct table *t, const void *key);
void table_put(struct arena *mem, struct table *t, const void *key, void *value); /* the key must be new */

/* ERR_INVALID with the place of `v` in front, when it has one: "environment.schema.json:12:3: …". */
int schema_error(struct err *e, const struct value *v, const char *fmt, ...) PRINTF(3, 4);

/* --- schema_eval.c and schema_say.c --- */

/* The way from the root of the document to a value. */
struct step {
	const struct step *up;
	const struct member *member; /* or NULL in a list */
	size_t index;
	const struct value *value;
	const struct node *about; /* the first node for this value: it has the words for people */
	bool is_key;              /* the value is the member's key */
};

enum eval_mode {
	EVAL_VERDICT, /* stop at the first violation */
	EVAL_WEIGH,   /* count violations, to compare branches */
	EVAL_REPORT,  /* make findings */
};

struct scope {
	const struct scope *up;
	const struct resource *resource;
};

struct eval {
	const struct schema *schema;
	enum eval_mode mode;
	struct report *report;
	size_t errors; /* findings made */
	size_t weight; /* EVAL_WEIGH: violations, grave ones counting more */
	size_t steps;
	unsigned depth;
	bool gave_up; /* a limit was hit: reported once */
	const struct scope *scope;
	struct regex_run run;
};

/* Members of a map or items of a list that some keyword has looked at. */
struct seen {
	size_t n;
	uint64_t few; /* n <= 64 */
	uint64_t *many;
};

bool eval_node(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen);

/* schema_branches.c: allOf, anyOf, oneOf, not, if; dependentSchemas. */
bool eval_branches(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen);

/* Runs `n` without making findings. */
bool eval_quietly(struct eval *ev, const struct node *n, const struct step *at, struct seen *seen);

void seen_init(struct seen *s, const struct value *v);
void seen_free(struct seen *s);
void seen_add(struct seen *s, size_t i);
void seen_all(struct seen *s);
void seen_merge(struct seen *into, const struct seen *from);
bool seen_has(const struct seen *s, size_t i);

#define AUTO_SEEN __attribute__((cleanup(seen_free)))

/* The bit of enum node_type that a value has (integral reals are TYPE_INTEGER). */
unsigned type_of(const struct value *v);
bool type_fits(unsigned types, const struct value *v);
int number_compare(const struct value *x, const struct value *y);
size_t text_length(const char *s, size_t len); /* in code points */

/*
 * Each says one kind of violation, according to the mode, and returns false. `at` is the offending value.
 */
bool say_type(struct eval *ev, const struct step *at, unsigned types);
bool say_enum(struct eval *ev, const struct node *n, const struct step *at);
bool say_const(struct eval *ev, const struct node *n, const struct step *at);
bool say_pattern(struct eval *ev, const struct node *n, const struct step *at, bool too_hard);
bool say_number(struct eval *ev, const struct step *at, const char *rule, const struct value *limit);
bool say_count(struct eval *ev, const struct step *at, const char *rule, size_t limit, const char *unit, size_t found);
bool say_twice(struct eval *ev, const struct step *at, const struct value *item, size_t index);
bool say_missing(struct eval *ev, const struct node *n, const struct step *at, const char *name, const char *because);
bool say_unknown(struct eval *ev, const struct node *n, const struct step *at, const struct member *m);
bool say_never(struct eval *ev, const struct step *at);
bool say_item(struct eval *ev, const struct step *at, size_t index); /* one item too many */
bool say_contains(struct eval *ev, const struct node *n, const struct step *at, size_t found);
bool say_not(struct eval *ev, const struct node *n, const struct step *at);
bool say_needs_one(struct eval *ev, const struct node_list *branches, const struct step *at);
bool say_fits_many(struct eval *ev, const struct node_list *branches, const struct step *at, size_t a, size_t b);
bool say_gave_up(struct eval *ev, const struct step *at);
