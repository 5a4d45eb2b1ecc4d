/* SPDX-License-Identifier: Apache-2.0 */
/* Values, types and places in words. */
#include "validate/schema_words.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/number.h"

#define SHOWN_MAX 60    /* characters of a value that are repeated in a message */
#define EXAMPLE_MAX 80   /* bytes of an example */
#define FIELDS_MAX 128  /* that are looked at for suggestions */
#define FIELDS_LISTED 12

/* True for what may stand without quotes in a path or a message. */
static bool
is_word(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_-/:@#+%", *s) && (unsigned char)*s < 0x80)
			return false;
	return true;
}

/* Quoted and cut, control characters as '?'. */
static void
quoted(const char *s, size_t len, struct buf *out)
{
	size_t chars = 0, i = 0;

	buf_char(out, '"');
	for (; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c & 0xC0) != 0x80 && chars++ == SHOWN_MAX)
			break;
		if (c == '\n')
			buf_str(out, "\\n");
		else
			buf_char(out, c < 0x20 || c == 0x7F ? '?' : (char)c);
	}
	buf_str(out, i < len ? "…\"" : "\"");
}

void
words_path(const struct step *at, struct buf *out)
{
	if (!at->up)
		return;
	words_path(at->up, out);
	if (at->is_key)
		return;
	if (!at->member) {
		buf_printf(out, "[%zu]", at->index);
	} else if (is_word(at->member->key) && !strchr(at->member->key, '/')) {
		buf_str(out, at->up->up ? "." : "");
		buf_printf(out, "%.100s", at->member->key);
	} else {
		buf_char(out, '[');
		quoted(at->member->key, strlen(at->member->key), out);
		buf_char(out, ']');
	}
}

void
words_subject(const struct step *at, struct buf *out)
{
	if (at->is_key) {
		buf_str(out, "key ");
		quoted(at->member->key, strlen(at->member->key), out);
		buf_str(out, " of ");
		words_subject(at->up, out);
	} else if (!at->up) {
		buf_str(out, "the document");
	} else {
		buf_char(out, '`');
		words_path(at, out);
		buf_char(out, '`');
	}
}

void
words_types(unsigned types, struct buf *out)
{
	static const struct {
		unsigned bits;
		const char *words;
	} rows[] = {
		{ TYPE_STRING, "a string" },
		{ TYPE_NUMBER | TYPE_INTEGER, "a number" },
		{ TYPE_INTEGER, "an integer" },
		{ TYPE_BOOLEAN, "true or false" },
		{ TYPE_ARRAY, "a list" },
		{ TYPE_OBJECT, "a map" },
		{ TYPE_NULL, "null" },
	};
	bool first = true;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if ((types & rows[i].bits) != rows[i].bits)
			continue;
		types &= ~rows[i].bits;
		buf_str(out, first ? "" : types ? ", " : " or ");
		buf_str(out, rows[i].words);
		first = false;
	}
}

void
words_number(const struct value *v, struct buf *out)
{
	char digits[NUMBER_MAX];
	size_t n = v->type == VALUE_INT ? number_int(v->integer, digits) : number_real(v->real, digits);

	buf_add(out, digits, n);
}

void
words_value(const struct value *v, struct buf *out)
{
	switch (v->type) {
	case VALUE_NULL:
		buf_str(out, "nothing");
		break;
	case VALUE_BOOL:
		buf_printf(out, "the boolean %s", v->boolean ? "true" : "false");
		break;
	case VALUE_INT:
	case VALUE_REAL:
		buf_str(out, "the number ");
		words_number(v, out);
		break;
	case VALUE_STR:
		buf_str(out, "the string ");
		quoted(v->str.s, v->str.len, out);
		break;
	default:
		buf_str(out, v->type == VALUE_LIST ? "a list" : "a map");
	}
}

void
words_plain(const struct value *v, struct buf *out)
{
	if (v->type == VALUE_NULL)
		buf_str(out, "null");
	else if (v->type == VALUE_BOOL)
		buf_str(out, v->boolean ? "true" : "false");
	else if (v->type == VALUE_INT || v->type == VALUE_REAL)
		words_number(v, out);
	else if (v->type != VALUE_STR)
		words_value(v, out);
	else if (is_word(v->str.s) && v->str.len <= SHOWN_MAX)
		buf_str(out, v->str.s);
	else
		quoted(v->str.s, v->str.len, out);
}

void
words_shown(const struct value *v, struct buf *out)
{
	bool word = v->type == VALUE_STR && is_word(v->str.s) && v->str.len <= SHOWN_MAX;

	buf_str(out, word ? "`" : "");
	words_plain(v, out);
	buf_str(out, word ? "`" : "");
}

