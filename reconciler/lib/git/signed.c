/* SPDX-License-Identifier: Apache-2.0 */
/* A commit taken apart into its signature and what was signed. */
#include "lib/git/signed.h"

#include <string.h>

#include "lib/base/buf.h"

#define HEADER "gpgsig"
#define OTHER "gpgsig-sha256"
#define COMMIT_MAX ((size_t)4 << 20)

/* The end of the header that begins at p: behind its last continuation line (they begin with a blank). NULL: it has no end. */
static const char *
header_end(const char *p, const char *end)
{
	do {
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			return NULL;
		p++;
	} while (p < end && *p == ' ');
	return p;
}

static bool
is_header(const char *p, const char *stop, const char *name)
{
	size_t n = strlen(name);

	return (size_t)(stop - p) > n && memcmp(p, name, n) == 0 && p[n] == ' ';
}

/* A header's value without the blank of each continuation line. */
static void
unfold(const char *p, const char *stop, struct buf *out)
{
	while (p < stop) {
		const char *line = memchr(p, '\n', (size_t)(stop - p));

		buf_add(out, p, (size_t)(line - p) + 1);
		p = line + 1;
		if (p < stop)
			p++;
	}
}

static int
split(const char *raw, size_t n, const char *ours, const char *others, struct buf *sig, struct buf *rest, struct err *e)
{
	const char *p = raw, *end = raw + n, *stop;
	bool found = false;

	if (n < 5 || memcmp(raw, "tree ", 5) != 0)
		return err_set(e, ERR_INVALID, "it does not begin with its tree");
	for (; p < end && *p != '\n'; p = stop) {
		stop = header_end(p, end);
		if (!stop || *p == ' ')
			return err_set(e, ERR_INVALID, "its headers are damaged");
		if (is_header(p, stop, others))
			return err_set(e, ERR_INVALID, "it has a signature of the other object format");
		if (!is_header(p, stop, ours)) {
			buf_add(rest, p, (size_t)(stop - p));
			continue;
		}
		if (found)
			return err_set(e, ERR_INVALID, "it has two signatures");
		found = true;
		unfold(p + strlen(ours) + 1, stop, sig);
	}
	buf_add(rest, p, (size_t)(end - p));
	return found ? 0 : err_set(e, ERR_NOTFOUND, "it is not signed");
}

int
commit_signature(struct arena *mem, const char *raw, size_t n, bool sha256, const char **sig, size_t *sig_len,
                 const char **payload, size_t *payload_len, struct err *e)
{
	struct buf s AUTO_BUF = BUF_INIT(COMMIT_MAX), rest AUTO_BUF = BUF_INIT(COMMIT_MAX);
	int rc;

	if (n > COMMIT_MAX)
		return err_set(e, ERR_INVALID, "the commit has over %zu bytes", COMMIT_MAX);
	if ((rc = split(raw, n, sha256 ? OTHER : HEADER, sha256 ? HEADER : OTHER, &s, &rest, e)) < 0)
		return rc;
	*sig = arena_strndup(mem, buf_cstr(&s), s.len);
	*sig_len = s.len;
	*payload = arena_memdup(mem, buf_cstr(&rest), rest.len);
	*payload_len = rest.len;
	return 0;
}
