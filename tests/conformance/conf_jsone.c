/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-e's own specification.yml: every case by number; results compared deeply, errors as such, then their text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/base/fs.h"
#include "lib/doc/json.h"
#include "render/template.h"

#define NOW "2017-01-19T16:27:20.974Z"
#define FILE_NAME "specification.yml"

/* Cases whose error text differs on purpose: the number, counted from 1 over all sections, and why. */
static const struct {
	int number;
	const char *reason;
} texts_differ[] = {
	{ 876, "the template is refused when it is compiled, before there is a context with a bad name" },
};

struct loader {
	struct arena *mem;
	yaml_parser_t parser;
};

struct totals {
	int cases, results, errors, same_text, explained, unexplained;
};

static void
die(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

static void
next_event(struct loader *l, yaml_event_t *event)
{
	if (!yaml_parser_parse(&l->parser, event))
		die("specification.yml does not parse");
}

/* Core schema, with integers of any size (as doubles), which the strict reader refuses. */
static struct value *
plain_scalar(struct arena *mem, const char *s)
{
	char *end;
	double d;

	if (!*s || !strcmp(s, "null") || !strcmp(s, "~"))
		return value_null(mem);
	if (!strcmp(s, "true") || !strcmp(s, "false"))
		return value_bool(mem, *s == 't');
	if (strspn(s, "+-.0123456789eE") != strlen(s) || !strpbrk(s, "0123456789"))
		return value_str(mem, s);
	d = strtod(s, &end);
	if (*end)
		return value_str(mem, s);
	if (!strpbrk(s, ".eE") && strlen(s) < 18)
		return value_int(mem, strtoll(s, NULL, 10));
	return value_real(mem, d);
}

/* The value that starts with `event`, which is consumed. */
static struct value *
load(struct loader *l, yaml_event_t *event)
{
	struct place at = { FILE_NAME, (uint32_t)event->start_mark.line + 1, (uint32_t)event->start_mark.column + 1 };
	struct value *v = NULL;
	yaml_event_t inner;

	if (event->type == YAML_SCALAR_EVENT) {
		const char *s = (const char *)event->data.scalar.value;

		if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
			v = plain_scalar(l->mem, s);
		else
			v = value_strn(l->mem, s, event->data.scalar.length);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		v = value_list(l->mem);
		for (next_event(l, &inner); inner.type != YAML_SEQUENCE_END_EVENT; next_event(l, &inner))
			value_push(l->mem, v, load(l, &inner));
		yaml_event_delete(&inner);
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		v = value_map(l->mem);
		for (next_event(l, &inner); inner.type != YAML_MAPPING_END_EVENT; next_event(l, &inner)) {
			char *key = arena_strdup(l->mem, (const char *)inner.data.scalar.value);
			struct place key_at = { FILE_NAME, (uint32_t)inner.start_mark.line + 1,
				                (uint32_t)inner.start_mark.column + 1 };

			yaml_event_delete(&inner);
			next_event(l, &inner);
			value_set_at(l->mem, v, key, key_at, load(l, &inner));
		}
		yaml_event_delete(&inner);
	} else {
		die("an alias or something else that is not expected");
	}
	yaml_event_delete(event);
	v->at = at;
	return v;
}

/* The next document, or NULL. */
static struct value *
next_document(struct loader *l)
{
	yaml_event_t event;
	struct value *v = NULL;

	for (;;) {
		next_event(l, &event);
		if (event.type == YAML_STREAM_END_EVENT)
			break;
		if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
		    event.type == YAML_MAPPING_START_EVENT)
			return load(l, &event);
		yaml_event_delete(&event);
	}
	yaml_event_delete(&event);
	return v;
}

static void
print_value(const struct value *v)
{
	struct buf AUTO_BUF out = BUF_INIT(0);

	if (v)
		json_write(v, 0, &out);
	printf("%s", v ? buf_cstr(&out) : "(nothing)");
}

/* "InterpreterError at template.a: text" -> "text" */
static const char *
want_text(const char *s)
{
	const char *colon = strstr(s, "Error") ? strstr(s, ": ") : NULL;

	return colon ? colon + 2 : s;
}

/* "specification.yml:1:2: text" -> "text" */
static const char *
got_text(const char *s)
{
	const char *colon = strstr(s, ": ");

	return !strncmp(s, FILE_NAME ":", strlen(FILE_NAME) + 1) && colon ? colon + 2 : s;
}