static bool
looks_like_number(const char *s)
{
	char *end = NULL;
	double d;

	if (!isdigit((unsigned char)*s) && *s != '-')
		return false;
	d = strtod(s, &end);
	return end != s && *end == '\0' && d - d >= 0;
}

/* An example as it is written in YAML; lists and maps in one line, when they are short. */
static bool
example_text(const struct value *v, struct buf *out)
{
	AUTO_BUF struct buf flow = BUF_INIT(4096);

	if (v->type == VALUE_MAP || v->type == VALUE_LIST) {
		json_write(v, 0, &flow);
		if (flow.over || flow.len > EXAMPLE_MAX)
			return false;
		buf_add(out, flow.data, flow.len);
	} else if (v->type != VALUE_STR) {
		words_plain(v, out);
	} else if (looks_like_number(v->str.s) || strchr("#&*!|>@%{}[]\"'`-?", v->str.s[0]) || strstr(v->str.s, ": ") ||
	           strstr(v->str.s, " #")) {
		quoted(v->str.s, v->str.len, out);
	} else {
		buf_str(out, v->str.s);
	}
	return true;
}

/* The first example of the node, or of what it refers to. */
static bool
example_of(const struct node *n, struct buf *out)
{
	for (int hops = 0; n && hops < 8; hops++, n = n->ref)
		if (value_len(n->examples))
			return value_is(n->examples, VALUE_LIST) && example_text(n->examples->list.items[0], out);
	return false;
}

static const char *
description_of(const struct node *n)
{
	for (int hops = 0; n && hops < 8; hops++, n = n->ref)
		if (n->description)
			return n->description;
	return NULL;
}

void
words_example(const struct step *at, struct buf *out)
{
	AUTO_BUF struct buf example = BUF_INIT(1024);

	if (example_of(at->about, &example))
		buf_printf(out, "for example %s", buf_cstr(&example));
}

void
words_about(const struct node *n, const struct step *at, struct buf *out)
{
	AUTO_BUF struct buf example = BUF_INIT(1024);
	const char *description = n->description ? n->description : "", *fallback = strstr(description, " Default:");
	size_t len = fallback ? (size_t)(fallback - description) : strlen(description);

	if (len && description[len - 1] == '.')
		len--;
	buf_add(out, description, len);
	if (example_of(at->about, &example) || example_of(n, &example))
		buf_printf(out, "%sfor example %s", len ? "; " : "", buf_cstr(&example));
}

static void
help_for_string(const struct value *v, unsigned types, struct buf *out)
{
	static const struct {
		const char *word;
		bool meant;
	} words[] = {
		{ "true", true }, { "yes", true }, { "on", true }, { "y", true },
		{ "false", false }, { "no", false }, { "off", false }, { "n", false },
	};

	if ((types & TYPE_INTEGER) && looks_like_number(v->str.s))
		buf_printf(out, "write %.40s without quotes", v->str.s);
	else if ((types & TYPE_ARRAY) && is_word(v->str.s) && v->str.len <= SHOWN_MAX)
		buf_printf(out, "write a list: [%s]", v->str.s);
	for (size_t i = 0; (types & TYPE_BOOLEAN) && i < sizeof(words) / sizeof(*words); i++)
		if (strcasecmp(v->str.s, words[i].word) == 0)
			buf_printf(out, "write %s, without quotes", words[i].meant ? "true" : "false");
}

/* A number or boolean where a string is wanted: its text in quotes, when that would be taken. */
static bool
help_quote(struct regex_run *run, const struct step *at, struct buf *out)
{
	AUTO_BUF struct buf shown = BUF_INIT(1024);
	const struct value *v = at->value;
	const char *text = v->text;

	words_plain(v, &shown);
	if (!text)
		text = buf_cstr(&shown);
	if (at->about->pattern && regex_match(at->about->pattern, run, text, strlen(text)) != 1)
		return false;
	if (strcmp(text, buf_cstr(&shown)) != 0)
		buf_printf(out, "`%.40s` is read as the number %s: ", text, buf_cstr(&shown));
	buf_printf(out, "quote it: \"%.40s\"", text);
	return true;
}

void
words_type_help(struct regex_run *run, const struct step *at, unsigned types, struct buf *out)
{
	const struct value *v = at->value;
	bool scalar = v->type == VALUE_INT || v->type == VALUE_REAL || v->type == VALUE_BOOL;

	if (v->type == VALUE_NULL) {
		buf_str(out, "write a value, or remove the field");
		return;
	}
	if (scalar && (types & (TYPE_STRING | TYPE_INTEGER)) == TYPE_STRING && help_quote(run, at, out))
		return;
	if (v->type == VALUE_STR)
		help_for_string(v, types, out);
	if (!out->len)
		words_example(at, out);
}

