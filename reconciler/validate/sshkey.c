/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys read down to their numbers: a key that sshd would skip locks its owner out without a word. */
#include "validate/sshkey.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/str.h"
#include "lib/seal/ssh_wire.h"

#define BLOB_MAX 16384
#define RSA_BITS_MIN 3072
#define RSA_BITS_MAX 16384
#define NEW_KEY "make a new one: ssh-keygen -t ed25519"
#define COPY_AGAIN "copy the whole line of the .pub file again"

/* What stands behind the type in the blob. */
static const struct key_type {
	const char *name, *curve; /* curve: second string of the blob, or NULL */
	size_t point;             /* bytes of the key itself; 0: RSA's two numbers */
	bool application;         /* a security key names its application last */
} types[] = {
	{ "ssh-ed25519", NULL, 32, false },
	{ "sk-ssh-ed25519@openssh.com", NULL, 32, true },
	{ "ecdsa-sha2-nistp256", "nistp256", 65, false },
	{ "ecdsa-sha2-nistp384", "nistp384", 97, false },
	{ "ecdsa-sha2-nistp521", "nistp521", 133, false },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 65, true },
	{ "ssh-rsa", NULL, 0, false },
};

static const char *
check_rsa(struct arena *mem, struct span *b, const char **help)
{
	struct span e, n;
	size_t bits;

	if (!span_number(b, &e) || !span_number(b, &n) || b->n)
		return "the key is cut or damaged";
	bits = span_bits(&n);
	*help = NEW_KEY;
	if (bits < RSA_BITS_MIN)
		return arena_printf(mem, "an RSA key of %zu bits is too weak, from %d on they are taken", bits, RSA_BITS_MIN);
	if (bits > RSA_BITS_MAX)
		return arena_printf(mem, "an RSA key of %zu bits is more than sshd takes", bits);
	return NULL;
}

static const char *
check_point(const struct key_type *t, struct span *b)
{
	struct span curve, point, application;

	if (t->curve && (!span_string(b, &curve) || !span_is(&curve, t->curve)))
		return "the curve inside the key is not that of its type";
	if (!span_string(b, &point) || point.n != t->point || (t->curve && point.p[0] != 4))
		return "the key is cut or damaged";
	if ((t->application && (!span_string(b, &application) || application.n == 0)) || b->n)
		return "the key is cut or damaged";
	return NULL;
}

static const char *
check_blob(struct arena *mem, const struct key_type *t, const char *text, size_t n, const char **help)
{
	char *bytes;
	struct span b, inner;

	*help = COPY_AGAIN;
	if (n > BLOB_MAX)
		return "the key is too long";
	if (n == 0 || base64_decode(mem, text, n, &bytes, &b.n) < 0)
		return "the key is no whole base64 text";
	b.p = (const uint8_t *)bytes;
	if (!span_string(&b, &inner))
		return "the key is cut or damaged";
	if (!span_is(&inner, t->name))
		return arena_printf(mem, "the line says %s, the key inside is another type", t->name);
	return t->point ? check_point(t, &b) : check_rsa(mem, &b, help);
}

int
sshkey_check(struct arena *mem, const char *line, size_t len, const char **why, const char **help)
{
	size_t type = strcspn(line, " "), key;
	const struct key_type *t = NULL;

	*help = COPY_AGAIN;
	*why = "it has a line break or a control character";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			return ERR_INVALID;
	*why = "it is no public key: type, key and comment";
	if (!line[type])
		return ERR_INVALID;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strlen(types[i].name) == type && strncmp(line, types[i].name, type) == 0)
			t = &types[i];
	key = strcspn(line + type + 1, " ");
	if (t) {
		*why = check_blob(mem, t, line + type + 1, key, help);
		return *why ? ERR_INVALID : 0;
	}
	*help = NEW_KEY;
	*why = arena_printf(mem, "keys of type %.*s are not taken", (int)(type < 60 ? type : 60), line);
	if (strncmp(line, "ssh-dss ", 8) == 0)
		*why = "DSA keys are too weak, and sshd no longer takes them";
	return ERR_INVALID;
}
