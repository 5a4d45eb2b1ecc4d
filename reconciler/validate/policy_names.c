/* SPDX-License-Identifier: Apache-2.0 */
/* Names and places: volumes, mounts, ports, environment variables, secrets. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/map.h"
#include "lib/base/str.h"
#include "parse/reserved.h"
#include "parse/shape.h"
#include "validate/rules.h"

/* Taken by claims and volumes that every environment may have. */
static const char *const volume_names[] = { "home", "shared", "checkpoints", "shm" };

/* Where something already is; a mount there would hide it or be refused. */
static const char *const system_paths[] = { "/", "/dev", "/dev/shm", "/proc", "/sys", "/etc", "/usr", "/bin", "/lib", "/run",
	                                    "/tmp", "/home/dev", "/opt/berth", "/dev/hugepages", "/dev/hugepages-2Mi",
	                                    "/dev/hugepages-1Gi", "/etc/berth", "/etc/passwd", "/etc/group",
	                                    /* read by root: the cluster's, and those of yum and dnf */
	                                    "/run/secrets/kubernetes.io", "/run/secrets/rhsm", "/run/secrets/etc-pki-entitlement" };

/* Below these nothing can be mounted: the kernel's own, and berth's, which are read-only. */
static const char *const closed_paths[] = { "/proc/", "/sys/", "/opt/berth/", "/etc/berth/", "/run/berth/" };

struct taken {
	struct rules *c;
	struct map by; /* name -> the value that has it */
	const char *what;
	const char *const *reserved; /* names that are taken from the start */
	size_t n;
};

static bool
is_reserved(const struct taken *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->reserved[i], name) == 0)
			return true;
	return false;
}

/* Puts `name` down; when it is there already, says so. */
static void
take(struct taken *t, const char *name, const struct value *v)
{
	const struct value *first = map_get(&t->by, name);
	struct finding *f;

	if (!first && is_reserved(t, name))
		first = value_null(t->c->mem);
	if (!first) {
		/* the map hands out void pointers; nothing is changed through it */
		(void)map_put(&t->by, name, (void *)(uintptr_t)v);
		return;
	}
	f = say(t->c->r, NAME_TAKEN, rules_place(t->c, v), "%s %s is %s", t->what, say_text(t->c->mem, name),
	        first->at.line ? "used twice" : "taken");
	finding_help(t->c->r, f, first->at.line ? "take one of them out, or choose another" : "choose another");
	finding_note(t->c->r, f, "first used at %s", say_place(t->c->mem, first));
}

/* Without double and trailing slashes, so that one place has one name. */
static const char *
path_clean(struct arena *mem, const char *s)
{
	char *out = arena_alloc(mem, strlen(s) + 2);
	size_t n = 0;

	for (; *s; s++)
		if (*s != '/' || n == 0 || out[n - 1] != '/')
			out[n++] = *s;
	if (n > 1 && out[n - 1] == '/')
		n--;
	out[n] = '\0';
	return out;
}

static bool
path_has_dots(const char *s)
{
	for (; s; s = strchr(s, '/')) {
		size_t n;

		s += *s == '/';
		n = strcspn(s, "/");
		if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return true;
	}
	return false;
}

bool
rules_path_plain(const char *s)
{
	return s[0] == '/' && !path_has_dots(s) && !strchr(s, ':');
}

/* Where root neither runs nor reads anything: a volume is the user's to write. */
static bool
is_ours(const char *path)
{
	static const char *const places[] = { "/home/dev", "/data", "/shared", "/workspace", "/checkpoints", "/mnt", "/srv", "/scratch" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		size_t n = strlen(places[i]);

		if (strncmp(path, places[i], n) == 0 && (path[n] == '/' || !path[n]))
			return true;
	}
	return false;
}

static void
take_path(struct taken *t, const struct value *v)
{
	const char *path;
	struct finding *f;

	if (!value_is(v, VALUE_STR))
		return;
	path = path_clean(t->c->mem, v->str.s);
	if (!rules_path_plain(path)) {
		f = say(t->c->r, NOT_PERMITTED, rules_place(t->c, v), "'%s' is no plain absolute path", say_text(t->c->mem, v->str.s));
		finding_help(t->c->r, f, "start with '/' and use no ':' and no '.' or '..' parts");
		return;
	}
	for (size_t i = 0; i < sizeof(closed_paths) / sizeof(*closed_paths); i++) {
		if (!str_starts(path, closed_paths[i]))
			continue;
		f = say(t->c->r, NOT_PERMITTED, rules_place(t->c, v), "nothing can be mounted below %.*s",
		        (int)strlen(closed_paths[i]) - 1, closed_paths[i]);
		finding_help(t->c->r, f, "choose a place of your own, such as /data or /workspace");
		return;
	}
	if (shape_root_entry(t->c->env) && !is_ours(path)) {
		f = say(t->c->r, NOT_PERMITTED, rules_place(t->c, v), "nothing of the user's can be mounted at %s where root installs packages", path);
		finding_help(t->c->r, f, "choose a place below /home/dev, /data, /shared, /workspace, /checkpoints, /mnt, /srv or /scratch");
		return;
	}
	take(t, path, v);
}

