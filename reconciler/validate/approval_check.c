/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what berth.yaml asks for can be had: findings about approvers/ and approvals before anything waits for them. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "validate/approval_keys.h"
#include "validate/approval_priv.h"
#include "validate/rules.h"

#define CHECK_ARENA ((size_t)256 << 20)
#define LINE "<name> namespaces=\"git,approval@berth\" <key>"

struct check {
	struct report *r;
	struct arena *mem; /* of this check; what findings keep is copied */
	const struct site *s;
	const struct value *approvals;
	struct approval_keys keys;
	struct people people;
	struct map logins;   /* -> path of the user's file */
	struct map signers;  /* digest of a key -> who it speaks for */
};

static struct place
at_line(struct check *c, unsigned line)
{
	return (struct place){ .file = arena_strdup(c->r->mem, APPROVERS_SIGNERS), .line = line, .col = 1 };
}

static struct finding *
warn(struct check *c, enum finding_code code, struct place at, const char *text)
{
	return report_add(c->r, code, SEVERITY_WARNING, at, "%s", text);
}

/* -- lines of allowed_signers ------------------------------------------------------------------------------------------ */

static void
check_broken(struct check *c)
{
	for (size_t i = 0; i < c->keys.signers.nbad; i++) {
		const struct signers_bad *b = &c->keys.signers.bad[i];
		struct finding *f = say(c->r, BAD_FORMAT, at_line(c, b->line), "this line allows nobody: %s", b->why);

		finding_help(c->r, f, "write it as " LINE ", or take it out");
	}
}

static void
check_principal(struct check *c, const struct signer *s, const char *one, const char **who)
{
	const struct person *p = people_find(&c->people, one);
	const char *text = say_text(c->mem, str_line(c->mem, one));
	struct finding *f;

	if (strpbrk(one, "*?!")) {
		if (s->authority)
			return;
		f = warn(c, FINDING_NO_EFFECT, at_line(c, s->line), arena_printf(c->mem, "'%s' is a pattern, and a pattern is no person", text));
		finding_help(c->r, f, "write the name or mail of one user; patterns are for lines with cert-authority");
	} else if (!p) {
		f = warn(c, FINDING_NO_EFFECT, at_line(c, s->line), arena_printf(c->mem, "'%s' is nobody's name or mail in users/", text));
		finding_help(c->r, f, "write the name of a file in users/, or take it out: what the key signs counts for nobody");
	} else if (!*who) {
		*who = p->name;
	} else if (!str_eq(*who, p->name)) {
		f = say(c->r, INCONSISTENT, at_line(c, s->line), "one key speaks for two people, %s and %s", *who, p->name);
		finding_help(c->r, f, "give each their own key: a voice has to be one person's");
	}
}

static void
check_key(struct check *c, const struct signer *s)
{
	char hex[DIGEST_HEX], print[SSH_FINGERPRINT];
	const char *login;
	struct finding *f;

	login_digest(&s->key, hex);
	login = map_get(&c->logins, hex);
	ssh_fingerprint(&s->key.plain, print);
	if (login) {
		f = say(c->r, NOT_PERMITTED, at_line(c, s->line), "%s is a key to log in with, and those never approve anything", print);
		finding_help(c->r, f, "make one for approvals alone: ssh-keygen -t ed25519 -f approval, and put approval.pub here");
		finding_note(c->r, f, "the same key stands in %s", login);
	}
	if (!approver_purpose(s)) {
		f = warn(c, FINDING_NO_EFFECT, at_line(c, s->line),
		         "the line's namespaces have neither git nor approval@berth, so that it allows nothing here");
		finding_help(c->r, f, "write namespaces=\"git,approval@berth\"");
	}
	if (!c->keys.unreadable && approver_revoked(&c->keys, s)) {
		f = warn(c, FINDING_NO_EFFECT, at_line(c, s->line), arena_printf(c->mem, "%s is revoked", print));
		finding_help(c->r, f, "take the line out; the key stays revoked by " APPROVERS_REVOKED);
	}
}

