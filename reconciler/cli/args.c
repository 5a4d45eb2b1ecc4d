/* SPDX-License-Identifier: Apache-2.0 */
/* Options from a verb's table: flags, then BERTH_* environment, then the config file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml.h"

#define CONFIG_MAX 65536
#define OUTPUT_MAX ((size_t)1 << 30)

static size_t
opt_count(const struct verb *v)
{
	size_t n = 0;

	while (v->opts && v->opts[n].name)
		n++;
	return n;
}

static size_t
opt_find(const struct verb *v, const char *name, size_t len)
{
	size_t n = opt_count(v);

	for (size_t i = 0; i < n; i++)
		if (strlen(v->opts[i].name) == len && strncmp(v->opts[i].name, name, len) == 0)
			return i;
	return n;
}

static int
unknown_option(const struct verb *v, const char *arg, struct err *e)
{
	const char *names[64], *near;
	size_t n = opt_count(v) < 64 ? opt_count(v) : 64;

	for (size_t i = 0; i < n; i++)
		names[i] = v->opts[i].name;
	(void)err_set(e, ERR_USAGE, "%s is not an option of `berth %s`", arg, v->name);
	near = str_nearest(arg + strspn(arg, "-"), names, n);
	if (near)
		return err_hint(e, "did you mean %s%s? `berth %s --help` lists them", near[1] ? "--" : "-", near, v->name);
	return err_hint(e, "`berth %s --help` lists them", v->name);
}

static void
give(struct args *a, size_t opt, const char *value)
{
	a->values[opt] = value;
	a->given[a->ngiven++] = (struct arg_given){ opt, value };
}

/* One argument that starts with '-'; *used is 2 when the next one was its value. */
static int
one_option(struct args *a, const char *arg, const char *next, int *used, struct err *e)
{
	bool is_long = arg[1] == '-';
	const char *name = arg + (is_long ? 2 : 1), *eq = is_long ? strchr(name, '=') : NULL;
	size_t len = eq ? (size_t)(eq - name) : is_long ? strlen(name) : 1, i = opt_find(a->verb, name, len);
	const char *value = eq ? eq + 1 : !is_long && name[1] ? name + 1 : NULL;

	*used = 1;
	if (i == opt_count(a->verb) || is_long != (len > 1))
		return unknown_option(a->verb, arg, e);
	if (!a->verb->opts[i].arg) {
		if (value)
			return err_set(e, ERR_USAGE, "%.*s takes no value", (int)(len + (is_long ? 2 : 1)), arg);
		give(a, i, "");
		return 0;
	}
	if (!value) {
		if (!next)
			return err_set(e, ERR_USAGE, "%s wants a value: %s", arg, a->verb->opts[i].arg);
		value = next;
		*used = 2;
	}
	give(a, i, value);
	return 0;
}

int
args_parse(struct args *a, const struct verb *v, int argc, char **argv, struct err *e)
{
	bool options = true;
	int used, rc;

	a->verb = v;
	a->values = arena_array(a->mem, opt_count(v) + 1, sizeof(*a->values));
	a->pos = arena_array(a->mem, (size_t)argc + 1, sizeof(*a->pos));
	a->given = arena_array(a->mem, (size_t)argc + 1, sizeof(*a->given));
	a->npos = a->ngiven = 0;
	for (int i = 0; i < argc; i += used) {
		used = 1;
		if (options && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
			help_verb(v);
			return 1;
		}
		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1]) {
			if ((rc = one_option(a, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used, e)) < 0)
				return rc;
		} else
			a->pos[a->npos++] = argv[i];
	}
	if (a->npos < v->min || a->npos > v->max) {
		(void)err_set(e, ERR_USAGE, "`berth %s` takes %s", v->name, *v->args ? v->args : "no arguments");
		return err_hint(e, "`berth %s --help` shows examples", v->name);
	}
	return 0;
}

static const char *
from_environment(const struct args *a, const char *name)
{
	char *var = arena_printf(a->mem, "BERTH_%s", name);
	const char *v;

	for (char *p = var; *p; p++)
		*p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
	v = getenv(var);
	return v && *v ? v : NULL;
}

static const char *
config_path(const struct args *a, bool of_person)
{
	const char *path = getenv("BERTH_CONFIG"), *home = getenv("XDG_CONFIG_HOME");

	if (path && *path)
		return path;
	if (!of_person)
		return NULL;
	if (home && *home)
		return arena_printf(a->mem, "%s/berth/config.yaml", home);
	home = getenv("HOME");
	return home && *home ? arena_printf(a->mem, "%s/.config/berth/config.yaml", home) : NULL;
}

static bool
known_option(const char *name)
{
	for (size_t i = 0; i < verbs_n; i++)
		if (opt_find(verbs[i], name, strlen(name)) < opt_count(verbs[i]))
			return true;
	return false;
}

