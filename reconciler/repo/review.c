/* SPDX-License-Identifier: Apache-2.0 */
/* Reviews of a forge as text, as evidence, and in the state folder. */
#include "repo/review.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"

#define HEAD "berth review 1\n"
#define FILE_HEAD "berth reviews 1\n"
#define FILE_MAX ((size_t)32 << 20)

/* -- one as text --------------------------------------------------------------------------------------------------------------- */

static int
by_login(const void *a, const void *b)
{
	const struct review_voice *const *x = a, *const *y = b;

	return strcmp((*x)->login, (*y)->login);
}

static void
write_voices(const struct review *r, struct buf *out)
{
	const struct review_voice **sorted = calloc(r->nvoices + 1, sizeof(*sorted));

	if (!sorted)
		abort();
	for (size_t i = 0; i < r->nvoices; i++)
		sorted[i] = &r->voices[i];
	qsort(sorted, r->nvoices, sizeof(*sorted), by_login);
	for (size_t i = 0; i < r->nvoices; i++) {
		char when[RFC3339_LEN] = "-";

		if (sorted[i]->at > 0)
			clock_rfc3339(sorted[i]->at, when);
		buf_printf(out, "voice %s %" PRId64 " %s %s\n", sorted[i]->against ? "no" : "yes", sorted[i]->id, when, sorted[i]->login);
	}
	free(sorted);
}

void
review_write(const struct review *r, struct buf *out)
{
	char head[OID_HEX], merged[OID_HEX];

	oid_hex(&r->head, head);
	oid_hex(&r->merged, merged);
	buf_printf(out, HEAD "pull %" PRId64 "\nhead %s\nmerged %s\nauthor %s\nmerged-by %s\nvoices %zu\n", r->pull, head, merged, r->author,
	           r->merged_by, r->nvoices);
	write_voices(r, out);
	buf_printf(out, "changes %zu\n", r->changes.n);
	for (size_t i = 0; i < r->changes.n; i++)
		changeset_line(&r->changes.items[i], out);
}

/* What a forge's account may be called: one word that shows as it is. */
static bool
login_ok(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > REVIEW_LOGIN_MAX || !str_utf8_valid(s, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c == 0x7f || (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0))
			return false;
	}
	return true;
}

/* The next word of a line, in mem; NULL when nothing stands behind it. */
static const char *
word(const char **s, struct arena *mem)
{
	const char *start = *s, *stop = strchr(start, ' ');

	if (!stop)
		return NULL;
	*s = stop + 1;
	return arena_strndup(mem, start, (size_t)(stop - start));
}

static bool
read_voice(const char *line, struct arena *mem, struct review_voice *v)
{
	const char *answer = word(&line, mem);
	const char *id = answer ? word(&line, mem) : NULL;
	const char *when = id ? word(&line, mem) : NULL;

	if (!when || (!str_eq(answer, "yes") && !str_eq(answer, "no")) || str_to_i64(id, &v->id) < 0 || v->id < 0 || !login_ok(line))
		return false;
	v->against = str_eq(answer, "no");
	v->at = str_eq(when, "-") ? 0 : clock_parse_rfc3339(when);
	v->login = line;
	return true;
}

static bool
read_head(const char **p, const char *end, struct arena *mem, struct review *r, int64_t *nvoices)
{
	const char *pull = approval_line(p, end, "pull", mem);
	const char *head = pull ? approval_line(p, end, "head", mem) : NULL;
	const char *merged = head ? approval_line(p, end, "merged", mem) : NULL;

	r->author = merged ? approval_line(p, end, "author", mem) : NULL;
	r->merged_by = r->author ? approval_line(p, end, "merged-by", mem) : NULL;
	pull = r->merged_by ? pull : NULL;
	if (!pull || str_to_i64(pull, &r->pull) < 0 || r->pull <= 0 || oid_parse(head, &r->head) < 0 || oid_parse(merged, &r->merged) < 0 ||
	    (*r->author && !login_ok(r->author)) || (*r->merged_by && !login_ok(r->merged_by)))
		return false;
	pull = approval_line(p, end, "voices", mem);
	return pull && str_to_i64(pull, nvoices) == 0 && *nvoices >= 0 && *nvoices <= REVIEW_VOICES_MAX;
}

static bool
read_voices(const char **p, const char *end, size_t n, struct arena *mem, struct review *r)
{
	r->voices = arena_array(mem, n + 1, sizeof(*r->voices));
	for (size_t i = 0; i < n; i++) {
		const char *line = approval_line(p, end, "voice", mem);

		if (!line || !read_voice(line, mem, &r->voices[i]) || (i && strcmp(r->voices[i - 1].login, r->voices[i].login) >= 0))
			return false;
	}
	r->nvoices = n;
	return true;
}