/* The same key on several lines has to be the same person's. */
static void
check_lines(struct check *c)
{
	for (size_t i = 0; i < c->keys.signers.n; i++) {
		const struct signer *s = &c->keys.signers.items[i];
		const char *rest = s->principals, *one, *who;
		char hex[DIGEST_HEX];

		login_digest(&s->key, hex);
		who = s->authority ? NULL : map_get(&c->signers, hex);
		while (approver_next(c->mem, &rest, &one)) {
			const char *first = who;

			check_principal(c, s, one, &who);
			who = s->authority ? first : who;
		}
		if (who)
			(void)map_put(&c->signers, hex, (void *)(uintptr_t)who);
		check_key(c, s);
	}
}

/* -- who there is ------------------------------------------------------------------------------------------------------- */

static void
read_users(struct check *c)
{
	void *v;

	for (size_t i = 0; map_next(&c->s->docs[KIND_USER], &i, NULL, &v);) {
		const struct doc *d = v;
		struct arena *AUTO_ARENA mem = arena_new((size_t)8 << 20);

		people_add(&c->people, c->mem, d->name, d->spec);
		logins_add(&c->logins, mem, d->spec, d->path);
	}
}

/* Everybody who may approve anything at all. */
static size_t
count_approvers(struct check *c)
{
	struct map all AUTO_MAP = MAP_INIT;
	const struct value *list = value_get(c->approvals, "admins");
	void *v;

	for (size_t i = 0; value_is(list, VALUE_LIST) && i < value_len(list); i++)
		(void)map_put(&all, value_as_str(value_item(list, i), ""), NULL);
	for (size_t i = 0; map_next(&c->s->docs[KIND_TEAM], &i, NULL, &v);) {
		list = rules_doc(v, "admins");
		for (size_t k = 0; value_is(list, VALUE_LIST) && k < value_len(list); k++)
			(void)map_put(&all, value_as_str(value_item(list, k), ""), NULL);
	}
	return all.live;
}

static void
check_required(struct check *c, const struct value *v, size_t approvers)
{
	struct finding *f;

	if (!value_is(v, VALUE_INT) || v->integer <= (int64_t)approvers)
		return;
	f = say(c->r, INCONSISTENT, v->at, "%" PRId64 " have to approve, and only %zu may: it could never be", v->integer, approvers);
	finding_help(c->r, f, "ask for %zu or fewer, or name more in approvals.admins", approvers);
}

static void
check_numbers(struct check *c)
{
	const struct value *required = value_get(c->approvals, "required"), *rules = value_get(c->approvals, "rules");
	size_t approvers = count_approvers(c);
	struct finding *f;

	/* that there is nobody at all is said elsewhere */
	for (size_t i = 0; approvers && value_is(rules, VALUE_LIST) && i < value_len(rules); i++)
		check_required(c, value_get(value_item(rules, i), "required"), approvers);
	if (approvers)
		check_required(c, required, approvers);
	if (!value_is(required, VALUE_INT) || required->integer != 0)
		return;
	f = warn(c, FINDING_NO_EFFECT, required->at, "approvals.required is 0 and counts as 1: what nobody approves is not approved");
	finding_help(c->r, f, "write required: 1, or mode: none to apply everything");
}

/* In mode forge whoever has an account has a voice, without any key. */
static bool
by_forge(const struct check *c)
{
	return str_eq(value_as_str(value_get(c->approvals, "mode"), NULL), "forge");
}

static void
say_alone(struct check *c, const struct value *admin)
{
	struct finding *f = warn(c, FINDING_SINGLE_ADMIN, admin->at,
	                         arena_printf(c->mem, "%s is the only admin, and so alone decides everything", admin->str.s));

	if (by_forge(c)) {
		finding_help(c->r, f, "name a second one in approvals.admins");
		finding_note(c->r, f, "whoever has that one account can change what runs, who may approve and berth.yaml");
		return;
	}
	finding_help(c->r, f, "name a second one in approvals.admins, with a key in " APPROVERS_SIGNERS);
	finding_note(c->r, f, "whoever has that one key can change what runs, who may approve and berth.yaml; losing it means a new trust anchor");
}

