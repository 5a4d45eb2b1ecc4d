/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a URL of git apart. */
#include "lib/forge/address.h"

#include <string.h>

#include "lib/base/str.h"

struct parts {
	const char *scheme, *host, *path; /* host with its port where it counts; path without slashes at its ends and ".git" */
};

/* "https://h/p", "ssh://git@h:22/p", "git@h:p". */
static bool
split(const char *url, struct arena *mem, struct parts *out)
{
	const char *rest = strstr(url, "://"), *at, *path;
	bool ssh = !rest || str_starts(url, "ssh://");
	size_t host, n;

	if (rest && !ssh && !str_starts(url, "https://") && !str_starts(url, "http://"))
		return false;
	rest = rest ? rest + 3 : url;
	host = strcspn(rest, rest == url ? ":/" : "/");
	if (!rest[host] || (rest == url && rest[host] != ':'))
		return false;
	path = rest + host + 1;
	at = memrchr(rest, '@', host);
	if (at) {
		host -= (size_t)(at + 1 - rest);
		rest = at + 1;
	}
	if (ssh) /* its port is that of SSH */
		host = strcspn(arena_strndup(mem, rest, host), ":");
	path += strspn(path, "/");
	n = strcspn(path, "?#");
	while (n && path[n - 1] == '/')
		n--;
	if (n > 4 && strncmp(path + n - 4, ".git", 4) == 0)
		n -= 4;
	out->scheme = str_starts(url, "http://") ? "http" : "https";
	out->host = arena_strndup(mem, rest, host);
	out->path = arena_strndup(mem, path, n);
	return host && n;
}

/* The path's last two parts are the repository, what is before them belongs to the server. */
static const char *
last_two(const char *path)
{
	const char *name = strrchr(path, '/'), *owner = name && name > path ? memrchr(path, '/', (size_t)(name - path)) : NULL;

	return owner ? owner + 1 : path;
}

int
forge_address(enum forge_kind kind, const char *url, struct arena *mem, struct forge_address *out, struct err *e)
{
	static const char *const api[FORGE_KIND_COUNT] = { "/api/v3", "/api/v4", "/api/v1" };
	struct parts p;
	const char *repo;
	size_t prefix;

	if (!split(url, mem, &p) || !strchr(p.path, '/'))
		return err_set(e, ERR_INVALID, "%s does not name an owner and a repository on a forge", url);
	repo = kind == FORGE_GITLAB ? p.path : last_two(p.path);
	prefix = (size_t)(repo - p.path);
	out->repo = repo;
	if (kind == FORGE_GITHUB && (str_eq(p.host, "github.com") || str_eq(p.host, "ssh.github.com")))
		out->api = "https://api.github.com";
	else
		out->api = arena_printf(mem, "%s://%s%s%.*s%s", p.scheme, p.host, prefix ? "/" : "", (int)(prefix ? prefix - 1 : 0), p.path, api[kind]);
	return 0;
}
