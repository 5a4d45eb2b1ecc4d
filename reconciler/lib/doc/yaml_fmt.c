/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a document as canonical YAML, its comments with it, and makes sure that it still says the same. */
#include "lib/doc/yaml_fmt.h"

#include <string.h>

#include "lib/base/files.h"
#include "lib/doc/yaml.h"
#include "lib/doc/yaml_fmt_tree.h"
#include "lib/doc/yaml_put.h"
#include "lib/doc/yaml_scalar.h"

/* Four bytes a character at most. */
#define FLOW_BYTES_MAX (4 * (size_t)YAML_FMT_WIDTH)

/* Wider lines do not push the comments of their neighbours to the right. */
#define ALIGN_WIDTH 72

/* A comment behind a line of the text, to be put in when all widths are known. */
struct trail {
	size_t start, end; /* of its line in the text, without the break */
	const struct comment *c;
	bool more; /* a line of its own that continues the one before */
};

struct printer {
	struct arena *mem;
	struct buf text; /* all but trails */
	struct trail *trails;
	size_t ntrails, cap;
	bool fresh; /* at the start of a block or of the file: no blank line here */
	bool kept;  /* behind a literal that keeps its last breaks: a blank line would be one more */
};

static void print_block(struct printer *p, const struct node *n, size_t indent, bool here);

/* -- lines --------------------------------------------------------------------------------------------------------- */

static void
blank_line(struct printer *p, bool wanted)
{
	if (wanted && !p->fresh && !p->kept)
		buf_char(&p->text, '\n');
	p->fresh = p->kept = false;
}

/* Ends a line, with what stands behind it. */
static void
end_line(struct printer *p, const struct comments *trail)
{
	for (const struct comment *c = trail ? trail->first : NULL; c && !p->text.over; c = c->next) {
		size_t end = p->text.len, start = end;

		while (start && p->text.data[start - 1] != '\n')
			start--;
		if (p->ntrails == p->cap) {
			size_t cap = p->cap ? 2 * p->cap : 64;

			p->trails = arena_regrow(p->mem, p->trails, p->ntrails, cap, sizeof(*p->trails));
			p->cap = cap;
		}
		p->trails[p->ntrails++] = (struct trail){ start, end, c, c != trail->first };
		if (c->next)
			buf_char(&p->text, '\n');
	}
	buf_char(&p->text, '\n');
}

static void
own_lines(struct printer *p, const struct comments *list, size_t indent)
{
	for (const struct comment *c = list->first; c && !p->text.over; c = c->next) {
		blank_line(p, c->blank);
		buf_pad(&p->text, ' ', indent);
		buf_add(&p->text, c->s, c->len);
		buf_char(&p->text, '\n');
	}
}

static size_t
columns(const char *s, size_t n)
{
	size_t col = 0;

	for (size_t i = 0; i < n; i++)
		col += ((unsigned char)s[i] & 0xc0) != 0x80;
	return col;
}

/* The trails from `i` that are aligned with each other: how many, and their column. */
static size_t
trail_run(const struct printer *p, size_t i, size_t *col)
{
	size_t n = 0, widest = 0;

	for (; i + n < p->ntrails; n++) {
		const struct trail *t = &p->trails[i + n];
		size_t width = columns(p->text.data + t->start, t->end - t->start);

		if (n && (t->start != t[-1].end + 1 || (!t->more && (width > ALIGN_WIDTH || widest > ALIGN_WIDTH))))
			break;
		if (width > widest)
			widest = width;
	}
	*col = widest + 2;
	return n;
}

static void
join(const struct printer *p, struct buf *out)
{
	size_t from = 0, col = 0;

	for (size_t i = 0, run = 0; i < p->ntrails && !out->over; i++, run--) {
		const struct trail *t = &p->trails[i];

		if (!run)
			run = trail_run(p, i, &col);
		buf_add(out, p->text.data + from, t->end - from);
		buf_pad(out, ' ', col - columns(p->text.data + t->start, t->end - t->start));
		buf_add(out, t->c->s, t->c->len);
		from = t->end;
	}
	buf_add(out, buf_cstr(&p->text) + from, p->text.len - from);
}

/* -- values -------------------------------------------------------------------------------------------------------- */

/* 90d, 10T: no reader takes it for anything but text, and people write it plain. The writer quotes some of them. */
static bool
is_amount(const struct node *n)
{
	size_t digits = strspn(n->s, "0123456789");

	return digits && *n->s != '0' && n->len == digits + 1 &&
	       strchr("ABCDFGHIJKLMNOPQRSTUVWXYZabcdfghijklmnopqrstuvwxyz", n->s[digits]);
}