static void
say_few(struct check *c, size_t keyed, unsigned needed, unsigned shared)
{
	const struct value *admins = value_get(c->approvals, "admins"), *mode = value_get(c->approvals, "mode");
	struct finding *f;

	if (keyed >= needed)
		return;
	if (by_forge(c)) {
		f = say(c->r, INCONSISTENT, admins ? admins->at : mode->at, "%zu users are in approvals.admins, and %u are needed", keyed, needed);
		finding_help(c->r, f, "name one more in approvals.admins who has a file in users/");
		finding_note(c->r, f, "%s", needed > shared ? "guards.minApprovers says so" : "with fewer nobody could approve a change of berth.yaml, users or flavors");
		return;
	}
	f = say(c->r, INCONSISTENT, admins ? admins->at : mode->at, "%zu of the admins %s a key in " APPROVERS_SIGNERS ", and %u are needed", keyed,
	        keyed == 1 ? "has" : "have", needed);
	finding_help(c->r, f, "add for each admin the line " LINE);
	finding_note(c->r, f, "%s", needed > shared ? "guards.minApprovers says so" : "with fewer nobody could approve a change of berth.yaml, users or flavors");
}

static void
check_admins(struct check *c)
{
	const struct value *list = value_get(c->approvals, "admins"), *only = NULL;
	int64_t min = value_as_int(value_at(c->s->org->spec, "guards.minApprovers"), 1);
	size_t admins = 0, keyed = 0;
	unsigned shared;

	for (size_t i = 0; value_is(list, VALUE_LIST) && i < value_len(list); i++) {
		const struct value *v = value_item(list, i);
		struct finding *f;

		/* that there is no such user is said where references are */
		if (!value_is(v, VALUE_STR) || !map_has(&c->people.names, v->str.s))
			continue;
		admins++;
		only = v;
		if (by_forge(c) || approver_has_key(&c->keys, &c->people, &c->logins, v->str.s)) {
			keyed++;
			continue;
		}
		f = warn(c, FINDING_NO_EFFECT, v->at, arena_printf(c->mem, "%s has no key in " APPROVERS_SIGNERS " that counts, and can approve nothing", v->str.s));
		finding_help(c->r, f, "add the line %s namespaces=\"git,approval@berth\" <key>", v->str.s);
	}
	shared = admins == 1 ? 1 : 2;
	say_few(c, keyed, min > shared && min <= 100 ? (unsigned)min : shared, shared);
	if (admins == 1)
		say_alone(c, only);
}

/* -- the whole ------------------------------------------------------------------------------------------------------------- */

static void
check_files(struct check *c, const struct files *files)
{
	const struct value *mode = value_get(c->approvals, "mode");
	struct err e = { 0 };
	struct finding *f;

	if (approval_keys_load(c->mem, files, &c->keys, &e) < 0) {
		f = say(c->r, TOO_LARGE, say_file(APPROVERS_SIGNERS), "%s", e.text);
		finding_help(c->r, f, "make it a regular file of at most %zu KiB with one line for each key", SIGNERS_MAX / 1024);
	} else if (!c->keys.there && !by_forge(c)) {
		f = say(c->r, NOT_FOUND, mode->at, "approvals.mode signed needs " APPROVERS_SIGNERS ", and there is none");
		f->width = value_len(mode);
		finding_help(c->r, f, "add it with one line for each admin: " LINE);
	}
	if (c->keys.unreadable) {
		f = say(c->r, BAD_FORMAT, say_file(APPROVERS_REVOKED), "%s, and so every key counts as revoked", c->keys.unreadable);
		finding_help(c->r, f, "write one public key a line, or make it with ssh-keygen -k -f revoked_keys KEY.pub");
	}
}

void
validate_approvers(const struct site *s, const struct files *files, struct report *r)
{
	struct arena *AUTO_ARENA mem = arena_new(CHECK_ARENA);
	struct check c = { .r = r, .mem = mem, .s = s };

	c.approvals = s->org && s->org->ok ? value_get(s->org->spec, "approvals") : NULL;
	if (!by_forge(&c) && !str_eq(value_as_str(value_get(c.approvals, "mode"), NULL), "signed"))
		return;
	read_users(&c);
	check_files(&c, files);
	check_broken(&c);
	check_lines(&c);
	check_numbers(&c);
	check_admins(&c);
	people_free(&c.people);
	map_free(&c.logins);
	map_free(&c.signers);
}
