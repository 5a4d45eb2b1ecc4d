/* SPDX-License-Identifier: Apache-2.0 */
/* One forge: its configuration, token and requests. */
#include "lib/forge/forge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/token.h"
#include "lib/doc/json.h"
#include "lib/forge/forge_pages.h"
#include "lib/forge/forge_request.h"
#include "lib/net/http.h"

#define TIMEOUT_MS 15000
#define API_MAX 512
#define REPO_MAX 512
#define TOLD_MAX 500 /* the largest told_hour */
#define HOUR_MS INT64_C(3600000)

struct forge {
	const struct forge_ops *ops;
	enum forge_kind kind;
	struct arena *mem; /* of the texts here */
	const char *api, *repo, *root, *token_file;
	const char *login; /* NULL: not known yet */
	struct http *http;
	char *token;
	struct stat token_stat;
	int64_t timeout_ms;
	const volatile bool *cancel;
	int64_t (*mono_ms)(void);
	int64_t limit_at;  /* monotonic; nothing is sent before */
	int64_t limit_end; /* the same in seconds since 1970, for people */
	int64_t wrote_at;  /* monotonic; end of the last write */
	int64_t told[TOLD_MAX]; /* ends of the last writes that people were told of, a ring */
	size_t ntold;
	struct forge_counts counts;
	struct forge_pages *pages;
};

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

