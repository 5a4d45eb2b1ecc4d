/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of documents, trying out, and leaving out. */
#include "cli/new_doc.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml_fmt.h"
#include "parse/quantity.h"

#define SCHEMAS ".vscode/schema/"

static void
modelines(struct arena *mem, const struct files *files, enum kind kind, const char *path, struct buf *out)
{
	const char *schema = arena_printf(mem, SCHEMAS "%s", kinds[kind].schema), *up = "";

	if (!files_find(files, schema))
		return;
	for (const char *s = path; (s = strchr(s, '/')); s++)
		up = arena_printf(mem, "../%s", up);
	buf_printf(out, "# yaml-language-server: $schema=%s%s\n# $schema: %s%s\n", up, schema, up, schema);
}

int
doc_text(struct arena *mem, const struct files *files, enum kind kind, const char *path, const struct value *spec, struct file_change *out,
         struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT(FILE_DOC_MAX), done AUTO_BUF = BUF_INIT(FILE_DOC_MAX);
	struct report r;
	int rc;

	modelines(mem, files, kind, path, &text);
	buf_printf(&text, "apiVersion: berth.dev/v1\nkind: %s\nspec:\n", kinds[kind].name);
	for (size_t i = 0; i < spec->map.n; i++) {
		buf_printf(&text, "  %s: ", spec->map.items[i].key);
		json_write(spec->map.items[i].value, 0, &text);
		buf_char(&text, '\n');
	}
	if ((rc = buf_check(&text, path, e)) < 0)
		return rc;
	report_init(&r, mem);
	if (yaml_fmt(mem, path, buf_cstr(&text), text.len, &r, &done) < 0)
		return err_set(e, ERR_USAGE, "%s: what was given cannot stand in YAML: %s", path, r.n ? r.items[0].message : "too long");
	*out = (struct file_change){ path, arena_strndup(mem, buf_cstr(&done), done.len), done.len };
	return 0;
}

/* -- trying out ------------------------------------------------------------------------------------------------------------------------ */

