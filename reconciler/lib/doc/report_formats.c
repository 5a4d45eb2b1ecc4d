/* SPDX-License-Identifier: Apache-2.0 */
/* The table of formats: text, json, yaml, github, gitlab, sarif. */
#include "lib/doc/report_formats.h"

#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml.h"

/* Paths of a commit are bytes; JSON and a log line are text. Control characters and what is no UTF-8 become '?'. */
static const char *
clean(struct arena *mem, const char *s)
{
	char *out = arena_strdup(mem, s ? s : "");

	for (char *p = out; *p;) {
		unsigned char c = (unsigned char)*p;
		size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (c < 0x20 || c == 0x7f || strnlen(p, n) < n || !str_utf8_valid(p, n)) {
			*p = '?';
			n = 1;
		}
		p += n;
	}
	return out;
}

/* Message, help and note, a line each. */
static const char *
whole_text(struct arena *mem, const struct finding *f)
{
	const char *s = clean(mem, f->message);

	if (f->help)
		s = arena_printf(mem, "%s\nhelp: %s", s, clean(mem, f->help));
	if (f->note)
		s = arena_printf(mem, "%s\nnote: %s", s, clean(mem, f->note));
	return s;
}

static const char *
path_of(struct arena *mem, const struct finding *f)
{
	const char *s = clean(mem, f->at.file);

	return str_starts(s, "./") ? s + 2 : s;
}

/* The first column behind the place. */
static uint32_t
end_col(const struct finding *f)
{
	uint32_t width = f->width > 100000 ? 100000 : (uint32_t)f->width;

	return f->at.col + (width ? width : 1);
}

/* -- text, json, yaml ------------------------------------------------------------------------------------------------ */

static void
write_text(struct arena *mem, const struct report *r, const struct files *files, struct buf *out)
{
	(void)mem;
	report_text(r, files, false, out);
}

static void
write_json(struct arena *mem, const struct report *r, const struct files *files, struct buf *out)
{
	(void)files;
	json_write(report_value(mem, r), 2, out);
	buf_char(out, '\n');
}

static void
write_yaml(struct arena *mem, const struct report *r, const struct files *files, struct buf *out)
{
	(void)files;
	yaml_write(report_value(mem, r), out);
}

/* -- github ---------------------------------------------------------------------------------------------------------- */

/* Of a workflow command: percent and line breaks in its message, in properties also what separates them. */
static void
add_escaped(struct buf *out, const char *s, bool property)
{
	for (; *s; s++)
		if (*s == '%' || *s == '\r' || *s == '\n' || (property && (*s == ':' || *s == ',')))
			buf_printf(out, "%%%02X", (unsigned int)(unsigned char)*s);
		else
			buf_char(out, *s);
}

static void
github_line(struct arena *mem, const struct finding *f, struct buf *out)
{
	buf_printf(out, "::%s ", f->severity == SEVERITY_ERROR ? "error" : "warning");
	if (f->at.file) {
		buf_str(out, "file=");
		add_escaped(out, path_of(mem, f), true);
		buf_char(out, ',');
	}
	if (f->at.line)
		buf_printf(out, "line=%u,", f->at.line);
	if (f->at.line && f->at.col) /* the end column is the last one that is marked */
		buf_printf(out, "col=%u,endColumn=%u,", f->at.col, end_col(f) - 1);
	buf_printf(out, "title=%s::", finding_id(f->code));
	add_escaped(out, whole_text(mem, f), false);
	buf_char(out, '\n');
}

static void
write_github(struct arena *mem, const struct report *r, const struct files *files, struct buf *out)
{
	(void)files;
	for (int pass = SEVERITY_ERROR; pass <= SEVERITY_WARNING; pass++)
		for (size_t i = 0; i < r->n; i++)
			if (r->items[i].severity == (enum severity)pass)
				github_line(mem, &r->items[i], out);
}

/* -- gitlab ---------------------------------------------------------------------------------------------------------- */

