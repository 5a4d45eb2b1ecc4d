/* SPDX-License-Identifier: Apache-2.0 */
/* What the decryptor told of sealed files and host keys: asked once for the same bytes at the same place. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "parse/secrets.h"
#include "reconcile_pass.h"

#define KNOWN_MAX 50000   /* answers that are kept; more, or more bytes of them, and all are asked for again */
#define KNOWN_BYTES ((size_t)64 << 20)
#define AHEAD_ARENA ((size_t)128 << 20) /* answers may have 256 values each, with long names */
#define AHEAD_MAX 1000    /* paths of one owner that are looked at */
#define RETRY_MS 2000     /* until what could not be answered is asked again … */
#define RETRY_MOST_MS 60000

/* One answer: values, or why there are none. */
struct known {
	struct sealed_value *values; /* one block with their names */
	size_t n;
	struct err *e;               /* NULL: it opened */
};

struct seals {
	struct decryptor *d;    /* NULL: no master key */
	struct map ahead;       /* "ID PATH GENERATION UID" of files that were asked for with others */
	struct map known;       /* digest of the question -> struct known * */
	size_t bytes;           /* of them */
	char *signer;           /* of berth.yaml; NULL: none */
	struct map owners;      /* who waits for an answer; "" is everybody */
	unsigned failures;      /* passes in a row in which the decryptor could not answer */
	int64_t retry_at;       /* clock_mono_ms; 0: nobody waits */
};

struct seals *
seals_new(struct decryptor *d)
{
	struct seals *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->d = d;
	return s;
}

static void
forget(struct seals *s)
{
	void *v;

	for (size_t i = 0; map_next(&s->known, &i, NULL, &v);) {
		struct known *k = v;

		free(k->values);
		free(k->e);
		free(k);
	}
	map_free(&s->known);
	map_free(&s->ahead);
	s->bytes = 0;
}

void
seals_free(struct seals *s)
{
	if (!s)
		return;
	forget(s);
	map_free(&s->owners);
	free(s->signer);
	free(s);
}

/* -- whose key it is ------------------------------------------------------------------------------------------------------------ */

/* Type and key; a comment behind them is nobody's business. */
static bool
same_key(const char *a, const char *b)
{
	size_t n = strcspn(a, " "), m = strcspn(b, " ");

	n += a[n] ? 1 + strcspn(a + n + 1, " ") : 0;
	m += b[m] ? 1 + strcspn(b + m + 1, " ") : 0;
	return n == m && strncmp(a, b, n) == 0;
}

bool
seals_judge(struct seals *s, const char *signer, struct err *e)
{
	bool changed = !str_eq(s->signer, signer);

	if (changed) {
		free(s->signer);
		s->signer = signer ? strdup(signer) : NULL;
	}
	if (!signer || (s->d && same_key(signer, decryptor_signer(s->d))))
		return true;
	if (!s->d) {
		(void)seals_refuse(s, e);
		return !changed;
	}
	(void)err_set(e, ERR_DENIED, "berth has another master key than berth.yaml says: spec.secrets.signer is not the key's signer");
	(void)err_hint(e, "start berth with the master key that belongs to it, or, when the key was replaced, write spec.secrets.signer: \"%s\"; no Secret is "
	               "made or changed until then", decryptor_signer(s->d));
	return !changed;
}

int
seals_refuse(const struct seals *s, struct err *e)
{
	if (!s->d) {
		(void)err_set(e, ERR_DENIED, "berth was started without a master key, so nothing that is sealed can be opened");
		return err_hint(e, "an admin: start `berth run` with --master-key FILE, the key of spec.secrets.signer; what is live stays as it is");
	}
	if (!s->signer) {
		(void)err_set(e, ERR_DENIED, "berth.yaml names no spec.secrets.signer");
		return err_hint(e, "an admin: write spec.secrets.signer: \"%s\"", decryptor_signer(s->d));
	}
	if (!same_key(s->signer, decryptor_signer(s->d))) {
		(void)err_set(e, ERR_DENIED, "berth has another master key than berth.yaml says");
		return err_hint(e, "an admin: start berth with the key whose signer berth.yaml names in spec.secrets.signer, or correct that");
	}
	return 0;
}

/* -- asking ----------------------------------------------------------------------------------------------------------------------- */

