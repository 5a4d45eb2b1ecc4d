/* SPDX-License-Identifier: Apache-2.0 */
/* Recipients and known_hosts of one world, signed when they are new. */
#include "reconcile_trust.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/seal/sshsig.h"
#include "parse/host_names.h"
#include "parse/secrets.h"
#include "status/recipients.h"

#define USER_ARENA ((size_t)8 << 20)
#define RETRY_MS 3000
#define STAYS 1
#define SETTINGS "" /* key of `known` for what does not belong to a user; no user is called that */

struct trust {
	struct decryptor *d;
	struct publisher *publisher;
	struct map known; /* user -> what its file was made from (malloc'd text) */
	int64_t retry_at; /* clock_mono_ms; 0: all is published */
};

/* The work on one file. */
struct making {
	struct trust *t;
	const struct world *w;
	struct arena *mem;
	struct secret_settings set;
};

struct trust *
trust_new(struct decryptor *d, struct publisher *p)
{
	struct trust *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->d = d;
	t->publisher = p;
	return t;
}

static void
forget_all(struct trust *t)
{
	void *v;

	for (size_t i = 0; map_next(&t->known, &i, NULL, &v);)
		free(v);
	map_free(&t->known);
}

void
trust_free(struct trust *t)
{
	if (!t)
		return;
	forget_all(t);
	free(t);
}

int64_t
trust_schedule(const struct trust *t)
{
	return t->retry_at ? RETRY_MS : 0;
}

bool
trust_due(const struct trust *t)
{
	return t->retry_at && clock_mono_ms() >= t->retry_at;
}

static void
remember(struct trust *t, const char *name, const char *made_from)
{
	char *copy = strdup(made_from);

	if (!copy)
		abort();
	free(map_put(&t->known, name, copy));
}

/* The file and, signed for `ns`, its signature. */
static int
put_signed(struct making *m, const char *path, const char *ns, const struct buf *text, struct err *e)
{
	struct buf sig AUTO_BUF = BUF_INIT(65536);
	int rc;

	if ((rc = buf_check(text, path, e)) < 0 || (rc = decryptor_sign(m->t->d, ns, text->data, text->len, &sig, e)) < 0)
		return rc;
	publish_file(m->t->publisher, path, text->data, text->len);
	publish_file(m->t->publisher, arena_printf(m->mem, "%s.sig", path), sig.data, sig.len);
	return 0;
}

static int
ask(struct making *m, const struct seal_place *place, const char **out, struct err *e)
{
	char text[AGE_TEXT_MAX];
	int rc = decryptor_recipient(m->t->d, place, m->set.generation, text, e);

	if (rc == 0)
		*out = arena_strdup(m->mem, text);
	return rc;
}

/* -- one user ----------------------------------------------------------------------------------------------------------------- */

static void
forget_user(struct making *m, const char *user)
{
	const char *path = recipients_path(m->mem, user);

	free(map_del(&m->t->known, user));
	publish_file(m->t->publisher, path, NULL, 0);
	publish_file(m->t->publisher, arena_printf(m->mem, "%s.sig", path), NULL, 0);
}

