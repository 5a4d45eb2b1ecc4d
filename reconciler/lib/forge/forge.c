/* SPDX-License-Identifier: Apache-2.0 */
/* One forge: its configuration, its token, what it may still be asked. */
#include "lib/forge/forge.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/token.h"
#include "lib/forge/forge_pages.h"
#include "lib/forge/forge_request.h"
#include "lib/net/http.h"

#define TIMEOUT_MS 15000
#define API_MAX 512
#define REPO_MAX 512
#define HOUR_MS INT64_C(3600000)

/* -- kinds ----------------------------------------------------------------------------------------------------------------- */

static const struct forge_ops *const kinds[FORGE_KIND_COUNT] = { &forge_github, &forge_gitlab, &forge_gitea };

const char *
forge_kind_name(enum forge_kind kind)
{
	return kinds[kind]->name;
}

int
forge_kind_parse(const char *name, enum forge_kind *out)
{
	if (str_eq(name, "forgejo"))
		name = "gitea";
	for (size_t i = 0; i < FORGE_KIND_COUNT; i++)
		if (str_eq(name, kinds[i]->name)) {
			*out = (enum forge_kind)i;
			return 0;
		}
	return ERR_INVALID;
}

const struct forge_ops *
forge_ops_of(enum forge_kind kind)
{
	return kinds[kind];
}

const struct forge_ops *
forge_ops(const struct forge *f)
{
	return f->ops;
}

enum forge_kind
forge_kind(const struct forge *f)
{
	return f->kind;
}

size_t
forge_body_max(const struct forge *f)
{
	return f->ops->body_max;
}

struct forge_pages *
forge_pages(struct forge *f)
{
	return f->pages;
}

/* -- open ------------------------------------------------------------------------------------------------------------------- */

static bool
on_this_machine(const char *host)
{
	static const char *const names[] = { "localhost", "[::1]" };
	size_t n = strcspn(host, ":/");

	if (*host == '[')
		n = strcspn(host, "]") + 1;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == n && strncmp(host, names[i], n) == 0)
			return true;
	return str_starts(host, "127.") && strspn(host, "0123456789.") == n;
}