static const char *
digest_of(struct arena *mem, const struct finding *f, size_t nth)
{
	struct hash_state h;
	struct digest d;
	char hex[DIGEST_HEX];
	uint8_t n[8];

	for (size_t i = 0; i < sizeof(n); i++)
		n[i] = (uint8_t)((uint64_t)nth >> (8 * i));
	hash_init(&h);
	hash_field_str(&h, path_of(mem, f));
	hash_field_str(&h, finding_id(f->code));
	hash_field_str(&h, f->message); /* names the field */
	hash_field(&h, n, sizeof(n));
	hash_final(&h, &d);
	digest_hex(&d, hex);
	return arena_strdup(mem, hex);
}

/*
 * Without the line, so that a finding stays the same one when lines above it come and go; the n-th of those that look alike
 * is told apart by n. Equal fingerprints would hide all but one.
 */
static const char *
fingerprint(struct arena *mem, const struct finding *f, struct map *seen)
{
	const char *id = digest_of(mem, f, 0);
	size_t *n = map_get(seen, id);

	if (!n) {
		n = arena_alloc(mem, sizeof(*n));
		*n = 0;
		(void)map_put(seen, id, n);
	}
	return (*n)++ ? digest_of(mem, f, *n - 1) : id;
}

static void
write_gitlab(struct arena *mem, const struct report *r, const struct files *files, struct buf *out)
{
	struct map seen AUTO_MAP = MAP_INIT;
	struct value *list = value_list(mem);

	(void)files;
	for (size_t i = 0; i < r->n; i++) {
		const struct finding *f = &r->items[i];
		struct value *v = value_map(mem), *place = value_map(mem), *lines = value_map(mem);

		value_set(mem, lines, "begin", value_int(mem, f->at.line ? f->at.line : 1));
		value_set(mem, place, "path", value_str(mem, path_of(mem, f)));
		value_set(mem, place, "lines", lines);
		value_set(mem, v, "description", value_str(mem, whole_text(mem, f)));
		value_set(mem, v, "check_name", value_str(mem, finding_id(f->code)));
		value_set(mem, v, "fingerprint", value_str(mem, fingerprint(mem, f, &seen)));
		value_set(mem, v, "severity", value_str(mem, f->severity == SEVERITY_ERROR ? "major" : "minor"));
		value_set(mem, v, "location", place);
		value_push(mem, list, v);
	}
	json_write(list, 2, out);
	buf_char(out, '\n');
}

/* -- sarif ----------------------------------------------------------------------------------------------------------- */

/* {text: …} */
static struct value *
sarif_text(struct arena *mem, const char *s)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "text", value_str(mem, s));
	return v;
}

static const char *
sarif_level(enum severity s)
{
	return s == SEVERITY_ERROR ? "error" : "warning";
}

static struct value *
sarif_rule(struct arena *mem, enum finding_code code)
{
	struct value *v = value_map(mem), *defaults = value_map(mem);
	const char *id = finding_id(code);

	value_set(mem, defaults, "level", value_str(mem, sarif_level(id[0] == 'W' ? SEVERITY_WARNING : SEVERITY_ERROR)));
	value_set(mem, v, "id", value_str(mem, id));
	value_set(mem, v, "shortDescription", sarif_text(mem, finding_title(code)));
	value_set(mem, v, "fullDescription", sarif_text(mem, finding_why(code)));
	value_set(mem, v, "help", sarif_text(mem, arena_printf(mem, "%s\n\n`berth explain %s`", finding_why(code), id)));
	value_set(mem, v, "defaultConfiguration", defaults);
	return v;
}

/* A relative URI reference, RFC 3986: what is no unreserved character or '/' is percent-encoded. */
static const char *
uri_of(struct arena *mem, const char *path)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	for (; *path; path++)
		if ((*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z') || (*path >= '0' && *path <= '9') ||
		    strchr("-._~/", *path))
			buf_char(&b, *path);
		else
			buf_printf(&b, "%%%02X", (unsigned int)(unsigned char)*path);
	return arena_strdup(mem, buf_cstr(&b));
}

