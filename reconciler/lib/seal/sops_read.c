/* SPDX-License-Identifier: Apache-2.0 */
/* SOPS files to nodes: YAML of one or more documents, and JSON. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml.h"
#include "lib/seal/sops_priv.h"

#define DEPTH_MAX 64
#define DOCUMENTS_MAX 64
#define REALS_MAX 4096     /* plain numbers with a fraction: to find the shortest text of one can take some 30 µs */
#define BYTES_PER_VALUE 16 /* keys and values of all documents together: what SOPS_MEMORY_MAX has room for */
#define NOT_SEALED "it is not sealed by SOPS: it has no `sops` map"

struct walk {
	struct arena *mem;
	struct sops_file *file;
	unsigned line_before; /* lines of the file before the document */
	size_t values;        /* keys and values of the documents so far */
	size_t reals;
};

/* -- nodes -------------------------------------------------------------------------------------------------------- */

static int
check_sealed(struct sops_file *f, const struct sops_step *path, unsigned line, struct err *e)
{
	if (path->depth > SOPS_DEPTH_MAX)
		return err_set(e, ERR_INVALID, "line %u: a sealed value more than %d keys deep", line, SOPS_DEPTH_MAX);
	if (path->total > SOPS_PATH_MAX)
		return err_set(e, ERR_INVALID, "line %u: the keys of a sealed value take more than %d bytes", line,
		               SOPS_PATH_MAX);
	if (++f->nsealed > SOPS_SEALED_MAX)
		return err_set(e, ERR_INVALID, "line %u: more than %d sealed values and comments", line,
		               SOPS_SEALED_MAX);
	return 0;
}

static int
add_sealed(struct arena *mem, struct sops_file *f, struct sops_node *node, const char *text, size_t n, bool item,
           struct err *e)
{
	struct sops_enc *enc = arena_alloc(mem, sizeof(*enc));

	if (check_sealed(f, node->path, node->line, e) < 0)
		return e->code;
	if (sops_enc_parse(mem, text, n, enc, e) < 0) {
		char why[sizeof(e->text)];

		(void)snprintf(why, sizeof(why), "%s", e->text);
		return err_set(e, ERR_INVALID, "the value %s %.200s", sops_where(mem, node->path, node->line), why);
	}
	if (enc->type == SOPS_COMMENT && !item)
		return err_set(e, ERR_INVALID, "the value %s was made a comment",
		               sops_where(mem, node->path, node->line));
	if (enc->type != SOPS_COMMENT && ++f->nvalues > SOPS_LEAVES_MAX)
		return err_set(e, ERR_INVALID, "more than %d sealed values in one file", SOPS_LEAVES_MAX);
	f->plain_max += enc->n;
	node->enc = enc;
	return 0;
}

int
sops_add(struct arena *mem, struct sops_file *f, const struct sops_step *path, const char *text, size_t n, bool item,
         unsigned line, struct err *e)
{
	struct sops_node node = { .path = path, .text = text, .n = n, .line = line };

	if (sops_is_sealed(text, n)) {
		node.text = NULL;
		node.n = 0;
		if (add_sealed(mem, f, &node, text, n, item, e) < 0)
			return e->code;
	}
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;

		f->nodes = arena_regrow(mem, f->nodes, f->n, cap, sizeof(*f->nodes));
		f->cap = cap;
	}
	f->nodes[f->n++] = node;
	return 0;
}

static int walk_value(struct walk *w, const struct sops_step *path, const struct value *v, bool item, struct err *e);

static int
walk_list(struct walk *w, const struct sops_step *path, const struct value *v, struct err *e)
{
	for (size_t i = 0; i < v->list.n; i++)
		if (walk_value(w, sops_step(w->mem, path, NULL, i), v->list.items[i], true, e) < 0)
			return e->code;
	return 0;
}

static int
walk_map(struct walk *w, const struct sops_step *path, const struct value *v, struct err *e)
{
	for (size_t i = 0; i < v->map.n; i++) {
		const struct member *m = &v->map.items[i];

		if (!path && strcmp(m->key, "sops") == 0)
			continue;
		if (walk_value(w, sops_step(w->mem, path, m->key, 0), m->value, false, e) < 0)
			return e->code;
	}
	return 0;
}

