/* SPDX-License-Identifier: Apache-2.0 */
/* The strict YAML reader: libyaml's events into values, every refusal as a finding. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/base/files.h"
#include "lib/doc/yaml.h"
#include "lib/doc/yaml_bytes.h"
#include "lib/doc/yaml_events.h"
#include "lib/doc/yaml_scalar.h"

#define DEPTH_DEFAULT 100
#define DEPTH_MOST 1000

/* A key or value costs up to about 150 bytes of arena: 256 KiB of text take at most two thirds of ARENA_ENV_MAX. */
#define BYTES_PER_VALUE 16

/* After so many findings of one kind a file is better read from its top. */
#define ERRORS_SHOWN 50
#define DOUBTS_SHOWN 50

struct frame {
	struct value *coll;
	char *key; /* of the member whose value comes next; NULL: a key comes next */
	struct place key_at;
	bool skip; /* the key was a duplicate: its value is read and dropped */
	int block_col; /* column (from 0) of the innermost block collection around or at this level, or -1 */
	bool flow;
};

struct reader {
	struct arena *mem;
	struct report *r;
	const char *file;
	struct yaml_text text;
	size_t values, values_max;
	unsigned int depth, depth_max;
	size_t errors, doubts;
	struct frame *stack; /* depth_max + 1; [0] stands for the document */
	struct value *root;
	unsigned int documents;
	bool stop;
	const struct yaml_listener *listener; /* or NULL */
};

static struct place
place_of(const struct reader *p, yaml_mark_t mark)
{
	return (struct place){ p->file, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1 };
}

static size_t
width_of(const yaml_event_t *ev)
{
	if (ev->start_mark.line != ev->end_mark.line || ev->end_mark.column <= ev->start_mark.column)
		return 1;
	return ev->end_mark.column - ev->start_mark.column;
}

/* Too many errors end the reading. */
static struct finding *
error_at(struct reader *p, enum finding_code code, const yaml_event_t *ev, const char *what)
{
	struct finding *f = report_add(p->r, code, SEVERITY_ERROR, place_of(p, ev->start_mark), "%s", what);

	f->width = width_of(ev);
	if (++p->errors >= ERRORS_SHOWN)
		p->stop = true;
	return f;
}

static void
refuse(struct reader *p, const yaml_event_t *ev, const char *what, const char *help)
{
	struct finding *f = error_at(p, FINDING_YAML_REFUSED, ev, what);

	finding_help(p->r, f, "%s", help);
}

static void
refuse_tag_and_anchor(struct reader *p, const yaml_event_t *ev, const yaml_char_t *tag, const yaml_char_t *anchor)
{
	if (tag) {
		struct finding *f = error_at(p, FINDING_YAML_REFUSED, ev, "tags are refused");

		finding_help(p->r, f, "remove the tag %.60s; quotes make a string", (const char *)tag);
	}
	if (anchor) {
		struct finding *f = error_at(p, FINDING_YAML_REFUSED, ev, "anchors are refused");

		finding_help(p->r, f, "remove &%.60s and write the value out wherever it is used", (const char *)anchor);
	}
}

static void
doubt(struct reader *p, const yaml_event_t *ev, const char *text, const char *taken_for)
{
	struct finding *f;

	if (p->doubts++ >= DOUBTS_SHOWN)
		return;
	f = report_add(p->r, FINDING_QUOTE_ADVISED, SEVERITY_WARNING, place_of(p, ev->start_mark),
	               "other YAML readers take %.60s for %s", text, taken_for);
	f->width = width_of(ev);
	finding_help(p->r, f, "write \"%.60s\" if the text is meant", text);
}

static bool
is_plain(const yaml_event_t *ev)
{
	return ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !ev->data.scalar.tag;
}

static struct value *
number_value(struct reader *p, const struct scalar *sc, const char *s, size_t n)
{
	struct value *v = sc->kind == SCALAR_INT ? value_int(p->mem, sc->integer) : value_real(p->mem, sc->real);

	/* kept for "a string is wanted": what was written, where the plain decimal form does not say it */
	if (sc->kind == SCALAR_REAL || (n > 1 && (*s == '0' || *s == '+' || (*s == '-' && s[1] == '0'))))
		v->text = arena_strndup(p->mem, s, n);
	return v;
}