static void
rule_mounts(struct rules *c)
{
	const struct value *volumes = rules_get(c, "volumes"), *datasets = rules_get(c, "datasets");
	const struct value *secrets = rules_get(c, "secrets"), *shared = rules_get(c, "sharedVolumeClaimName");
	const struct value *checkpoints = rules_get(c, "checkpoints"), *path;
	struct taken t = { .c = c, .by = MAP_INIT, .what = "the path", .reserved = system_paths,
		           .n = sizeof(system_paths) / sizeof(*system_paths) };

	if (!shared)
		shared = rules_doc(c->env->user, "sharedVolume");
	if (shared)
		take(&t, "/shared", shared);
	path = value_get(checkpoints, "path");
	if (checkpoints && !path)
		take(&t, "/checkpoints", checkpoints);
	take_path(&t, path);
	for (size_t i = 0; i < value_len(volumes); i++)
		take_path(&t, value_get(value_item(volumes, i), "path"));
	for (size_t i = 0; i < value_len(datasets); i++) {
		const struct value *d = value_item(datasets, i);

		path = value_get(d, "path");
		if (path)
			take_path(&t, path);
		else
			take(&t, arena_printf(c->mem, "/data/%s", value_as_str(value_get(d, "name"), "")), d);
	}
	for (size_t i = 0; i < value_len(secrets); i++) {
		const struct value *s = value_item(secrets, i);

		path = value_get(s, "path");
		if (path)
			take_path(&t, path);
		else if (str_eq(value_as_str(value_get(s, "as"), NULL), "file"))
			take(&t, arena_printf(c->mem, "/run/secrets/%s", value_as_str(value_get(s, "name"), "")), s);
	}
	map_free(&t.by);
}

/* The names of a list's items, apart from those in `reserved`. */
static void
rule_unique(struct rules *c, const char *list_path, const char *what, const char *const *reserved, size_t n)
{
	const struct value *list = rules_get(c, list_path);
	struct taken t = { .c = c, .by = MAP_INIT, .what = what, .reserved = reserved, .n = n };

	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *v = value_get(value_item(list, i), "name");

		if (value_is(v, VALUE_STR))
			take(&t, v->str.s, v);
	}
	map_free(&t.by);
}

static void
rule_ports(struct rules *c)
{
	const struct value *list = rules_get(c, "access.ports");
	struct taken t = { .c = c, .by = MAP_INIT, .what = "port" };
	struct finding *f;

	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *v = value_item(list, i);
		int64_t n = value_as_int(v, 0);

		if (n >= 1 && n <= 65535) {
			take(&t, arena_printf(c->mem, "%" PRId64, n), v);
			continue;
		}
		f = say(c->r, OUT_OF_RANGE, rules_place(c, v), "%" PRId64 " is no port", n);
		finding_help(c->r, f, "ports are 1 to 65535");
	}
	map_free(&t.by);
}

static bool
variable_valid(const char *s)
{
	for (size_t i = 0; s[i]; i++) {
		bool letter = (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') || s[i] == '_';

		if (!letter && (i == 0 || s[i] < '0' || s[i] > '9'))
			return false;
	}
	return *s != '\0';
}

static void
check_variables(struct rules *c, const struct value *map, const char *field)
{
	struct finding *f;

	for (size_t i = 0; value_is(map, VALUE_MAP) && i < map->map.n; i++) {
		const struct member *m = &map->map.items[i];
		struct place at = m->at.file ? m->at : rules_place(c, m->value);

		if (!variable_valid(m->key)) {
			f = say(c->r, BAD_FORMAT, at, "%s: '%s' is no name of an environment variable", field, say_text(c->mem, m->key));
			finding_help(c->r, f, "use letters, digits and underscores, no digit first");
		}
		if (!reserved_variable(m->key))
			continue;
		f = say(c->r, NAME_TAKEN, at, "%s: %s is set by berth itself", field, say_text(c->mem, m->key));
		finding_help(c->r, f, "leave it out%s", c->env->distributed ? "; worldSize and nprocsPerNode decide the ranks" :
		                                                              ", or choose another name");
	}
}

static void
rule_shared_claim(struct rules *c)
{
	const struct value *v = rules_get(c, "sharedVolumeClaimName"), *own = rules_doc(c->env->user, "sharedVolume");
	const char *name = value_as_str(v, own ? arena_printf(c->mem, "%s-shared", c->env->owner) : NULL);
	struct finding *f;

	if (!name || !reserved_claim(name))
		return;
	f = say(c->r, NAME_TAKEN, rules_place(c, v ? v : own), "the claim '%s' could be one of an environment's own", say_text(c->mem, name));
	finding_help(c->r, f, "choose a sharedVolumeClaimName that does not start with 'home-' and has no '--'");
}

/* They become label.berth.dev/<key>, and a label has one prefix. */
static void
rule_labels(struct rules *c)
{
	const struct value *labels = value_at(c->env->doc->root, "metadata.labels");
	struct finding *f;

	for (size_t i = 0; value_is(labels, VALUE_MAP) && i < labels->map.n; i++) {
		const struct member *m = &labels->map.items[i];
		const char *slash = strchr(m->key, '/');

		if (!slash && strlen(m->key) <= 63)
			continue;
		f = say(c->r, BAD_FORMAT, m->at, "metadata.labels: '%s' %s", say_text(c->mem, m->key),
		        slash ? "has a prefix, and berth puts its own before it" : "has more than 63 characters");
		finding_help(c->r, f, "write %s", slash && strlen(slash + 1) <= 63 ? slash + 1 : "a shorter name");
	}
}

void
rules_names(struct rules *c)
{
	rule_mounts(c);
	rule_unique(c, "volumes", "the volume name", volume_names, sizeof(volume_names) / sizeof(*volume_names));
	rule_unique(c, "datasets", "the dataset", NULL, 0);
	rule_unique(c, "secrets", "the secret name", NULL, 0);
	rule_ports(c);
	check_variables(c, rules_get(c, "env"), "env");
	if (c->env->distributed)
		check_variables(c, rules_get(c, "distributed.ncclSettings"), "ncclSettings");
	rule_shared_claim(c);
	rule_labels(c);
}
