/* SPDX-License-Identifier: Apache-2.0 */
/* Approvals as text, and behind refs. */
#include "repo/approval.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

#define HEAD "berth approval 1\n"
#define EVIDENCE_MAX ((size_t)128 << 20) /* of all approvals together; one is at most 4 times APPROVAL_MAX in memory */

void
approval_write(const struct approval *a, struct buf *out)
{
	char anchor[OID_HEX], expires[RFC3339_LEN];

	oid_hex(&a->anchor, anchor);
	clock_rfc3339(a->expires, expires);
	buf_printf(out, HEAD "anchor %s\nref %s\nexpires %s\nnonce %s\nchanges %zu\n", anchor, a->ref, expires, a->nonce, a->changes.n);
	for (size_t i = 0; i < a->changes.n; i++)
		changeset_line(&a->changes.items[i], out);
}

const char *
approval_line(const char **p, const char *end, const char *key, struct arena *mem)
{
	size_t n = strlen(key);
	const char *stop = memchr(*p, '\n', (size_t)(end - *p)), *value = *p + n + 1;

	if (!stop || value > stop || memcmp(*p, key, n) != 0 || (*p)[n] != ' ' || memchr(*p, 0, (size_t)(stop - *p)))
		return NULL;
	*p = stop + 1;
	return arena_strndup(mem, value, (size_t)(stop - value));
}

static bool
read_head(const char **p, const char *end, struct arena *mem, struct approval *a, int64_t *count)
{
	const char *anchor = approval_line(p, end, "anchor", mem);
	const char *ref = anchor ? approval_line(p, end, "ref", mem) : NULL;
	const char *expires = ref ? approval_line(p, end, "expires", mem) : NULL;
	const char *nonce = expires ? approval_line(p, end, "nonce", mem) : NULL;
	const char *changes = nonce ? approval_line(p, end, "changes", mem) : NULL;

	if (!changes || oid_parse(anchor, &a->anchor) < 0 || !str_starts(ref, "refs/") || strlen(nonce) != APPROVAL_NONCE - 1 ||
	    strspn(nonce, "0123456789abcdef") != APPROVAL_NONCE - 1 || str_to_i64(changes, count) < 0)
		return false;
	a->ref = ref;
	a->expires = clock_parse_rfc3339(expires);
	memcpy(a->nonce, nonce, APPROVAL_NONCE);
	return a->expires > 0 && *count > 0 && *count <= CHANGESET_MAX;
}

int
approval_read(const char *text, size_t n, struct arena *mem, struct approval *out, struct err *e)
{
	struct buf again AUTO_BUF = BUF_INIT(APPROVAL_MAX + 4096);
	const char *p = text, *end = text + n;
	struct approval a = { 0 };
	int64_t count;
	int rc;

	if (n > APPROVAL_MAX)
		return err_set(e, ERR_INVALID, "an approval of over %zu bytes", APPROVAL_MAX);
	if (n < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0)
		return err_set(e, ERR_INVALID, "it is no approval of this version");
	p += strlen(HEAD);
	if (!read_head(&p, end, mem, &a, &count))
		return err_set(e, ERR_INVALID, "its head is not anchor, ref, expires, nonce and changes");
	if ((rc = changeset_parse(p, (size_t)(end - p), (size_t)count, mem, &a.changes, e)) < 0)
		return rc;
	/* one text for one approval: what is read must be what would be written */
	approval_write(&a, &again);
	if (again.len != n || memcmp(buf_cstr(&again), text, n) != 0)
		return err_set(e, ERR_INVALID, "it is not written as approvals are");
	*out = a;
	return 0;
}

int
evidence_read(const char *text, size_t n, const char *sig, size_t nsig, struct arena *mem, struct evidence *out, struct err *e)
{
	struct evidence v = { .text = text, .text_len = n, .sig_text = sig, .sig_len = nsig };
	int rc;

	if ((rc = approval_read(text, n, mem, &v.approval, e)) < 0 || (rc = sshsig_read(mem, sig, nsig, &v.sig, e)) < 0 ||
	    (rc = sshsig_check(&v.sig, APPROVAL_NAMESPACE, text, n, e)) < 0)
		return rc;
	*out = v;
	return 0;
}

void
evidence_key(const struct evidence *v, char out[EVIDENCE_KEY])
{
	digest_hex(&v->approval.changes.digest, out);
	out[DIGEST_HEX - 1] = ' ';
	memcpy(out + DIGEST_HEX, v->approval.nonce, APPROVAL_NONCE);
}