static void
hash_place(struct hash_state *h, const struct seal_place *p)
{
	const char scope = (char)('0' + (int)p->scope);

	hash_field(h, &scope, 1);
	hash_field_str(h, p->owner);
	hash_field_str(h, p->uid);
	hash_field_str(h, p->env);
}

static void
key_of(const struct sealed *f, char out[DIGEST_HEX])
{
	const unsigned numbers[3] = { (unsigned)f->format, f->generation, f->oldest };
	struct hash_state h;
	struct digest d;

	hash_init(&h);
	hash_field_str(&h, "look");
	hash_place(&h, &f->place);
	hash_field(&h, numbers, sizeof(numbers));
	hash_field(&h, f->bytes, f->n);
	hash_final(&h, &d);
	digest_hex(&d, out);
}

static void
host_key_of(const struct seal_place *env, const char *const *names, size_t n, char out[DIGEST_HEX])
{
	struct hash_state h;
	struct digest d;

	hash_init(&h);
	hash_field_str(&h, "host");
	hash_place(&h, env);
	for (size_t i = 0; i < n; i++)
		hash_field_str(&h, names[i]);
	hash_final(&h, &d);
	digest_hex(&d, out);
}

static void
remember(struct seals *s, const char *key, const struct sealed_value *values, size_t n, const struct err *e)
{
	struct known *k = calloc(1, sizeof(*k));
	size_t size = n * sizeof(*values);
	char *at;

	if (s->known.live >= KNOWN_MAX || s->bytes > KNOWN_BYTES)
		forget(s);
	for (size_t i = 0; i < n; i++)
		size += strlen(values[i].name) + 1;
	if (!k || !(k->values = malloc(size + 1)) || (e && !(k->e = malloc(sizeof(*e)))))
		abort();
	s->bytes += size + sizeof(*k) + (e ? sizeof(*e) : 0);
	k->n = n;
	at = (char *)(k->values + n);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(values[i].name) + 1;

		k->values[i] = values[i];
		k->values[i].name = memcpy(at, values[i].name, len);
		at += len;
	}
	if (e)
		*k->e = *e;
	(void)map_put(&s->known, key, k);
}

/* No answer now: whoever asked is looked at again. */
static void
wait_for(struct seals *s, const char *owner)
{
	(void)map_put(&s->owners, owner ? owner : "", NULL);
}

int
seals_look(void *ctx, struct arena *mem, const struct sealed *f, struct sealed_value **out, size_t *n, struct err *e)
{
	struct seals *s = ctx;
	char key[DIGEST_HEX];
	unsigned generation;
	struct known *k;
	int rc = seals_refuse(s, e);

	if (rc < 0)
		return rc;
	key_of(f, key);
	if (!(k = map_get(&s->known, key))) {
		struct err why = { 0 };

		rc = decryptor_look(s->d, mem, f, out, n, &generation, &why);
		if (rc < 0 && rc != ERR_DENIED && rc != ERR_INVALID) {
			wait_for(s, f->place.owner);
			*e = why;
			return rc;
		}
		remember(s, key, rc == 0 ? *out : NULL, rc == 0 ? *n : 0, rc < 0 ? &why : NULL);
		k = map_get(&s->known, key);
	}
	if (k->e) {
		*e = *k->e;
		return e->code;
	}
	*out = arena_memdup(mem, k->values, k->n * sizeof(*k->values) + 1);
	*n = k->n;
	for (size_t i = 0; i < k->n; i++)
		(*out)[i].name = arena_strdup(mem, k->values[i].name);
	return 0;
}

int
seals_host(void *ctx, const struct seal_place *env, const char *const *names, size_t n, char digest[SEAL_DIGEST_HEX], struct err *e)
{
	struct seals *s = ctx;
	char key[DIGEST_HEX];
	struct known *k;
	int rc = seals_refuse(s, e);

	if (rc < 0) { /* the environment goes on with the host key that it has: the target says that it gets none */
		digest[0] = '\0';
		return 0;
	}
	host_key_of(env, names, n, key);
	if (!(k = map_get(&s->known, key))) {
		struct sealed_value v = { .name = "" };

		if ((rc = decryptor_host(s->d, env, names, n, v.digest, NULL, e)) < 0) {
			if (err_retryable(rc))
				wait_for(s, env->owner);
			return rc;
		}
		remember(s, key, &v, 1, NULL);
		k = map_get(&s->known, key);
	}
	memcpy(digest, k->values[0].digest, SEAL_DIGEST_HEX);
	return 0;
}

