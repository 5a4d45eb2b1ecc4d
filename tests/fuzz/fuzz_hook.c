/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks of forges: "github\nName: value\n…\n\nbody". Whatever comes, only who has the secret is believed, one flipped bit is noticed, and what
 * the log is told is one clean line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/hook_event.h"
#include "lib/base/arena.h"

#define MEM ((size_t)16 << 20)
#define NOW 1795644000
#define INPUT_MAX ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SECRET[] = "a secret that no input knows of";

static void
require(bool ok)
{
	if (!ok)
		abort();
}

/* One line of the head; the rest of the text begins behind it. */
static char *
line(char **rest)
{
	char *at = *rest, *end = strchr(at, '\n');

	if (end)
		*end = '\0';
	*rest = end ? end + 1 : at + strlen(at);
	return at;
}

static void
head(struct webhook *w, char *text)
{
	if (!webhook_forge_parse(line(&text), &w->forge))
		w->forge = WEBHOOK_GITEA;
	while (*text) {
		char *name = line(&text), *value = strstr(name, ": ");

		if (!value)
			continue;
		*value = '\0';
		for (unsigned int i = 0; i < WEBHOOK_HEADERS; i++)
			if (strcasecmp(name, webhook_header_name((enum webhook_header)i)) == 0)
				w->headers[i] = value + 2;
	}
}

static void
check_event(const struct webhook *w)
{
	struct hook_event event;
	struct err e = { 0 };

	if (hook_event_read(w, &event, &e) < 0)
		require(!event.hint && e.text[0]);
	for (const char *p = event.about; *p; p++)
		require((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
}

/* Signed as it should be it is believed; with another body it is not. */
static void
check_signed(struct webhook w, char *body)
{
	struct hash_part part = { body, w.len };
	struct webhook_secrets s = { .n = 1, .list = { { .text = (char[]){ "a secret that no input knows of" }, .len = sizeof(SECRET) - 1 } } };
	char said[7 + DIGEST_HEX] = "sha256=";
	struct digest d;

	s.list[0].key = s.list[0].text;
	s.list[0].key_len = s.list[0].len;
	require(webhook_verify(&w, &s, NOW, NULL) == ERR_DENIED);
	w.forge = w.forge == WEBHOOK_GITLAB ? WEBHOOK_GITEA : w.forge;
	hash_hmac(SECRET, sizeof(SECRET) - 1, &part, 1, &d);
	digest_hex(&d, said + strlen(said));
	w.headers[WEBHOOK_HUB_SIGNATURE] = said;
	require(webhook_verify(&w, &s, NOW, NULL) == 0);
	if (!w.len)
		return;
	body[w.len / 2] ^= 1;
	require(webhook_verify(&w, &s, NOW, NULL) == ERR_DENIED);
	body[w.len / 2] ^= 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n\n";
	AUTO_ARENA struct arena *mem = arena_new(MEM);
	struct webhook w = { .forge = WEBHOOK_GITEA };
	struct webhook_secrets s;
	struct digest id, digest;
	const uint8_t *split;
	size_t first;
	bool by_body;
	char *body;

	if (size > INPUT_MAX)
		return 0;
	split = size ? memmem(data, size, mark, strlen(mark)) : NULL;
	first = split ? (size_t)(split - data) : size;
	w.len = split ? size - first - strlen(mark) : 0;
	body = malloc(w.len ? w.len : 1); /* just this long, so that the sanitizer sees a read past its end */
	require(body != NULL);
	if (w.len)
		memcpy(body, split + strlen(mark), w.len);
	w.body = body;
	head(&w, arena_strndup(mem, (const char *)data, first));
	check_event(&w);
	check_signed(w, body);
	webhook_identity(&w, &id, &digest, &by_body);
	require(by_body == (w.forge != WEBHOOK_GITLAB));
	if (webhook_secrets_parse(body, w.len, &s, NULL) == 0) {
		require(s.n >= 1 && s.n <= WEBHOOK_SECRETS_MAX && s.list[0].len >= WEBHOOK_SECRET_MIN && s.list[0].key_len >= WEBHOOK_SECRET_MIN);
		webhook_secrets_free(&s);
	}
	free(body);
	return 0;
}
