/* SPDX-License-Identifier: Apache-2.0 */
/* The status branch from its tip back: who signed what. */
#include "cli/prove_status.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/value.h"
#include "lib/doc/yaml.h"
#include "lib/git/signed.h"
#include "lib/seal/sshsig_check.h"
#include "repo/approval_record.h"

#define KEY_MAX 1024

const char *
status_signer(struct git_repo *g, const struct oid *tree, struct arena *mem)
{
	struct report ignored;
	const char *bytes, *signer;
	struct value *v;
	size_t n;

	report_init(&ignored, mem);
	if (git_tree_read(g, tree, "berth.yaml", FILE_DOC_MAX, mem, &bytes, &n, NULL) < 0 ||
	    yaml_read(mem, "berth.yaml", bytes, n, NULL, &ignored, &v) < 0)
		return NULL;
	signer = value_as_str(value_at(v, "spec.secrets.signer"), NULL);
	return signer && *signer ? signer : NULL;
}

static void
key_of(const char *path, const struct oid *blob, char out[KEY_MAX])
{
	char hex[OID_HEX];

	oid_hex(blob, hex);
	(void)snprintf(out, KEY_MAX, "%s %s", path, hex);
}

bool
status_told(const struct status_commits *s, const char *path, const struct oid *blob)
{
	char key[KEY_MAX];

	if (!s->signer)
		return true;
	key_of(path, blob, key);
	return map_has(&s->told, key);
}

static int
note_record(void *ctx, const struct git_change *c, struct err *e)
{
	struct status_commits *s = ctx;
	char path[KEY_MAX / 2], key[KEY_MAX];
	int n = snprintf(path, sizeof(path), RECORD_FOLDER "/%s", c->path);

	(void)e;
	if (c->new_id && n > 0 && (size_t)n < sizeof(path)) {
		key_of(path, c->new_id, key);
		(void)map_put(&s->told, key, NULL);
	}
	return 0;
}

struct walk {
	struct git_repo *git;
	struct arena *mem;    /* of one commit */
	struct ssh_key signer;
	struct status_commits *out;
};

static bool
is_good(struct walk *w, const struct oid *commit, bool *any)
{
	const char *raw, *sig, *payload;
	size_t n, nsig, npayload;
	struct sshsig s;
	int rc;

	*any = true;
	if (git_commit_raw(w->git, commit, w->mem, &raw, &n, NULL) < 0)
		return false;
	rc = commit_signature(w->mem, raw, n, false, &sig, &nsig, &payload, &npayload, NULL);
	*any = rc != ERR_NOTFOUND;
	return rc == 0 && sshsig_read(w->mem, sig, nsig, &s, NULL) == 0 && s.key.blob.n == w->signer.blob.n &&
	       memcmp(s.key.blob.p, w->signer.blob.p, s.key.blob.n) == 0 && sshsig_check(&s, "git", payload, npayload, NULL) == 0;
}

static void
count(struct walk *w, const struct oid *commit, bool good, bool any)
{
	struct status_commits *s = w->out;

	s->good += good;
	s->none += !any;
	s->other += any && !good;
	if (!good && oid_zero(&s->newest))
		s->newest = *commit;
}

/* One commit: *parent is where to go on, false at the first. */
static int
look_at(struct walk *w, const struct oid *commit, struct oid *parent, bool *more, struct err *e)
{
	struct git_commit_info c, before;
	struct oid now, was;
	bool any, good, has, had = false;
	int rc;

	arena_reset(w->mem);
	if ((rc = git_commit_read(w->git, commit, w->mem, &c, e)) < 0)
		return rc;
	good = is_good(w, commit, &any);
	count(w, commit, good, any);
	*more = c.nparents > 0;
	if (*more)
		*parent = c.parents[0];
	if (!good)
		return 0;
	has = git_tree_find(w->git, &c.tree, RECORD_FOLDER, &now, NULL, NULL) == 0;
	if (*more) {
		if ((rc = git_commit_read(w->git, parent, w->mem, &before, e)) < 0)
			return rc;
		had = git_tree_find(w->git, &before.tree, RECORD_FOLDER, &was, NULL, NULL) == 0;
	}
	return !has || (had && oid_eq(&now, &was)) ? 0 : git_tree_diff(w->git, had ? &was : NULL, &now, 0, note_record, w->out, e);
}

int
status_commits_check(struct git_repo *g, const struct oid *tip, const char *signer, struct status_commits *out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20), *AUTO_ARENA keys = arena_new((size_t)1 << 20);
	struct walk w = { .git = g, .mem = mem, .out = out };
	struct oid at = *tip;
	bool more = signer != NULL;
	int rc;

	*out = (struct status_commits){ .signer = signer };
	if (signer && (rc = ssh_key_line(keys, signer, strlen(signer), &w.signer, e)) < 0)
		return err_wrap(e, "berth.yaml: spec.secrets.signer");
	for (size_t i = 0; more && i < STATUS_COMMITS_MAX; i++) {
		struct oid commit = at;

		if ((rc = look_at(&w, &commit, &at, &more, e)) < 0)
			return rc;
	}
	return 0;
}