static struct value *
scalar_value(struct reader *p, const yaml_event_t *ev)
{
	const char *s = (const char *)ev->data.scalar.value, *taken_for;
	size_t n = ev->data.scalar.length;
	struct finding *f;
	struct scalar sc;

	if (memchr(s, 0, n))
		error_at(p, FINDING_YAML_CHARACTER, ev, "the character U+0000 is not allowed, even escaped");
	if (!is_plain(ev))
		return value_strn(p->mem, s, n);
	if ((taken_for = scalar_doubt(s, n)))
		doubt(p, ev, s, taken_for);
	sc = scalar_resolve(s, n);
	switch (sc.kind) {
	case SCALAR_NULL:
		return value_null(p->mem);
	case SCALAR_BOOL:
		return value_bool(p->mem, sc.boolean);
	case SCALAR_INT:
	case SCALAR_REAL:
		return number_value(p, &sc, s, n);
	case SCALAR_INT_RANGE:
		f = error_at(p, FINDING_YAML_NUMBER, ev, "integer that does not fit in 64 bits");
		finding_help(p->r, f, "quote it if it is text");
		return value_null(p->mem);
	case SCALAR_REAL_RANGE:
		f = error_at(p, FINDING_YAML_NUMBER, ev, "infinity, not-a-number or a number too large to keep");
		finding_help(p->r, f, "quote it if it is text");
		return value_null(p->mem);
	case SCALAR_STR:
		break;
	}
	return value_strn(p->mem, s, n);
}

/* A key of the map on top of the stack. A refused key still gets its place, so that the value behind it is read. */
static void
take_key(struct reader *p, const yaml_event_t *ev)
{
	struct frame *top = &p->stack[p->depth];
	const char *s = (const char *)ev->data.scalar.value, *taken_for;
	size_t n = ev->data.scalar.length;
	struct member *first;
	struct finding *f;

	top->key = arena_strndup(p->mem, s, n);
	top->key_at = place_of(p, ev->start_mark);
	top->skip = false;
	if (memchr(s, 0, n))
		error_at(p, FINDING_YAML_CHARACTER, ev, "the character U+0000 is not allowed, even escaped");
	if (is_plain(ev)) {
		if (strcmp(s, "<<") == 0) {
			refuse(p, ev, "merge keys (<<) are refused", "write the members out");
			return;
		}
		if (scalar_resolve(s, n).kind != SCALAR_STR) {
			f = error_at(p, FINDING_YAML_REFUSED, ev, n ? "key that is not a string" : "empty key");
			finding_help(p->r, f, "write \"%.60s\"", s);
		} else if ((taken_for = scalar_doubt(s, n))) {
			doubt(p, ev, s, taken_for);
		}
	}
	if ((first = value_member(top->coll, top->key))) {
		f = report_add(p->r, FINDING_YAML_DUPLICATE, SEVERITY_ERROR, top->key_at, "duplicate key '%.60s'", top->key);
		top->skip = true;
		f->width = width_of(ev);
		finding_help(p->r, f, "keep one of them");
		finding_note(p->r, f, "first at %s:%u:%u", p->file, first->at.line, first->at.col);
		if (++p->errors >= ERRORS_SHOWN)
			p->stop = true;
	}
}

/* Hangs a value on the collection on top of the stack, or makes it the document. */
static void
attach(struct reader *p, struct value *v)
{
	struct frame *top = &p->stack[p->depth];

	if (!p->depth) {
		p->root = v;
	} else if (top->coll->type == VALUE_LIST) {
		value_push(p->mem, top->coll, v);
	} else if (top->key) {
		if (!top->skip)
			value_set_at(p->mem, top->coll, top->key, top->key_at, v);
		top->key = NULL;
	}
}

