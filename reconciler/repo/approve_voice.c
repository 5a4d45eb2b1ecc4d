/* SPDX-License-Identifier: Apache-2.0 */
/* From keys to people, under the policy of one tree. */
#include "repo/approve_voice.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/git/signed.h"

#define SIGNERS_FILE "approvers/allowed_signers"
#define REVOKED_FILE "approvers/revoked_keys"

static int
read_file(struct git_repo *g, const struct oid *tree, const char *path, struct arena *mem, const char **bytes, size_t *n, struct err *e)
{
	int rc = git_tree_read(g, tree, path, SIGNERS_MAX, mem, bytes, n, e);

	if (rc == ERR_NOTFOUND) {
		*bytes = NULL;
		*n = 0;
		return 0;
	}
	return rc;
}

int
voices_load(struct git_repo *g, const struct oid *tree, const struct approve_judge *judge, struct arena *mem, struct voices *out,
            struct err *e)
{
	struct voices v = { .judge = judge };
	const char *text;
	size_t n;
	int rc;

	rc = read_file(g, tree, SIGNERS_FILE, mem, &text, &n, e);
	if (rc == 0 && text)
		rc = signers_parse(mem, text, n, &v.signers, e);
	if (rc == ERR_INVALID) { /* a link, or too large: nobody */
		v.signers = (struct signers){ 0 };
		rc = 0;
	}
	if (rc == 0)
		rc = read_file(g, tree, REVOKED_FILE, mem, &v.revoked, &v.nrevoked, e);
	if (rc == ERR_INVALID) { /* revoked are those that nobody can list: all */
		v.signers = (struct signers){ 0 };
		rc = 0;
	}
	if (rc == 0)
		*out = v;
	return rc;
}

static const char *
person_if_allowed(const struct voices *v, const struct ssh_key *k, const char *principal, const char *ns, int64_t when, struct arena *mem)
{
	const char *who = v->judge->person(v->judge->ctx, principal);

	return who && signers_allow(mem, &v->signers, k, principal, ns, when, NULL, NULL) == 0 ? who : NULL;
}

/* A certificate names its principals, a line of a plain key lists them; a pattern is no person. */
static const char *
by_certificate(const struct voices *v, const struct ssh_key *k, const char *ns, int64_t when, struct arena *mem)
{
	struct span rest = k->certificate.principals, one;
	const char *who = NULL;

	while (!who && span_string(&rest, &one))
		if (!memchr(one.p, 0, one.n))
			who = person_if_allowed(v, k, arena_strndup(mem, (const char *)one.p, one.n), ns, when, mem);
	return who;
}

static const char *
by_line(const struct voices *v, const struct ssh_key *k, const struct signer *line, const char *ns, int64_t when, struct arena *mem)
{
	const char *who = NULL;

	for (const char *p = line->principals; !who && *p;) {
		size_t n = strcspn(p, ",");
		const char *principal = arena_strndup(mem, p, n);

		if (!strpbrk(principal, "*?!"))
			who = person_if_allowed(v, k, principal, ns, when, mem);
		p += n + (p[n] == ',');
	}
	return who;
}

bool
voice_is_listed(const struct voices *v, const struct ssh_key *k, struct arena *mem)
{
	const struct signer **lines;
	size_t n;

	signers_of(mem, &v->signers, k, &lines, &n);
	return n > 0;
}

const char *
voice_of_key(const struct voices *v, const struct ssh_key *k, const char *ns, int64_t when, struct arena *mem)
{
	const struct signer **lines;
	const char *who = NULL;
	size_t n;

	if (!voice_is_listed(v, k, mem) || v->judge->logs_in(v->judge->ctx, k))
		return NULL;
	if (v->revoked && revoked_check(mem, v->revoked, v->nrevoked, k, NULL) < 0)
		return NULL;
	if (k->has_certificate)
		return by_certificate(v, k, ns, when, mem);
	signers_of(mem, &v->signers, k, &lines, &n);
	for (size_t i = 0; i < n && !who; i++)
		who = by_line(v, k, lines[i], ns, when, mem);
	return who;
}