/* A scalar that is no literal block. */
static void
put_scalar(const struct node *n, bool flow, struct buf *out)
{
	struct scalar sc = n->type == NODE_PLAIN ? scalar_resolve(n->s, n->len) : (struct scalar){ .kind = SCALAR_STR };

	if (sc.kind == SCALAR_NULL)
		buf_str(out, "null");
	else if (sc.kind == SCALAR_BOOL)
		buf_str(out, sc.boolean ? "true" : "false");
	else if (sc.kind != SCALAR_STR || is_amount(n))
		buf_add(out, n->s, n->len);
	else if (flow)
		yaml_put_flow_string(n->s, n->len, out);
	else
		yaml_put_string(n->s, n->len, out);
}

/* False as soon as it is clear that it does not fit. */
static bool
put_flow(const struct node *n, struct buf *out)
{
	bool map = n->type == NODE_MAP;

	if (n->type != NODE_LIST && !map) {
		if (n->len > FLOW_BYTES_MAX || n->type == NODE_LITERAL)
			return false;
		put_scalar(n, true, out);
		return !out->over;
	}
	if (!n->flow || n->commented)
		return false;
	buf_char(out, map ? '{' : '[');
	for (const struct entry *e = n->first; e; e = e->next) {
		if (e != n->first)
			buf_str(out, ", ");
		if (map && strlen(e->key) > FLOW_BYTES_MAX)
			return false;
		if (map) {
			yaml_put_flow_string(e->key, strlen(e->key), out);
			buf_str(out, ": ");
		}
		if (out->over || !put_flow(e->value, out))
			return false;
	}
	buf_char(out, map ? '}' : ']');
	return !out->over;
}

static bool
is_collection(const struct node *n)
{
	return n->type == NODE_LIST || n->type == NODE_MAP;
}

static bool
is_literal(const struct node *n)
{
	if (is_collection(n) || (n->type == NODE_PLAIN && scalar_resolve(n->s, n->len).kind != SCALAR_STR))
		return false;
	return yaml_is_literal(n->s, n->len, n->type == NODE_LITERAL);
}

/* Fits on the line behind `col` columns; then `flow` holds it. */
static bool
flow_fits(const struct node *n, size_t col, struct buf *flow)
{
	if (!n->first) {
		buf_str(flow, n->type == NODE_MAP ? "{}" : "[]");
		return true;
	}
	return put_flow(n, flow) && col + columns(flow->data, flow->len) <= YAML_FMT_WIDTH;
}

/* -- entries ------------------------------------------------------------------------------------------------------- */

/* The comments go to lines of their own before the entry. */
static void
promote(struct entry *e, struct comments *from)
{
	if (!e->before.first && from->first) {
		from->first->blank = e->blank;
		e->blank = false;
	}
	comments_move(&e->before, from);
}

static void
keep_one(struct entry *e, struct comments *place, struct comments *other)
{
	if (!place->first)
		comments_move(place, other);
	else
		promote(e, other);
}

/*
 * Decides whether the value stands on the line of its key or dash, and which comments stay there. Doing it again changes
 * nothing.
 */
static void
settle(struct entry *e, size_t indent)
{
	struct buf key AUTO_BUF = BUF_INIT(0), flow AUTO_BUF = BUF_INIT(FLOW_BYTES_MAX + 1);
	size_t col = indent + 2;

	e->on_line = true;
	if (is_collection(e->value)) {
		if (e->key) {
			yaml_put_string(e->key, strlen(e->key), &key);
			col = indent + columns(buf_cstr(&key), key.len) + 2;
		}
		e->on_line = flow_fits(e->value, col, &flow);
	}
	if (!e->on_line) {
		keep_one(e, &e->head, &e->tail);
		return;
	}
	if (e->tail.first)
		promote(e, &e->head);
	else
		comments_move(&e->tail, &e->head);
	if (is_literal(e->value) && e->tail.first != e->tail.last)
		promote(e, &e->tail);
}

/* A value on the line of its key or dash, with the line's end. */
static void
print_value(struct printer *p, struct entry *e, size_t indent)
{
	struct buf flow AUTO_BUF = BUF_INIT(FLOW_BYTES_MAX + 1);
	const struct node *n = e->value;

	buf_char(&p->text, ' ');
	if (is_literal(n)) {
		yaml_put_literal_head(n->s, n->len, &p->text);
		end_line(p, &e->tail);
		yaml_put_literal_lines(n->s, n->len, indent, &p->text);
		p->kept = n->len > 1 && n->s[n->len - 1] == '\n' && n->s[n->len - 2] == '\n';
		return;
	}
	if (is_collection(n)) {
		(void)flow_fits(n, 0, &flow);
		buf_add(&p->text, flow.data, flow.len);
	} else {
		put_scalar(n, false, &p->text);
	}
	end_line(p, &e->tail);
	if (is_collection(n))
		own_lines(p, &n->end, indent + 2);
	own_lines(p, &e->inner, indent + 2);
}