/* -- several at once --------------------------------------------------------------------------------------------------------------- */

/* Of one owner: what is asked for together. */
struct ahead {
	struct seals *s;
	struct arena *mem;
	const struct files *files;
	const char *uid;
	struct secret_settings set;
	struct sealed list[DECRYPTOR_LOOKS_MAX];
	size_t n, bytes;
};

/* Once for the same bytes at the same place: what the decryptor did not tell then is asked for alone. */
static bool
is_first(struct ahead *a, const struct file_entry *f)
{
	char hex[OID_HEX];
	const char *key;

	oid_hex(&f->id, hex);
	key = arena_printf(a->mem, "%s %s %u %u %s", hex, f->path, a->set.generation, a->set.oldest, a->uid);
	if (map_has(&a->s->ahead, key))
		return false;
	if (a->s->ahead.live >= KNOWN_MAX)
		map_free(&a->s->ahead);
	(void)map_put(&a->s->ahead, key, NULL);
	return true;
}

static void
add_file(struct ahead *a, const struct file_entry *f)
{
	struct sealed x = { .generation = a->set.generation, .oldest = a->set.oldest };
	char key[DIGEST_HEX];

	if (a->n == DECRYPTOR_LOOKS_MAX || place_of_path(a->mem, f->path, &x.place, &x.format, NULL) < 0 || !is_first(a, f) ||
	    a->files->read(a->files->ctx, f, DECRYPTOR_LOOKS_BYTES - a->bytes, a->mem, &x.bytes, &x.n, NULL) < 0)
		return;
	x.place.uid = a->uid;
	key_of(&x, key);
	if (map_has(&a->s->known, key))
		return;
	a->list[a->n++] = x;
	a->bytes += x.n;
}

static void
ask_ahead(struct ahead *a)
{
	struct decryptor_looked *out = arena_array(a->mem, a->n, sizeof(*out));
	struct err ignored = { 0 };
	char key[DIGEST_HEX];

	/* an error is one of the question: each is asked for alone, and told then */
	if (decryptor_looks(a->s->d, a->mem, a->list, a->n, out, &ignored) < 0)
		return;
	for (size_t i = 0; i < a->n; i++) {
		if (!out[i].known)
			continue;
		key_of(&a->list[i], key);
		remember(a->s, key, out[i].values, out[i].n, out[i].e);
	}
}

void
seals_ahead(void *ctx, const struct world *w, const char *owner)
{
	struct arena *AUTO_ARENA mem = arena_new(AHEAD_ARENA);
	const struct doc *user = site_get(world_site(w), KIND_USER, owner), *org = world_site(w)->org;
	struct ahead a = { .s = ctx, .mem = mem, .files = world_files(w) };
	const struct file_entry *f;
	size_t n;

	if (!user || !org || seals_refuse(a.s, NULL) < 0 || !(a.uid = value_as_str(value_get(user->spec, "uid"), NULL)))
		return;
	secrets_settings(org, &a.set);
	f = files_under(a.files, arena_printf(mem, "envs/%s/secrets/", owner), &n);
	for (size_t i = 0; i < n && i < AHEAD_MAX; i++)
		add_file(&a, &f[i]);
	if (a.n > 1)
		ask_ahead(&a);
}

/* -- again ------------------------------------------------------------------------------------------------------------------------ */

bool
seals_due(const struct seals *s)
{
	return s->retry_at && clock_mono_ms() >= s->retry_at;
}

bool
seals_take_due(struct seals *s, struct pass *p)
{
	const char *owner;
	bool all = map_has(&s->owners, "");

	for (size_t i = 0; map_next(&s->owners, &i, &owner, NULL);)
		if (*owner)
			(void)map_put(&p->dirty, owner, NULL);
	map_free(&s->owners);
	s->retry_at = 0;
	return all;
}

int64_t
seals_schedule(struct seals *s)
{
	int64_t ms;

	if (!s->owners.live) {
		s->failures = 0;
		s->retry_at = 0;
		return 0;
	}
	ms = clock_backoff(RETRY_MS, s->failures++, RETRY_MOST_MS);
	s->retry_at = clock_mono_ms() + ms;
	return ms;
}