static bool
wants_key(const struct reader *p)
{
	return p->depth && p->stack[p->depth].coll->type == VALUE_MAP && !p->stack[p->depth].key;
}

/* Every node passes here: counts it and checks what libyaml lets pass about its place. */
static void
check_node(struct reader *p, const yaml_event_t *ev)
{
	const struct frame *top = &p->stack[p->depth];

	if (++p->values > p->values_max) {
		char what[80];

		(void)snprintf(what, sizeof(what), "more than %zu keys and values in one document", p->values_max);
		error_at(p, FINDING_TOO_LARGE, ev, what);
		p->stop = true;
	} else if (top->flow && (int)ev->start_mark.column <= top->block_col) {
		struct finding *f = error_at(p, FINDING_YAML_SYNTAX, ev, "not indented enough inside [ ] or { }");

		finding_help(p->r, f, "indent it more than the key or dash that it belongs to");
	}
}

static void
on_scalar(struct reader *p, const yaml_event_t *ev)
{
	const char *wrong;
	struct value *v;

	check_node(p, ev);
	refuse_tag_and_anchor(p, ev, ev->data.scalar.tag, ev->data.scalar.anchor);
	wrong = yaml_scalar_flaw(&p->text, ev, p->stack[p->depth].block_col);
	if (wrong)
		error_at(p, FINDING_YAML_SYNTAX, ev, wrong);
	if (wants_key(p)) {
		take_key(p, ev);
		return;
	}
	v = scalar_value(p, ev);
	v->at = place_of(p, ev->start_mark);
	attach(p, v);
}

static void
open_collection(struct reader *p, const yaml_event_t *ev, struct value *v, bool flow)
{
	const struct frame *up = &p->stack[p->depth];
	struct frame *top;

	check_node(p, ev);
	if (p->depth >= p->depth_max) {
		char what[64];

		(void)snprintf(what, sizeof(what), "more than %u levels deep", p->depth_max);
		error_at(p, FINDING_TOO_LARGE, ev, what);
		p->stop = true;
		return;
	}
	v->at = place_of(p, ev->start_mark);
	if (wants_key(p)) {
		refuse(p, ev, "a map or list as a key is refused", "keys are strings");
		p->stop = true;
		return;
	}
	attach(p, v);
	top = &p->stack[p->depth + 1];
	*top = (struct frame){ .coll = v, .block_col = flow ? up->block_col : (int)ev->start_mark.column, .flow = flow };
	p->depth++;
}

static void
on_document(struct reader *p, const yaml_event_t *ev)
{
	if (++p->documents > 1) {
		refuse(p, ev, "more than one document in a file", "put every document in a file of its own");
		p->stop = true;
	}
	if (ev->data.document_start.tag_directives.start != ev->data.document_start.tag_directives.end)
		refuse(p, ev, "%TAG directives are refused", "remove the line");
}

