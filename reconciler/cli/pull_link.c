/* SPDX-License-Identifier: Apache-2.0 */
/* Taking URLs apart, and putting links together. */
#include "cli/pull_link.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

#define URL_MAX 2048
#define PATH_SAFE "-._~/"
#define WORD_SAFE "-._~"

struct place_on_web {
	const char *scheme; /* "https" or "http" */
	const char *host;   /* with the port, if it is the web's */
	const char *path;   /* without slashes around it and without .git */
};

static const struct {
	const char *name;
	enum forge_kind forge;
} names[] = {
	{ "github", FORGE_GITHUB }, { "gitlab", FORGE_GITLAB }, { "gitea", FORGE_GITEA }, { "forgejo", FORGE_GITEA },
};

/* Hosts that are one of them and do not say so; and hosts that answer ssh for another. */
static const struct {
	const char *host;
	enum forge_kind forge;
} known[] = { { "codeberg.org", FORGE_GITEA } };
static const struct {
	const char *ssh, *web;
} aliases[] = { { "ssh.github.com", "github.com" }, { "altssh.gitlab.com", "gitlab.com" } };

enum forge_kind
forge_of_name(const char *name)
{
	enum forge_kind kind;

	return forge_kind_parse(name, &kind) < 0 ? FORGE_UNKNOWN : kind;
}

/* Nothing that could end a link in a terminal or a page, or lead elsewhere. */
static bool
is_plain(const char *url)
{
	size_t n = strlen(url);

	if (n == 0 || n > URL_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)url[i] <= ' ' || (unsigned char)url[i] > '~' || strchr("\"<>\\^`{|}#?", url[i]))
			return false;
	return true;
}

static const char *
trim_path(struct arena *mem, const char *s)
{
	size_t n;

	s += strspn(s, "/");
	for (n = strlen(s); n && s[n - 1] == '/'; n--)
		;
	if (n > 4 && strncmp(s + n - 4, ".git", 4) == 0)
		n -= 4;
	return arena_strndup(mem, s, n);
}

/* "user:password@host:port" -> the host, with its port where that is kept. */
static const char *
host_of(struct arena *mem, const char *s, size_t n, bool keep_port)
{
	const char *at = memrchr(s, '@', n), *host, *port;

	if (at) {
		n -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	host = arena_strndup(mem, s, n);
	port = strrchr(host, ':');
	if (port && !strchr(port, ']') && !keep_port)
		host = arena_strndup(mem, host, (size_t)(port - host));
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcasecmp(host, aliases[i].ssh) == 0)
			return aliases[i].web;
	return host;
}

static bool
take_apart(struct arena *mem, const char *url, struct place_on_web *out)
{
	static const char *const ssh[] = { "ssh://", "git+ssh://", "git://" };
	const char *rest = NULL, *end;
	bool web = true;

	if (!is_plain(url))
		return false;
	*out = (struct place_on_web){ .scheme = "https" };
	if (str_starts(url, "https://")) {
		rest = url + 8;
	} else if (str_starts(url, "http://")) {
		rest = url + 7;
		out->scheme = "http";
	}
	for (size_t i = 0; i < sizeof(ssh) / sizeof(ssh[0]) && !rest; i++)
		if (str_starts(url, ssh[i])) {
			rest = url + strlen(ssh[i]);
			web = false;
		}
	if (rest) {
		end = rest + strcspn(rest, "/");
	} else {
		/* host:path, as git reads it: a slash before the colon makes it a path */
		end = strchr(url, ':');
		if (!end || memchr(url, '/', (size_t)(end - url)) || str_starts(end, "://"))
			return false;
		rest = url;
		web = false;
	}
	out->host = host_of(mem, rest, (size_t)(end - rest), web);
	out->path = *end ? trim_path(mem, end + 1) : "";
	return *out->host && strchr(out->path, '/') != NULL;
}

static size_t
slashes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '/';
	return n;
}