struct fields {
	struct named_node items[FIELDS_MAX];
	size_t n;
};

/* The fields that a node knows, those of its references and allOf too. */
static void
fields_of(const struct node *n, struct fields *f, unsigned hops)
{
	if (!n || hops > 4)
		return;
	for (size_t i = 0; i < n->members.n && f->n < FIELDS_MAX; i++)
		if (!n->members.items[i].node->never)
			f->items[f->n++] = n->members.items[i];
	fields_of(n->ref, f, hops + 1);
	for (size_t i = 0; i < n->all_of.n; i++)
		fields_of(n->all_of.items[i], f, hops + 1);
}

static const struct node *
field_node(const struct fields *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->items[i].name, name) == 0)
			return f->items[i].node;
	return NULL;
}

void
words_missing_help(const struct node *n, const char *name, struct buf *out)
{
	struct fields f = { .n = 0 };
	AUTO_BUF struct buf example = BUF_INIT(1024);
	const struct node *field;
	const char *description;

	fields_of(n, &f, 0);
	field = field_node(&f, name);
	if (!field)
		return;
	if (example_of(field, &example))
		buf_printf(out, "add `%s: %s`", name, buf_cstr(&example));
	else
		buf_printf(out, "add `%s:`", name);
	description = description_of(field);
	if (description) {
		const char *end = strstr(description, ". ");
		size_t len = end ? (size_t)(end - description) : strlen(description);

		if (len && description[len - 1] == '.')
			len--;
		buf_str(out, " (");
		buf_add(out, description, len);
		buf_char(out, ')');
	}
}

const char *
words_nearest(const char *word, const char *const *names, size_t n)
{
	const char *near;

	for (size_t i = 0; i < n; i++)
		if (strcasecmp(names[i], word) == 0)
			return names[i];
	near = str_nearest(word, names, n);
	/* among short words everything is near to everything */
	return near && (strlen(word) > 4 || near[0] == word[0]) ? near : NULL;
}

/* `gpu` at the level of the spec belongs in `resources`: looks one level down. */
static bool
help_below(const struct fields *f, const char *key, struct buf *out)
{
	for (size_t i = 0; i < f->n; i++) {
		struct fields below = { .n = 0 };

		fields_of(f->items[i].node, &below, 0);
		if (field_node(&below, key)) {
			buf_printf(out, "`%s` belongs in `%s`", key, f->items[i].name);
			return true;
		}
	}
	return false;
}

static bool
help_above(const struct step *at, const char *key, struct buf *out)
{
	for (const struct step *s = at->up; s; s = s->up) {
		struct fields above = { .n = 0 };

		if (!s->about || s->value->type != VALUE_MAP)
			continue;
		fields_of(s->about, &above, 0);
		if (field_node(&above, key)) {
			buf_printf(out, "`%s` belongs in ", key);
			words_subject(s, out);
			return true;
		}
	}
	return false;
}

void
words_unknown_help(const struct node *n, const struct step *at, const char *key, struct buf *out)
{
	struct fields f = { .n = 0 };
	const char *names[FIELDS_MAX], *near;

	if (strlen(key) > 100)
		return;
	fields_of(n, &f, 0);
	for (size_t i = 0; i < f.n; i++)
		names[i] = f.items[i].name;
	near = words_nearest(key, names, f.n);
	if (near) {
		buf_printf(out, "did you mean `%s`?", near);
		return;
	}
	if (help_below(&f, key, out) || help_above(at, key, out))
		return;
	for (size_t i = 0; strlen(key) >= 4 && i < f.n; i++)
		if (strcasestr(names[i], key)) {
			buf_printf(out, "did you mean `%s`?", names[i]);
			return;
		}
	for (size_t i = 0; f.n <= FIELDS_LISTED && i < f.n; i++)
		buf_printf(out, "%s%s", i ? ", " : "known fields: ", names[i]);
}

static size_t
scalar_width(const struct value *v)
{
	AUTO_BUF struct buf text = BUF_INIT(256);

	if (v->type == VALUE_STR) {
		const char *end = memchr(v->str.s, '\n', v->str.len);

		return text_length(v->str.s, end ? (size_t)(end - v->str.s) : v->str.len);
	}
	if (v->text)
		return strlen(v->text);
	words_plain(v, &text);
	return text.len;
}

struct place
words_place(const struct step *at, size_t *width)
{
	const struct value *v = at->value;
	bool by_key = v->type == VALUE_MAP || v->type == VALUE_LIST || v->type == VALUE_NULL;

	if (at->member && (by_key || at->is_key)) {
		*width = text_length(at->member->key, strlen(at->member->key));
		return at->member->at;
	}
	*width = by_key ? 1 : scalar_width(v);
	return v->at;
}
