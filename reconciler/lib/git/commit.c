/* SPDX-License-Identifier: Apache-2.0 */
/* Commits: reading, trailers, ancestry, writing. */
#include "lib/git/priv.h"

#include <stdio.h>
#include <strings.h>

#define COMMIT_MAX ((size_t)1 << 20)
#define PARENTS_MAX 16

static int
commit_get(struct git_repo *g, const struct oid *id, git_commit **out, struct err *e)
{
	git_odb_object *AUTO_OBJECT o = NULL;
	char hex[OID_HEX];
	/* checks type and size, and mends the view of the packs */
	int rc = git_object_get(g, id, GIT_OBJECT_COMMIT, COMMIT_MAX, &o, e);

	if (rc)
		return rc;
	oid_hex(id, hex);
	if ((rc = git_commit_lookup(out, g->repo, git_oid_of(id))) < 0)
		return git_fail(e, rc, "read commit %s", hex);
	return 0;
}

int
git_commit_read(struct git_repo *g, const struct oid *id, struct arena *mem, struct git_commit_info *out, struct err *e)
{
	git_commit *c = NULL;
	int rc = commit_get(g, id, &c, e);

	if (rc)
		return rc;
	memset(out, 0, sizeof(*out));
	out->id = *id;
	git_oid_to(&out->tree, git_commit_tree_id(c));
	for (unsigned int i = 0; i < git_commit_parentcount(c) && i < PARENTS_MAX; i++)
		git_oid_to(&out->parents[out->nparents++], git_commit_parent_id(c, i));
	out->author = arena_strdup(mem, git_commit_author(c)->name);
	out->author_email = arena_strdup(mem, git_commit_author(c)->email);
	out->committer_email = arena_strdup(mem, git_commit_committer(c)->email);
	out->message = arena_strdup(mem, git_commit_message(c));
	out->time = git_commit_time(c);
	git_commit_free(c);
	return 0;
}

/* -- trailers ---------------------------------------------------------------------------------------------------------- */

static bool
is_blank(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r'))
		s++;
	return s == end;
}

static const char *
line_end(const char *s)
{
	return s + strcspn(s, "\n");
}

/* The first line of the last paragraph, or NULL when the message has only one: a subject is no trailer. */
static const char *
last_paragraph(const char *message)
{
	const char *last = NULL;
	bool text = false, gap = false;

	for (const char *s = message; *s;) {
		const char *end = line_end(s);

		if (is_blank(s, end)) {
			gap = text;
		} else {
			if (gap)
				last = s;
			gap = false;
			text = true;
		}
		s = *end ? end + 1 : end;
	}
	return last;
}

const char *
git_trailer(struct arena *mem, const char *message, const char *key)
{
	const char *s = last_paragraph(message), *found = NULL, *found_end = NULL;
	size_t len = strlen(key);

	while (s && *s) {
		const char *end = line_end(s);

		if ((size_t)(end - s) > len && strncasecmp(s, key, len) == 0 && s[len] == ':') {
			found = s + len + 1;
			found_end = end;
		}
		s = *end ? end + 1 : NULL;
	}
	if (!found)
		return NULL;
	while (found < found_end && (*found == ' ' || *found == '\t'))
		found++;
	while (found < found_end && is_blank(found_end - 1, found_end))
		found_end--;
	return arena_strndup(mem, found, (size_t)(found_end - found));
}

/* -- ancestry ----------------------------------------------------------------------------------------------------------- */

int
git_is_ancestor(struct git_repo *g, const struct oid *ancestor, const struct oid *commit, struct err *e)
{
	git_commit *a = NULL, *b = NULL;
	int rc;

	if ((rc = commit_get(g, ancestor, &a, e)) == 0)
		rc = commit_get(g, commit, &b, e);
	git_commit_free(a);
	git_commit_free(b);
	if (rc == ERR_NOTFOUND)
		return 0;
	if (rc)
		return rc;
	if (oid_eq(ancestor, commit))
		return 1;
	rc = git_graph_descendant_of(g->repo, git_oid_of(commit), git_oid_of(ancestor));
	if (rc < 0 && git_reopen(g) == 0)
		rc = git_graph_descendant_of(g->repo, git_oid_of(commit), git_oid_of(ancestor));
	return rc < 0 ? git_fail(e, rc, "compare two commits") : rc;
}

/* -- writing ------------------------------------------------------------------------------------------------------------ */

/* What a commit names has to be there and of the right kind. */
static int
is_there(struct git_repo *g, const struct oid *id, git_object_t type, size_t max, struct err *e)
{
	git_odb_object *AUTO_OBJECT o = NULL;

	return git_object_get(g, id, type, max, &o, e);
}

void
git_sign_by(struct git_repo *g, int (*sign)(void *ctx, const void *bytes, size_t n, struct buf *out, struct err *e), void *ctx)
{
	g->sign = sign;
	g->sign_ctx = ctx;
}

/* Puts the signature between the headers, `head` bytes of them, and the message; each further line of it begins with a blank. */
static int
sign(struct git_repo *g, struct buf *bytes, size_t head, struct err *e)
{
	struct buf AUTO_BUF sig = BUF_INIT(65536);
	struct buf whole = BUF_INIT(COMMIT_MAX);
	int rc = g->sign ? g->sign(g->sign_ctx, buf_cstr(bytes), bytes->len, &sig, e) : 1;

	if (rc)
		return rc < 0 ? rc : 0;
	buf_add(&whole, bytes->data, head);
	buf_str(&whole, "gpgsig ");
	for (size_t i = 0; i < sig.len && !(sig.data[i] == '\n' && i + 1 == sig.len); i++) {
		buf_char(&whole, sig.data[i]);
		if (sig.data[i] == '\n')
			buf_char(&whole, ' ');
	}
	buf_char(&whole, '\n');
	buf_add(&whole, bytes->data + head, bytes->len - head);
	buf_free(bytes);
	*bytes = whole;
	return buf_check(bytes, "a commit", e);
}

int
git_commit_write(struct git_repo *g, const struct oid *tree, const struct oid *parents, size_t nparents, const char *message,
                 int64_t time, struct oid *out, struct err *e)
{
	static const char who[] = "berth <berth@localhost>";
	struct buf AUTO_BUF bytes = BUF_INIT(COMMIT_MAX);
	char hex[OID_HEX];
	size_t head;
	int rc;

	if (nparents > PARENTS_MAX)
		return err_set(e, ERR_INVALID, "a commit of %zu parents", nparents);
	if ((rc = is_there(g, tree, GIT_OBJECT_TREE, GIT_TREE_MAX, e)))
		return rc;
	oid_hex(tree, hex);
	buf_printf(&bytes, "tree %s\n", hex);
	for (size_t i = 0; i < nparents; i++) {
		if ((rc = is_there(g, &parents[i], GIT_OBJECT_COMMIT, COMMIT_MAX, e)))
			return rc;
		oid_hex(&parents[i], hex);
		buf_printf(&bytes, "parent %s\n", hex);
	}
	buf_printf(&bytes, "author %s %lld +0000\ncommitter %s %lld +0000\n", who, (long long)time, who, (long long)time);
	head = bytes.len;
	buf_printf(&bytes, "\n%s", message);
	if ((rc = buf_check(&bytes, "a commit", e)) || (rc = sign(g, &bytes, head, e)))
		return rc;
	return odb_put(g, GIT_OBJECT_COMMIT, buf_cstr(&bytes), bytes.len, out, e);
}
