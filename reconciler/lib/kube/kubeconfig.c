/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfig files. */
#include "lib/kube/kubeconfig.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml.h"

#define NAMES_SHOWN 8

/* -- messages and typed reads ------------------------------------------------------------------------------------ */

int
kubeconfig_bad(const struct kubeconfig *k, const struct place *at, int code, const char *fmt, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (at && at->line)
		return err_set(k->e, code, "kubeconfig %s:%u: %s", k->file, at->line, text);
	return err_set(k->e, code, "kubeconfig %s: %s", k->file, text);
}

int
kubeconfig_wrong_type(const struct kubeconfig *k, const struct value *map, const char *key, const char *want)
{
	const struct member *m = value_member(map, key);

	(void)kubeconfig_bad(k, &m->at, ERR_INVALID, "%s must be a %s and is a %s", key, want,
	                     value_type_name(m->value->type));
	if (strcmp(want, "string") == 0)
		return err_hint(k->e, "put it in quotes if the text is meant");
	return err_hint(k->e, "write a %s there", want);
}

int
kubeconfig_text(const struct kubeconfig *k, const struct value *map, const char *key, const char **out)
{
	const struct value *v = value_get(map, key);

	if (v && v->type != VALUE_NULL && v->type != VALUE_STR)
		return kubeconfig_wrong_type(k, map, key, "string");
	*out = value_len(v) ? v->str.s : NULL;
	return 0;
}

int
kubeconfig_bool(const struct kubeconfig *k, const struct value *map, const char *key, bool *out)
{
	const struct value *v = value_get(map, key);

	if (v && v->type != VALUE_NULL && v->type != VALUE_BOOL)
		return kubeconfig_wrong_type(k, map, key, "boolean");
	*out = value_as_bool(v, false);
	return 0;
}

const struct place *
kubeconfig_place(const struct value *map, const char *key)
{
	const struct member *m = value_member(map, key);

	return m ? &m->at : &map->at;
}

/* -- the file ---------------------------------------------------------------------------------------------------- */

static int
not_yaml(const struct kubeconfig *k, const struct report *r)
{
	const struct finding *f = r->items;

	while (f->severity != SEVERITY_ERROR)
		f++;
	(void)kubeconfig_bad(k, &f->at, ERR_INVALID, "%s", f->message);
	return err_hint(k->e, "%s",
	                f->help ? f->help : "`kubectl config view --raw` writes the file as kubectl understands it");
}

static int
read_root(const struct kubeconfig *k, struct value **root)
{
	static const struct yaml_limits limits = { .bytes = KUBE_FILE_MAX };
	const char *kind = NULL;
	struct report r;
	char *bytes;
	size_t n;
	int rc;

	if ((rc = fs_read(k->file, KUBE_FILE_MAX, k->mem, &bytes, &n, k->e)) < 0) {
		(void)err_wrap(k->e, "kubeconfig");
		return err_hint(k->e, "name the right file with --kubeconfig or in KUBECONFIG");
	}
	report_init(&r, k->mem);
	/* the second: JSON may be indented with tabs, YAML not; it has no lines to name */
	if (yaml_read(k->mem, k->file, bytes, n, &limits, &r, root) &&
	    (bytes[strspn(bytes, " \t\r\n")] != '{' || json_read(k->mem, bytes, n, root, NULL)))
		return not_yaml(k, &r);
	if ((*root)->type == VALUE_MAP)
		kind = value_as_str(value_get(*root, "kind"), "Config");
	if (str_eq(kind, "Config"))
		return 0;
	if (kind)
		(void)kubeconfig_bad(k, kubeconfig_place(*root, "kind"), ERR_INVALID,
		                     "this is a %.60s, not a kubeconfig", str_line(k->mem, kind));
	else
		(void)kubeconfig_bad(k, NULL, ERR_INVALID,
		                     (*root)->type == VALUE_NULL ? "the file is empty" : "this is not a kubeconfig");
	return err_hint(k->e, "a kubeconfig is a map with kind: Config, clusters, users, contexts and current-context");
}

/* -- named entries ----------------------------------------------------------------------------------------------- */