static int
walk_value(struct walk *w, const struct sops_step *path, const struct value *v, bool item, struct err *e)
{
	enum sops_type type;
	const char *text;
	size_t n;

	if (v->type == VALUE_LIST)
		return walk_list(w, path, v, e);
	if (v->type == VALUE_MAP)
		return walk_map(w, path, v, e);
	if (v->type == VALUE_REAL && ++w->reals > REALS_MAX)
		return err_set(e, ERR_INVALID, "line %u: more than %d numbers with a fraction", w->line_before + v->at.line, REALS_MAX);
	if (!sops_scalar(w->mem, v, &text, &n, &type))
		return 0;
	return sops_add(w->mem, w->file, path, text, n, item, w->line_before + v->at.line, e);
}

/* -- documents ---------------------------------------------------------------------------------------------------- */

static size_t
count_values(const struct value *v)
{
	size_t n = 1;

	for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++)
		n += 1 + count_values(v->map.items[i].value);
	for (size_t i = 0; v->type == VALUE_LIST && i < v->list.n; i++)
		n += count_values(v->list.items[i]);
	return n;
}

static int
read_yaml(struct walk *w, const char *bytes, size_t n, struct value **out, struct err *e)
{
	struct arena *AUTO_ARENA said = arena_new(SOPS_MEMORY_MAX); /* a warning for each value can be more than the values */
	size_t most = w->file->max / BYTES_PER_VALUE + 16;
	struct yaml_limits limits = { .bytes = w->file->max, .depth = DEPTH_MAX, .values = most - w->values };
	struct report r;

	if (w->values >= most)
		return err_set(e, ERR_INVALID, "more than %zu keys and values in all documents together", most);
	report_init(&r, said);
	if (yaml_read(w->mem, NULL, bytes, n, &limits, &r, out) == 0) {
		w->values += count_values(*out);
		return 0;
	}
	for (size_t i = 0; i < r.n; i++)
		if (r.items[i].severity == SEVERITY_ERROR)
			return err_set(e, ERR_INVALID, "line %u, column %u: %s", w->line_before + r.items[i].at.line,
			               r.items[i].at.col, str_line(w->mem, r.items[i].message));
	return err_set(e, ERR_INVALID, "it does not read as YAML");
}

static int
add_document(struct walk *w, const char *bytes, size_t n, bool first, struct value **meta, struct err *e)
{
	struct value *v;

	if (read_yaml(w, bytes, n, &v, e) < 0)
		return e->code;
	if (v->type == VALUE_NULL)
		return 0;
	if (v->type != VALUE_MAP)
		return err_set(e, ERR_INVALID, "line %u: a SOPS file is a map, not a %s", w->line_before + v->at.line,
		               value_type_name(v->type));
	if (first)
		*meta = value_get(v, "sops");
	return walk_map(w, NULL, v, e);
}

/* The line at s: "---", alone or with a blank behind it. Such a line is never part of a scalar. */
static bool
is_marker(const char *s, const char *end)
{
	return end - s >= 3 && memcmp(s, "---", 3) == 0 && (end - s == 3 || strchr(" \t\r\n", s[3]));
}

static bool
has_content(const char *s, const char *end)
{
	while (s < end) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));

		s += strspn(s, " \t\r");
		if (s < end && !strchr("#%\n", *s))
			return true;
		s = eol ? eol + 1 : end;
	}
	return false;
}

/*
 * Each document is read by itself, from its marker on: the reader takes one. Comments and directives before the first
 * marker belong to what follows.
 */
static int
read_documents(struct walk *w, const char *bytes, size_t n, struct value **meta, struct err *e)
{
	const char *from = bytes, *end = bytes + n;
	unsigned count = 0, line = 0;

	for (const char *s = bytes, *next; s < end; s = next) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));

		next = eol ? eol + 1 : end;
		line++;
		if (next != end && !(is_marker(next, end) && has_content(from, next)))
			continue;
		if (++count > DOCUMENTS_MAX)
			return err_set(e, ERR_INVALID, "more than %d documents in one file", DOCUMENTS_MAX);
		if (add_document(w, from, (size_t)(next - from), count == 1, meta, e) < 0)
			return e->code;
		w->line_before = line;
		from = next;
	}
	return 0;
}

/*
 * The YAML reader knows duplicate keys and places, the JSON reader what JSON is; they must agree. Tabs between tokens
 * become blanks first, since YAML has none there (in a JSON string there can be none).
 */
