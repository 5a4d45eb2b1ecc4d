/* SPDX-License-Identifier: Apache-2.0 */
/* How to get to environments, and the file that says what to believe. */
#include "cli/ssh_hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/units.h"
#include "lib/base/fs.h"
#include "lib/base/hash.h"
#include "lib/base/str.h"
#include "parse/host_names.h"
#include "parse/reserved.h"
#include "parse/shape.h"

#define KNOWN_FILE_MAX ((size_t)1 << 20)
#define HOST_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:-"
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-_"

/* Words for a shell inside of ssh_config: quoted, and '%' doubled, which ssh would expand. */
static int
quote(struct arena *mem, const char *word, const char **out, struct err *e)
{
	struct buf b AUTO_BUF = BUF_INIT(65536);

	buf_char(&b, '\'');
	for (const char *p = word; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(e, ERR_USAGE, "a control character in an argument for kubectl");
		buf_str(&b, *p == '\'' ? "'\\''" : *p == '%' ? "%%" : (const char[2]){ *p, '\0' });
	}
	buf_char(&b, '\'');
	*out = arena_strdup(mem, buf_cstr(&b));
	return 0;
}

static int
kubectl_of(struct ssh_hosts *h, struct err *e)
{
	static const char *const options[] = { "kubeconfig", "context" };
	int rc;

	h->kubectl = "kubectl";
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const char *value = args_str(h->a, options[i], NULL), *quoted = NULL;

		if (!value)
			continue;
		if ((rc = quote(h->a->mem, value, &quoted, e)) < 0)
			return rc;
		h->kubectl = arena_printf(h->a->mem, "%s --%s %s", h->kubectl, options[i], quoted);
	}
	return 0;
}

/* -- what to believe ----------------------------------------------------------------------------------------------------------- */

/* One file for each authority, so that two repositories do not take turns. */
static int
known_path(const struct ssh_hosts *h, const char **out, struct err *e)
{
	const char *given = args_str(h->a, "known-hosts", NULL), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	struct arena *mem = h->a->mem;
	char hex[DIGEST_HEX];
	struct digest d;
	int rc;

	if (given) {
		*out = given;
		return 0;
	}
	if (!(cache && *cache == '/') && !(home && *home == '/'))
		return err_set(e, ERR_USAGE, "there is no HOME to keep known_hosts in: give --known-hosts FILE");
	cache = cache && *cache == '/' ? arena_printf(mem, "%s/berth", cache) : arena_printf(mem, "%s/.cache/berth", home);
	if ((rc = fs_mkdirs(cache, e)) < 0)
		return rc;
	hash_bytes(h->p.set.signer, strlen(h->p.set.signer), &d);
	digest_hex(&d, hex);
	*out = arena_printf(mem, "%s/known_hosts-%.12s", cache, hex);
	return 0;
}

/* ssh has no way to name such a file in its configuration. */
static int
check_path(const char *path, struct err *e)
{
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || strchr("\"\\%", *p) || strncmp(p, "${", 2) == 0)
			return err_set(e, ERR_USAGE, "the name of the file for known_hosts has a character that ssh cannot take");
	return 0;
}

static int
keep_known_hosts(struct ssh_hosts *h, struct err *e)
{
	const char *text, *path = "";
	size_t n, had;
	char *old;
	int rc;

	if (!h->p.set.signer)
		return 0;
	if ((rc = published_known_hosts(&h->p, &text, &n, e)) < 0 || (rc = known_path(h, &path, e)) < 0 || (rc = check_path(path, e)) < 0)
		return rc;
	if (*path != '/') {
		char *cwd = realpath(".", NULL);

		path = arena_printf(h->a->mem, "%s/%s", cwd ? cwd : "", path);
		free(cwd);
	}
	h->known_hosts = path;
	if (fs_read(path, KNOWN_FILE_MAX, h->a->mem, &old, &had, NULL) == 0 && had == n && memcmp(old, text, n) == 0)
		return 0;
	return fs_write_atomic(path, text, n, 0644, e);
}

int
ssh_hosts_open(const struct args *a, struct ssh_hosts *out, struct err *e)
{
	const char *label;
	int rc;

	*out = (struct ssh_hosts){ .a = a };
	if ((rc = published_open(a, &out->p, e)) < 0 || (rc = kubectl_of(out, e)) < 0 || (rc = units_open(a, &out->world, &label, e)) < 0)
		return rc;
	return keep_known_hosts(out, e);
}

void
ssh_hosts_close(struct ssh_hosts *h)
{
	world_free(h->world);
	h->world = NULL;
}

/* -- how to get there ---------------------------------------------------------------------------------------------------------- */

/* The branch is not signed: an address that is none goes no further. Whoever is there must still have the certificate. */
static const char *
address_of(struct arena *mem, const struct value *status)
{
	const char *s = value_as_str(value_at(status, "access.address"), "");

	return *s && *s != '-' && strlen(s) < 256 && strspn(s, HOST_CHARS) == strlen(s) ? arena_strdup(mem, s) : NULL;
}