void
evidence_id(const struct evidence *v, char out[DIGEST_HEX])
{
	char key[EVIDENCE_KEY];
	struct digest d;

	evidence_key(v, key);
	if (v->review)
		hash_bytes(key, strlen(key), &d);
	else
		hash_bytes(v->sig_text, v->sig_len, &d);
	digest_hex(&d, out);
}

/* -- behind refs ---------------------------------------------------------------------------------------------------------------- */

/* The name that the evidence must stand at, so that nobody can fill the list with copies of it. In mem. */
static const char *
ref_of(struct arena *mem, const struct evidence *v)
{
	char changes[DIGEST_HEX], key[DIGEST_HEX];
	struct digest d;

	hash_bytes(v->sig.key.blob.p, v->sig.key.blob.n, &d);
	digest_hex(&v->approval.changes.digest, changes);
	digest_hex(&d, key);
	return arena_printf(mem, APPROVAL_REFS "%s/%s", changes, key);
}

static int
read_ref(struct git_repo *g, const struct git_ref *r, const struct oid *anchor, const char *ref, struct arena *mem, struct evidence *out,
         struct err *e)
{
	const char *text, *sig;
	struct git_commit_info c;
	size_t n, nsig;
	int rc;

	if ((rc = git_commit_read(g, &r->id, mem, &c, e)) < 0 || (rc = git_tree_read(g, &c.tree, APPROVAL_TEXT, APPROVAL_MAX, mem, &text, &n, e)) < 0 ||
	    (rc = git_tree_read(g, &c.tree, APPROVAL_SIGNATURE, SSHSIG_TEXT_MAX, mem, &sig, &nsig, e)) < 0 ||
	    (rc = evidence_read(text, n, sig, nsig, mem, out, e)) < 0)
		return rc;
	out->ref = r->name;
	out->commit = r->id;
	if (!oid_eq(&out->approval.anchor, anchor))
		return err_set(e, ERR_DENIED, "it is for another trust anchor");
	if (!str_eq(out->approval.ref, ref))
		return err_set(e, ERR_DENIED, "it is for another branch");
	if (!str_eq(r->name, ref_of(mem, out)))
		return err_set(e, ERR_DENIED, "it does not stand at its own name");
	return 0;
}

int
evidence_list(struct git_repo *g, const struct oid *anchor, const char *ref, struct arena *mem, struct evidence **out, size_t *n,
              struct buf *bad, struct err *e)
{
	struct git_ref *refs;
	struct evidence *list;
	size_t nrefs, have = 0, before = arena_used(mem);
	int rc = git_refs_under(g, APPROVAL_REFS, APPROVALS_MAX, mem, &refs, &nrefs, e);

	if (rc < 0)
		return rc;
	list = arena_array(mem, nrefs ? nrefs : 1, sizeof(*list));
	for (size_t i = 0; i < nrefs; i++) {
		struct err why = { 0 };

		if (arena_used(mem) - before > EVIDENCE_MAX)
			return err_set(e, ERR_INVALID, "the approvals behind " APPROVAL_REFS " have over %zu bytes: delete old ones", EVIDENCE_MAX);
		rc = read_ref(g, &refs[i], anchor, ref, mem, &list[have], &why);
		if (rc == 0)
			have++;
		else if (err_retryable(rc))
			return err_set(e, rc, "%s: %s", refs[i].name, why.text);
		else if (bad)
			buf_printf(bad, "%s: %s\n", refs[i].name, why.text);
	}
	*out = list;
	*n = have;
	return 0;
}

int
evidence_store(struct git_repo *g, const struct evidence *v, int64_t now, struct arena *mem, const char **ref, struct oid *commit,
               struct err *e)
{
	struct git_edit *ed;
	struct oid tree, old;
	bool there;
	int rc;

	*ref = ref_of(mem, v);
	if ((rc = git_edit_new(g, NULL, &ed, e)) < 0)
		return rc;
	if ((rc = git_edit_put(ed, APPROVAL_TEXT, v->text, v->text_len, e)) >= 0 &&
	    (rc = git_edit_put(ed, APPROVAL_SIGNATURE, v->sig_text, v->sig_len, e)) >= 0)
		rc = git_edit_write(ed, &tree, NULL, e);
	git_edit_free(ed);
	if (rc < 0 || (rc = git_commit_write(g, &tree, NULL, 0, "approval\n", now, commit, e)) < 0)
		return rc;
	there = git_ref_read(g, *ref, &old, NULL) == 0;
	if (there && oid_eq(&old, commit))
		return 0;
	return git_ref_cas(g, *ref, there ? &old : NULL, commit, "approval", NULL, e);
}
