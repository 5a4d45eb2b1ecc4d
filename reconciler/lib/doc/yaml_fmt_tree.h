/* SPDX-License-Identifier: Apache-2.0 */
/* A document as it was written: nodes in their order, each with its comments. Between yaml_fmt_tree.c and yaml_fmt.c. */
#pragma once

#include <stdint.h>

#include "lib/doc/report.h"

/* One comment from its '#' to the end of its line, without blanks at its end; bytes of the source text. */
struct comment {
	const char *s;
	size_t len;
	uint32_t line, col; /* from 0, col in characters */
	bool blank;         /* a blank line stands before it */
	struct comment *next;
};

struct comments {
	struct comment *first, *last;
};

enum node_type { NODE_PLAIN, NODE_QUOTED, NODE_LITERAL, NODE_LIST, NODE_MAP };

/* A key with its value, or an item of a list; the document itself is one without a key. */
struct entry {
	const char *key;
	struct node *value;
	bool blank;             /* a blank line stands before its key or dash */
	struct comments before; /* lines of their own */
	struct comments head;   /* behind the key or dash, and the lines that continue it */
	struct comments tail;   /* the same behind the value */
	struct comments inner;  /* lines of their own below a value that is null or empty; of the document: the rest */
	bool on_line;           /* yaml_fmt.c: the value stands on the line of its key or dash */
	struct entry *next;
};

struct node {
	enum node_type type;
	const char *s; /* scalars */
	size_t len;
	struct entry *first, *last; /* collections */
	struct comments end;        /* lines of their own behind the last entry */
	bool flow;
	bool commented;    /* flow: it or something in it has a comment inside */
	bool list_in_map;  /* block: a list at its key's column */
	int32_t col;       /* of a block in the source, from 0 */
	struct node *up;   /* the collection around it, or NULL */
	struct entry *own; /* the entry whose value it is */
};

/* Appends, and leaves `from` empty. */
void comments_move(struct comments *to, struct comments *from);

/* True for null in any spelling, [] and {}. */
bool node_is_empty(const struct node *n);

/*
 * Reads; *doc is the document with all comments, *count their number. doc->value is NULL when there is no content.
 * Errors as yaml_read().
 */
int yaml_fmt_tree(struct arena *mem, const char *file, const char *bytes, size_t len, struct report *r, struct entry **doc,
                  size_t *count, struct value **value) MUST_USE;
