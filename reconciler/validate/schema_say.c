/* SPDX-License-Identifier: Apache-2.0 */
/* Violations as findings: what is wrong in words, where, and what to write instead. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "validate/schema_words.h"

/* How much a violation counts against a branch of anyOf and oneOf. */
#define GRAVE 1000 /* the branch is for something else */
#define CHOICE 50  /* a word that tells branches apart */
#define SMALL 1

/* True when a finding is to be made. */
static bool
heard(struct eval *ev, size_t weight)
{
	if (ev->mode == EVAL_WEIGH)
		ev->weight += weight;
	if (ev->mode != EVAL_REPORT)
		return false;
	ev->errors++;
	return true;
}

/* Adds a finding at the value. */
static struct finding *
finding_at(struct eval *ev, enum finding_code code, const struct step *at, const char *text)
{
	size_t width;
	struct place place = words_place(at, &width);
	struct finding *f = report_add(ev->report, code, SEVERITY_ERROR, place, "%s", text);

	f->width = width;
	return f;
}

static void
help_from(struct eval *ev, struct finding *f, const struct buf *help)
{
	if (help->len)
		finding_help(ev->report, f, "%s", buf_cstr(help));
}

bool
say_type(struct eval *ev, const struct step *at, unsigned types)
{
	AUTO_BUF struct buf text = BUF_INIT(4096), help = BUF_INIT(4096);

	if (!heard(ev, GRAVE))
		return false;
	words_subject(at, &text);
	buf_str(&text, " must be ");
	words_types(types, &text);
	buf_str(&text, ", found ");
	words_value(at->value, &text);
	words_type_help(&ev->run, at, types, &help);
	help_from(ev, finding_at(ev, FINDING_WRONG_TYPE, at, buf_cstr(&text)), &help);
	return false;
}

/* The word of a list that is near to a string, or NULL. */
static const char *
nearest_allowed(const struct value *allowed, const struct value *v)
{
	const char *names[64];
	size_t n = 0;

	for (size_t i = 0; i < allowed->list.n && n < sizeof(names) / sizeof(*names); i++)
		if (allowed->list.items[i]->type == VALUE_STR)
			names[n++] = allowed->list.items[i]->str.s;
	return v->type == VALUE_STR && v->str.len <= 64 ? words_nearest(v->str.s, names, n) : NULL;
}

bool
say_enum(struct eval *ev, const struct node *n, const struct step *at)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);
	const char *near = nearest_allowed(n->allowed, at->value);
	struct finding *f;

	if (!heard(ev, CHOICE))
		return false;
	words_subject(at, &text);
	buf_str(&text, at->is_key ? " is not known" : " cannot be ");
	if (!at->is_key)
		words_shown(at->value, &text);
	buf_str(&text, "; allowed: ");
	for (size_t i = 0; i < n->allowed->list.n && i < 24; i++) {
		buf_str(&text, i ? ", " : "");
		words_plain(n->allowed->list.items[i], &text);
	}
	if (n->allowed->list.n > 24)
		buf_str(&text, ", …");
	f = finding_at(ev, FINDING_NOT_ALLOWED_VALUE, at, buf_cstr(&text));
	if (near)
		finding_help(ev->report, f, "did you mean `%s`?", near);
	return false;
}

bool
say_const(struct eval *ev, const struct node *n, const struct step *at)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);

	if (!heard(ev, CHOICE))
		return false;
	words_subject(at, &text);
	buf_str(&text, " must be ");
	words_shown(n->constant, &text);
	buf_str(&text, ", found ");
	words_shown(at->value, &text);
	(void)finding_at(ev, FINDING_NOT_ALLOWED_VALUE, at, buf_cstr(&text));
	return false;
}

bool
say_pattern(struct eval *ev, const struct node *n, const struct step *at, bool too_hard)
{
	AUTO_BUF struct buf text = BUF_INIT(4096), help = BUF_INIT(4096);

	if (!heard(ev, SMALL))
		return false;
	words_subject(at, &text);
	if (at->is_key) {
		buf_printf(&text, " is not a valid %s", n->title ? n->title : "key");
	} else if (at->value->str.len == 0) {
		buf_str(&text, " must not be empty");
	} else {
		buf_str(&text, too_hard ? " takes too long to check: " : " cannot be ");
		words_shown(at->value, &text);
		/* a definition shared by many fields has a name of its own: "quantity" */
		if (n != at->about && n->title)
			buf_printf(&text, ": that is not a valid %s", n->title);
	}
	words_about(n, at, &help);
	help_from(ev, finding_at(ev, FINDING_BAD_FORMAT, at, buf_cstr(&text)), &help);
	return false;
}

bool
say_number(struct eval *ev, const struct step *at, const char *rule, const struct value *limit)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);

	if (!heard(ev, SMALL))
		return false;
	words_subject(at, &text);
	buf_printf(&text, " must be %s ", rule);
	words_number(limit, &text);
	buf_str(&text, ", found ");
	words_number(at->value, &text);
	(void)finding_at(ev, FINDING_OUT_OF_RANGE, at, buf_cstr(&text));
	return false;
}

bool
say_count(struct eval *ev, const struct step *at, const char *rule, size_t limit, const char *unit, size_t found)
{
	AUTO_BUF struct buf text = BUF_INIT(4096), help = BUF_INIT(4096);

	if (!heard(ev, SMALL))
		return false;
	words_subject(at, &text);
	if (found == 0) {
		buf_str(&text, " must not be empty");
		words_example(at, &help);
	} else {
		buf_printf(&text, " must have %s %zu %s%s, found %zu", rule, limit, unit, limit == 1 ? "" : "s", found);
	}
	help_from(ev, finding_at(ev, FINDING_OUT_OF_RANGE, at, buf_cstr(&text)), &help);
	return false;
}

