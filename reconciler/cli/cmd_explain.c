/* SPDX-License-Identifier: Apache-2.0 */
/* berth explain: what a finding's code means, what a field is. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/cmd.h"
#include "cli/depends.h"
#include "cli/explain.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/report.h"

#define SHOWN_WHOLE 3 /* of fields that end alike; more are listed */

struct explain {
	const struct args *a;
	struct arena *mem;
	struct fields fields;
	struct value *list; /* for json and yaml */
	struct buf text;
	enum output form;
};

/* -- codes ----------------------------------------------------------------------------------------------------------- */

static void
one_code(struct explain *x, enum finding_code c, bool whole)
{
	struct value *v = value_map(x->mem);

	if (whole)
		buf_printf(&x->text, "%s: %s\n\n%s\n", finding_id(c), finding_title(c), finding_why(c));
	else
		buf_printf(&x->text, "%s  %s\n", finding_id(c), finding_title(c));
	value_set(x->mem, v, "code", value_str(x->mem, finding_id(c)));
	value_set(x->mem, v, "title", value_str(x->mem, finding_title(c)));
	value_set(x->mem, v, "why", value_str(x->mem, finding_why(c)));
	value_push(x->mem, x->list, v);
}

static bool
explain_code(struct explain *x, const char *word)
{
	for (int i = 0; i < FINDING_COUNT; i++)
		if (strcasecmp(word, finding_id((enum finding_code)i)) == 0) {
			one_code(x, (enum finding_code)i, true);
			return true;
		}
	return false;
}

/* -- fields ---------------------------------------------------------------------------------------------------------- */

static const char *
shown(struct arena *mem, const struct value *v)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	if (v->type == VALUE_STR && *value_as_str(v, ""))
		return value_as_str(v, "");
	json_write(v, 0, &b);
	return arena_strdup(mem, buf_cstr(&b));
}

static const char *
all_shown(struct arena *mem, const struct value *list)
{
	const char *s = NULL;

	for (size_t i = 0; value_is(list, VALUE_LIST) && i < value_len(list); i++)
		s = arena_printf(mem, "%s%s%s", s ? s : "", s ? ", " : "", shown(mem, value_item(list, i)));
	return s;
}

/* The files a field may stand in: its kind's, and of others as a default of environments. */
static struct value *
places_of(struct explain *x, const struct field *f)
{
	struct value *list = value_list(x->mem);
	struct field there;

	value_push(x->mem, list, value_str(x->mem, kind_file(x->mem, f->kind)));
	for (enum kind k = 0; f->kind == KIND_ENV && str_starts(f->path, "spec.") && k < KIND_ENV; k++) {
		const char *path = arena_printf(x->mem, "spec.defaults.%s", f->path + 5);

		if (field_find(&x->fields, k, path, &there, NULL) == 0)
			value_push(x->mem, list, value_fmt(x->mem, "%s (spec.defaults)", kind_file(x->mem, k)));
	}
	return list;
}

/* "exactly one of: claim, s3" */
static const char *
choice_of(struct arena *mem, const struct value *schema)
{
	const struct value *one = value_get(schema, "oneOf");
	const char *s = NULL;

	for (size_t i = 0; value_is(one, VALUE_LIST) && i < value_len(one); i++) {
		const char *names = all_shown(mem, value_get(value_item(one, i), "required"));

		if (names)
			s = arena_printf(mem, "%s%s%s", s ? s : "", s ? ", " : "", names);
	}
	return s;
}

static void
row(struct explain *x, const char *name, const char *text)
{
	if (text && *text)
		buf_printf(&x->text, "  %-9s %s\n", name, text);
}

