/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures, tokens and ids of webhooks. */
#include "lib/net/webhook.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/str.h"

#define SIGNATURES_MAX 8 /* in one webhook-signature */
#define WHSEC "whsec_"

static const char *const forges[WEBHOOK_FORGES] = { "github", "gitlab", "gitea" };

static const char *const header_names[WEBHOOK_HEADERS] = {
	[WEBHOOK_HUB_SIGNATURE] = "X-Hub-Signature-256",
	[WEBHOOK_GITEA_SIGNATURE] = "X-Gitea-Signature",
	[WEBHOOK_FORGEJO_SIGNATURE] = "X-Forgejo-Signature",
	[WEBHOOK_GITLAB_TOKEN] = "X-Gitlab-Token",
	[WEBHOOK_ID] = "webhook-id",
	[WEBHOOK_TIMESTAMP] = "webhook-timestamp",
	[WEBHOOK_SIGNATURE] = "webhook-signature",
	[WEBHOOK_GITHUB_DELIVERY] = "X-GitHub-Delivery",
	[WEBHOOK_GITEA_DELIVERY] = "X-Gitea-Delivery",
	[WEBHOOK_FORGEJO_DELIVERY] = "X-Forgejo-Delivery",
	[WEBHOOK_GITLAB_KEY] = "Idempotency-Key",
	[WEBHOOK_GITLAB_UUID] = "X-Gitlab-Event-UUID",
	[WEBHOOK_GITHUB_EVENT] = "X-GitHub-Event",
	[WEBHOOK_GITEA_EVENT] = "X-Gitea-Event",
	[WEBHOOK_FORGEJO_EVENT] = "X-Forgejo-Event",
};

bool
webhook_forge_parse(const char *name, enum webhook_forge *out)
{
	for (unsigned int i = 0; i < WEBHOOK_FORGES; i++)
		if (strcmp(name, forges[i]) == 0) {
			*out = (enum webhook_forge)i;
			return true;
		}
	return false;
}

const char *
webhook_forge_name(enum webhook_forge f)
{
	return forges[f];
}

const char *
webhook_header_name(enum webhook_header h)
{
	return header_names[h];
}

/* -- secrets ------------------------------------------------------------------------------------------------------- */

static void
wipe(char *p, size_t n)
{
	if (p)
		explicit_bzero(p, n);
	free(p);
}

void
webhook_secrets_free(struct webhook_secrets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		wipe(s->list[i].text, s->list[i].len);
		wipe(s->list[i].key, s->list[i].key_len);
	}
	*s = (struct webhook_secrets){ 0 };
}

static char *
copy(const char *p, size_t n)
{
	char *c = malloc(n + 1);

	if (!c)
		abort();
	memcpy(c, p, n);
	c[n] = '\0';
	return c;
}

static int
decode_key(struct webhook_secret *s, struct err *e)
{
	const size_t skip = strlen(WHSEC);
	AUTO_ARENA struct arena *mem = arena_new((size_t)64 << 10);
	char *key;
	size_t n;

	if (!str_starts(s->text, WHSEC)) {
		s->key = copy(s->text, s->len);
		s->key_len = s->len;
		return 0;
	}
	if (base64_decode(mem, s->text + skip, s->len - skip, &key, &n) < 0)
		return err_set(e, ERR_INVALID, "what stands behind " WHSEC " is not base64");
	if (n < WEBHOOK_SECRET_MIN) {
		explicit_bzero(key, n);
		return err_set(e, ERR_INVALID, "the key behind " WHSEC " has %zu bytes, and %d are the least", n, WEBHOOK_SECRET_MIN);
	}
	s->key = copy(key, n);
	s->key_len = n;
	explicit_bzero(key, n);
	return 0;
}

static int
take_line(struct webhook_secrets *s, const char *line, size_t n, struct err *e)
{
	struct webhook_secret *secret = &s->list[s->n];

	if (s->n == WEBHOOK_SECRETS_MAX)
		return err_set(e, ERR_INVALID, "more than %d secrets", WEBHOOK_SECRETS_MAX);
	if (n < WEBHOOK_SECRET_MIN)
		return err_set(e, ERR_INVALID, "secret %zu has %zu bytes, and %d are the least", s->n + 1, n, WEBHOOK_SECRET_MIN);
	if (n > WEBHOOK_SECRET_MAX)
		return err_set(e, ERR_INVALID, "secret %zu has more than %d bytes", s->n + 1, WEBHOOK_SECRET_MAX);
	if (memchr(line, '\0', n))
		return err_set(e, ERR_INVALID, "secret %zu has a NUL in it", s->n + 1);
	*secret = (struct webhook_secret){ .text = copy(line, n), .len = n };
	s->n++;
	return decode_key(secret, e);
}

