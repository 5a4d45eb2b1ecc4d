/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys read down to their numbers: a key that sshd would skip locks its owner out without a word. */
#include "validate/sshkey.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/str.h"

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

struct blob {
	const unsigned char *at;
	size_t left;
};

static int
digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* RFC 4648 section 4, padded, no spare bits. */
static bool
base64_decode(const char *s, size_t n, unsigned char *out, size_t *len)
{
	size_t pad = 0;
	uint32_t bits = 0;

	*len = 0;
	if (n == 0 || n % 4)
		return false;
	while (pad < 2 && s[n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < n; i++) {
		int d = i >= n - pad ? 0 : digit(s[i]);

		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 != 3)
			continue;
		out[(*len)++] = (unsigned char)(bits >> 16);
		out[(*len)++] = (unsigned char)(bits >> 8);
		out[(*len)++] = (unsigned char)bits;
		bits = 0;
	}
	for (size_t i = 1; i <= pad; i++)
		if (out[*len - i])
			return false;
	*len -= pad;
	return true;
}

/* The next string: four bytes of length, most significant first, and its bytes. */
static bool
take(struct blob *b, struct blob *out)
{
	size_t n;

	if (b->left < 4)
		return false;
	n = (size_t)b->at[0] << 24 | (size_t)b->at[1] << 16 | (size_t)b->at[2] << 8 | b->at[3];
	if (n > b->left - 4)
		return false;
	*out = (struct blob){ b->at + 4, n };
	b->at += 4 + n;
	b->left -= 4 + n;
	return true;
}

static bool
is_text(const struct blob *b, const char *s)
{
	return b->left == strlen(s) && memcmp(b->at, s, b->left) == 0;
}

/* Bits of a number that is written without needless zeros and is positive; 0 for others. */
static size_t
number_bits(const struct blob *b)
{
	size_t skip = b->left > 0 && b->at[0] == 0, bits;

	if (b->left <= skip || b->at[0] & 0x80 || (skip && !(b->at[1] & 0x80)))
		return 0;
	bits = (b->left - skip) * 8;
	for (unsigned int top = b->at[skip]; !(top & 0x80); top <<= 1)
		bits--;
	return bits;
}

static const char *
check_rsa(struct arena *mem, struct blob *b, const char **help)
{
	struct blob e, n;
	size_t bits;

	if (!take(b, &e) || !take(b, &n) || b->left || !number_bits(&e) || !(bits = number_bits(&n)))
		return "the key is cut or damaged";
	*help = NEW_KEY;
	if (bits < RSA_BITS_MIN)
		return arena_printf(mem, "an RSA key of %zu bits is too weak, from %d on they are taken", bits, RSA_BITS_MIN);
	if (bits > RSA_BITS_MAX)
		return arena_printf(mem, "an RSA key of %zu bits is more than sshd takes", bits);
	return NULL;
}

static const char *
check_point(const struct key_type *t, struct blob *b)
{
	struct blob curve, point, application;

	if (t->curve && (!take(b, &curve) || !is_text(&curve, t->curve)))
		return "the curve inside the key is not that of its type";
	if (!take(b, &point) || point.left != t->point || (t->curve && point.at[0] != 4))
		return "the key is cut or damaged";
	if ((t->application && (!take(b, &application) || application.left == 0)) || b->left)
		return "the key is cut or damaged";
	return NULL;
}

static const char *
check_blob(struct arena *mem, const struct key_type *t, const char *text, size_t n, const char **help)
{
	unsigned char *bytes;
	struct blob b, inner;

	*help = COPY_AGAIN;
	if (n > BLOB_MAX)
		return "the key is too long";
	bytes = arena_alloc(mem, n + 4);
	b.at = bytes;
	if (!base64_decode(text, n, bytes, &b.left))
		return "the key is no whole base64 text";
	if (!take(&b, &inner))
		return "the key is cut or damaged";
	if (!is_text(&inner, t->name))
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
