/* SPDX-License-Identifier: Apache-2.0 */
/* The pages docs/findings.md and docs/fields.md, from the catalogue and the schemas. */
#include <string.h>

#include "cli/depends.h"
#include "cli/explain.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/report.h"

/* Text of a table's cell; inside code only the bar needs care. */
static void
add_cell(struct buf *out, const char *s, bool code)
{
	for (; *s; s++)
		if (*s == '|')
			buf_str(out, "\\|");
		else if (!code && (*s == '<' || *s == '*' || *s == '_'))
			buf_printf(out, "\\%c", *s);
		else
			buf_char(out, *s);
}

static void
add_code(struct buf *out, const char *s)
{
	buf_char(out, '`');
	add_cell(out, s, true);
	buf_char(out, '`');
}

void
explain_findings_page(struct buf *out)
{
	static const struct {
		const char *start, *title;
	} groups[] = { { "E1", "Reading a document" }, { "E2", "The schema of its kind" }, { "E3", "Identity and references" },
		{ "E4", "Rules" }, { "E5", "The repository as a whole" }, { "W9", "Warnings" } };

	buf_str(out, "# Findings\n"
	             "Made by `berth explain --markdown findings`. Every code that `berth validate`, a plan or a status can show; `berth explain E304`\n"
	             "prints one of them. Codes never change their meaning. [mistakes.md](mistakes.md) shows the most typical ones with their real output.\n");
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		buf_printf(out, "\n## %s\n| code | what | why |\n|---|---|---|\n", groups[g].title);
		for (int i = 0; i < FINDING_COUNT; i++) {
			enum finding_code c = (enum finding_code)i;

			if (!str_starts(finding_id(c), groups[g].start))
				continue;
			buf_printf(out, "| %s | ", finding_id(c));
			add_cell(out, finding_title(c), false);
			buf_str(out, " | ");
			add_cell(out, finding_why(c), false);
			buf_str(out, " |\n");
		}
	}
}

static void
add_json(struct buf *out, const struct value *v)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	json_write(v, 0, &b);
	add_code(out, buf_cstr(&b));
}

/* Description, then what is allowed, else one example. */
static void
add_what(struct arena *mem, const struct field *x, struct buf *out)
{
	const struct value *allowed = value_get(x->schema, "enum"), *examples = value_get(x->schema, "examples");

	add_cell(out, value_as_str(value_get(x->schema, "description"), ""), false);
	for (size_t i = 0; i < value_len(allowed); i++) {
		const struct value *v = value_item(allowed, i);

		buf_str(out, i ? ", " : " One of ");
		if (v->type == VALUE_STR)
			add_code(out, value_as_str(v, ""));
		else
			add_json(out, v);
	}
	if (value_len(allowed)) {
		buf_char(out, '.');
	} else if (value_len(examples) && !value_get(x->schema, "properties")) {
		buf_str(out, " Example: ");
		add_json(out, value_item(examples, 0));
		buf_char(out, '.');
	}
	if (strcmp(x->path, "spec.defaults") == 0)
		buf_printf(out, " See [Environment](#environment): what stands in its spec, but for what selects %s.",
		           arena_printf(mem, x->kind == KIND_ORG ? "nothing" : "a %s", kinds[x->kind].noun));
}

static void
kind_section(const struct fields *f, enum kind k, struct buf *out)
{
	struct field_list all = { 0 };

	buf_printf(out, "\n## %s\n", kinds[k].name);
	add_cell(out, value_as_str(value_get(f->docs[k], "description"), ""), false);
	if (kinds[k].alias)
		buf_printf(out, " `%s` is read as the same kind.", kinds[k].alias);
	buf_str(out, "\n\n| field | type | default | what it is | objects it reaches |\n|---|---|---|---|---|\n");
	fields_of(f, k, &all);
	for (size_t i = 0; i < all.n; i++) {
		const struct field *x = &all.items[i];
		const struct value *fallback = value_get(x->schema, "default");
		const char *touches;

		buf_str(out, "| ");
		add_code(out, x->path);
		buf_printf(out, "%s | ", x->required ? " (required)" : "");
		add_cell(out, field_type(f->mem, f, x), false);
		buf_str(out, " | ");
		if (fallback && !value_get(x->schema, "properties"))
			add_json(out, fallback);
		buf_str(out, " | ");
		add_what(f->mem, x, out);
		buf_str(out, " | ");
		/* of a whole spec it would be everything */
		touches = strchr(x->path, '.') ? depends_touches(f->mem, field_name(f->mem, x)) : NULL;
		add_cell(out, touches ? touches : "", false);
		buf_str(out, " |\n");
	}
}

void
explain_fields_page(const struct fields *f, struct buf *out)
{
	static const enum kind order[] = { KIND_ENV, KIND_FLAVOR, KIND_IMAGE, KIND_DATASET, KIND_TEAM, KIND_USER, KIND_ORG };

	buf_str(out, "# Fields\n"
	             "Made by `berth explain --markdown fields` from `schema/`. Every field of the seven kinds; `berth explain env.spec.resources.shm` prints one\n"
	             "with everything that its schema asks for, `berth explain flavor` lists a kind's. `[]` is each item of a list, `<name>` a key of your choice.\n"
	             "The last column is found by changing every field and comparing what is rendered; empty: no object depends on it. Pods restart only where that is said.\n");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		kind_section(f, order[i], out);
}