int
webhook_secrets_parse(const char *bytes, size_t n, struct webhook_secrets *out, struct err *e)
{
	const char *end = bytes + n, *next;
	struct webhook_secrets s = { 0 };
	int rc = 0;

	for (const char *at = bytes; at < end && rc == 0; at = next) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		next = stop ? stop + 1 : end;
		stop = stop ? stop : end;
		if (stop > at && stop[-1] == '\r')
			stop--;
		if (stop > at && *at != '#')
			rc = take_line(&s, at, (size_t)(stop - at), e);
	}
	if (rc == 0 && !s.n)
		rc = err_set(e, ERR_INVALID, "no secret in it");
	if (rc < 0) {
		webhook_secrets_free(&s);
		return err_hint(e, "a line of 16 bytes or more, the same at the forge: openssl rand -hex 32");
	}
	*out = s;
	return 0;
}

/* -- signatures ---------------------------------------------------------------------------------------------------- */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
hex_digest(const char *s, struct digest *out)
{
	if (strnlen(s, DIGEST_HEX) != DIGEST_HEX - 1)
		return false;
	for (size_t i = 0; i < sizeof(out->b); i++) {
		int high = hex_value(s[2 * i]), low = hex_value(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out->b[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int
no_match(struct err *e, const char *header)
{
	return err_set(e, ERR_DENIED, "%s does not go with the body and the secret", header);
}

/* Hex over the body. Of several headers the first that is there is judged; they say the same. */
static int
verify_hex(const struct webhook *w, const struct webhook_secrets *s, const enum webhook_header *list, size_t n, struct err *e)
{
	const struct hash_part body = { w->body, w->len };
	const char *said = NULL, *name = header_names[list[0]];
	struct digest theirs, ours;
	bool good = false;

	for (size_t i = 0; i < n && !said; i++) {
		said = w->headers[list[i]];
		name = header_names[said ? list[i] : list[0]];
		if (said && list[i] == WEBHOOK_HUB_SIGNATURE && str_starts(said, "sha256="))
			said += strlen("sha256=");
		else if (said && list[i] == WEBHOOK_HUB_SIGNATURE && *said)
			return err_set(e, ERR_DENIED, "%s is not of sha256", name);
	}
	if (!said)
		return err_set(e, ERR_DENIED, "no %s: the hook has no secret at the forge", name);
	if (!*said)
		return err_set(e, ERR_DENIED, "%s is empty: the hook has no secret at the forge", name);
	if (!hex_digest(said, &theirs))
		return err_set(e, ERR_DENIED, "%s is not a signature", name);
	for (size_t i = 0; i < s->n; i++) {
		hash_hmac(s->list[i].text, s->list[i].len, &body, 1, &ours);
		good |= digest_same(&theirs, &ours);
	}
	return good ? 0 : no_match(e, name);
}

/* Digests are compared and not the texts: their length is nobody's business either. */
static int
verify_token(const char *said, const struct webhook_secrets *s, struct err *e)
{
	struct digest theirs, ours;
	bool good = false;

	if (!said || !*said)
		return err_set(e, ERR_DENIED, "no X-Gitlab-Token and no webhook-signature: the hook has no secret at the forge");
	hash_bytes(said, strlen(said), &theirs);
	for (size_t i = 0; i < s->n; i++) {
		hash_bytes(s->list[i].text, s->list[i].len, &ours);
		good |= digest_same(&theirs, &ours);
	}
	return good ? 0 : err_set(e, ERR_DENIED, "X-Gitlab-Token is not the secret");
}

/* "v1,<base64> v1,<base64>": one a key while keys are exchanged; other versions are left out. */
static size_t
signatures(struct arena *mem, const char *said, struct digest *list)
{
	size_t n = 0;

	for (const char *at = said; *at && n < SIGNATURES_MAX;) {
		size_t len = strcspn(at, " ");
		char *bytes;
		size_t got;

		if (len > 3 && len < 64 && memcmp(at, "v1,", 3) == 0 && base64_decode(mem, at + 3, len - 3, &bytes, &got) == 0 &&
		    got == sizeof(list[n].b))
			memcpy(list[n++].b, bytes, got);
		at += len;
		at += strspn(at, " ");
	}
	return n;
}

static int
verify_standard(const struct webhook *w, const struct webhook_secrets *s, int64_t now, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new((size_t)64 << 10);
	const char *id = w->headers[WEBHOOK_ID], *time = w->headers[WEBHOOK_TIMESTAMP];
	const struct hash_part parts[] = { { id, id ? strlen(id) : 0 }, { ".", 1 }, { time, time ? strlen(time) : 0 }, { ".", 1 },
		{ w->body, w->len } };
	struct digest theirs[SIGNATURES_MAX], ours;
	size_t n = signatures(mem, w->headers[WEBHOOK_SIGNATURE], theirs);
	bool good = false;
	int64_t then;

	if (!id || !*id || !time || str_to_i64(time, &then) < 0)
		return err_set(e, ERR_DENIED, "webhook-signature without webhook-id and webhook-timestamp");
	if (!n)
		return err_set(e, ERR_DENIED, "webhook-signature is not a signature");
	for (size_t i = 0; i < s->n; i++) {
		hash_hmac(s->list[i].key, s->list[i].key_len, parts, sizeof(parts) / sizeof(parts[0]), &ours);
		for (size_t k = 0; k < n; k++)
			good |= digest_same(&theirs[k], &ours);
	}
	if (!good)
		return no_match(e, "webhook-signature");
	if (then < now - WEBHOOK_WINDOW_S || then > now + WEBHOOK_WINDOW_S)
		return err_set(e, ERR_DENIED, "webhook-timestamp is more than %d s from this machine's time", WEBHOOK_WINDOW_S);
	return 0;
}

int
webhook_verify(const struct webhook *w, const struct webhook_secrets *s, int64_t now, struct err *e)
{
	static const enum webhook_header github[] = { WEBHOOK_HUB_SIGNATURE };
	static const enum webhook_header gitea[] = { WEBHOOK_HUB_SIGNATURE, WEBHOOK_GITEA_SIGNATURE, WEBHOOK_FORGEJO_SIGNATURE };

	switch (w->forge) {
	case WEBHOOK_GITHUB:
		return verify_hex(w, s, github, 1, e);
	case WEBHOOK_GITEA:
		return verify_hex(w, s, gitea, 3, e);
	case WEBHOOK_GITLAB:
		return w->headers[WEBHOOK_SIGNATURE] ? verify_standard(w, s, now, e) : verify_token(w->headers[WEBHOOK_GITLAB_TOKEN], s, e);
	case WEBHOOK_FORGES:
		break;
	}
	return err_set(e, ERR_DENIED, "no such forge");
}

/* -- the same once more -------------------------------------------------------------------------------------------- */

void
webhook_identity(const struct webhook *w, struct digest *id, struct digest *body, bool *by_body)
{
	static const enum webhook_header ids[WEBHOOK_FORGES][4] = {
		[WEBHOOK_GITHUB] = { WEBHOOK_GITHUB_DELIVERY },
		[WEBHOOK_GITLAB] = { WEBHOOK_ID, WEBHOOK_GITLAB_KEY, WEBHOOK_GITLAB_UUID },
		[WEBHOOK_GITEA] = { WEBHOOK_GITEA_DELIVERY, WEBHOOK_FORGEJO_DELIVERY, WEBHOOK_GITHUB_DELIVERY },
	};
	const char *said = NULL;
	struct hash_state h;

	hash_bytes(w->body, w->len, body);
	for (size_t i = 0; i < 4 && ids[w->forge][i] && (!said || !*said); i++)
		said = w->headers[ids[w->forge][i]];
	hash_init(&h);
	hash_field_str(&h, forges[w->forge]);
	if (said && *said)
		hash_field_str(&h, said);
	else
		hash_add(&h, body->b, sizeof(body->b));
	hash_final(&h, id);
	*by_body = w->forge != WEBHOOK_GITLAB;
}