static void
field_text(struct explain *x, const struct field *f, const struct value *v, const struct field_list *inside)
{
	const struct value *s = f->schema, *d = value_get(s, "default");

	if (x->text.len)
		buf_char(&x->text, '\n');
	buf_printf(&x->text, "%s: %s\n", field_name(x->mem, f), value_as_str(value_get(s, "title"), "no title"));
	buf_printf(&x->text, "  %s\n\n", value_as_str(value_get(s, "description"), ""));
	row(x, "type", value_as_str(value_get(v, "type"), NULL));
	row(x, "required", f->required ? "yes" : NULL);
	row(x, "one of", all_shown(x->mem, value_get(s, "enum")));
	row(x, "default", d ? shown(x->mem, d) : NULL);
	row(x, "limits", value_as_str(value_get(v, "limits"), NULL));
	row(x, "exactly", choice_of(x->mem, s) ? arena_printf(x->mem, "one of %s", choice_of(x->mem, s)) : NULL);
	row(x, "example", all_shown(x->mem, value_get(s, "examples")));
	row(x, "stands in", all_shown(x->mem, value_get(v, "files")));
	row(x, "reaches", value_as_str(value_get(v, "reaches"), NULL));
	for (size_t i = 0; i < inside->n; i++) {
		const struct field *c = &inside->items[i];

		buf_printf(&x->text, "  %-9s %-22s %-20s %s%s\n", i ? "" : "fields", last_step(c->path),
		           field_type(x->mem, &x->fields, c), value_as_str(value_get(c->schema, "title"), ""),
		           c->required ? " (required)" : "");
	}
}

static void
one_field(struct explain *x, const struct field *f)
{
	static const char *const kept[] = { "title", "description", "enum", "default", "examples" };
	struct value *v = value_map(x->mem), *names = value_list(x->mem);
	const char *text = field_limits(x->mem, f);
	struct field_list inside = { 0 };

	fields_inside(&x->fields, f, &inside);
	value_set(x->mem, v, "field", value_str(x->mem, field_name(x->mem, f)));
	value_set(x->mem, v, "type", value_str(x->mem, field_type(x->mem, &x->fields, f)));
	value_set(x->mem, v, "required", value_bool(x->mem, f->required));
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (value_get(f->schema, kept[i]))
			value_set(x->mem, v, kept[i], value_copy(x->mem, value_get(f->schema, kept[i])));
	if (text)
		value_set(x->mem, v, "limits", value_str(x->mem, text));
	value_set(x->mem, v, "files", places_of(x, f));
	text = depends_touches(x->mem, field_name(x->mem, f));
	if (text)
		value_set(x->mem, v, "reaches", value_str(x->mem, text));
	for (size_t i = 0; i < inside.n; i++)
		value_push(x->mem, names, value_str(x->mem, field_name(x->mem, &inside.items[i])));
	value_set(x->mem, v, "fields", names);
	field_text(x, f, v, &inside);
	value_push(x->mem, x->list, v);
}

static void
list_fields(struct explain *x, const struct field_list *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct field *f = &all->items[i];
		struct value *v = value_map(x->mem);
		const char *name = field_name(x->mem, f), *type = field_type(x->mem, &x->fields, f);
		const char *title = value_as_str(value_get(f->schema, "title"), "");

		buf_printf(&x->text, "%-46s %-22s %s%s\n", name, type, title, f->required ? " (required)" : "");
		value_set(x->mem, v, "field", value_str(x->mem, name));
		value_set(x->mem, v, "type", value_str(x->mem, type));
		value_set(x->mem, v, "required", value_bool(x->mem, f->required));
		value_set(x->mem, v, "title", value_str(x->mem, title));
		value_push(x->mem, x->list, v);
	}
}

/* "spec.flavor": the kind is left out, any of them may be meant. */
static int
of_every_kind(struct explain *x, const char *path, struct err *e)
{
	struct field f;
	size_t hits = 0;

	for (int i = KIND_ENV; i >= 0; i--)
		if (field_find(&x->fields, (enum kind)i, path, &f, NULL) == 0) {
			one_field(x, &f);
			hits++;
		}
	return hits ? 0 : field_find(&x->fields, KIND_ENV, path, &f, e);
}

/* Of codes and kinds, else of all fields' last steps. */
static const char *
nearest_word(struct explain *x, const char *word)
{
	const char *names[FINDING_COUNT + KIND_COUNT], *near, **ends;
	struct field_list all = { 0 };
	size_t n = 0;

	for (int i = 0; i < FINDING_COUNT; i++)
		names[n++] = finding_id((enum finding_code)i);
	for (enum kind k = 0; k < KIND_COUNT; k++)
		names[n++] = kind_word(k);
	if ((near = str_nearest(word, names, n)))
		return near;
	for (enum kind k = 0; k < KIND_COUNT; k++)
		fields_of(&x->fields, k, &all);
	ends = arena_array(x->mem, all.n + 1, sizeof(*ends));
	for (size_t i = 0; i < all.n; i++)
		ends[i] = last_step(all.items[i].path);
	return str_nearest(word, ends, all.n);
}

