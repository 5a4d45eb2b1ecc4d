/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comments and their owners. libyaml drops comments, so they are taken from the text between its events. A gap lies between
 * two events; what stands in it besides blanks is comments and indicators.
 */
#include "lib/doc/yaml_fmt_tree.h"

#include <string.h>

#include "lib/doc/yaml_events.h"
#include "lib/doc/yaml_scalar.h"

/* What the last event was: it decides whose a comment behind it on its line is. */
enum after { AFTER_NOTHING, AFTER_KEY, AFTER_START, AFTER_VALUE };

struct builder {
	struct arena *mem;
	struct entry *doc;
	struct node *top;         /* the open collection, or NULL */
	struct entry *last;       /* the entry of the last key or value */
	enum after after;
	uint32_t after_line;      /* where the last event ended; UINT32_MAX: nothing can follow it on its line */
	size_t pos;               /* bytes up to here are done */
	uint32_t line;            /* of pos, from 0 */
	struct comments pending;  /* lines of their own, not yet anybody's */
	struct comments next_head; /* behind a dash or '?', for the entry that comes */
	bool dash;                /* this gap holds a dash; */
	struct comment *dash_last; /* the last pending comment before it */
	bool blank, lead_blank;   /* a blank line before what comes, and before the dash that leads to it */
	size_t count;
};

bool
node_is_empty(const struct node *n)
{
	if (n->type == NODE_LIST || n->type == NODE_MAP)
		return !n->first;
	return n->type == NODE_PLAIN && scalar_resolve(n->s, n->len).kind == SCALAR_NULL;
}

static void
add(struct comments *to, struct comment *c)
{
	c->next = NULL;
	if (to->last)
		to->last->next = c;
	else
		to->first = c;
	to->last = c;
}

void
comments_move(struct comments *to, struct comments *from)
{
	if (!from->first)
		return;
	if (to->last)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	*from = (struct comments){ NULL, NULL };
}

static struct comment *
shift(struct comments *from)
{
	struct comment *c = from->first;

	from->first = c->next;
	if (!from->first)
		from->last = NULL;
	return c;
}

/* -- gaps ---------------------------------------------------------------------------------------------------------- */

/* Characters before byte i on its line; *first: all of them are blanks. */
static uint32_t
column_of(const char *s, size_t i, bool *first)
{
	uint32_t col = 0;

	*first = true;
	for (; i && s[i - 1] != '\n'; i--) {
		col += ((unsigned char)s[i - 1] & 0xc0) != 0x80;
		*first = *first && (s[i - 1] == ' ' || s[i - 1] == '\t');
	}
	return col;
}

/* A flow collection with a comment inside cannot stay on one line, nor can those around it. */
static void
mark_commented(struct builder *b)
{
	for (struct node *n = b->top; n && n->flow && !n->commented; n = n->up)
		n->commented = true;
}

/* Where a comment goes that stands behind something on its line; NULL: to a line of its own. */
static struct comments *
owner_of_trail(struct builder *b, const struct comment *c)
{
	struct comments *to = NULL;

	switch (b->after) {
	case AFTER_NOTHING:
		break;
	case AFTER_KEY:
		to = &b->last->head;
		break;
	case AFTER_START:
		to = b->top->flow && c->line == b->after_line ? &b->top->own->head : &b->next_head;
		break;
	case AFTER_VALUE:
		to = c->line == b->after_line ? &b->last->tail : &b->next_head;
		break;
	}
	return to && !to->first ? to : NULL;
}

/* Takes the comment at byte i; *trail is where the one before it in this gap went, when lines may continue it. */
static size_t
take_comment(struct builder *b, const char *s, size_t i, size_t len, struct comments **trail)
{
	struct comment *c = arena_alloc(b->mem, sizeof(*c));
	const char *nl = memchr(s + i, '\n', len - i);
	size_t end = nl ? (size_t)(nl - s) : len;
	bool own;

	c->s = s + i;
	c->line = b->line;
	c->col = column_of(s, i, &own);
	for (c->len = end - i; strchr(" \t\r", c->s[c->len - 1]); c->len--)
		;
	b->count++;
	mark_commented(b);
	if (!own)
		*trail = owner_of_trail(b, c);
	else if (*trail && ((*trail)->last->line + 1 != c->line || (*trail)->first->col != c->col))
		*trail = NULL;
	c->blank = own && b->blank;
	b->blank = b->blank && !own;
	add(*trail ? *trail : &b->pending, c);
	return end;
}