/* "a, b, c and 4 more" of the list's names, in mem. */
static const char *
names_of(const struct kubeconfig *k, const struct value *list)
{
	struct buf AUTO_BUF text = BUF_INIT(4096);
	size_t shown = 0;

	for (size_t i = 0; i < value_len(list); i++) {
		const char *name = value_as_str(value_get(value_item(list, i), "name"), NULL);

		if (!name || ++shown > NAMES_SHOWN)
			continue;
		buf_printf(&text, "%s%.60s", shown > 1 ? ", " : "", str_line(k->mem, name));
	}
	if (shown > NAMES_SHOWN)
		buf_printf(&text, " and %zu more", shown - NAMES_SHOWN);
	return arena_strdup(k->mem, shown ? buf_cstr(&text) : "none");
}

static int
not_there(const struct kubeconfig *k, const struct place *at, const char *section, const char *one,
          const struct value *list, const char *name)
{
	const char **all = arena_array(k->mem, value_len(list) + 1, sizeof(*all)), *near;
	size_t n = 0;

	for (size_t i = 0; i < value_len(list); i++)
		if (value_is(value_get(value_item(list, i), "name"), VALUE_STR))
			all[n++] = value_get(value_item(list, i), "name")->str.s;
	near = str_nearest(name, all, n);
	(void)kubeconfig_bad(k, at, ERR_INVALID, "there is no %s \"%.120s\" in %s", one, str_line(k->mem, name),
	                     section);
	if (near)
		return err_hint(k->e, "did you mean %.120s?", str_line(k->mem, near));
	return err_hint(k->e, "the names in %s are: %s", section, names_of(k, list));
}

/*
 * The map of the entry `name` in the list `section` ("clusters" of "cluster"). Entries that are not asked for may be
 * anything. `at` is where the name was written.
 */
static int
find(const struct kubeconfig *k, const struct value *root, const char *section, const char *one, const char *name,
     const struct place *at, const struct value **out)
{
	const struct value *list = value_get(root, section), *found = NULL, *v;

	if (list && list->type != VALUE_NULL && list->type != VALUE_LIST)
		return kubeconfig_wrong_type(k, root, section, "list");
	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *item = value_item(list, i);

		if (!str_eq(value_as_str(value_get(item, "name"), NULL), name))
			continue;
		if (found) {
			(void)kubeconfig_bad(k, &item->at, ERR_INVALID, "the %s \"%.120s\" stands in %s twice", one,
			                     str_line(k->mem, name), section);
			return err_hint(k->e, "remove or rename one of them");
		}
		found = item;
	}
	if (!found)
		return not_there(k, at, section, one, list, name);
	v = value_get(found, one);
	if (!value_is(v, VALUE_MAP)) {
		(void)kubeconfig_bad(k, &found->at, ERR_INVALID, "the %s \"%.120s\" has no map under `%s`", one,
		                     str_line(k->mem, name), one);
		return err_hint(k->e, "write its members under `%s:`", one);
	}
	*out = v;
	return 0;
}

/* -- the three entries ------------------------------------------------------------------------------------------- */

static const struct kubeconfig_refused cluster_refused[] = {
	{ "proxy-url", ERR_INVALID, "proxies on the way to the API server are not supported",
	  "remove it and run berth where the server can be reached directly" },
};

