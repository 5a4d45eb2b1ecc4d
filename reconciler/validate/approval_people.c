/* SPDX-License-Identifier: Apache-2.0 */
/* Who a signer or an author is. */
#include <string.h>

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

void
people_add(struct people *p, struct arena *mem, const char *name, const char *mail)
{
	struct person *who = arena_alloc(mem, sizeof(*who));

	who->name = arena_strdup(mem, name);
	(void)map_put(&p->names, name, who);
	/* what is no address could be somebody's name */
	if (!mail || !strchr(mail, '@'))
		return;
	who->mail = people_fold(mem, mail);
	(void)map_put(&p->mails, who->mail, map_has(&p->mails, who->mail) ? &nobody : who);
}

#define MAIL_MAX 320

const struct person *
people_find(const struct people *p, const char *text)
{
	char folded[MAIL_MAX + 1];
	const struct person *who;
	size_t n = strlen(text);

	if (n > MAIL_MAX)
		return NULL;
	for (size_t i = 0; i <= n; i++)
		folded[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
	who = map_get(strchr(folded, '@') ? &p->mails : &p->names, folded);
	return who == &nobody ? NULL : who;
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
}