int
probe_all(struct proposal *p, const char *owner, struct probe *probes, size_t n, struct err *e)
{
	struct file_change *changes = arena_array(p->mem, n + 1, sizeof(*changes));
	int rc;

	for (size_t i = 0; i < n; i++)
		if ((rc = doc_text(p->mem, &p->files, KIND_ENV, arena_printf(p->mem, "envs/%s/p%zu.yaml", owner, i), probes[i].spec, &changes[i], e)) < 0)
			return rc;
	if ((rc = propose_lay(p, changes, n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if ((rc = world_env(p->is, p->mem, owner, arena_printf(p->mem, "p%zu", i), false, &probes[i].r, e)) < 0)
			return rc;
	return 0;
}

/* -- wishes ------------------------------------------------------------------------------------------------------------------------------ */

static const char *const tools[] = { "ssh", "terminal", "jupyter", "vscode" };
#define TOOLS (sizeof(tools) / sizeof(tools[0]))

static int
access_check(struct arena *mem, const char *list, struct err *e)
{
	const char *near;

	if (str_eq(list, ACCESS_NONE))
		return 0;
	while (*list) {
		const char *word;
		size_t n, i = 0;

		list += strspn(list, ", ");
		n = strcspn(list, ", ");
		word = arena_strndup(mem, list, n);
		while (i < TOOLS && !str_eq(tools[i], word))
			i++;
		if (n && i == TOOLS) {
			near = str_nearest(word, tools, TOOLS);
			(void)err_set(e, ERR_USAGE, "--access %s: that is no way in", word);
			return err_hint(e, "%s%s%sssh, terminal, jupyter and vscode are, with commas between them", near ? "did you mean " : "", near ? near : "", near ? "? " : "");
		}
		list += n;
	}
	return 0;
}

int
wishes_check(struct arena *mem, const struct wishes *w, struct err *e)
{
	int64_t n;

	if (w->memory && str_to_i64(w->memory, &n) == 0)
		return err_set(e, ERR_USAGE, "--memory %s: that would be bytes; write it with a unit, for example %sGi", w->memory, w->memory);
	if (w->gpus && (str_to_i64(w->gpus, &n) < 0 || n < 0))
		return err_set(e, ERR_USAGE, "--gpus %s: write a number", w->gpus);
	if (w->ttl && clock_parse_duration(w->ttl, &n) < 0)
		return err_set(e, ERR_USAGE, "--ttl %s: write a duration, for example 72h or 30d", w->ttl);
	return w->access ? access_check(mem, w->access, e) : 0;
}

static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = list; *s; s += strcspn(s, ", ")) {
		s += strspn(s, ", ");
		if (strncmp(s, word, n) == 0 && (!s[n] || strchr(", ", s[n])))
			return true;
	}
	return false;
}

static bool
is_on(const struct value *spec, const char *tool)
{
	const struct value *web = value_at(spec, "access.web");

	if (str_eq(tool, "ssh"))
		return value_as_bool(value_get(spec, "enableSSH"), true);
	for (size_t i = 0; i < value_len(web); i++)
		if (str_eq(value_as_str(value_item(web, i), NULL), tool))
			return true;
	return false;
}

const char *
access_text(struct arena *mem, const struct value *spec)
{
	const char *on[TOOLS];
	size_t n = 0;

	for (size_t i = 0; i < TOOLS; i++)
		if (is_on(spec, tools[i]))
			on[n++] = tools[i];
	return str_join(mem, on, n, ACCESS_NONE);
}

/* -- leaving out --------------------------------------------------------------------------------------------------------------------------- */

static void
put_access(struct arena *mem, const char *list, const struct value *def, struct value *spec)
{
	struct value *web = value_list(mem), *access;
	bool differs = false;

	for (size_t i = 0; i < TOOLS; i++) {
		bool on = has_word(list, tools[i]), was = def && is_on(def, tools[i]);

		if (str_eq(tools[i], "ssh")) {
			if (on != was || !def)
				value_set(mem, spec, "enableSSH", value_bool(mem, on));
			continue;
		}
		differs |= on != was;
		if (on)
			value_push(mem, web, value_str(mem, tools[i]));
	}
	if (!differs && def)
		return;
	access = value_map(mem);
	value_set(mem, access, "web", web);
	value_set(mem, spec, "access", access);
}

static void
put_size(struct arena *mem, const struct wishes *w, const struct env *def, struct value *spec)
{
	struct value *size = value_map(mem);
	int64_t n, milli;

	if (w->gpus && str_to_i64(w->gpus, &n) == 0 && (!def || def->gpu != n))
		value_set(mem, size, "gpu", value_int(mem, n));
	/* what an environment asks for it is promised, too: only where the flavor promises as much is it the same */
	if (w->memory && (!def || quantity_parse(w->memory, &milli) < 0 || milli != def->mem_limit * 1000 || def->mem_request != def->mem_limit))
		value_set(mem, size, "memory", value_str(mem, w->memory));
	if (size->map.n)
		value_set(mem, spec, "resources", size);
}

static void
put_ttl(struct arena *mem, const char *ttl, const struct env *def, struct value *spec)
{
	const struct value *was = def ? value_at(def->spec, "lifecycle.ttl") : NULL;
	struct value *lifecycle = value_map(mem);
	int64_t a, b;

	if (was && clock_parse_duration(value_as_str(was, "-"), &a) == 0 && clock_parse_duration(ttl, &b) == 0 && a == b)
		return;
	value_set(mem, lifecycle, "ttl", value_str(mem, ttl));
	value_set(mem, spec, "lifecycle", lifecycle);
}

static void
put_name(struct arena *mem, struct value *spec, const char *key, const char *wish, const char *def)
{
	if (wish && !str_eq(wish, def))
		value_set(mem, spec, key, value_str(mem, wish));
}

/* An environment with this flavor alone, then with image and team too: what each of them gives by itself. */
int
wishes_spec(struct proposal *p, const char *owner, const struct wishes *w, struct value **out, struct err *e)
{
	struct probe probe = { .spec = value_map(p->mem) };
	const struct env *def;
	struct value *spec = value_map(p->mem);
	int rc;

	value_set(p->mem, probe.spec, "flavor", value_str(p->mem, w->flavor));
	value_set(p->mem, spec, "flavor", value_str(p->mem, w->flavor));
	if ((rc = probe_all(p, owner, &probe, 1, e)) < 0)
		return rc;
	def = probe.r.env;
	put_name(p->mem, spec, "image", w->image, def ? value_as_str(value_get(def->spec, "image"), NULL) : NULL);
	put_name(p->mem, spec, "team", w->team, def && def->team ? def->team->name : NULL);
	probe.spec = value_copy(p->mem, spec);
	if ((rc = probe_all(p, owner, &probe, 1, e)) < 0)
		return rc;
	def = probe.r.env;
	put_size(p->mem, w, def, spec);
	if (w->access)
		put_access(p->mem, w->access, def ? def->spec : NULL, spec);
	if (w->ttl)
		put_ttl(p->mem, w->ttl, def, spec);
	*out = spec;
	return 0;
}