/* All but comments and line breaks: an indicator, or a blank. */
static void
take_other(struct builder *b, const char *s, size_t i)
{
	size_t start = i;

	if (s[i] != '-' && s[i] != '?')
		return;
	while (start && (s[start - 1] == ' ' || s[start - 1] == '\t'))
		start--;
	if (!start || s[start - 1] == '\n') {
		b->lead_blank = b->lead_blank || b->blank;
		b->blank = false;
	}
	if (s[i] == '-' && !b->dash) {
		b->dash = true;
		b->dash_last = b->pending.last;
	}
}

/* Goes through the text up to byte `to`. */
static void
take_gap(struct builder *b, const struct yaml_text *t, size_t to)
{
	bool line_is_blank = !b->pos || t->s[b->pos - 1] == '\n';
	struct comments *trail = NULL;

	for (size_t i = b->pos; i < to; i++) {
		if (t->s[i] == '#') {
			i = take_comment(b, t->s, i, t->len, &trail) - 1;
			line_is_blank = false;
		} else if (t->s[i] == '\n') {
			b->blank = b->blank || line_is_blank;
			line_is_blank = true;
			b->line++;
		} else if (!strchr(" \t\r", t->s[i])) {
			line_is_blank = false;
			take_other(b, t->s, i);
		}
	}
	if (to > b->pos)
		b->pos = to;
}

/* -- events -------------------------------------------------------------------------------------------------------- */

/* Below a value that is null or empty, what is indented more than its block is about it: an entry commented out. */
static void
take_inner(struct builder *b)
{
	if (b->after != AFTER_VALUE || !b->top || b->top->flow || !b->last->value || !node_is_empty(b->last->value))
		return;
	while (b->pending.first && (int64_t)b->pending.first->col > b->top->col && !(b->dash && !b->dash_last)) {
		if (b->pending.first == b->dash_last)
			b->dash_last = NULL;
		add(&b->last->inner, shift(&b->pending));
	}
}

/* A block ends: it keeps the comments that are indented like it or more, up to the first that is not. */
static void
end_block(struct builder *b)
{
	int64_t least = b->top->col + (b->top->list_in_map ? 1 : 0);

	while (b->pending.first && (int64_t)b->pending.first->col >= least)
		add(&b->top->end, shift(&b->pending));
}

/* Comments before the dash are the entry's; behind it they belong to what the dash leads to. */
static void
take_before(struct builder *b, struct entry *e, bool split)
{
	struct comment *c;

	if (!split || !b->dash) {
		comments_move(&e->before, &b->pending);
		return;
	}
	while (b->dash_last && b->pending.first) {
		c = shift(&b->pending);
		add(&e->before, c);
		if (c == b->dash_last)
			break;
	}
}

static struct entry *
new_entry(struct builder *b, const char *key, bool split)
{
	struct entry *e = arena_alloc(b->mem, sizeof(*e));
	bool dashed = b->top->type == NODE_LIST && !b->top->flow;

	e->key = key;
	e->blank = b->lead_blank || (b->blank && !dashed);
	b->lead_blank = false;
	b->blank = b->blank && dashed;
	take_before(b, e, split);
	comments_move(&e->head, &b->next_head);
	if (b->top->last)
		b->top->last->next = e;
	else
		b->top->first = e;
	b->top->last = e;
	b->last = e;
	return e;
}

/* The entry that a value which starts here belongs to. `block`: comments before it are its first entry's. */
static struct entry *
entry_for(struct builder *b, bool block, bool nothing)
{
	struct entry *e = !b->top ? b->doc : b->top->type == NODE_LIST ? new_entry(b, NULL, block) : b->last;

	if (!block && !nothing)
		comments_move(&e->before, &b->pending);
	if (!block && !b->top)
		e->blank = b->blank;
	return e;
}

static void
on_scalar(struct builder *b, const yaml_event_t *ev)
{
	const char *s = (const char *)ev->data.scalar.value;
	yaml_scalar_style_t style = ev->data.scalar.style;
	bool block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
	bool nothing = ev->start_mark.index == ev->end_mark.index;
	struct node *n;

	if (b->top && b->top->type == NODE_MAP && b->after != AFTER_KEY) {
		(void)new_entry(b, arena_strndup(b->mem, s, ev->data.scalar.length), false);
		b->after = AFTER_KEY;
		return;
	}
	b->last = entry_for(b, false, nothing);
	b->after = AFTER_VALUE;
	b->after_line = block ? UINT32_MAX : (uint32_t)ev->end_mark.line;
	if (!b->top && nothing)
		return; /* no content */
	n = arena_alloc(b->mem, sizeof(*n));
	n->type = block ? NODE_LITERAL : style == YAML_PLAIN_SCALAR_STYLE ? NODE_PLAIN : NODE_QUOTED;
	n->s = arena_strndup(b->mem, s, ev->data.scalar.length);
	n->len = ev->data.scalar.length;
	b->last->value = n;
}