const char *
voice_of_commit(const struct voices *v, struct git_repo *g, const struct oid *commit, int64_t when, struct arena *mem)
{
	const char *raw, *sig, *payload;
	size_t n, nsig, npayload;
	struct sshsig s;

	if (!v->signers.n || git_commit_raw(g, commit, mem, &raw, &n, NULL) < 0 ||
	    commit_signature(mem, raw, n, false, &sig, &nsig, &payload, &npayload, NULL) < 0 || sshsig_read(mem, sig, nsig, &s, NULL) < 0 ||
	    sshsig_check(&s, "git", payload, npayload, NULL) < 0)
		return NULL;
	return voice_of_key(v, &s.key, "git", when, mem);
}

const char *
approve_signer(struct git_repo *g, const struct oid *tree, const struct approve_judge *judge, const struct oid *commit, int64_t when,
               struct arena *mem)
{
	struct voices v;

	return voices_load(g, tree, judge, mem, &v, NULL) < 0 ? NULL : voice_of_commit(&v, g, commit, when, mem);
}

/* -- what was said --------------------------------------------------------------------------------------------------------------- */

static size_t
index_of(const char *const *list, size_t n, const char *who)
{
	size_t i = 0;

	while (i < n && !str_eq(list[i], who))
		i++;
	return i;
}

/* Where the voice stands. */
static size_t
add_voice(struct said *s, const char *who)
{
	size_t n = s->nvoices, i = index_of(s->voices, n, who);

	if (i < n)
		return i;
	s->voices = arena_regrow(s->mem, s->voices, n, n + 1, sizeof(*s->voices));
	s->how = arena_regrow(s->mem, s->how, n, n + 1, sizeof(*s->how));
	s->when = arena_regrow(s->mem, s->when, n, n + 1, sizeof(*s->when));
	s->voices[n] = who;
	s->nvoices++;
	return n;
}

void
said_signed(struct said *s, const char *who, int64_t when)
{
	size_t i = add_voice(s, who);

	s->how[i] = NULL;
	s->when[i] = when > s->when[i] ? when : s->when[i];
}

void
said_review(struct said *s, const char *who, const char *how)
{
	size_t had = s->nvoices, i = add_voice(s, who);

	if (i == had)
		s->how[i] = how;
}

void
said_against(struct said *s, const char *who, int64_t pull, int64_t at)
{
	s->against = arena_regrow(s->mem, s->against, s->nagainst, s->nagainst + 1, sizeof(*s->against));
	s->against[s->nagainst++] = (struct said_against){ who, pull, at };
}

void
said_author(struct said *s, const char *who)
{
	if (index_of(s->authors, s->nauthors, who) < s->nauthors)
		return;
	s->authors = arena_regrow(s->mem, s->authors, s->nauthors, s->nauthors + 1, sizeof(*s->authors));
	s->authors[s->nauthors++] = who;
}

void
said_evidence(struct said *s, const struct evidence *v)
{
	s->evidence = arena_regrow(s->mem, s->evidence, s->nevidence, s->nevidence + 1, sizeof(struct evidence *));
	s->evidence[s->nevidence++] = v;
}

const char *
said_no(const struct said *s, struct arena *mem)
{
	for (size_t i = 0; i < s->nagainst; i++) {
		const struct said_against *a = &s->against[i];
		size_t k = index_of(s->voices, s->nvoices, a->who);

		if (k == s->nvoices || s->when[k] <= a->at)
			return arena_printf(mem, "%s asks for changes on pull request %" PRId64, a->who, a->pull);
	}
	return NULL;
}

static const char *const *
copy(const char *const *list, size_t n, struct arena *mem)
{
	const char **out = arena_array(mem, n + 1, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = list[i] ? arena_strdup(mem, list[i]) : NULL;
	return out;
}

const char *const *
said_voices(const struct said *s, struct arena *mem)
{
	return copy(s->voices, s->nvoices, mem);
}

const char *const *
said_how(const struct said *s, struct arena *mem)
{
	return copy(s->how, s->nvoices, mem);
}