/* "shm", "ssh.via": the end of a field's name. */
static int
by_ending(struct explain *x, const char *word, struct err *e)
{
	struct field_list hits = { 0 };
	const char *near;

	fields_ending(&x->fields, word, &hits);
	for (size_t i = 0; hits.n <= SHOWN_WHOLE && i < hits.n; i++)
		one_field(x, &hits.items[i]);
	if (hits.n > SHOWN_WHOLE)
		list_fields(x, &hits);
	if (hits.n)
		return 0;
	(void)err_set(e, ERR_USAGE, "there is no code and no field %s", str_line(x->mem, word));
	near = nearest_word(x, word);
	if (near)
		return err_hint(e, "did you mean `berth explain %s`?", near);
	return err_hint(e, "`berth explain` lists all codes, `berth explain env` the fields of an environment");
}

static int
explain_field(struct explain *x, const char *word, struct err *e)
{
	size_t n = strcspn(word, ".");
	enum kind k = kind_of_word(word, n);
	struct field_list all = { 0 };
	struct field f;
	int rc;

	if (k != KIND_COUNT && !word[n]) {
		fields_of(&x->fields, k, &all);
		list_fields(x, &all);
		return 0;
	}
	if (k != KIND_COUNT) {
		if ((rc = field_find(&x->fields, k, word + n + 1, &f, e)) == 0)
			one_field(x, &f);
	} else if (word[n] && (str_starts(word, "spec.") || str_starts(word, "metadata."))) {
		rc = of_every_kind(x, word, e);
	} else {
		rc = by_ending(x, word, e);
	}
	if (rc == ERR_NOTFOUND)
		e->code = ERR_USAGE;
	return rc < 0 ? ERR_USAGE : 0;
}

/* -- the verb -------------------------------------------------------------------------------------------------------- */

static int
page(struct explain *x, const char *name, struct err *e)
{
	if (strcmp(name, "findings") == 0)
		explain_findings_page(&x->text);
	else if (strcmp(name, "fields") == 0)
		explain_fields_page(&x->fields, &x->text);
	else
		return err_set(e, ERR_USAGE, "--markdown %s: write findings or fields", name);
	return 0;
}

static int
make(struct explain *x, struct err *e)
{
	const char *markdown = args_str(x->a, "markdown", NULL);
	int rc;

	if (markdown && x->a->npos)
		return err_set(e, ERR_USAGE, "--markdown prints a whole page: leave out %s", x->a->pos[0]);
	if (!markdown && !x->a->npos) {
		for (int i = 0; i < FINDING_COUNT; i++)
			one_code(x, (enum finding_code)i, false);
		return 0;
	}
	if (x->a->npos && explain_code(x, x->a->pos[0]))
		return 0;
	if ((rc = fields_load(x->mem, &x->fields, e)) < 0)
		return rc;
	return markdown ? page(x, markdown, e) : explain_field(x, x->a->pos[0], e);
}

static int
run(const struct args *a, struct err *e)
{
	struct explain x = { .a = a, .mem = a->mem, .list = value_list(a->mem), .text = BUF_INIT(0) };
	int rc;

	if ((rc = args_output(a, &x.form, e)) == 0)
		rc = make(&x, e);
	if (rc == 0 && (x.form == OUTPUT_TABLE || args_str(a, "markdown", NULL))) {
		(void)fputs(buf_cstr(&x.text), stdout);
	} else if (rc == 0) {
		output_value(x.list, x.form);
	}
	buf_free(&x.text);
	return rc < 0 ? rc : EXIT_FINE;
}

static const struct opt opts[] = {
	{ "o", "table|json|yaml", "how to print it" },
	{ "markdown", "findings|fields", "a whole page: every code, or every field of every kind" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_explain = {
	.name = "explain", .args = "[CODE|FIELD|KIND]", .summary = "what a code of `berth validate` means, what a field is",
	.examples = "berth explain E102                     a code\n"
	            "berth explain env.spec.resources.shm   a field: type, default, limits, examples, where it stands\n"
	            "berth explain spec.flavor              of whatever kind has it\n"
	            "berth explain shm                      any field of that name\n"
	            "berth explain env                      every field of a kind\n"
	            "berth explain                          all codes\n",
	.opts = opts, .max = 1, .run = run,
};
