/* SPDX-License-Identifier: Apache-2.0 */
/* Polling a server by git's protocol v2 over HTTP (gitprotocol-v2(5), gitprotocol-http(5)). */
#include "lib/git/heads.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/git/remote.h"
#include "lib/net/http.h"

#define ANSWER_MAX ((size_t)4 << 20)
#define PKT_MAX 65520

/* -- pkt-lines ---------------------------------------------------------------------------------------------------------- */

enum pkt { PKT_BAD = -1, PKT_LINE, PKT_FLUSH, PKT_DELIM, PKT_END };

struct pkt_reader {
	const char *at, *end;
	const char *line; /* without the newline at its end */
	size_t len;
};

static int
hex4(const char *s)
{
	int n = 0;

	for (size_t i = 0; i < 4; i++) {
		char c = s[i];

		if (c >= '0' && c <= '9')
			n = n << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			n = n << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return n;
}

static enum pkt
pkt_next(struct pkt_reader *r)
{
	int n;

	if (r->end - r->at < 4)
		return PKT_END;
	n = hex4(r->at);
	if (n < 0 || n == 2 || n == 3 || n > PKT_MAX)
		return PKT_BAD;
	if (n > 3 && n > r->end - r->at)
		return PKT_END;
	r->line = r->at + 4;
	r->len = n > 4 ? (size_t)n - 4 : 0;
	r->at += n > 4 ? n : 4;
	if (n < 4)
		return n == 0 ? PKT_FLUSH : PKT_DELIM;
	if (r->len && r->line[r->len - 1] == '\n')
		r->len--;
	return PKT_LINE;
}

static bool
line_is(const struct pkt_reader *r, const char *s)
{
	return r->len == strlen(s) && memcmp(r->line, s, r->len) == 0;
}

static void
pkt_add(struct buf *b, const char *head, const char *tail)
{
	buf_printf(b, "%04zx%s%s\n", strlen(head) + strlen(tail) + 5, head, tail);
}

bool
git_heads_v2(const char *bytes, size_t len)
{
	struct pkt_reader r = { .at = bytes, .end = bytes + len };

	/* "# service=…" and a flush, which some servers leave out for version 2 */
	for (size_t i = 0; i < 3; i++)
		if (pkt_next(&r) == PKT_LINE && line_is(&r, "version 2"))
			return true;
	return false;
}

static void
take_below(struct git_below *below, const char *name, size_t len, const struct oid *id)
{
	size_t prefix = strlen(below->prefix), cap = below->n;

	if (len <= prefix || memcmp(name, below->prefix, prefix) != 0)
		return;
	if (below->n == below->max) {
		below->many = true;
		return;
	}
	if ((cap & (cap - 1)) == 0) /* it doubles */
		below->refs = arena_regrow(below->mem, below->refs, cap, cap ? 2 * cap : 1, sizeof(*below->refs));
	below->refs[below->n++] = (struct git_ref){ arena_strndup(below->mem, name, len), *id };
}

/* "<40 hex> <ref>[ <attribute>…]" */
static int
take_ref(const struct pkt_reader *r, const char *const *refs, size_t n, struct git_below *below, struct oid *ids, bool *found, struct err *e)
{
	char hex[OID_HEX];
	struct oid id;
	const char *name = r->line + OID_HEX, *space;
	size_t len;

	if (r->len >= 4 && memcmp(r->line, "ERR ", 4) == 0)
		return err_set(e, ERR_UNAVAILABLE, "the server says: %.*s", (int)(r->len > 200 ? 200 : r->len) - 4, r->line + 4);
	if (r->len >= 8 && memcmp(r->line, "unborn ", 7) == 0)
		return 0;
	if (r->len <= OID_HEX || r->line[OID_HEX - 1] != ' ')
		return err_set(e, ERR_INVALID, "the answer to ls-refs is malformed");
	memcpy(hex, r->line, OID_HEX - 1);
	hex[OID_HEX - 1] = '\0';
	if (oid_parse(hex, &id))
		return err_set(e, ERR_INVALID, "the answer to ls-refs is malformed");
	len = r->len - OID_HEX;
	if ((space = memchr(name, ' ', len)))
		len = (size_t)(space - name);
	for (size_t i = 0; i < n; i++)
		if (strlen(refs[i]) == len && memcmp(refs[i], name, len) == 0) {
			ids[i] = id;
			found[i] = true;
		}
	if (below)
		take_below(below, name, len, &id);
	return 0;
}

int
git_heads_parse(const char *bytes, size_t len, const char *const *refs, size_t n, struct git_below *below, struct oid *ids, bool *found,
                struct err *e)
{
	struct pkt_reader r = { .at = bytes, .end = bytes + len };

	memset(found, 0, n * sizeof(*found));
	if (below)
		below->n = 0;
	for (;;) {
		enum pkt k = pkt_next(&r);
		int rc;

		if (k == PKT_FLUSH) {
			if (below && below->n)
				qsort(below->refs, below->n, sizeof(*below->refs), git_ref_order);
			return 0;
		}
		if (k != PKT_LINE) /* an end without a flush is a cut answer: refs could be missing */
			return err_set(e, k == PKT_END ? ERR_UNAVAILABLE : ERR_INVALID, "the answer to ls-refs is %s",
			               k == PKT_END ? "cut off" : "malformed");
		if ((rc = take_ref(&r, refs, n, below, ids, found, e)))
			return rc;
	}
}

/* -- asking ---------------------------------------------------------------------------------------------------------------- */

/* What is known of the server asked last. */
static struct {
	pthread_mutex_t lock;
	struct http *http;
	char *url;
	bool v2;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct ask {
	const char *url;
	char *token;
	const char *username;
	int64_t deadline_ms;
	const atomic_bool *cancel;
};

static int
request(const struct ask *a, const char *path, const struct buf *body, struct http_response *r, struct err *e)
{
	static const char *const headers[] = { "Git-Protocol: version=2",
		"Content-Type: application/x-git-upload-pack-request", "Accept: application/x-git-upload-pack-result, */*", NULL };
	struct buf AUTO_BUF url = BUF_INIT(8192);
	struct http_request q = { .headers = headers, .username = a->username, .password = a->token, .answer_max = ANSWER_MAX,
		.timeout_ms = a->deadline_ms, .cancel = a->cancel };
	size_t n = strlen(a->url);
	int rc;

	while (n && a->url[n - 1] == '/')
		n--;
	buf_add(&url, a->url, n);
	buf_str(&url, path);
	if ((rc = buf_check(&url, "the URL", e)))
		return rc;
	q.url = buf_cstr(&url);
	if (body) {
		q.body = body->data;
		q.body_len = body->len;
	}
	return http_request(kept.http, &q, r, e);
}

static int
status_error(const struct ask *a, long status, struct err *e)
{
	if (status == 401 || status == 403) {
		err_set(e, ERR_DENIED, "%s: the server %s (HTTP %ld)", a->url,
		        a->token ? "does not accept the token" : "asks for a password", status);
		return err_hint(e, a->token ? "Is it whole, of this server and not expired, and may it read this repository?" : "Write a token into a file and give --token-file FILE.");
	}
	if (status == 429 || status >= 500)
		return err_set(e, ERR_UNAVAILABLE, "%s: HTTP %ld", a->url, status);
	return err_set(e, ERR_INVALID, "%s: cannot be polled by HTTP (status %ld)", a->url, status);
}

/* Once for a server: does it speak version 2? */
static int
discover(const struct ask *a, struct err *e)
{
	struct http_response r;
	int rc = request(a, "/info/refs?service=git-upload-pack", NULL, &r, e);

	if (rc)
		return rc;
	if (r.status != 200) {
		rc = status_error(a, r.status, e);
	} else {
		free(kept.url);
		kept.url = strdup(a->url);
		kept.v2 = git_heads_v2(buf_cstr(&r.body), r.body.len);
		if (!kept.url)
			abort();
	}
	http_response_free(&r);
	return rc;
}

static int
ls_refs_once(const struct ask *a, const char *const *refs, size_t n, struct git_below *below, struct oid *ids, bool *found, struct err *e)
{
	struct buf AUTO_BUF body = BUF_INIT(65536);
	struct http_response r;
	int rc;

	pkt_add(&body, "command=ls-refs", "");
	pkt_add(&body, "agent=berth", "");
	buf_str(&body, "0001");
	for (size_t i = 0; i < n; i++)
		pkt_add(&body, "ref-prefix ", refs[i]);
	if (below)
		pkt_add(&body, "ref-prefix ", below->prefix);
	buf_str(&body, "0000");
	if ((rc = buf_check(&body, "the request", e)) || (rc = request(a, "/git-upload-pack", &body, &r, e)))
		return rc;
	if (r.status != 200)
		rc = status_error(a, r.status, e);
	else if ((rc = git_heads_parse(buf_cstr(&r.body), r.body.len, refs, n, below, ids, found, e)))
		rc = err_wrap(e, "%s", a->url);
	http_response_free(&r);
	return rc;
}

/* Whoever fills the folder up must not stop the branches. */
static int
ls_refs(const struct ask *a, const char *const *refs, size_t n, struct git_below *below, struct oid *ids, bool *found, struct err *e)
{
	int rc = ls_refs_once(a, refs, n, below, ids, found, e);

	if (rc != ERR_INVALID || !below)
		return rc;
	rc = ls_refs_once(a, refs, n, NULL, ids, found, e);
	below->n = 0;
	below->many = rc == 0;
	return rc;
}

static int
ask_server(const struct ask *a, const char *const *refs, size_t n, struct git_below *below, struct oid *ids, bool *found, struct err *e)
{
	int rc;

	if (!kept.http)
		kept.http = http_new();
	if (!str_eq(kept.url, a->url) && (rc = discover(a, e)))
		return rc;
	if (!kept.v2)
		return err_set(e, ERR_INVALID, "%s: the server does not speak git's protocol version 2", a->url);
	rc = ls_refs(a, refs, n, below, ids, found, e);
	if (rc && rc != ERR_CANCELLED) { /* look again next time: another server may answer there by then */
		free(kept.url);
		kept.url = NULL;
	}
	return rc;
}

int
git_remote_heads(const char *url, const struct git_remote_auth *auth, const char *const *refs, size_t n,
                 int64_t deadline_ms, const atomic_bool *cancel, struct oid *ids, bool *found, struct err *e)
{
	return git_remote_heads_below(url, auth, refs, n, NULL, deadline_ms, cancel, ids, found, e);
}

int
git_remote_heads_below(const char *url, const struct git_remote_auth *auth, const char *const *refs, size_t n, struct git_below *below,
                       int64_t deadline_ms, const atomic_bool *cancel, struct oid *ids, bool *found, struct err *e)
{
	char token[GIT_TOKEN_MAX] = "";
	struct ask a = { .url = url, .username = auth && auth->username ? auth->username : "berth", .deadline_ms = deadline_ms,
		.cancel = cancel };
	int rc = git_url_check(url, e);

	if (rc)
		return rc;
	if ((!str_starts(url, "http://") && !str_starts(url, "https://")) || strpbrk(url, "?#"))
		return err_set(e, ERR_INVALID, "%s: only plain http and https URLs can be polled this way", url);
	if (auth && auth->token_file) {
		if ((rc = git_token_read(auth->token_file, token, e)))
			return rc;
		a.token = token;
	}
	(void)pthread_mutex_lock(&kept.lock);
	rc = ask_server(&a, refs, n, below, ids, found, e);
	(void)pthread_mutex_unlock(&kept.lock);
	explicit_bzero(token, sizeof(token));
	return rc;
}