/* `here`: the line is at column `indent` already. */
static void
print_entry(struct printer *p, struct entry *e, size_t indent, bool here)
{
	const struct node *n = e->value;
	bool beside;

	settle(e, indent);
	if (!here) {
		own_lines(p, &e->before, indent);
		blank_line(p, e->blank);
		buf_pad(&p->text, ' ', indent);
	}
	if (e->key)
		yaml_put_key(e->key, indent, &p->text);
	else
		buf_char(&p->text, '-');
	if (e->on_line) {
		print_value(p, e, indent);
		return;
	}
	if (e->key) {
		end_line(p, &e->head);
		print_block(p, n, indent + (n->type == NODE_MAP ? 2 : 0), false);
		return;
	}
	settle(n->first, indent + 2);
	beside = !e->head.first && !n->first->before.first;
	if (beside)
		buf_char(&p->text, ' ');
	else
		end_line(p, &e->head);
	print_block(p, n, indent + 2, beside);
}

static void
print_block(struct printer *p, const struct node *n, size_t indent, bool here)
{
	p->fresh = !here;
	for (struct entry *e = n->first; e && !p->text.over; e = e->next) {
		print_entry(p, e, indent, here);
		here = false;
	}
	own_lines(p, &n->end, indent);
}

/* The document's value has no key: what would stand behind one gets lines of its own. */
static void
print_document(struct printer *p, struct entry *doc)
{
	struct buf flow AUTO_BUF = BUF_INIT(FLOW_BYTES_MAX + 1);
	const struct node *n = doc->value;
	bool line = n && (!is_collection(n) || flow_fits(n, 0, &flow));

	if (line)
		keep_one(doc, &doc->tail, &doc->head);
	p->fresh = true;
	own_lines(p, &doc->before, 0);
	if (line) {
		blank_line(p, doc->blank);
		if (is_collection(n))
			buf_add(&p->text, flow.data, flow.len);
		else if (n->type == NODE_PLAIN && scalar_resolve(n->s, n->len).kind != SCALAR_STR)
			put_scalar(n, false, &p->text);
		else
			yaml_put_double(n->s, n->len, &p->text);
		end_line(p, &doc->tail);
		own_lines(p, &n->end, 0);
	} else if (n) {
		own_lines(p, &doc->head, 0);
		blank_line(p, doc->blank);
		print_block(p, n, 0, false);
		own_lines(p, &doc->tail, 0);
	} else {
		own_lines(p, &doc->tail, 0);
	}
	own_lines(p, &doc->inner, 0);
}

/* -- all together -------------------------------------------------------------------------------------------------- */

static int
refuse(struct report *r, const char *file, enum finding_code code, const char *what)
{
	(void)report_add(r, code, SEVERITY_ERROR, (struct place){ file ? file : "-", 0, 0 }, "%s", what);
	return ERR_INVALID;
}

/* Reads the text back: it must say the same. */
static int
check(struct arena *mem, const char *file, const struct buf *text, const struct value *v, size_t comments, struct report *r)
{
	struct report again;
	struct value *back;
	struct entry *doc;
	size_t count;

	report_init(&again, mem);
	if (yaml_fmt_tree(mem, file, buf_cstr(text), text->len, &again, &doc, &count, &back) < 0 || !value_equal(v, back) ||
	    count != comments)
		return refuse(r, file, FINDING_YAML_SYNTAX, "formatting would change what the file says; this is a defect of berth");
	return 0;
}

int
yaml_fmt(struct arena *mem, const char *file, const char *bytes, size_t len, struct report *r, struct buf *out)
{
	struct buf text AUTO_BUF = BUF_INIT(FILE_DOC_MAX);
	struct printer p = { .mem = mem, .text = BUF_INIT(FILE_DOC_MAX) };
	struct entry *doc;
	struct value *v;
	size_t comments;
	int rc;

	if ((rc = yaml_fmt_tree(mem, file, bytes, len, r, &doc, &comments, &v)) < 0)
		return rc;
	print_document(&p, doc);
	if (!p.text.over)
		join(&p, &text);
	if (p.text.over || text.over)
		rc = refuse(r, file, FINDING_TOO_LARGE, "the file would be larger than 256 KiB in canonical form");
	else
		rc = check(mem, file, &text, v, comments, r);
	buf_free(&p.text);
	if (rc == 0)
		buf_add(out, buf_cstr(&text), text.len);
	return rc;
}