int
review_read(const char *text, size_t n, struct arena *mem, struct review *out, struct err *e)
{
	struct buf again AUTO_BUF = BUF_INIT(REVIEW_MAX + 4096);
	const char *p = text, *end = text + n, *count;
	struct review r = { 0 };
	int64_t nvoices, nchanges;
	int rc;

	if (n > REVIEW_MAX)
		return err_set(e, ERR_INVALID, "a review of over %zu bytes", REVIEW_MAX);
	if (n < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0)
		return err_set(e, ERR_INVALID, "it is no review of this version");
	p += strlen(HEAD);
	if (!read_head(&p, end, mem, &r, &nvoices))
		return err_set(e, ERR_INVALID, "its head is not pull, head, merged, author, merged-by and voices");
	if (!read_voices(&p, end, (size_t)nvoices, mem, &r))
		return err_set(e, ERR_INVALID, "one of its voices is wrong, or out of order");
	count = approval_line(&p, end, "changes", mem);
	if (!count || str_to_i64(count, &nchanges) < 0 || nchanges <= 0 || nchanges > CHANGESET_MAX)
		return err_set(e, ERR_INVALID, "it does not say how many files it changes");
	if ((rc = changeset_parse(p, (size_t)(end - p), (size_t)nchanges, mem, &r.changes, e)) < 0)
		return rc;
	/* one text for one review: what is read must be what would be written */
	review_write(&r, &again);
	if (again.len != n || memcmp(buf_cstr(&again), text, n) != 0)
		return err_set(e, ERR_INVALID, "it is not written as reviews are");
	*out = r;
	return 0;
}

/* -- as evidence ------------------------------------------------------------------------------------------------------------------ */

void
review_evidence(const struct review *r, const char *ref, struct arena *mem, struct evidence *out)
{
	struct evidence v = { .review = r, .sig_text = "" };
	struct buf text AUTO_BUF = BUF_INIT(REVIEW_MAX);
	char merged[OID_HEX];

	review_write(r, &text);
	v.text = arena_strndup(mem, buf_cstr(&text), text.len);
	v.text_len = text.len;
	oid_hex(&r->merged, merged);
	memcpy(v.approval.nonce, merged, APPROVAL_NONCE - 1);
	v.approval.ref = ref;
	v.approval.expires = INT64_MAX;
	v.approval.changes = r->changes;
	*out = v;
}

/* -- in the state folder ---------------------------------------------------------------------------------------------------------- */

/* Is it one that can be read again? Then it stands in `text`. */
static bool
fits(const struct review *r, struct buf *text)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct review again;

	buf_reset(text);
	review_write(r, text);
	return buf_check(text, "a review", NULL) == 0 && review_read(buf_cstr(text), text->len, mem, &again, NULL) == 0;
}

int
reviews_store(const char *path, const struct review *list, size_t n, struct err *e)
{
	struct buf all AUTO_BUF = BUF_INIT(FILE_MAX + 4096), one AUTO_BUF = BUF_INIT(REVIEW_MAX);
	size_t first = n, bytes = strlen(FILE_HEAD), left = REVIEWS_MAX;

	/* from the newest back, as many as there is room for */
	while (first > 0 && left > 0) {
		if (fits(&list[first - 1], &one)) {
			if (bytes + one.len + 32 > FILE_MAX)
				break;
			bytes += one.len + 32;
			left--;
		}
		first--;
	}
	buf_str(&all, FILE_HEAD);
	for (size_t i = first; i < n; i++) {
		if (!fits(&list[i], &one))
			continue;
		buf_printf(&all, "review %zu\n", one.len);
		buf_add(&all, buf_cstr(&one), one.len);
	}
	return fs_write_atomic(path, buf_cstr(&all), all.len, 0600, e);
}

int
reviews_load(const char *path, struct arena *mem, struct review **list, size_t *n, struct err *e)
{
	struct arena *AUTO_ARENA own = arena_new(2 * FILE_MAX);
	const char *p, *end, *len;
	char *bytes;
	size_t all, have = 0;
	int rc = fs_read(path, FILE_MAX, own, &bytes, &all, e);

	*list = arena_array(mem, REVIEWS_MAX, sizeof(**list));
	*n = 0;
	if (rc < 0)
		return rc == ERR_NOTFOUND ? 0 : rc;
	end = bytes + all;
	if (all < strlen(FILE_HEAD) || memcmp(bytes, FILE_HEAD, strlen(FILE_HEAD)) != 0)
		return err_set(e, ERR_INVALID, "%s is no list of reviews of this version", path);
	for (p = bytes + strlen(FILE_HEAD); p < end; have++) {
		int64_t size;

		len = approval_line(&p, end, "review", own);
		if (!len || have == REVIEWS_MAX || str_to_i64(len, &size) < 0 || size < 0 || size > end - p)
			return err_set(e, ERR_INVALID, "%s is damaged behind review %zu", path, have);
		if ((rc = review_read(p, (size_t)size, mem, &(*list)[have], e)) < 0)
			return err_wrap(e, "%s: review %zu", path, have + 1);
		p += size;
	}
	*n = have;
	return 0;
}
