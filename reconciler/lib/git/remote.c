/* SPDX-License-Identifier: Apache-2.0 */
/* Remotes, the parent's side: checks the URL, runs the child that talks to the network, reads its answer. */
#include "lib/git/remote.h"

#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/proc.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"

#define CHILD_MEMORY ((uint64_t)4 << 30)

/* -- URLs ------------------------------------------------------------------------------------------------------------ */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static const char *
percent_decode(struct arena *mem, const char *s)
{
	char *out = arena_strdup(mem, s), *to = out;

	for (const char *p = s; *p; p++) {
		int hi = *p == '%' ? hex_digit(p[1]) : -1, lo = hi < 0 ? -1 : hex_digit(p[2]);

		if (lo >= 0 && (hi || lo)) {
			*to++ = (char)(hi << 4 | lo);
			p += 2;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return out;
}

/* "host:path" or "user@host:path": a colon before any slash. */
static bool
is_scp(const char *url)
{
	size_t n = strcspn(url, ":/");

	return n > 0 && url[n] == ':' && url[n + 1] != ':'; /* "helper::…" is git's way to run programs */
}

bool
git_url_is_local(const char *url, struct arena *mem, const char **path)
{
	const char *p = url;

	if (strncasecmp(url, "file://", 7) == 0) {
		p = url + 7;
		if (strncasecmp(p, "localhost/", 10) == 0)
			p += 9;
		*path = percent_decode(mem, p);
		return *p == '/';
	}
	if (strstr(url, "://") || is_scp(url))
		return false;
	*path = arena_strdup(mem, url);
	return true;
}

int
git_url_check(const char *url, struct err *e)
{
	static const char *const schemes[] = { "https://", "http://", "ssh://", "git://" };
	const char *rest = NULL, *at;
	size_t host, which = 0;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && !rest; i++)
		if (str_starts(url, schemes[i])) {
			rest = url + strlen(schemes[i]);
			which = i;
		}
	if (!rest && !strstr(url, "://") && is_scp(url) && url[0] != '-')
		return 0;
	if (!rest || !*rest || *rest == '/' || *rest == '-') {
		err_set(e, ERR_INVALID, "this is not a URL of a git repository that berth can reach");
		return err_hint(e, "Use a path, https://, http://, ssh://, git:// or user@host:path.");
	}
	host = strcspn(rest, "/?#");
	if (strpbrk(rest, "?#")) { /* "?private_token=" … would stand in every log and process list */
		err_set(e, ERR_INVALID, "the repository's URL has a query");
		return err_hint(e, "Write the URL without what follows '?' or '#'; a token goes into a file: --token-file FILE.");
	}
	at = memrchr(rest, '@', host);
	if (!at || (which >= 2 && !memchr(rest, ':', (size_t)(at - rest))))
		return 0;
	err_set(e, ERR_INVALID, "the repository's URL holds credentials: other people on this machine could read them");
	return err_hint(e, "Write the token into a file that only you can read and give --token-file FILE.");
}

int
git_token_read(const char *path, char out[GIT_TOKEN_MAX], struct err *e)
{
	int AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, GIT_TOKEN_MAX - 1);

	if (n < 0)
		return err_errno(e, "read the token file %s", path);
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	redact_add(out, strlen(out));
	return *out ? 0 : err_set(e, ERR_INVALID, "the token file %s is empty", path);
}

/* The URL as it may be shown. */
static const char *
shown(const char *url, struct buf *out)
{
	redact(url, strlen(url), out);
	return buf_cstr(out);
}

/* -- the child ---------------------------------------------------------------------------------------------------------- */

static const char *
or_none(const char *s)
{
	return s ? s : "";
}

/* Cuts one line off; NULL at the end. */
static char *
next_line(char **at)
{
	char *line = *at, *end;

	if (!line || !*line)
		return NULL;
	end = line + strcspn(line, "\n");
	*at = *end ? end + 1 : end;
	*end = '\0';
	return line;
}