bool
say_twice(struct eval *ev, const struct step *at, const struct value *item, size_t index)
{
	struct step here = { .up = at, .index = index, .value = item };
	AUTO_BUF struct buf text = BUF_INIT(4096);

	if (!heard(ev, SMALL))
		return false;
	words_subject(at, &text);
	buf_str(&text, " has ");
	words_shown(item, &text);
	buf_str(&text, " twice");
	(void)finding_at(ev, FINDING_SCHEMA_OTHER, &here, buf_cstr(&text));
	return false;
}

bool
say_missing(struct eval *ev, const struct node *n, const struct step *at, const char *name, const char *because)
{
	AUTO_BUF struct buf text = BUF_INIT(4096), help = BUF_INIT(4096);

	if (!heard(ev, SMALL))
		return false;
	buf_char(&text, '`');
	words_path(at, &text);
	buf_printf(&text, "%s%s` is missing", text.len > 1 ? "." : "", name);
	if (because)
		buf_printf(&text, ": `%s` needs it", because);
	words_missing_help(n, name, &help);
	help_from(ev, finding_at(ev, FINDING_MISSING_FIELD, at, buf_cstr(&text)), &help);
	return false;
}

bool
say_unknown(struct eval *ev, const struct node *n, const struct step *at, const struct member *m)
{
	AUTO_BUF struct buf text = BUF_INIT(4096), help = BUF_INIT(4096);
	struct finding *f;

	if (!heard(ev, SMALL))
		return false;
	buf_printf(&text, "unknown field `%.100s`", m->key);
	if (at->up) {
		buf_str(&text, " in ");
		words_subject(at, &text);
	}
	words_unknown_help(n, at, m->key, &help);
	f = report_add(ev->report, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, m->at, "%s", buf_cstr(&text));
	f->width = text_length(m->key, strlen(m->key));
	help_from(ev, f, &help);
	return false;
}

/* A finding of one fixed phrase behind the subject. */
static bool
say_phrase(struct eval *ev, const struct step *at, size_t weight, const char *phrase)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);

	if (!heard(ev, weight))
		return false;
	words_subject(at, &text);
	buf_str(&text, phrase);
	(void)finding_at(ev, FINDING_SCHEMA_OTHER, at, buf_cstr(&text));
	return false;
}

bool
say_never(struct eval *ev, const struct step *at)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);
	struct finding *f;

	if (!at->member || at->is_key)
		return say_phrase(ev, at, GRAVE, " is not allowed here");
	if (!heard(ev, GRAVE))
		return false;
	words_subject(at, &text);
	buf_str(&text, " is not allowed here");
	f = report_add(ev->report, FINDING_SCHEMA_OTHER, SEVERITY_ERROR, at->member->at, "%s", buf_cstr(&text));
	f->width = text_length(at->member->key, strlen(at->member->key));
	finding_help(ev->report, f, "remove it");
	return false;
}

bool
say_item(struct eval *ev, const struct step *at, size_t index)
{
	struct step item = { .up = at, .index = index, .value = value_item(at->value, index) };

	return say_phrase(ev, &item, SMALL, " is one item too many");
}

bool
say_contains(struct eval *ev, const struct node *n, const struct step *at, size_t found)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);
	bool few = found < n->min_contains;

	if (!heard(ev, SMALL))
		return false;
	words_subject(at, &text);
	buf_printf(&text, " must have at %s %zu of what fits %s, found %zu", few ? "least" : "most",
	           few ? n->min_contains : n->max_contains, n->contains->title ? n->contains->title : "its schema", found);
	(void)finding_at(ev, FINDING_SCHEMA_OTHER, at, buf_cstr(&text));
	return false;
}

bool
say_not(struct eval *ev, const struct node *n, const struct step *at)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);

	buf_printf(&text, " must not be %s", n->not_->title ? n->not_->title : "like this");
	return say_phrase(ev, at, SMALL, buf_cstr(&text));
}

bool
say_needs_one(struct eval *ev, const struct node_list *branches, const struct step *at)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);

	if (!heard(ev, SMALL))
		return false;
	words_subject(at, &text);
	buf_str(&text, " needs ");
	for (size_t i = 0; i < branches->n; i++)
		buf_printf(&text, "%s`%s`", i == 0 ? "" : i + 1 < branches->n ? ", " : " or ", branches->items[i]->required.items[0]);
	(void)finding_at(ev, FINDING_MISSING_FIELD, at, buf_cstr(&text));
	return false;
}

bool
say_fits_many(struct eval *ev, const struct node_list *branches, const struct step *at, size_t a, size_t b)
{
	AUTO_BUF struct buf text = BUF_INIT(4096);
	const struct node *x = branches->items[a], *y = branches->items[b];

	if (x->required.n && y->required.n)
		buf_printf(&text, " has both `%s` and `%s`; only one of them may stand here", x->required.items[0],
		           y->required.items[0]);
	else
		buf_printf(&text, " can be read in two ways (%s, %s)", x->title ? x->title : "a first", y->title ? y->title : "a second");
	return say_phrase(ev, at, SMALL, buf_cstr(&text));
}

bool
say_gave_up(struct eval *ev, const struct step *at)
{
	if (ev->gave_up && (ev->mode != EVAL_REPORT || ev->errors))
		return false;
	ev->gave_up = true;
	return say_phrase(ev, at, GRAVE, " is too large or nested too deep to be checked");
}