enum forge_kind
forge_of_url(struct arena *mem, const char *url)
{
	struct place_on_web w;

	if (!take_apart(mem, url, &w))
		return FORGE_UNKNOWN;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasestr(w.host, names[i].name))
			return names[i].forge;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(w.host, known[i].host) == 0)
			return known[i].forge;
	return slashes(w.path) > 1 ? FORGE_GITLAB : FORGE_UNKNOWN;
}

static const char *
escaped(struct arena *mem, const char *s, const char *safe)
{
	struct buf out AUTO_BUF = BUF_INIT(0);

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(safe, c))
			buf_char(&out, *s);
		else
			buf_printf(&out, "%%%02X", c);
	}
	return arena_strdup(mem, buf_cstr(&out));
}

const char *
pull_link(struct arena *mem, enum forge_kind forge, const char *url, const char *base, const char *branch)
{
	struct place_on_web w;
	const char *repo;

	if (!take_apart(mem, url, &w))
		return NULL;
	repo = arena_printf(mem, "%s://%s/%s", w.scheme, w.host, w.path);
	switch (forge) {
	case FORGE_GITHUB:
		return arena_printf(mem, "%s/compare/%s...%s?expand=1", repo, escaped(mem, base, PATH_SAFE), escaped(mem, branch, PATH_SAFE));
	case FORGE_GITLAB:
		return arena_printf(mem, "%s/-/merge_requests/new?merge_request%%5Bsource_branch%%5D=%s&merge_request%%5Btarget_branch%%5D=%s", repo,
		                    escaped(mem, branch, WORD_SAFE), escaped(mem, base, WORD_SAFE));
	case FORGE_GITEA:
		return arena_printf(mem, "%s/compare/%s...%s", repo, escaped(mem, base, PATH_SAFE), escaped(mem, branch, PATH_SAFE));
	case FORGE_UNKNOWN:
		break;
	}
	return NULL;
}

const char *
pull_page(struct arena *mem, enum forge_kind forge, const char *url, int64_t number)
{
	static const char *const before[FORGE_KIND_COUNT] = { [FORGE_GITHUB] = "pull", [FORGE_GITLAB] = "-/merge_requests", [FORGE_GITEA] = "pulls" };
	struct place_on_web w;

	if (forge == FORGE_UNKNOWN || !take_apart(mem, url, &w))
		return NULL;
	return arena_printf(mem, "%s://%s/%s/%s/%" PRId64 "/%s", w.scheme, w.host, w.path, before[forge], number, forge == FORGE_GITLAB ? "diffs" : "files");
}

static bool
same_host(const struct place_on_web *a, const struct place_on_web *b, bool ports)
{
	size_t n = ports ? strlen(a->host) : strcspn(a->host, ":"), k = ports ? strlen(b->host) : strcspn(b->host, ":");

	return n == k && strncasecmp(a->host, b->host, n) == 0;
}

int64_t
pull_of_page(struct arena *mem, const char *url, const char *page)
{
	static const char *const words[] = { "pull/", "pulls/", "-/merge_requests/" };
	struct place_on_web repo, there;
	const char *rest;
	size_t n;

	page = arena_strndup(mem, page, strcspn(page, "?#"));
	if (!(str_starts(page, "https://") || str_starts(page, "http://")) || !take_apart(mem, url, &repo) || !take_apart(mem, page, &there) ||
	    !same_host(&repo, &there, str_starts(url, "http")))
		return 0;
	n = strlen(repo.path);
	if (strncasecmp(there.path, repo.path, n) != 0 || there.path[n] != '/')
		return 0;
	rest = there.path + n + 1;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *number = rest + strlen(words[i]);
		size_t digits = str_starts(rest, words[i]) ? strspn(number, "0123456789") : 0;

		if (digits && digits < 10 && (!number[digits] || number[digits] == '/'))
			return strtoll(number, NULL, 10);
	}
	return 0;
}