/* The answer is "CODE", text and hint on a line each (see child.c); anything else means that the child broke. */
static int
answer(struct proc_result *r, const char *what, const char *url, struct err *e)
{
	struct buf AUTO_BUF where = BUF_INIT(4096), text = BUF_INIT(4096), hint = BUF_INIT(2048);
	char *at = r->out.data, *code = next_line(&at), *words = next_line(&at), *next = next_line(&at);
	int64_t n;

	if (!code || str_to_i64(code, &n) || n > 0 || n < ERR_CANCELLED)
		return err_set(e, ERR_UNAVAILABLE, "%s %s: the child that talks to it ended by %s %d", what, shown(url, &where),
		               r->signal ? "signal" : "exit code", r->signal ? r->signal : r->exit_code);
	if (n == 0)
		return 0;
	if (words)
		redact(words, strlen(words), &text);
	err_set(e, (int)n, "%s %s: %s", what, shown(url, &where), buf_cstr(&text));
	if (next) {
		redact(next, strlen(next), &hint);
		err_hint(e, "%s", buf_cstr(&hint));
	}
	return (int)n;
}

static int
run(const char *what, const char *url, const char *const *argv, int64_t deadline_ms, const atomic_bool *cancel,
    struct err *e)
{
	struct proc p = { .argv = argv, .timeout_ms = deadline_ms, .memory_max = CHILD_MEMORY, .output_max = 65536,
		.cancel = cancel };
	struct buf AUTO_BUF where = BUF_INIT(4096);
	struct proc_result r;
	int rc = proc_run(&p, &r, e);

	if (rc == ERR_CANCELLED)
		return err_set(e, rc, "%s %s: told to stop", what, shown(url, &where));
	if (rc == ERR_UNAVAILABLE) {
		err_set(e, rc, "%s %s: no answer within %lld s", what, shown(url, &where), (long long)(deadline_ms + 999) / 1000);
		return err_hint(e, "Check that the server can be reached: git ls-remote %s", buf_cstr(&where));
	}
	if (rc)
		return err_wrap(e, "%s %s", what, shown(url, &where));
	rc = answer(&r, what, url, e);
	proc_result_free(&r);
	return rc;
}

int
git_fetch(struct git_repo *g, const char *url, const struct git_remote_auth *auth, const char *const *refs, size_t nrefs,
          int64_t deadline_ms, const atomic_bool *cancel, struct err *e)
{
	const char *argv[1 + CHILD_ARGS + GIT_FETCH_MAX + 1] = { proc_self(), "git-child", "fetch", g->path, url,
		or_none(auth ? auth->token_file : NULL), or_none(auth ? auth->username : NULL),
		or_none(auth ? auth->ssh_key_file : NULL) };
	int rc = git_url_check(url, e);

	if (rc)
		return rc;
	if (nrefs > GIT_FETCH_MAX)
		return err_set(e, ERR_INVALID, "fetch of %zu refs, at most %d", nrefs, GIT_FETCH_MAX);
	for (size_t i = 0; i < nrefs; i++)
		argv[1 + CHILD_ARGS + i] = refs[i];
	return run("fetch", url, argv, deadline_ms, cancel, e);
}

int
git_fetch_approvals(struct git_repo *g, const char *url, const struct git_remote_auth *auth, int64_t deadline_ms, const atomic_bool *cancel,
                    struct err *e)
{
	static const char *const all[] = { GIT_APPROVALS "*" };

	return git_fetch(g, url, auth, all, 1, deadline_ms, cancel, e);
}

int
git_push_delete(struct git_repo *g, const char *url, const struct git_remote_auth *auth, const char *ref, const struct oid *old,
                int64_t deadline_ms, const atomic_bool *cancel, struct err *e)
{
	char hex[OID_HEX];
	const char *argv[] = { proc_self(), "git-child", "push", g->path, url, or_none(auth ? auth->token_file : NULL),
		or_none(auth ? auth->username : NULL), or_none(auth ? auth->ssh_key_file : NULL), ref, hex, "", NULL };
	int rc = git_url_check(url, e);

	if (rc)
		return rc;
	oid_hex(old, hex);
	return run("delete in", url, argv, deadline_ms, cancel, e);
}

int
git_push_ref(struct git_repo *g, const char *url, const struct git_remote_auth *auth, const char *ref,
             const struct oid *old, const struct oid *id, int64_t deadline_ms, const atomic_bool *cancel, struct err *e)
{
	char old_hex[OID_HEX] = "", new_hex[OID_HEX];
	const char *argv[] = { proc_self(), "git-child", "push", g->path, url, or_none(auth ? auth->token_file : NULL),
		or_none(auth ? auth->username : NULL), or_none(auth ? auth->ssh_key_file : NULL), ref, old_hex, new_hex, NULL };
	int rc = git_url_check(url, e);

	if (rc)
		return rc;
	if (old)
		oid_hex(old, old_hex);
	oid_hex(id, new_hex);
	return run("push to", url, argv, deadline_ms, cancel, e);
}