static int
check_api(const struct forge_config *c, struct err *e)
{
	const char *host = str_starts(c->api, "https://") ? c->api + 8 : str_starts(c->api, "http://") ? c->api + 7 : NULL;
	const char *flaw = NULL;

	if (!host || !*host || *host == '/' || *host == ':')
		flaw = "is no https:// URL";
	else if (strpbrk(c->api, "@?#"))
		flaw = "has a user, a query or a fragment, which could be a secret";
	else if (strlen(c->api) > API_MAX || strspn(c->api + 8, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~:/[]%") !=
	                                         strlen(c->api + 8))
		flaw = "has characters that are not of a URL, or is too long";
	else if (host == c->api + 7 && !c->allow_http && !on_this_machine(host))
		flaw = "is plain http://: everybody on the way could read the token";
	if (!flaw)
		return 0;
	(void)err_set(e, ERR_INVALID, "the address of the %s API %s", kinds[c->kind]->name, flaw);
	return err_hint(e, "write it as https://api.github.com, https://HOST/api/v4 (GitLab) or https://HOST/api/v1 (Gitea, Forgejo)");
}

static int
check_repo(const struct forge_config *c, struct err *e)
{
	size_t parts = 0;
	bool bad = strlen(c->repo) > REPO_MAX;

	for (const char *p = c->repo; !bad; parts++) {
		size_t n = strcspn(p, "/");

		bad = n == 0 || (n == 1 && *p == '.') || (n == 2 && p[0] == '.' && p[1] == '.') ||
		      strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") < n;
		if (bad || !p[n]) {
			parts++;
			break;
		}
		p += n + 1;
	}
	if (!bad && (c->kind == FORGE_GITLAB ? parts >= 2 : parts == 2))
		return 0;
	(void)err_set(e, ERR_INVALID, "the %s repository is not named as its page is", kinds[c->kind]->name);
	return err_hint(e, "write %s: letters, digits, '.', '_' and '-' between the slashes",
	                c->kind == FORGE_GITLAB ? "group/name or group/subgroup/name" : "owner/name");
}

/* GitLab takes the path as one piece. */
static const char *
root_of(struct arena *mem, const struct forge_config *c, const char *api)
{
	struct buf AUTO_BUF b = BUF_INIT(8192);

	buf_printf(&b, "%s%s", api, c->kind == FORGE_GITLAB ? "/projects/" : "/repos/");
	for (const char *p = c->repo; *p; p++)
		if (*p == '/' && c->kind == FORGE_GITLAB)
			buf_str(&b, "%2F");
		else
			buf_char(&b, *p);
	return arena_strdup(mem, buf_cstr(&b));
}

int
forge_look_at_token(struct forge *f, bool force, struct err *e)
{
	struct stat now;
	char *fresh = NULL;
	bool there = stat(f->token_file, &now) == 0;
	int rc;

	if (!force && f->token && there && now.st_mtim.tv_sec == f->token_stat.st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == f->token_stat.st_mtim.tv_nsec && now.st_ino == f->token_stat.st_ino && now.st_size == f->token_stat.st_size)
		return 0;
	if ((rc = token_read(f->token_file, &fresh, e)))
		return f->token ? 0 : rc; /* the old one is good until the forge says that it is not */
	token_wipe(&f->token);
	f->token = fresh;
	if (there)
		f->token_stat = now;
	return 0;
}

int
forge_open(const struct forge_config *c, struct forge **out, struct err *e)
{
	struct forge *f;
	char *api;
	int rc;

	if ((rc = check_api(c, e)) || (rc = check_repo(c, e)))
		return rc;
	if (!(f = calloc(1, sizeof(*f))))
		abort();
	f->kind = c->kind;
	f->ops = kinds[c->kind];
	f->mem = arena_new((size_t)1 << 20);
	api = arena_strdup(f->mem, c->api);
	for (size_t n = strlen(api); n && api[n - 1] == '/'; n--)
		api[n - 1] = '\0';
	f->api = api;
	f->repo = arena_strdup(f->mem, c->repo);
	f->root = root_of(f->mem, c, api);
	f->token_file = arena_strdup(f->mem, c->token_file);
	f->login = c->login ? arena_strdup(f->mem, c->login) : NULL;
	f->timeout_ms = c->timeout_ms > 0 ? c->timeout_ms : TIMEOUT_MS;
	f->cancel = c->cancel;
	f->mono_ms = c->mono_ms ? c->mono_ms : clock_mono_ms;
	f->http = http_new();
	f->pages = forge_pages_new();
	if ((rc = forge_look_at_token(f, false, e))) {
		forge_close(f);
		return rc;
	}
	*out = f;
	return 0;
}

void
forge_close(struct forge *f)
{
	if (!f)
		return;
	forge_pages_free(f->pages);
	http_free(f->http);
	token_wipe(&f->token);
	arena_free(f->mem);
	free(f);
}

/* -- limits ------------------------------------------------------------------------------------------------------------------- */

int64_t
forge_limit_ms(const struct forge *f)
{
	int64_t left = f->limit_at - f->mono_ms();

	return left > 0 ? left : 0;
}

int64_t
forge_may_write_at(const struct forge *f, bool told)
{
	int64_t at = f->wrote_at ? f->wrote_at + f->ops->pause_ms : 0;
	size_t max = f->ops->told_hour;

	if (told && max && f->ntold >= max && f->told[f->ntold % max] + HOUR_MS > at)
		at = f->told[f->ntold % max] + HOUR_MS;
	return at > f->limit_at ? at : f->limit_at;
}

struct forge_counts
forge_counts(const struct forge *f)
{
	return f->counts;
}

/* -- who we are ------------------------------------------------------------------------------------------------------------------------ */

int
forge_whoami(struct forge *f, const char **login, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct forge_call c = { .path = "/user", .top = true, .right = RIGHT_USER, .what = "ask whose token it is" };
	struct forge_answer a;
	struct value *v = NULL;
	const char *name;
	int rc;

	if (!f->login) {
		if ((rc = forge_ask(f, &c, mem, &v, &a, e)))
			return rc;
		name = forge_name(mem, value_get(v, f->ops->login_key));
		if (!*name)
			return forge_strange(f, c.what, e);
		f->login = arena_strdup(f->mem, name);
	}
	*login = f->login;
	return 0;
}
