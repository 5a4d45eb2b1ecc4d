/* SPDX-License-Identifier: Apache-2.0 */
/* The master key: its file, and what is derived from it. */
#include "lib/seal/master.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/seal/bech32.h"
#include "lib/seal/hkdf.h"

#define KEY_LEN 32
#define FILE_MAX_LEN ((size_t)4096)
#define HRP "berth-master-key-"
#define HRP_UPPER "BERTH-MASTER-KEY-1"
#define ABOUT "# A master key of berth. Whoever has it opens all sealed secrets; without it nobody does. Keep a copy: berth keygen --backup\n"

/* Salts, one for each use: changing one changes every key of that use everywhere. */
#define USE_RECIPIENT "berth/v1/recipient"
#define USE_SIGNER "berth/v1/signer"
#define USE_HOST_CA "berth/v1/host-ca"
#define USE_HOST_KEY "berth/v1/host-key"
#define USE_DIGEST "berth/v1/digest"

void
master_new(struct master *out)
{
	out->key = secret_new(KEY_LEN);
	randombytes_buf(out->key.b, KEY_LEN);
}

void
master_free(struct master *m)
{
	secret_free(&m->key);
}

/* -- its text ------------------------------------------------------------------------------------------------------------ */

static int
no_key(struct err *e)
{
	(void)err_set(e, ERR_INVALID, "there is no master key in it");
	return err_hint(e, "such a file has one line " HRP_UPPER "…, beside it only lines that begin with '#'; `berth keygen` makes one");
}

int
master_parse(const char *text, size_t n, struct master *out, struct err *e)
{
	const char *key = NULL, *end = text + n;
	size_t len = 0;
	struct secret k;

	for (const char *at = text; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at)), *next;

		next = stop ? stop + 1 : end;
		stop = stop ? stop : end;
		if (stop > at && stop[-1] == '\r')
			stop--;
		if (stop > at && *at != '#') {
			if (key)
				return err_set(e, ERR_INVALID, "there is more than one line with a key in it");
			key = at;
			len = (size_t)(stop - at);
		}
		at = next;
	}
	if (!key)
		return no_key(e);
	k = secret_new(KEY_LEN);
	if (bech32_decode(key, len, HRP, k.b, KEY_LEN, NULL) < 0) {
		secret_free(&k);
		return no_key(e);
	}
	out->key = k;
	return 0;
}

void
master_text(const struct master *m, struct secret *out)
{
	struct secret t = secret_new(BECH32_SIZE(sizeof(HRP) - 1, KEY_LEN));

	bech32_encode(HRP, m->key.b, KEY_LEN, true, (char *)t.b, t.n);
	*out = t;
}

/* -- its file ------------------------------------------------------------------------------------------------------------ */

static int
check_file(const char *path, const struct stat *st, struct err *e)
{
	int rc = fs_check_private(path, st, "make a new key: docs/admins.md, Keys", e);

	if (rc < 0)
		return rc;
	if (st->st_size > (off_t)FILE_MAX_LEN)
		return err_set(e, ERR_INVALID, "%s is larger than a master key's file can be (%zu bytes)", path, FILE_MAX_LEN);
	return 0;
}

static int
read_all(int fd, struct secret *out)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = read(fd, out->b + n, out->n - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		n += (size_t)got;
		if (got == 0 || n == out->n)
			break;
	}
	out->n = n;
	return 0;
}

/* Somebody's slip: an error that names the "file" would show it once more. */
static int
check_path(const char *path, struct err *e)
{
	if (strncasecmp(path, HRP, strlen(HRP)) != 0)
		return 0;
	(void)err_set(e, ERR_DENIED, "a master key stands where the name of its file belongs");
	return err_hint(e, "whoever lists processes has seen it: make another one with `berth keygen`, and give the file's name");
}

int
master_load(const char *path, struct master *out, struct err *e)
{
	struct secret text AUTO_SECRET = { NULL, 0 };
	int fd AUTO_FD = -1, rc;
	struct stat st;

	if ((rc = check_path(path, e)) < 0)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		rc = err_errno(e, "master key %s", path);
		if (rc == ERR_NOTFOUND)
			(void)err_hint(e, "name the file where it is, or `berth keygen --restore BACKUP --identity KEY -o %s`; a key for a new repository: "
			                  "berth keygen -o %s", path, path);
		return rc;
	}
	if (fstat(fd, &st) < 0)
		return err_errno(e, "master key %s", path);
	if (check_file(path, &st, e) < 0)
		return err_wrap(e, "master key");
	text = secret_new(FILE_MAX_LEN);
	if (read_all(fd, &text) < 0)
		return err_errno(e, "master key %s", path);
	if (master_parse((const char *)text.b, text.n, out, e) < 0)
		return err_wrap(e, "master key %s", path);
	return 0;
}