/* What is wrong with the config file is said once; it never stops a verb that may not need it. */
static void
complain(const char *path, const struct value *v, const struct report *r)
{
	static bool done;
	struct buf line AUTO_BUF = BUF_INIT(0);

	if (done)
		return;
	done = true;
	for (size_t i = 0; i < r->n && i < 3; i++) {
		buf_reset(&line);
		finding_line(&r->items[i], &line);
		(void)fprintf(stderr, "berth: %s\n", buf_cstr(&line));
	}
	if (!v)
		(void)fprintf(stderr, "berth: %s is not used\n", path);
	if (v && v->type != VALUE_MAP)
		(void)fprintf(stderr, "berth: %s: not a map of option names\n", path);
	for (size_t i = 0; v && v->type == VALUE_MAP && i < v->map.n; i++)
		if (!known_option(v->map.items[i].key))
			(void)fprintf(stderr, "berth: %s: no verb has an option %s\n", path, v->map.items[i].key);
}

static const char *
text_of(struct arena *mem, const struct value *v)
{
	if (value_is(v, VALUE_INT))
		return arena_printf(mem, "%lld", (long long)v->integer);
	if (value_is(v, VALUE_BOOL))
		return v->boolean ? "true" : "false";
	return value_as_str(v, NULL);
}

/* "repo: https://git.example/envs.git": option names as keys. */
static const char *
from_config(const struct args *a, const char *name, bool of_person)
{
	const char *path = config_path(a, of_person);
	struct value *v = NULL;
	struct report r;
	struct err e = { 0 };
	char *bytes;
	size_t len;
	int rc;

	if (!path)
		return NULL;
	report_init(&r, a->mem);
	if ((rc = fs_read(path, CONFIG_MAX, a->mem, &bytes, &len, &e)) < 0) {
		if (rc == ERR_NOTFOUND)
			return NULL;
		(void)report_add(&r, FINDING_NOT_REGULAR, SEVERITY_ERROR, (struct place){ .file = path }, "%s", e.text);
		complain(path, NULL, &r);
		return NULL;
	}
	if (yaml_read(a->mem, path, bytes, len, NULL, &r, &v) < 0)
		v = NULL;
	complain(path, v, &r);
	return v ? text_of(a->mem, value_get(v, name)) : NULL;
}

static const char *
look_up(const struct args *a, const char *name, bool of_person, const char *fallback)
{
	size_t i = opt_find(a->verb, name, strlen(name));
	const char *v;

	if (i == opt_count(a->verb))
		abort(); /* a verb asks for an option that its table lacks */
	if (a->values[i])
		return a->values[i];
	if (!name[1]) /* -C and -o are for this call only */
		return fallback;
	if ((v = from_environment(a, name)) || (v = from_config(a, name, of_person)))
		return v;
	return fallback;
}

const char *
args_str(const struct args *a, const char *name, const char *fallback)
{
	return look_up(a, name, true, fallback);
}

const char *
args_str_daemon(const struct args *a, const char *name, const char *fallback)
{
	return look_up(a, name, false, fallback);
}

bool
args_flag(const struct args *a, const char *name)
{
	const char *v = args_str(a, name, NULL);

	return v && strcmp(v, "false") != 0 && strcmp(v, "0") != 0;
}

const char *const *
args_list(const struct args *a, const char *name, size_t *n)
{
	const char **list = arena_array(a->mem, a->ngiven + 1, sizeof(*list));
	size_t i = opt_find(a->verb, name, strlen(name));

	*n = 0;
	for (size_t k = 0; k < a->ngiven; k++)
		if (a->given[k].opt == i)
			list[(*n)++] = a->given[k].value;
	return list;
}

const char *
args_said(const struct args *a, const char *name)
{
	size_t n;
	const char *const *all = args_list(a, name, &n);

	return n ? all[n - 1] : NULL;
}

int
args_duration(const struct args *a, const char *name, const char *fallback, int64_t *ms, struct err *e)
{
	const char *s = args_str(a, name, fallback);

	if (clock_parse_duration(s, ms) < 0 || *ms <= 0)
		return err_set(e, ERR_USAGE, "--%s %s: write a duration, for example 15s or 5m", name, s);
	return 0;
}

int
args_output(const struct args *a, enum output *out, struct err *e)
{
	static const char *const names[] = { "table", "json", "yaml" };
	const char *s = args_str(a, "o", "table");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(s, names[i]) == 0) {
			*out = (enum output)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "-o %s: write table, json or yaml", s);
}

void
output_value(const struct value *v, enum output form)
{
	struct buf out AUTO_BUF = BUF_INIT(OUTPUT_MAX);

	if (form == OUTPUT_JSON) {
		json_write(v, 2, &out);
		buf_char(&out, '\n');
	} else {
		yaml_write(v, &out);
	}
	(void)fputs(buf_cstr(&out), stdout);
}

bool
use_colour(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}