static void
on_event(struct reader *p, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		on_document(p, ev);
		break;
	case YAML_ALIAS_EVENT:
		check_node(p, ev);
		refuse(p, ev, "aliases are refused", "write the value out");
		if (wants_key(p))
			p->stop = true;
		else
			attach(p, value_null(p->mem));
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(p, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_tag_and_anchor(p, ev, ev->data.sequence_start.tag, ev->data.sequence_start.anchor);
		open_collection(p, ev, value_list(p->mem), ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_tag_and_anchor(p, ev, ev->data.mapping_start.tag, ev->data.mapping_start.anchor);
		open_collection(p, ev, value_map(p->mem), ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		p->depth--;
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

/* libyaml's wording is for authors of parsers, ours for authors of files. */
static const struct message {
	const char *problem, *what, *help;
	bool opened; /* the mistake is where it was opened, not where the text ended */
} messages[] = {
	{ "found a tab character", "tab used as indentation", "indent with spaces", false },
	{ "mapping values are not allowed", "a colon where no key can stand",
	  "check the indentation, put a blank behind the ':' of the line before, and quote text that holds ': '", false },
	{ "did not find expected key", "a key was expected here",
	  "check the quotes of this line, and its indentation against the lines before", false },
	{ "could not find expected ':'", "a key without ':'", "write \"key: value\", with a blank behind the colon", false },
	{ "did not find expected '-'", "a list item or the end of the list was expected here",
	  "check the indentation of this line", false },
	{ "did not find expected ',' or ']'", "the list opened with [ is not closed", "add ',' or ']'", true },
	{ "did not find expected ',' or '}'", "the map opened with { is not closed", "add ',' or '}'", true },
	{ "found unexpected end of stream", "a quote is not closed", "add the closing quote", true },
	{ "found unexpected document indicator", "a quote is not closed", "add the closing quote", true },
	{ "found unknown escape character", "unknown escape in double quotes",
	  "write \\\\ for a backslash, or use single quotes", false },
	{ "block sequence entries are not allowed", "a list item cannot stand here",
	  "start the list on a line of its own, and quote text that starts with '- '", false },
	{ "did not find expected <document start>", "text after the end of the document", "remove it", false },
	{ "found character that cannot start any token", "this character cannot start a value", "put the text in quotes", false },
	{ "did not find expected node content", "a value was expected here", "put the text in quotes if it is text", false },
	{ "did not find expected comment or line break", "text behind '|' or '>'", "start the text on the next line", false },
};

/* The first line of a conflict that git left in the file, or 0. */
static uint32_t
conflict_line(const struct yaml_text *t)
{
	const char *s = t->s, *end = s + t->len;

	for (uint32_t line = 1; s && s < end; line++) {
		if (end - s >= 8 && memcmp(s, "<<<<<<< ", 8) == 0)
			return line;
		s = memchr(s, '\n', (size_t)(end - s));
		s = s ? s + 1 : NULL;
	}
	return 0;
}

static const struct message *
message_of(const struct reader *p, const char *problem, size_t offset)
{
	if (offset < p->text.len && p->text.s[offset] == '\t')
		return &messages[0];
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (strncmp(problem, messages[i].problem, strlen(messages[i].problem)) == 0)
			return &messages[i];
	return NULL;
}

static void
report_syntax(struct reader *p, const yaml_parser_t *yp)
{
	const char *problem = yp->problem ? yp->problem : "not valid YAML";
	const struct message *m = message_of(p, problem, yaml_text_offset(&p->text, yp->problem_mark.index));
	bool elsewhere = yp->context && yp->context_mark.line != yp->problem_mark.line;
	bool opened = m && m->opened && yp->context;
	uint32_t conflict = conflict_line(&p->text);
	struct place at = place_of(p, opened ? yp->context_mark : yp->problem_mark);
	struct finding *f;

	p->errors++;
	if (conflict) {
		f = report_add(p->r, FINDING_YAML_SYNTAX, SEVERITY_ERROR, (struct place){ p->file, conflict, 1 },
		               "git left a merge conflict here");
		f->width = 7;
		finding_help(p->r, f, "keep one side and remove the lines with <<<<<<<, ======= and >>>>>>>");
		return;
	}
	f = report_add(p->r, FINDING_YAML_SYNTAX, SEVERITY_ERROR, at, "%s", m ? m->what : problem);
	if (m)
		finding_help(p->r, f, "%s", m->help);
	if (opened && elsewhere)
		finding_note(p->r, f, "noticed at line %zu, column %zu", yp->problem_mark.line + 1, yp->problem_mark.column + 1);
	else if (elsewhere)
		finding_note(p->r, f, "%s that starts at line %zu, column %zu", yp->context, yp->context_mark.line + 1,
		             yp->context_mark.column + 1);
}

/* Between two events stand only blanks, indicators and comments; what is wrong there ends the reading. */
static void
check_gap(struct reader *p, const yaml_event_t *ev)
{
	struct yaml_flaw flaw;
	bool content = ev->type == YAML_SCALAR_EVENT || ev->type == YAML_ALIAS_EVENT;

	if (!yaml_gap_flaw(&p->text, content ? ev->start_mark : ev->end_mark, ev->end_mark, p->stack[p->depth].flow, &flaw))
		return;
	flaw.at.file = p->file;
	(void)report_add(p->r, FINDING_YAML_SYNTAX, SEVERITY_ERROR, flaw.at, "%s", flaw.what);
	p->errors++;
	p->stop = true;
}

static void
run(struct reader *p, yaml_parser_t *yp)
{
	bool end = false;

	while (!end && !p->stop) {
		yaml_event_t ev;

		if (!yaml_parser_parse(yp, &ev)) {
			if (yp->error == YAML_MEMORY_ERROR)
				abort();
			report_syntax(p, yp);
			return;
		}
		end = ev.type == YAML_STREAM_END_EVENT;
		check_gap(p, &ev);
		if (!p->stop)
			on_event(p, &ev);
		if (p->listener && !p->errors)
			p->listener->event(p->listener->ctx, &p->text, &ev);
		yaml_event_delete(&ev);
	}
}

/*
 * libyaml mistakes a last line of blanks without a line break for the end of a block scalar; with the break it does not.
 */
static bool
ends_in_blanks(const char *s, size_t n)
{
	size_t i = n;

	while (i && (s[i - 1] == ' ' || s[i - 1] == '\t'))
		i--;
	return i < n && i && s[i - 1] == '\n';
}

static bool
is_ascii(const char *s, size_t n)
{
	unsigned char all = 0;

	for (size_t i = 0; i < n; i++)
		all |= (unsigned char)s[i];
	return all < 0x80;
}

static int
too_large(struct report *r, const char *file, size_t max)
{
	struct finding *f = report_add(r, FINDING_TOO_LARGE, SEVERITY_ERROR, (struct place){ file, 0, 0 },
	                               "the file is larger than %zu KiB", max / 1024);

	finding_help(r, f, "split it");
	return ERR_INVALID;
}

int
yaml_read_events(struct arena *mem, const char *file, const char *bytes, size_t len, const struct yaml_limits *limits,
                 const struct yaml_listener *l, struct report *r, struct value **out)
{
	size_t max = limits && limits->bytes ? limits->bytes : FILE_DOC_MAX;
	struct reader p = { .mem = mem, .r = r, .file = arena_strdup(mem, file ? file : "-"), .listener = l };
	yaml_parser_t yp;

	if (len > max)
		return too_large(r, p.file, max);
	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		len -= 3;
	}
	if (yaml_bytes_check(p.file, bytes, len, r))
		return ERR_INVALID;
	if (ends_in_blanks(bytes, len)) {
		char *copy = arena_alloc(mem, len + 1);

		memcpy(copy, bytes, len);
		copy[len++] = '\n';
		bytes = copy;
	}
	p.text = (struct yaml_text){ .s = bytes, .len = len, .ascii = is_ascii(bytes, len) };
	p.depth_max = limits && limits->depth ? limits->depth : DEPTH_DEFAULT;
	if (p.depth_max > DEPTH_MOST)
		p.depth_max = DEPTH_MOST;
	p.values_max = max / BYTES_PER_VALUE + 16; /* small limits are about bytes */
	if (limits && limits->values && limits->values < p.values_max)
		p.values_max = limits->values;
	p.stack = arena_array(mem, (size_t)p.depth_max + 1, sizeof(*p.stack));
	p.stack[0].block_col = -1;
	if (!yaml_parser_initialize(&yp))
		abort();
	yaml_parser_set_encoding(&yp, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&yp, (const unsigned char *)bytes, len);
	run(&p, &yp);
	yaml_parser_delete(&yp);
	if (p.errors)
		return ERR_INVALID;
	if (!p.root)
		p.root = value_null(mem);
	if (!p.root->at.line)
		p.root->at = (struct place){ p.file, 1, 1 };
	*out = p.root;
	return 0;
}

int
yaml_read(struct arena *mem, const char *file, const char *bytes, size_t len, const struct yaml_limits *limits,
          struct report *r, struct value **out)
{
	return yaml_read_events(mem, file, bytes, len, limits, NULL, r, out);
}