const char *
forge_token_file(const struct forge *f)
{
	return f->token_file;
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

static int
look_at_token(struct forge *f, bool force, struct err *e)
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
	if ((rc = look_at_token(f, false, e))) {
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

static void
note_write(struct forge *f, const struct forge_call *c)
{
	f->counts.writes++;
	f->wrote_at = f->mono_ms();
	if (c->told && f->ops->told_hour)
		f->told[f->ntold++ % f->ops->told_hour] = f->wrote_at;
}

static void
note_limit(struct forge *f, const struct forge_head *h)
{
	int64_t s = forge_wait_of(h, clock_now());

	if (!s)
		return;
	f->counts.limited++;
	f->limit_at = f->mono_ms() + s * 1000;
	f->limit_end = clock_now() + s;
}

int
forge_fail(const struct forge *f, const char *what, int code, struct err *e, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, code, "%s %s: %s: %s", f->ops->name, f->repo, what, text);
}

static int
limited(const struct forge *f, const struct forge_call *c, long status, struct err *e)
{
	char until[RFC3339_LEN];

	clock_rfc3339(f->limit_end, until);
	if (status)
		return forge_fail(f, c->what, ERR_UNAVAILABLE, e, "HTTP %ld: the forge's limit is reached; nothing is asked until %s", status, until);
	return forge_fail(f, c->what, ERR_UNAVAILABLE, e, "the forge's limit is reached; nothing is asked until %s", until);
}

/* -- requests ---------------------------------------------------------------------------------------------------------------------- */

#define HEADERS_MAX 8

/* The API's own, then ours. */
static void
set_headers(const struct forge *f, const struct forge_call *c, struct arena *mem, const char *list[HEADERS_MAX])
{
	size_t n = 0;

	for (; f->ops->headers[n]; n++)
		list[n] = f->ops->headers[n];
	if (c->etag && *c->etag)
		list[n++] = arena_printf(mem, "If-None-Match: %s", c->etag);
	if (c->body) {
		list[n++] = "Content-Type: application/json";
		list[n++] = "Expect:"; /* no waiting for a 100 */
	}
	list[n] = NULL;
}

static int
send_once(struct forge *f, const struct forge_call *c, struct forge_head *h, struct http_response *r, struct forge_answer *a,
          struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new((size_t)1 << 20);
	struct buf AUTO_BUF body = BUF_INIT(0);
	const char *headers[HEADERS_MAX];
	struct http_request q = { .method = c->method, .url = arena_printf(mem, "%s%s", c->top ? f->api : f->root, c->path),
		                  .headers = headers, .bearer = f->token, .timeout_ms = f->timeout_ms, .answer_max = FORGE_ANSWER_MAX,
		                  .cancel = f->cancel, .on_header = forge_head_line, .ctx = h };
	int rc;

	set_headers(f, c, mem, headers);
	if (c->body) {
		json_write(c->body, 0, &body);
		q.body = body.data;
		q.body_len = body.len;
	}
	f->counts.requests++;
	rc = http_request(f->http, &q, r, e);
	if (c->method)
		note_write(f, c);
	if (rc) {
		f->counts.failed += rc == ERR_UNAVAILABLE;
		a->large = rc == ERR_INVALID; /* the address was checked before */
		(void)err_wrap(e, "%s %s: %s", f->ops->name, f->repo, c->what);
	}
	return rc;
}

/* A token that was replaced in the meantime: once more. */
static bool
has_new_token(struct forge *f)
{
	char *old = f->token;
	bool differs;

	f->token = NULL;
	if (look_at_token(f, true, NULL)) {
		f->token = old;
		return false;
	}
	differs = strcmp(old, f->token) != 0;
	token_wipe(&old);
	return differs;
}

static int
understand(struct forge *f, const struct forge_call *c, struct forge_head *h, struct http_response *r, struct forge_answer *a,
           struct err *e)
{
	bool fine = (r->status >= 200 && r->status < 300) || r->status == 304;

	h->status = r->status;
	h->retry_after = r->retry_after;
	if (!fine)
		forge_words(&r->body, h->message);
	note_limit(f, h);
	f->counts.unchanged += r->status == 304;
	f->counts.failed += r->status >= 500;
	a->status = r->status;
	a->linked = h->linked;
	a->next = h->next;
	a->total = h->total;
	(void)snprintf(a->etag, sizeof(a->etag), "%s", r->etag);
	(void)snprintf(a->message, sizeof(a->message), "%s", h->message);
	if (!fine && forge_wait_of(h, clock_now()))
		return limited(f, c, r->status, e);
	return forge_judge(f, c, h, e);
}

static int
forge_send(struct forge *f, const struct forge_call *c, struct http_response *r, struct forge_answer *a, struct err *e)
{
	int rc = 0;

	if (forge_limit_ms(f))
		return limited(f, c, 0, e);
	if ((rc = look_at_token(f, false, e)))
		return rc;
	for (int try = 0;; try++) {
		struct forge_head h = FORGE_HEAD_INIT;

		if ((rc = send_once(f, c, &h, r, a, e)))
			return rc;
		if (r->status == 401 && try == 0 && has_new_token(f)) {
			http_response_free(r);
			continue;
		}
		if ((rc = understand(f, c, &h, r, a, e)))
			http_response_free(r);
		return rc;
	}
}

int
forge_strange(const struct forge *f, const char *what, struct err *e)
{
	(void)forge_fail(f, what, ERR_UNAVAILABLE, e, "the answer is not what the API gives");
	return err_hint(e, "if it stays so, check that the address is the API's (%s now) and that no proxy answers in its place", f->api);
}

static int
not_json(const struct forge *f, const char *what, const struct http_response *r, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(65536);

	(void)forge_fail(f, what, ERR_UNAVAILABLE, e, "the answer is not JSON (%s)", *r->type ? forge_clean(mem, r->type, 60, false) : "no type");
	return err_hint(e, "if it stays so, check that the address is the API's (%s now) and that no proxy answers in its place", f->api);
}

int
forge_ask(struct forge *f, const struct forge_call *c, struct arena *mem, struct value **json, struct forge_answer *a, struct err *e)
{
	struct http_response r;
	int rc;

	*a = (struct forge_answer){ .total = -1 };
	if ((rc = forge_send(f, c, &r, a, e)))
		return rc;
	*json = NULL;
	if (r.status != 304 && r.body.len && json_read(mem, r.body.data, r.body.len, json, NULL) < 0)
		rc = not_json(f, c->what, &r, e);
	http_response_free(&r);
	return rc;
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
