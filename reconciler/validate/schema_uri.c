/* SPDX-License-Identifier: Apache-2.0 */
/* Resolving URI references (https://www.rfc-editor.org/rfc/rfc3986 chapters 3 and 5.2), without the fragment. */
#include <ctype.h>
#include <string.h>

#include "validate/schema_node.h"

struct piece {
	const char *s;
	size_t n;
	bool there;
};

struct uri {
	struct piece scheme, authority, path, query;
};

static void
uri_parse(const char *s, size_t n, struct uri *u)
{
	size_t i = 0;

	memset(u, 0, sizeof(*u));
	while (i < n && (isalnum((unsigned char)s[i]) || s[i] == '+' || s[i] == '-' || s[i] == '.'))
		i++;
	if (i > 0 && i < n && s[i] == ':' && isalpha((unsigned char)s[0])) {
		u->scheme = (struct piece){ s, i, true };
		s += i + 1;
		n -= i + 1;
	}
	if (n >= 2 && s[0] == '/' && s[1] == '/') {
		for (i = 2; i < n && s[i] != '/' && s[i] != '?';)
			i++;
		u->authority = (struct piece){ s + 2, i - 2, true };
		s += i;
		n -= i;
	}
	for (i = 0; i < n && s[i] != '?';)
		i++;
	u->path = (struct piece){ s, i, true };
	if (i < n)
		u->query = (struct piece){ s + i + 1, n - i - 1, true };
}

/* Chapter 5.2.4 on a copy: "." and ".." segments go. Returns the new length. */
static size_t
remove_dots(char *path, size_t n)
{
	size_t in = 0, out = 0;

	while (in < n) {
		size_t end = in + 1, len;

		while (end < n && path[end] != '/')
			end++;
		len = end - in;
		if (len == 2 && memcmp(path + in, "/.", 2) == 0) {
			if (end == n)
				path[out++] = '/';
		} else if (len == 3 && memcmp(path + in, "/..", 3) == 0) {
			while (out > 0 && path[--out] != '/')
				;
			if (end == n)
				path[out++] = '/';
		} else {
			memmove(path + out, path + in, len);
			out += len;
		}
		in = end;
	}
	return out;
}

/* Chapter 5.2.3: the reference's path behind the base's last slash. */
static struct piece
merge_paths(struct arena *mem, const struct uri *base, const struct uri *ref)
{
	size_t keep = base->path.n;
	char *p;

	while (keep > 0 && base->path.s[keep - 1] != '/')
		keep--;
	if (keep == 0 && base->authority.there)
		return (struct piece){ arena_printf(mem, "/%.*s", (int)ref->path.n, ref->path.s), ref->path.n + 1, true };
	p = arena_alloc(mem, keep + ref->path.n + 1);
	memcpy(p, base->path.s, keep);
	memcpy(p + keep, ref->path.s, ref->path.n);
	return (struct piece){ p, keep + ref->path.n, true };
}

static char *
uri_join(struct arena *mem, const struct uri *u)
{
	struct piece path = u->path;
	char *clean = arena_strndup(mem, path.s, path.n);

	if (path.n > 0 && path.s[0] == '/')
		path.n = remove_dots(clean, path.n);
	return arena_printf(mem, "%.*s%s%s%.*s%.*s%s%.*s", (int)u->scheme.n, u->scheme.there ? u->scheme.s : "",
	                    u->scheme.there ? ":" : "", u->authority.there ? "//" : "", (int)u->authority.n,
	                    u->authority.there ? u->authority.s : "", (int)path.n, clean, u->query.there ? "?" : "",
	                    (int)u->query.n, u->query.there ? u->query.s : "");
}

char *
uri_resolve(struct arena *mem, const char *base, const char *ref, const char **fragment)
{
	size_t n = strcspn(ref, "#");
	struct uri b, r;

	*fragment = ref[n] == '#' ? ref + n + 1 : NULL;
	if (n == 0)
		return arena_strdup(mem, base);
	uri_parse(base, strlen(base), &b);
	uri_parse(ref, n, &r);
	if (r.scheme.there)
		return uri_join(mem, &r);
	r.scheme = b.scheme;
	if (!r.authority.there) {
		r.authority = b.authority;
		if (r.path.n == 0) {
			r.path = b.path;
			if (!r.query.there)
				r.query = b.query;
		} else if (r.path.s[0] != '/') {
			r.path = merge_paths(mem, &b, &r);
		}
	}
	return uri_join(mem, &r);
}