static void
on_start(struct builder *b, enum node_type type, bool flow, const yaml_event_t *ev)
{
	struct entry *e = entry_for(b, !flow, false);
	struct node *n = arena_alloc(b->mem, sizeof(*n));

	n->type = type;
	n->flow = flow;
	n->col = (int32_t)ev->start_mark.column;
	n->list_in_map = type == NODE_LIST && !flow && b->top && b->top->type == NODE_MAP && b->top->col == n->col;
	n->up = b->top;
	n->own = e;
	e->value = n;
	b->top = n;
	b->last = e;
	b->after = AFTER_START;
	b->after_line = (uint32_t)ev->start_mark.line;
}

static void
on_end(struct builder *b, const yaml_event_t *ev)
{
	struct node *n = b->top;

	if (n->flow) {
		comments_move(&n->end, &b->next_head);
		comments_move(&n->end, &b->pending);
	} else {
		end_block(b);
	}
	b->last = n->own;
	b->top = n->up;
	b->after = AFTER_VALUE;
	b->after_line = n->flow ? (uint32_t)ev->end_mark.line : UINT32_MAX;
}

/* The header of a block scalar may have a comment, and blank lines at its end may be its own or not. */
static void
take_block_scalar(struct builder *b, const struct yaml_text *t, size_t from, size_t to)
{
	const char *s = t->s + from, *nl = memchr(s, '\n', to - from), *hash = nl ? memchr(s, '#', (size_t)(nl - s)) : NULL;
	struct comments *trail = NULL;
	size_t i = to;

	if (hash) {
		b->after_line = b->line;
		(void)take_comment(b, t->s, (size_t)(hash - t->s), t->len, &trail);
		b->after_line = UINT32_MAX;
	}
	if (to && t->s[to - 1] == '\n')
		for (i = to - 1; i > from && strchr(" \t\r", t->s[i - 1]); i--)
			;
	b->blank = i < to && i > from && t->s[i - 1] == '\n';
}

static void
skip_content(struct builder *b, struct yaml_text *t, const yaml_event_t *ev)
{
	size_t from = b->pos, to = yaml_text_offset(t, ev->end_mark.index);

	if (to <= from)
		return;
	b->blank = b->lead_blank = false;
	if (ev->type == YAML_SCALAR_EVENT && ev->data.scalar.style >= YAML_LITERAL_SCALAR_STYLE)
		take_block_scalar(b, t, from, to);
	for (size_t i = from; i < to; i++)
		b->line += t->s[i] == '\n';
	b->pos = to;
}

static void
on_event(void *ctx, struct yaml_text *t, const yaml_event_t *ev)
{
	struct builder *b = ctx;
	bool flow = false;

	take_gap(b, t, yaml_text_offset(t, ev->start_mark.index));
	take_inner(b);
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		on_scalar(b, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		flow = ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
		on_start(b, NODE_LIST, flow, ev);
		break;
	case YAML_MAPPING_START_EVENT:
		flow = ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		on_start(b, NODE_MAP, flow, ev);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		flow = b->top->flow;
		on_end(b, ev);
		break;
	case YAML_STREAM_END_EVENT:
		take_gap(b, t, t->len);
		take_inner(b);
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_ALIAS_EVENT:
		break;
	}
	/* what a block's start and end span is not theirs: the dash, or nothing */
	if (flow || ev->type == YAML_SCALAR_EVENT || ev->type == YAML_DOCUMENT_START_EVENT || ev->type == YAML_DOCUMENT_END_EVENT)
		skip_content(b, t, ev);
	b->dash = false;
}

int
yaml_fmt_tree(struct arena *mem, const char *file, const char *bytes, size_t len, struct report *r, struct entry **doc,
              size_t *count, struct value **value)
{
	struct builder b = { .mem = mem, .doc = arena_alloc(mem, sizeof(*b.doc)) };
	struct yaml_listener listener = { on_event, &b };
	int rc = yaml_read_events(mem, file, bytes, len, NULL, &listener, r, value);

	if (rc < 0)
		return rc;
	/* what is left stands behind everything: inner is where the document's printer looks for it */
	comments_move(&b.doc->inner, &b.next_head);
	comments_move(&b.doc->inner, &b.pending);
	*doc = b.doc;
	*count = b.count;
	return 0;
}
