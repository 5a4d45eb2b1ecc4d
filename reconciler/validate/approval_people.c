/* SPDX-License-Identifier: Apache-2.0 */
/* Who a signer or an author is. */
#include <string.h>

#include "lib/base/str.h"
#include "validate/approval_priv.h"

static struct person nobody;

char *
people_fold(struct arena *mem, const char *s)
{
	char *out = arena_strdup(mem, s);

	for (char *p = out; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return out;
}

/* What two people have is nobody's. */
static void
claim(struct map *m, const char *key, struct person *who)
{
	(void)map_put(m, key, map_has(m, key) ? &nobody : who);
}

void
people_add(struct people *p, struct arena *mem, const char *name, const struct value *spec)
{
	const char *mail = value_as_str(value_get(spec, "email"), NULL);
	const struct value *forge = value_get(spec, "forge"), *login = value_get(forge, "login");
	struct person *who = arena_alloc(mem, sizeof(*who));

	who->name = arena_strdup(mem, name);
	who->account_by_name = spec && !login && (!forge || value_is(forge, VALUE_MAP));
	(void)map_put(&p->names, name, who);
	if (value_is(login, VALUE_STR) && strlen(login->str.s) == login->str.len)
		claim(&p->accounts, people_fold(mem, login->str.s), who);
	/* what is no address could be somebody's name */
	if (!mail || !strchr(mail, '@'))
		return;
	who->mail = people_fold(mem, mail);
	claim(&p->mails, who->mail, who);
}

#define MAIL_MAX 320

/* The person that a map has for this text, in lower case. */
static const struct person *
look_up(const struct map *m, const char *text)
{
	char folded[MAIL_MAX + 1];
	size_t n = strlen(text);

	if (n > MAIL_MAX)
		return NULL;
	for (size_t i = 0; i <= n; i++)
		folded[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
	return map_get(m, folded);
}

const struct person *
people_find(const struct people *p, const char *text)
{
	const struct person *who = look_up(strchr(text, '@') ? &p->mails : &p->names, text);

	return who == &nobody ? NULL : who;
}

const struct person *
people_account(const struct people *p, const char *login)
{
	const struct person *who = look_up(&p->accounts, login);

	if (who)
		return who == &nobody ? NULL : who;
	who = look_up(&p->names, login);
	return who && who->account_by_name ? who : NULL;
}

#define GITHUB "users.noreply.github.com"

const char *
approval_author(const struct approval_rules *r, const char *mail)
{
	const struct person *who = people_find(&r->people, mail);
	const char *at = strchr(mail, '@'), *login = mail;
	char text[MAIL_MAX + 1];
	size_t digits;

	if (who || !at || r->mode != APPROVAL_FORGE || strlen(mail) > MAIL_MAX || (!str_starts(at, "@users.noreply.") && !str_starts(at, "@noreply.")))
		return who ? who->name : NULL;
	/* 4711+carol@ of GitHub, 4711-carol@ of GitLab; an account of GitHub may begin with digits and '-' itself */
	digits = strspn(mail, "0123456789");
	if (digits && (mail[digits] == '+' || (mail[digits] == '-' && !str_eq(at + 1, GITHUB))))
		login = mail + digits + 1;
	memcpy(text, login, (size_t)(at - login));
	text[at - login] = '\0';
	who = people_account(&r->people, text);
	return who ? who->name : NULL;
}

void
login_digest(const struct ssh_key *k, char out[DIGEST_HEX])
{
	struct digest d;

	hash_bytes(k->plain.p, k->plain.n, &d);
	digest_hex(&d, out);
}

void
logins_add(struct map *logins, struct arena *mem, const struct value *user_spec, const void *value)
{
	const struct value *keys = value_get(user_spec, "sshKeys");

	for (size_t i = 0; value_is(keys, VALUE_LIST) && i < value_len(keys); i++) {
		const struct value *v = value_item(keys, i);
		char hex[DIGEST_HEX];
		struct ssh_key k;

		/* what cannot be read here could not approve either */
		if (!value_is(v, VALUE_STR) || ssh_key_line(mem, v->str.s, v->str.len, &k, NULL) < 0)
			continue;
		login_digest(&k, hex);
		/* the map hands out void pointers; nothing is changed through it */
		(void)map_put(logins, hex, (void *)(uintptr_t)value);
	}
}

void
people_free(struct people *p)
{
	map_free(&p->names);
	map_free(&p->mails);
	map_free(&p->accounts);
}