static int
read_json(struct walk *w, const char *bytes, size_t n, struct value **meta, struct err *e)
{
	char *blank = arena_strndup(w->mem, bytes, n);
	struct value *v, *json;

	for (size_t i = 0; i < n; i++)
		if (blank[i] == '\t')
			blank[i] = ' ';
	if (read_yaml(w, blank, n, &v, e) < 0)
		return e->code;
	if (json_read(w->mem, bytes, n, &json, e) < 0)
		return err_wrap(e, "it does not read as JSON");
	if (v->type != VALUE_MAP || !value_equal(v, json))
		return err_set(e, ERR_INVALID, "it is not the JSON object that `sops encrypt` writes");
	*meta = value_get(v, "sops");
	return walk_map(w, NULL, v, e);
}

/* -- a file ------------------------------------------------------------------------------------------------------- */

static bool
ends_with_any(const struct sops_step *path, const char *suffix)
{
	size_t n = strlen(suffix);

	for (; path; path = path->up)
		if (path->key && path->len >= n && memcmp(path->key + path->len - n, suffix, n) == 0)
			return true;
	return false;
}

/* Rules by a suffix are looked at, since they cost nothing; those by an expression are left to the MAC. */
static int
check_rule(struct arena *mem, const struct sops_file *f, struct err *e)
{
	if (f->rule == SOPS_RULE_OTHER)
		return 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct sops_node *node = &f->nodes[i];
		bool sealed = ends_with_any(node->path, f->suffix) == (f->rule == SOPS_RULE_ENCRYPTED_SUFFIX);

		if (sealed && !node->enc && node->n) {
			(void)err_set(e, ERR_INVALID, "the value %s is plain text, which the rules of the file seal",
			              sops_where(mem, node->path, node->line));
			return err_hint(e, "edit sealed files with `sops edit FILE`; if the value is secret, change "
			                   "it: it was readable");
		}
		if (!sealed && node->enc && node->enc->type != SOPS_COMMENT)
			return err_set(e, ERR_INVALID,
			               "the value %s is sealed, which the rules of the file leave plain",
			               sops_where(mem, node->path, node->line));
	}
	return 0;
}

static int
read_any(struct arena *mem, enum seal_format format, const char *bytes, size_t n, struct sops_file *f,
         struct value **meta, struct err *e)
{
	struct walk w = { .mem = mem, .file = f };

	switch (format) {
	case SEAL_SOPS_YAML:
		return read_documents(&w, bytes, n, meta, e);
	case SEAL_SOPS_JSON:
		return read_json(&w, bytes, n, meta, e);
	case SEAL_SOPS_DOTENV:
		return sops_read_dotenv(mem, bytes, n, f, meta, e);
	case SEAL_AGE:
		break;
	}
	return err_set(e, ERR_INTERNAL, "an age file was given to the reader of SOPS files");
}

static bool
is_ini(const char *bytes)
{
	const char *at = strstr(bytes, "[sops]");

	return at && (at == bytes || at[-1] == '\n');
}

int
sops_read(struct arena *mem, enum seal_format format, const char *bytes, size_t n, size_t max, struct sops_file *out,
          struct err *e)
{
	struct value *meta = NULL;
	struct sops_file f = { .max = max };
	const char *copy;

	if (n > max)
		return err_set(e, ERR_INVALID, "the file is larger than %zu KiB", max / 1024);
	copy = arena_strndup(mem, bytes, n); /* callers need not end it with a NUL */
	if (is_ini(copy)) {
		(void)err_set(e, ERR_INVALID, "it is a SOPS file of the ini format, which is not supported");
		return err_hint(e, "`sops encrypt` a YAML, JSON or dotenv file with the same values");
	}
	if (read_any(mem, format, copy, n, &f, &meta, e) < 0)
		return e->code;
	if (!meta) {
		(void)err_set(e, ERR_INVALID, NOT_SEALED);
		return err_hint(e, "if it holds secrets, change them: whoever reads the repository has them; seal it "
		                   "with `sops encrypt --age "
		                   "RECIPIENT -i FILE`");
	}
	if (sops_read_meta(mem, meta, &f, e) < 0 || check_rule(mem, &f, e) < 0 || sops_name_values(mem, &f, e) < 0)
		return e->code;
	*out = f;
	return 0;
}