static int
make_user(struct making *m, const struct seal_place *place, const char *const *names, size_t n, struct err *e)
{
	struct recipients r = { .user = place->owner, .uid = place->uid, .generation = m->set.generation, .nenvs = n };
	struct recipient_env *envs = arena_array(m->mem, n + 1, sizeof(*envs));
	struct buf text AUTO_BUF = BUF_INIT(RECIPIENTS_FILE_MAX);
	int rc;

	if ((rc = ask(m, place, &r.recipient, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		struct seal_place of = { PLACE_ENV, place->owner, place->uid, names[i] };

		envs[i].name = names[i];
		if ((rc = ask(m, &of, &envs[i].recipient, e)) < 0)
			return rc;
	}
	r.envs = envs;
	recipients_write(&r, &text);
	return put_signed(m, recipients_path(m->mem, place->owner), RECIPIENTS_NAMESPACE, &text, e);
}

/* STAYS: what the user's document says is not believed, and the file stays as it is. */
static int
publish_user(struct making *m, const char *user, struct err *e)
{
	const struct doc *d = site_get(world_site(m->w), KIND_USER, user);
	const char *uid = value_as_str(value_get(d ? d->spec : NULL, "uid"), "");
	struct seal_place place = { PLACE_OWNER, user, uid, NULL };
	struct buf from AUTO_BUF = BUF_INIT(RECIPIENTS_FILE_MAX);
	const char *const *names;
	size_t n;
	int rc;

	if (d && !d->ok)
		return STAYS;
	if (!d || !*uid) {
		forget_user(m, user);
		return 0;
	}
	world_names(m->w, m->mem, user, &names, &n);
	if (n > RECIPIENTS_ENVS_MAX)
		n = RECIPIENTS_ENVS_MAX;
	buf_printf(&from, "%s %u", uid, m->set.generation);
	for (size_t i = 0; i < n; i++)
		buf_printf(&from, " %s", names[i]);
	if (str_eq(map_get(&m->t->known, user), buf_cstr(&from)))
		return 0;
	if ((rc = make_user(m, &place, names, n, e)) < 0)
		return err_wrap(e, "recipients of %s", user);
	remember(m->t, user, buf_cstr(&from));
	return 0;
}

/* -- what belongs to nobody ------------------------------------------------------------------------------------------------- */

static int
publish_site(struct making *m, const char *ca_lines, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT(RECIPIENTS_FILE_MAX), hosts AUTO_BUF = BUF_INIT(65536);
	struct recipients r = { .generation = m->set.generation };
	int rc;

	if ((rc = ask(m, &(struct seal_place){ .scope = PLACE_SITE }, &r.recipient, e)) < 0)
		return err_wrap(e, "recipients of the site");
	recipients_write(&r, &text);
	known_hosts_write(ca_lines, &hosts);
	if ((rc = put_signed(m, RECIPIENTS_SITE, RECIPIENTS_NAMESPACE, &text, e)) < 0)
		return err_wrap(e, "recipients of the site");
	if ((rc = put_signed(m, KNOWN_HOSTS, KNOWN_HOSTS_NAMESPACE, &hosts, e)) < 0)
		return err_wrap(e, KNOWN_HOSTS);
	return 0;
}

/* True when everybody must be looked at: the first time, and when berth.yaml says something else than before. */
static int
publish_settings(struct making *m, bool *all, struct err *e)
{
	const char *lines = host_ca_lines(m->mem, world_site(m->w)->org, decryptor_host_ca(m->t->d)), *from;
	int rc;

	from = arena_printf(m->mem, "%u %s", m->set.generation, lines);
	if (str_eq(map_get(&m->t->known, SETTINGS), from))
		return 0;
	*all = true;
	if ((rc = publish_site(m, lines, e)) < 0)
		return rc;
	remember(m->t, SETTINGS, from);
	return 0;
}

/* A comment behind the key is no difference. */
static bool
is_ours(const struct making *m)
{
	const char *ours = decryptor_signer(m->t->d), *named = m->set.signer;
	uint8_t a[32], b[32];

	return named && ssh_public_parse(named, strlen(named), a, NULL) == 0 && ssh_public_parse(ours, strlen(ours), b, NULL) == 0 &&
	       memcmp(a, b, sizeof(a)) == 0;
}

/* One user's trouble is nobody else's; a decryptor that does not answer is everybody's. */
static int
publish_owners(struct making *m, const struct map *owners, struct err *e)
{
	struct arena *AUTO_ARENA list = arena_new((size_t)64 << 20);
	const char **all = NULL, *name;
	size_t n = 0, stays = 0;
	int rc, worst = 0;

	if (!owners)
		world_owners(m->w, list, &all, &n);
	for (size_t i = 0; owners ? map_next(owners, &i, &name, NULL) : i < n; i += !owners) {
		arena_reset(m->mem);
		rc = publish_user(m, owners ? name : all[i], e);
		if (rc < 0 && err_retryable(rc))
			return rc;
		stays += rc != 0;
		worst = rc < 0 ? rc : worst;
	}
	if (!owners && !stays)
		publish_folder(m->t->publisher, RECIPIENTS_USERS);
	return worst;
}

int
trust_publish(struct trust *t, const struct world *w, const struct map *owners, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(USER_ARENA);
	struct making m = { .t = t, .w = w, .mem = mem };
	bool all = !owners || t->retry_at;
	int rc;

	if (!t->d)
		return 0;
	secrets_settings(world_site(w)->org, &m.set);
	if (!is_ours(&m)) {
		t->retry_at = 0;
		forget_all(t); /* what it publishes under another signer is all new */
		return 0;
	}
	if ((rc = publish_settings(&m, &all, e)) == 0)
		rc = publish_owners(&m, all ? NULL : owners, e);
	t->retry_at = rc < 0 && err_retryable(rc) ? clock_mono_ms() + RETRY_MS : 0;
	return rc;
}