/* What follows in brackets is ours: the expression, the argument. */
static bool
same_text(const char *want, const char *got)
{
	size_t n = strlen(want);

	return !strncmp(want, got, n) && (!got[n] || !strncmp(got + n, " (", 2));
}

static bool
check_text(struct totals *t, const char *want, const char *got)
{
	t->errors++;
	if (same_text(want_text(want), got_text(got))) {
		t->same_text++;
		return true;
	}
	for (size_t i = 0; i < sizeof(texts_differ) / sizeof(texts_differ[0]); i++) {
		if (texts_differ[i].number == t->cases) {
			printf("# case %d: another text: %s\n", t->cases, texts_differ[i].reason);
			t->explained++;
			return true;
		}
	}
	return false;
}

/* True when the case goes as the specification says. */
static bool
run_case(struct totals *t, struct arena *mem, const struct value *doc, const char *section)
{
	const struct value *want = value_get(doc, "result"), *error = value_get(doc, "error");
	struct template *template;
	struct value *got = NULL;
	struct err e = { 0 };
	bool good;
	int rc;

	t->cases++;
	rc = template_compile(mem, value_get(doc, "template"), &template, &e);
	if (rc == 0)
		rc = template_render(template, mem, value_get(doc, "context"), NOW, NULL, &got, &e);
	if (error && !value_is(error, VALUE_STR)) {
		good = rc < 0;
		t->errors++;
		t->same_text++;
	} else if (error) {
		good = rc < 0 && check_text(t, error->str.s, e.text);
	} else {
		/* a deleted value at the top stands for null */
		good = rc == 0 && want && (got ? value_equal(got, want) : want->type == VALUE_NULL);
		t->results++;
	}
	if (good)
		return true;
	printf("# case %d, section \"%s\", title \"%s\"\n#   want ", t->cases, section,
	       value_as_str(value_get(doc, "title"), "?"));
	print_value(error ? error : want);
	printf("\n#   got  ");
	if (rc < 0)
		printf("error: %s\n", e.text);
	else {
		print_value(got);
		printf("\n");
	}
	return false;
}

static void
end_section(int number, const char *name, int cases, int bad)
{
	if (number)
		printf("%s %d - %s: %d cases, %d bad\n", bad ? "not ok" : "ok", number, name, cases, bad);
}

static void
run(const char *bytes, size_t len)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)256 << 20);
	struct totals t = { 0, 0, 0, 0, 0, 0 };
	const char *section = "";
	int sections = 0, cases = 0, bad = 0;
	struct loader l = { .mem = mem };
	struct value *doc;

	if (!yaml_parser_initialize(&l.parser))
		die("out of memory");
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)bytes, len);
	while ((doc = next_document(&l))) {
		if (value_get(doc, "section")) {
			end_section(sections++, section, cases, bad);
			section = value_as_str(value_get(doc, "section"), "?");
			t.unexplained += bad;
			cases = bad = 0;
		}
		if (!value_get(doc, "template"))
			continue;
		cases++;
		bad += !run_case(&t, mem, doc, section);
	}
	end_section(sections, section, cases, bad);
	t.unexplained += bad;
	yaml_parser_delete(&l.parser);
	printf("1..%d\n", sections);
	printf("# results %d, errors %d (text equal %d, differing for a listed reason %d)\n", t.results, t.errors,
	       t.same_text, t.explained);
	printf("# json-e: %d cases, %d unexplained\n", t.cases, t.unexplained);
	if (t.unexplained || t.cases < 1000)
		exit(1);
}

int
main(void)
{
	const char *vectors = getenv("BERTH_VECTORS");
	struct arena *AUTO_ARENA mem = arena_new((size_t)8 << 20);
	struct err e = { 0 };
	char *bytes;
	size_t len;

	if (!vectors) {
		printf("1..1\nok 1 - json-e # SKIP BERTH_VECTORS is not set\n");
		return 0;
	}
	if (fs_read(arena_printf(mem, "%s/json-e/specification.yml", vectors), (size_t)4 << 20, mem, &bytes, &len, &e) < 0) {
		printf("1..1\nnot ok 1 - json-e: %s\n", e.text);
		return 1;
	}
	run(bytes, len);
	return 0;
}