static int
read_cluster(const struct kubeconfig *k, const struct value *v, struct kube_config *c)
{
	const char *server, *name, *flaw, *next, *ca_key;
	int rc;

	if ((rc = kubeconfig_refuse(k, v, cluster_refused, sizeof(cluster_refused) / sizeof(cluster_refused[0]))) ||
	    (rc = kubeconfig_text(k, v, "server", &server)) || (rc = kubeconfig_text(k, v, "tls-server-name", &name)) ||
	    (rc = kubeconfig_bool(k, v, "insecure-skip-tls-verify", &c->insecure)) ||
	    (rc = kubeconfig_pem(k, v, "certificate-authority", "CERTIFICATE", &c->ca)))
		return rc;
	if (!server) {
		(void)kubeconfig_bad(k, &v->at, ERR_INVALID, "the cluster has no server");
		return err_hint(k->e, "add server: https://host:port");
	}
	if (!(c->server = kube_server_url(k->mem, server, &flaw, &next))) {
		(void)kubeconfig_bad(k, kubeconfig_place(v, "server"), ERR_INVALID, "server %s", flaw);
		return err_hint(k->e, "%s", next);
	}
	ca_key = value_get(v, "certificate-authority-data") ? "certificate-authority-data" : "certificate-authority";
	if (c->insecure && c->ca) {
		(void)kubeconfig_bad(k, kubeconfig_place(v, ca_key), ERR_INVALID,
		                     "%s and insecure-skip-tls-verify: true exclude each other", ca_key);
		return err_hint(k->e, "remove insecure-skip-tls-verify: the certificate can be checked");
	}
	if (name && name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:")]) {
		(void)kubeconfig_bad(k, kubeconfig_place(v, "tls-server-name"), ERR_INVALID,
		                     "tls-server-name is no host name");
		return err_hint(k->e, "write the name that stands in the server's certificate");
	}
	c->tls_server_name = name;
	return 0;
}

static int
read_context(const struct kubeconfig *k, const struct value *root, const char **name, const struct value **out)
{
	const struct place *at = NULL;

	*name = k->o->context;
	if (!*name) {
		int rc = kubeconfig_text(k, root, "current-context", name);

		if (rc)
			return rc;
		at = kubeconfig_place(root, "current-context");
	}
	if (!*name) {
		(void)kubeconfig_bad(k, at, ERR_INVALID, "there is no current-context");
		return err_hint(k->e, "name one with --context, or write current-context; there are: %s",
		                names_of(k, value_get(root, "contexts")));
	}
	return find(k, root, "contexts", "context", *name, at, out);
}

static int
read_entries(const struct kubeconfig *k, const struct value *root, struct kube_config *c)
{
	const struct value *context, *cluster, *user;
	const char *name, *cluster_name, *user_name, *flaw;
	int rc;

	if ((rc = read_context(k, root, &name, &context)) ||
	    (rc = kubeconfig_text(k, context, "cluster", &cluster_name)) ||
	    (rc = kubeconfig_text(k, context, "user", &user_name)) ||
	    (rc = kubeconfig_text(k, context, "namespace", &c->namespace_)))
		return rc;
	c->source = arena_printf(k->mem, "kubeconfig %s, context %s", k->file, str_line(k->mem, name));
	if (!cluster_name) {
		(void)kubeconfig_bad(k, &context->at, ERR_INVALID, "the context \"%.120s\" names no cluster",
		                     str_line(k->mem, name));
		return err_hint(k->e, "add cluster: NAME; there are: %s", names_of(k, value_get(root, "clusters")));
	}
	if (c->namespace_ && (flaw = kube_namespace_flaw(c->namespace_))) {
		(void)kubeconfig_bad(k, kubeconfig_place(context, "namespace"), ERR_INVALID, "namespace %s", flaw);
		return err_hint(k->e, "write the name of a namespace, such as default");
	}
	if (!c->namespace_)
		c->namespace_ = "default";
	if ((rc = find(k, root, "clusters", "cluster", cluster_name, kubeconfig_place(context, "cluster"), &cluster)) ||
	    (rc = read_cluster(k, cluster, c)))
		return rc;
	if (!user_name) /* no credentials: `kubectl proxy` on loopback needs none */
		return 0;
	if ((rc = find(k, root, "users", "user", user_name, kubeconfig_place(context, "user"), &user)))
		return rc;
	return kubeconfig_user(k, user, cluster, c);
}

int
kubeconfig_read(const char *file, const struct kube_config_options *o, struct arena *mem, struct kube_config *out,
                struct err *e)
{
	const char *slash = strrchr(file, '/');
	struct kubeconfig k = { .o = o, .mem = mem, .file = arena_strdup(mem, file), .e = e };
	struct kube_config c = { 0 };
	struct value *root = NULL;
	int rc;

	k.folder = slash ? arena_strndup(mem, file, (size_t)(slash - file) + 1) : "";
	if ((rc = read_root(&k, &root)) || (rc = read_entries(&k, root, &c)))
		return rc;
	*out = c;
	return 0;
}
