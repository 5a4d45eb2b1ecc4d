/* SPDX-License-Identifier: Apache-2.0 */
/* Token files. */
#include "lib/base/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/redact.h"

void
token_wipe(char **token)
{
	if (*token)
		explicit_bzero(*token, strlen(*token));
	free(*token);
	*token = NULL;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *
token_trim(const char **s, size_t *n)
{
	while (*n && is_blank((*s)[*n - 1]))
		(*n)--;
	while (*n && is_blank(**s)) {
		(*s)++;
		(*n)--;
	}
	if (!*n)
		return "is empty";
	if (*n > TOKEN_MAX)
		return "is longer than 64 KiB";
	/* it goes into a header line as it is */
	for (size_t i = 0; i < *n; i++)
		if ((*s)[i] <= 0x20 || (*s)[i] >= 0x7f)
			return "is not one word of printable characters";
	return NULL;
}

/* A copy of the trimmed token; the secret is known to the redactor from here on, good or bad. */
const char *
token_keep(const char *s, size_t n, char **out)
{
	const char *flaw = token_trim(&s, &n);

	redact_add(s, n < TOKEN_MAX ? n : TOKEN_MAX);
	if (flaw)
		return flaw;
	if (!(*out = strndup(s, n)))
		abort();
	return NULL;
}

/* At most TOKEN_MAX + 1 bytes into `bytes`; not by fs_read, whose copies nobody wipes. */
static int
read_secret(const char *path, char *bytes, size_t *n, struct err *e)
{
	int AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_errno(e, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_errno(e, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%s is not a regular file", path);
	for (*n = 0; *n <= TOKEN_MAX;) {
		ssize_t got = read(fd, bytes + *n, TOKEN_MAX + 1 - *n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(e, "read %s", path);
		if (!got)
			return 0;
		*n += (size_t)got;
	}
	return err_set(e, ERR_INVALID, "%s is larger than %zu KiB", path, TOKEN_MAX / 1024);
}

int
token_read(const char *path, char **out, struct err *e)
{
	char *bytes = malloc(TOKEN_MAX + 1);
	const char *flaw = NULL;
	size_t n = 0;
	int rc;

	if (!bytes)
		abort();
	rc = read_secret(path, bytes, &n, e);
	if (!rc)
		flaw = token_keep(bytes, n, out);
	explicit_bzero(bytes, TOKEN_MAX + 1);
	free(bytes);
	if (flaw)
		rc = err_set(e, ERR_INVALID, "the token in %s %s", path, flaw);
	if (rc)
		(void)err_hint(e, "the file must hold one token and be readable for berth");
	return rc;
}