static struct value *
sarif_location(struct arena *mem, const struct finding *f)
{
	struct value *location = value_map(mem), *physical = value_map(mem), *artifact = value_map(mem), *region = value_map(mem);

	value_set(mem, artifact, "uri", value_str(mem, uri_of(mem, str_starts(f->at.file, "./") ? f->at.file + 2 : f->at.file)));
	value_set(mem, artifact, "uriBaseId", value_str(mem, "%SRCROOT%"));
	value_set(mem, physical, "artifactLocation", artifact);
	if (f->at.line) {
		value_set(mem, region, "startLine", value_int(mem, f->at.line));
		if (f->at.col) {
			value_set(mem, region, "startColumn", value_int(mem, f->at.col));
			value_set(mem, region, "endColumn", value_int(mem, end_col(f)));
		}
		value_set(mem, physical, "region", region);
	}
	value_set(mem, location, "physicalLocation", physical);
	return location;
}

static struct value *
sarif_result(struct arena *mem, const struct finding *f, struct map *seen)
{
	struct value *v = value_map(mem), *locations = value_list(mem), *prints = value_map(mem);

	value_set(mem, v, "ruleId", value_str(mem, finding_id(f->code)));
	value_set(mem, v, "ruleIndex", value_int(mem, f->code));
	value_set(mem, v, "level", value_str(mem, sarif_level(f->severity)));
	value_set(mem, v, "message", sarif_text(mem, whole_text(mem, f)));
	if (f->at.file)
		value_push(mem, locations, sarif_location(mem, f));
	value_set(mem, v, "locations", locations);
	value_set(mem, prints, "berth/v1", value_str(mem, fingerprint(mem, f, seen)));
	value_set(mem, v, "partialFingerprints", prints);
	return v;
}

static struct value *
sarif_driver(struct arena *mem)
{
	struct value *driver = value_map(mem), *rules = value_list(mem);

	for (int c = 0; c < FINDING_COUNT; c++)
		value_push(mem, rules, sarif_rule(mem, (enum finding_code)c));
	value_set(mem, driver, "name", value_str(mem, "berth"));
	value_set(mem, driver, "version", value_str(mem, BERTH_VERSION));
	value_set(mem, driver, "rules", rules);
	return driver;
}

static void
write_sarif(struct arena *mem, const struct report *r, const struct files *files, struct buf *out)
{
	struct map seen AUTO_MAP = MAP_INIT;
	struct value *log = value_map(mem), *runs = value_list(mem), *run = value_map(mem), *tool = value_map(mem),
	             *results = value_list(mem);

	(void)files;
	for (size_t i = 0; i < r->n; i++)
		value_push(mem, results, sarif_result(mem, &r->items[i], &seen));
	value_set(mem, tool, "driver", sarif_driver(mem));
	value_set(mem, run, "tool", tool);
	value_set(mem, run, "columnKind", value_str(mem, "unicodeCodePoints"));
	value_set(mem, run, "results", results);
	value_push(mem, runs, run);
	value_set(mem, log, "$schema", value_str(mem, "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"));
	value_set(mem, log, "version", value_str(mem, "2.1.0"));
	value_set(mem, log, "runs", runs);
	json_write(log, 2, out);
	buf_char(out, '\n');
}

/* -- the table ------------------------------------------------------------------------------------------------------- */

const struct report_format report_formats[] = {
	{ "text", false, write_text },
	{ "json", false, write_json },
	{ "yaml", false, write_yaml },
	{ "github", true, write_github },
	{ "gitlab", true, write_gitlab },
	{ "sarif", true, write_sarif },
};
const size_t report_formats_n = sizeof(report_formats) / sizeof(report_formats[0]);

const struct report_format *
report_format_find(const char *name)
{
	for (size_t i = 0; i < report_formats_n; i++)
		if (str_eq(name, report_formats[i].name))
			return &report_formats[i];
	return NULL;
}