static int
proxy_of(const struct ssh_hosts *h, const struct env *env, int64_t rank, const char **out, struct err *e)
{
	struct arena *mem = h->a->mem;
	const char *pod;

	if (shape_jobset(env) && rank) {
		(void)err_set(e, ERR_DENIED, "pods of a JobSet have names that nobody knows beforehand");
		return err_hint(e, "kubectl get pods -n %s -l berth.dev/env=%s, then docs/users.md, Logging in", env->namespace_, env->name);
	}
	pod = shape_jobset(env) ? arena_printf(mem, "job/%s-node-0", env->name) : arena_printf(mem, "%s-%lld", env->name, (long long)rank);
	*out = arena_printf(mem, "%s exec -i -n %s -c main %s -- /opt/berth/sbin/sshd -i -e -o LogLevel=ERROR -f /tmp/.berth/sshd_config", h->kubectl,
	                    env->namespace_, pod);
	return 0;
}

static int
not_read(struct arena *mem, const struct env_result *r, struct err *e)
{
	struct buf line AUTO_BUF = BUF_INIT(65536);

	for (size_t i = 0; i < r->findings.n; i++)
		if (r->findings.items[i].severity == SEVERITY_ERROR) {
			finding_line(&r->findings.items[i], &line);
			break;
		}
	(void)err_set(e, ERR_INVALID, "%s/%s: %s", r->owner, r->name, arena_strdup(mem, buf_cstr(&line)));
	return err_hint(e, "`berth validate` says more");
}

/* A specification that breaks a rule now may be live as it was: what it says of SSH is taken, without defaults. */
static int
as_written(const struct ssh_hosts *h, struct arena *mem, const struct env_result *r, struct env *out, struct err *e)
{
	const struct site *site = world_site(h->world);

	if (!r->doc || !r->doc->spec)
		return not_read(mem, r, e);
	(void)fprintf(stderr, "berth: %s/%s has errors (`berth validate`): taken as it is written\n", r->owner, r->name);
	*out = (struct env){ .doc = r->doc, .owner = r->owner, .name = r->name, .org = site->org, .user = site_get(site, KIND_USER, r->owner),
		.spec = r->doc->spec, .replicas_full = ENV_PODS_MAX };
	out->distributed = str_eq(value_as_str(value_get(out->spec, "mode"), NULL), "distributed");
	out->namespace_ = arena_printf(mem, "%s%s", value_as_str(value_get(site->org->spec, "namespacePrefix"), "dev-"), r->owner);
	return 0;
}

static int
check_env(const struct env *env, int64_t rank, struct err *e)
{
	const char *user = value_as_str(value_at(env->spec, "access.ssh.user"), "dev");

	if (!value_as_bool(value_get(env->spec, "enableSSH"), true))
		return err_set(e, ERR_DENIED, "%s/%s has no SSH: enableSSH is false", env->owner, env->name);
	if (!*user || *user == '-' || strspn(user, NAME_CHARS) != strlen(user))
		return err_set(e, ERR_INVALID, "%s/%s: access.ssh.user is no name to log in with", env->owner, env->name);
	if (rank < env->replicas_full)
		return 0;
	return err_set(e, ERR_USAGE, "%s/%s has %lld pod%s: ranks count from 0", env->owner, env->name, (long long)env->replicas_full,
	               env->replicas_full == 1 ? "" : "s");
}

int
ssh_host_of(struct ssh_hosts *h, const char *owner, const char *name, int64_t rank, struct ssh_host *out, struct err *e)
{
	struct arena *AUTO_ARENA tmp = arena_new((size_t)64 << 20); /* what ten thousand of them need must not add up */
	struct arena *mem = h->a->mem;
	const struct value *status;
	struct env_result r;
	struct ssh_host o = { .owner = arena_strdup(mem, owner), .name = arena_strdup(mem, name) };
	struct env env;
	int rc;

	if ((rc = world_env(h->world, tmp, owner, name, false, &r, e)) < 0)
		return rc == ERR_NOTFOUND ? err_hint(e, "`berth status` lists the environments") : rc;
	if (r.env)
		env = *r.env;
	else if ((rc = as_written(h, tmp, &r, &env, e)) < 0)
		return rc;
	if ((rc = check_env(&env, rank, e)) < 0 || (rc = published_status(&h->p, tmp, owner, name, &status, e)) < 0)
		return rc;
	o.user = arena_strdup(mem, value_as_str(value_at(env.spec, "access.ssh.user"), "dev"));
	o.address = rank ? NULL : address_of(mem, status);
	if (!o.address && (rc = proxy_of(h, &env, rank, &o.proxy, e)) < 0)
		return rc;
	o.alias = host_name_of(mem, h->p.org, owner, name);
	if (strchr(o.alias, '.'))
		o.other = arena_printf(mem, "%s--%s", name, owner);
	o.certified = h->known_hosts && env_host_key(&env, NULL);
	*out = o;
	return 0;
}