/* The entry in the folder must outlive a crash as the bytes do. */
static int
sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd AUTO_FD = -1;

	if (!copy)
		abort();
	fd = open(dirname(copy), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	free(copy);
	return fd < 0 ? -1 : fsync(fd);
}

int
master_store(const struct master *m, const char *path, struct err *e)
{
	struct secret text AUTO_SECRET = { NULL, 0 };
	int fd AUTO_FD = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);

	if (fd < 0 && errno == EEXIST) {
		(void)err_set(e, ERR_CONFLICT, "%s is there already, and no key is ever written over another file", path);
		return err_hint(e, "give another name with -o FILE");
	}
	if (fd < 0)
		return err_errno(e, "master key %s", path);
	master_text(m, &text);
	if (fchmod(fd, 0400) < 0 || fs_write_all(fd, ABOUT, sizeof(ABOUT) - 1) < 0 ||
	    fs_write_all(fd, text.b, strlen((const char *)text.b)) < 0 || fs_write_all(fd, "\n", 1) < 0 || fsync(fd) < 0 ||
	    sync_folder(path) < 0) {
		int rc = err_errno(e, "master key %s", path);

		(void)unlink(path);
		return rc;
	}
	return 0;
}

/* -- what is derived ------------------------------------------------------------------------------------------------------ */

static void
derive(const struct master *m, const char *use, const char *info, uint8_t out[32])
{
	hkdf_sha256(use, strlen(use), m->key.b, KEY_LEN, info, strlen(info), out, 32);
}

int
master_identity(const struct master *m, unsigned generation, const struct seal_place *p, struct age_identity *out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(65536);
	const char *info;
	uint8_t seed[32];
	int rc;

	if (generation == 0)
		return err_set(e, ERR_INVALID, "generations count from 1");
	if ((rc = place_info(mem, p, generation, &info, e)) < 0)
		return rc;
	derive(m, USE_RECIPIENT, info, seed);
	age_identity_from_seed(seed, out);
	sodium_memzero(seed, sizeof(seed));
	return 0;
}

static void
sign_key(const struct master *m, const char *use, const char *info, uint8_t sk[64])
{
	uint8_t seed[32], pk[32];

	derive(m, use, info, seed);
	(void)crypto_sign_seed_keypair(pk, sk, seed);
	sodium_memzero(seed, sizeof(seed));
}

void
master_signer(const struct master *m, uint8_t sk[64])
{
	sign_key(m, USE_SIGNER, "", sk);
}

void
master_host_ca(const struct master *m, uint8_t sk[64])
{
	sign_key(m, USE_HOST_CA, "", sk);
}

int
master_host_key(const struct master *m, const struct seal_place *env, uint8_t sk[64], struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(65536);
	const char *info;
	int rc;

	if (env->scope != PLACE_ENV)
		return err_set(e, ERR_INTERNAL, "only environments have host keys");
	if ((rc = place_info(mem, env, 0, &info, e)) < 0)
		return rc;
	sign_key(m, USE_HOST_KEY, info, sk);
	return 0;
}

void
master_digest(const struct master *m, const char *label, const void *bytes, size_t n, char out[SEAL_DIGEST_HEX])
{
	uint8_t key[32], digest[(SEAL_DIGEST_HEX - 1) / 2];
	uint64_t len = strlen(label);
	crypto_generichash_state s;

	derive(m, USE_DIGEST, "", key);
	(void)crypto_generichash_init(&s, key, sizeof(key), sizeof(digest));
	for (int i = 0; i < 8; i++) {
		const unsigned char byte = (unsigned char)(len >> (8 * i));

		(void)crypto_generichash_update(&s, &byte, 1);
	}
	(void)crypto_generichash_update(&s, (const unsigned char *)label, len);
	(void)crypto_generichash_update(&s, bytes, n);
	(void)crypto_generichash_final(&s, digest, sizeof(digest));
	(void)sodium_bin2hex(out, SEAL_DIGEST_HEX, digest, sizeof(digest));
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&s, sizeof(s));
}
