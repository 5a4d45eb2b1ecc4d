/* SPDX-License-Identifier: Apache-2.0 */
/* What approvers/ allows, before anything is signed. */
#include "validate/approval_keys.h"

#include <string.h>

#include "lib/base/str.h"
#include "validate/approval_priv.h"

#define LOOK_ARENA ((size_t)256 << 20)

static int
read_file(struct arena *mem, const struct files *files, const char *path, const char **bytes, size_t *n, struct err *e)
{
	const struct file_entry *f = files_find(files, path);

	*bytes = NULL;
	*n = 0;
	return f ? files->read(files->ctx, f, SIGNERS_MAX, mem, bytes, n, e) : 0;
}

/* Any key tells whether the list can be read, and one that is nobody's is not in it. NULL: it can. */
static const char *
unreadable(struct arena *mem, const char *list, size_t n)
{
	static const uint8_t nobody[51] = { 0, 0, 0, 11, 's', 's', 'h', '-', 'e', 'd', '2', '5', '5', '1', '9', 0, 0, 0, 32, 1 };
	struct err e = { 0 };
	struct ssh_key k;

	if (ssh_key_parse(mem, nobody, sizeof(nobody), &k, &e) < 0 || revoked_check(mem, list, n, &k, &e) < 0)
		return arena_strdup(mem, e.text);
	return NULL;
}

int
approval_keys_load(struct arena *mem, const struct files *files, struct approval_keys *out, struct err *e)
{
	struct approval_keys k = { 0 };
	struct err why = { 0 };
	const char *text;
	size_t n;
	int rc;

	if ((rc = read_file(mem, files, APPROVERS_SIGNERS, &text, &n, e)) < 0 || (text && (rc = signers_parse(mem, text, n, &k.signers, e)) < 0))
		return err_wrap(e, APPROVERS_SIGNERS);
	k.there = text != NULL;
	rc = read_file(mem, files, APPROVERS_REVOKED, &k.revoked, &k.nrevoked, &why);
	if (rc < 0 && rc != ERR_INVALID)
		return err_set(e, rc, APPROVERS_REVOKED ": %s", why.text);
	if (rc < 0)
		k.unreadable = arena_strdup(mem, why.text);
	else if (k.revoked)
		k.unreadable = unreadable(mem, k.revoked, k.nrevoked);
	*out = k;
	return 0;
}

/* -- lines ------------------------------------------------------------------------------------------------------------ */

bool
approver_purpose(const struct signer *s)
{
	return !s->namespaces || pattern_list_match(s->namespaces, "git") || pattern_list_match(s->namespaces, "approval@berth");
}

bool
approver_revoked(const struct approval_keys *k, const struct signer *s)
{
	struct arena *AUTO_ARENA mem = arena_new(LOOK_ARENA);

	return k->unreadable || (k->revoked && revoked_check(mem, k->revoked, k->nrevoked, &s->key, NULL) < 0);
}

bool
approver_next(struct arena *mem, const char **rest, const char **principal)
{
	size_t n = strcspn(*rest, ",");

	if (!**rest)
		return false;
	*principal = arena_strndup(mem, *rest, n);
	*rest += n + ((*rest)[n] == ',');
	return true;
}

/* A CA's line says whom its certificates may name, so patterns mean people there. */
static bool
means(const struct people *people, const struct signer *s, const char *user)
{
	struct arena *AUTO_ARENA mem = arena_new(65536);
	const struct person *who = map_get(&people->names, user);
	const char *rest = s->principals, *one;

	if (who && s->authority && (pattern_list_match(s->principals, user) || (who->mail && pattern_list_match(s->principals, who->mail))))
		return true;
	while (who && approver_next(mem, &rest, &one))
		if (people_find(people, one) == who)
			return true;
	return false;
}

bool
approver_has_key(const struct approval_keys *k, const struct people *people, const struct map *logins, const char *user)
{
	for (size_t i = 0; i < k->signers.n; i++) {
		const struct signer *s = &k->signers.items[i];
		char hex[DIGEST_HEX];

		login_digest(&s->key, hex);
		if (means(people, s, user) && approver_purpose(s) && !map_has(logins, hex) && !approver_revoked(k, s))
			return true;
	}
	return false;
}

bool
approval_keys_of(const struct approval_keys *k, const struct approval_rules *r, const char *user)
{
	return approver_has_key(k, &r->people, &r->logins, user);
}

/* -- the whole --------------------------------------------------------------------------------------------------------- */

int
approval_look(struct arena *mem, const struct files *files, struct approval_state *out, struct err *e)
{
	struct arena *AUTO_ARENA own = arena_new(LOOK_ARENA);
	struct approval_state s = { 0 };
	struct approval_rules *r;
	struct approval_keys k;
	int rc;

	if ((rc = approval_rules_load(own, files, &r, e)) < 0 || (rc = approval_keys_load(own, files, &k, e)) < 0)
		return rc;
	s.mode = r->mode;
	s.admins = r->nadmins;
	s.needed = approval_needed(r);
	s.only = r->nadmins == 1 ? arena_strdup(mem, r->admins[0]) : NULL;
	for (size_t i = 0; i < r->nadmins; i++) {
		if (approval_keys_of(&k, r, r->admins[i])) {
			s.keyed++;
			continue;
		}
		s.without = s.without ? arena_printf(mem, "%s, %s", s.without, r->admins[i]) : arena_strdup(mem, r->admins[i]);
	}
	*out = s;
	return 0;
}
