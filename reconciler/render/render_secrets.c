/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that hold an environment's secrets: what they are made of, never what is in them. */
#include <stdlib.h>
#include <string.h>

#include "parse/host_names.h"
#include "parse/secrets.h"
#include "render/context_secrets.h"

/* A part and its digest, while they are sorted. */
struct pair {
	struct part part;
	const char *digest;
};

static int
by_key(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->part.key, ((const struct pair *)b)->part.key);
}

static struct object_parts *
parts_of(struct arena *mem, struct pair *pairs, size_t n)
{
	struct object_parts *out = arena_alloc(mem, sizeof(*out));
	struct part *parts = arena_array(mem, n + 1, sizeof(*parts));
	const char **digests = arena_array(mem, n + 1, sizeof(*digests));

	qsort(pairs, n, sizeof(*pairs), by_key);
	for (size_t i = 0; i < n; i++) {
		parts[i] = pairs[i].part;
		digests[i] = pairs[i].digest;
	}
	*out = (struct object_parts){ parts, digests, n };
	return out;
}

static struct value *
head(struct arena *mem, const char *api, const char *kind, const char *name)
{
	struct value *v = pod_str1(mem, "apiVersion", api);

	value_set(mem, v, "kind", value_str(mem, kind));
	value_set(mem, v, "metadata", pod_str1(mem, "name", name));
	return v;
}

static void
sealed_object(struct arena *mem, const struct env_secret *s, struct own_object *out)
{
	struct pair *pairs = arena_array(mem, s->n + 1, sizeof(*pairs));

	for (size_t i = 0; i < s->n; i++) {
		const struct env_secret_entry *x = &s->entries[i];

		pairs[i].part = (struct part){ .key = x->key, .kind = s->as == SECRET_REGISTRY ? PART_DOCKER : PART_VALUE, .sealed = s->sealed,
			                       .file = s->file, .value = x->value };
		pairs[i].digest = x->digest;
	}
	out->value = head(mem, "v1", "Secret", s->object);
	value_set(mem, out->value, "type", value_str(mem, s->type));
	out->parts = parts_of(mem, pairs, s->n);
}

/* https://external-secrets.io/latest/api/externalsecret/: its controller makes the Secret of the same name. */
static void
store_object(struct arena *mem, const struct env_secret *s, struct own_object *out)
{
	struct value *spec = value_map(mem), *store = pod_str1(mem, "kind", "ClusterSecretStore"), *target = pod_str1(mem, "name", s->object);
	struct value *ref = pod_str1(mem, "key", s->remote), *item = pod_str1(mem, "secretKey", s->entries[0].key), *data = value_list(mem);

	value_set(mem, store, "name", value_str(mem, s->store ? s->store : ""));
	value_set(mem, target, "creationPolicy", value_str(mem, "Owner"));
	if (strcmp(s->type, "Opaque") != 0)
		value_set(mem, target, "template", pod_str1(mem, "type", s->type));
	value_set(mem, ref, "property", value_str(mem, s->property));
	value_set(mem, item, "remoteRef", ref);
	value_push(mem, data, item);
	value_set(mem, spec, "refreshInterval", value_str(mem, "1h0m0s"));
	value_set(mem, spec, "secretStoreRef", store);
	value_set(mem, spec, "target", target);
	value_set(mem, spec, "data", data);
	out->value = head(mem, "external-secrets.io/v1", "ExternalSecret", s->object);
	value_set(mem, out->value, "spec", spec);
}

/* -- the host key --------------------------------------------------------------------------------------------------------- */

/* Where no decryptor tells the digest: the same inputs give the same text. */
static const char *
host_stand_in(struct arena *mem, const struct env *env, const char *const *names, size_t n)
{
	struct secret_settings set;
	char hex[DIGEST_HEX];
	struct hash_state h;
	struct digest d;

	secrets_settings(env->org, &set);
	hash_init(&h);
	hash_field_str(&h, set.signer);
	hash_field_str(&h, env->owner);
	hash_field_str(&h, value_as_str(value_get(pod_spec(env->user), "uid"), ""));
	for (size_t i = 0; i < n; i++)
		hash_field_str(&h, names[i]);
	hash_final(&h, &d);
	digest_hex(&d, hex);
	return arena_strndup(mem, hex, SEAL_DIGEST_HEX - 1);
}

static void
host_object(struct arena *mem, const struct env *env, const struct seal_place *place, struct own_object *out)
{
	static const struct {
		const char *key;
		enum part_kind kind;
	} rows[] = {
		{ "ssh_host_ed25519_key", PART_HOST_KEY },
		{ "ssh_host_ed25519_key-cert.pub", PART_HOST_CERT },
		{ "ssh_host_ed25519_key.pub", PART_HOST_PUBLIC },
	};
	struct pair pairs[sizeof(rows) / sizeof(*rows)];
	const struct seal_place *kept = arena_memdup(mem, place, sizeof(*place));
	const char *const *names, *digest;
	size_t n;

	env_host_names(mem, env, &names, &n);
	digest = *env->host_digest ? env->host_digest : host_stand_in(mem, env, names, n);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		pairs[i].part = (struct part){ .key = rows[i].key, .kind = rows[i].kind, .env = kept, .names = names, .nnames = n };
		pairs[i].digest = digest;
	}
	out->value = head(mem, "v1", "Secret", arena_printf(mem, "%s--hostkeys", env->name));
	value_set(mem, out->value, "type", value_str(mem, "Opaque"));
	out->parts = parts_of(mem, pairs, sizeof(rows) / sizeof(*rows));
}

void
render_secrets(struct arena *mem, const struct env *env, struct own_object **out, size_t *n)
{
	struct own_object *list = arena_array(mem, env->nsecrets + 1, sizeof(*list));
	struct seal_place place;
	size_t k = 0;

	for (size_t i = 0; i < env->nsecrets; i++) {
		if (env->secrets[i].sealed)
			sealed_object(mem, &env->secrets[i], &list[k++]);
		else
			store_object(mem, &env->secrets[i], &list[k++]);
	}
	if (env_host_key(env, &place))
		host_object(mem, env, &place, &list[k++]);
	*out = list;
	*n = k;
}
