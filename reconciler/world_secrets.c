/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of an environment's secrets, from whoever may open them. */
#include "world_secrets.h"

#include <string.h>

#include "parse/host_names.h"
#include "parse/secrets.h"

static const struct sealed_value *
named(const struct sealed_value *values, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(values[i].name, name) == 0)
			return &values[i];
	return NULL;
}

/* Of an entry that is made of all values together. */
static void
digest_of_all(const struct sealed_value *values, size_t n, char out[SEAL_DIGEST_HEX])
{
	struct hash_state h;
	char hex[DIGEST_HEX];
	struct digest d;

	hash_init(&h);
	for (size_t i = 0; i < n; i++) {
		hash_field_str(&h, values[i].name);
		hash_field_str(&h, values[i].digest);
	}
	hash_final(&h, &d);
	digest_hex(&d, hex);
	memcpy(out, hex, SEAL_DIGEST_HEX - 1);
	out[SEAL_DIGEST_HEX - 1] = '\0';
}

static int
take_digests(struct env_secret *s, const struct sealed_value *values, size_t n, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct sealed_value *v = named(values, n, s->entries[i].value);

		if (v)
			memcpy(s->entries[i].digest, v->digest, SEAL_DIGEST_HEX);
		else if (s->as == SECRET_REGISTRY)
			digest_of_all(values, n, s->entries[i].digest);
		else
			return err_set(e, ERR_INTERNAL, "%s: opened, it has no value '%s'", s->file, s->entries[i].value);
	}
	return 0;
}

static void
say_not_opened(struct report *r, struct place at, const struct err *e)
{
	struct finding *f = say(r, NOT_OPENED, at, "secrets: %s", e->text);

	if (e->hint[0])
		finding_help(r, f, "%s", e->hint);
}

size_t
world_open_secrets(world_look_fn look, world_host_fn host, void *ctx, struct arena *mem, struct env *env, struct report *r)
{
	size_t errors = r->errors, nnames;
	const char *const *names;
	struct seal_place place;

	for (size_t i = 0; look && i < env->nsecrets; i++) {
		struct env_secret *s = &env->secrets[i];
		struct sealed_value *values = NULL;
		struct err e = { 0 };
		size_t n = 0;
		int rc;

		if (!s->sealed)
			continue;
		if ((rc = look(ctx, mem, s->sealed, &values, &n, &e)) < 0)
			(void)err_wrap(&e, "%s", s->file);
		else
			rc = take_digests(s, values, n, &e);
		if (rc < 0)
			say_not_opened(r, s->item->at.line ? s->item->at : say_file(env->doc->path), &e);
	}
	if (host && env_host_key(env, &place)) {
		struct err e = { 0 };

		env_host_names(mem, env, &names, &nnames);
		if (host(ctx, &place, names, nnames, env->host_digest, &e) < 0)
			say_not_opened(r, say_file(env->doc->path), &e);
	}
	return r->errors - errors;
}
