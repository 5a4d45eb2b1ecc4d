/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed files as far as they can be judged without a key: their form, and above all whether they are sealed. */
#include "parse/secret_file.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "parse/secrets.h"

#define AGE_BINARY "age-encryption.org/v1\n"
#define AGE_ARMOR "-----BEGIN AGE ENCRYPTED FILE-----"
#define SOPS_SEALED "ENC[AES256_GCM,"
#define SCRATCH (SOPS_MEMORY_MAX + ((size_t)1 << 20))

static bool
begins(const char *bytes, size_t n, const char *with)
{
	size_t len = strlen(with);

	return n >= len && memcmp(bytes, with, len) == 0;
}

static void
say_bad(struct refs *c, const struct value *v, const char *path, const char *what, const char *help)
{
	struct finding *f = say(c->r, BAD_SEALED, refs_place(c, v), "secrets: %s %s", path, what);

	finding_help(c->r, f, "%s", help);
}

/* The loudest of all: it is out already, and no later commit takes it back. Its text is never part of the message. */
static void
say_plain(struct refs *c, const struct value *v, const char *path)
{
	struct finding *f = say(c->r, NOT_SEALED, refs_place(c, v), "secrets: %s is not sealed: anyone who reads the repository has it", path);

	finding_help(c->r, f, "change that secret now where it is from, then seal the new one: `berth seal`");
}

static bool
check_age(struct refs *c, const struct value *v, const char *path, const struct sealed *s)
{
	const char *end = s->bytes + s->n, *at = s->bytes;

	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
		at++;
	if (begins(s->bytes, s->n, AGE_BINARY) || begins(at, (size_t)(end - at), AGE_ARMOR))
		return true;
	if (at == end)
		say_bad(c, v, path, "is empty", "seal the secret into it: `berth seal`");
	else if (memchr(s->bytes, 0, s->n) || !str_utf8_valid(s->bytes, s->n))
		say_bad(c, v, path, "is no age file", "seal the secret again: `berth seal`");
	else
		say_plain(c, v, path);
	return false;
}

/* Leaves outlive the scratch that reading took. */
static void
keep_leaves(struct arena *mem, const struct sops_leaf *leaves, size_t n, struct secret_content *out)
{
	struct sops_leaf *copy = arena_array(mem, n + 1, sizeof(*copy));

	for (size_t i = 0; i < n; i++) {
		const char **keys = arena_array(mem, leaves[i].nkeys + 1, sizeof(*keys));

		for (size_t k = 0; k < leaves[i].nkeys; k++)
			keys[k] = arena_strdup(mem, leaves[i].keys[k]);
		copy[i] = (struct sops_leaf){ .keys = keys, .nkeys = leaves[i].nkeys, .name = arena_strdup(mem, leaves[i].name),
			                      .type = arena_strdup(mem, leaves[i].type), .line = leaves[i].line };
	}
	out->leaves = copy;
	out->n = n;
}

static bool
check_sops(struct refs *c, const struct value *v, const char *path, const struct sealed *s, struct secret_content *out)
{
	struct arena *AUTO_ARENA scratch = arena_new(SCRATCH);
	struct sops_leaf *leaves;
	struct err e = { 0 };
	size_t n;

	if (!memmem(s->bytes, s->n, SOPS_SEALED, strlen(SOPS_SEALED))) {
		if (s->n > 0)
			say_plain(c, v, path);
		else
			say_bad(c, v, path, "is empty", "let SOPS make it, with the recipients that `berth recipients` prints");
		return false;
	}
	if (sops_leaves(scratch, s->format, s->bytes, s->n, &leaves, &n, &e) < 0) {
		say_bad(c, v, path, arena_printf(c->mem, "cannot be used: %s", e.text),
		        e.hint[0] ? e.hint : "let SOPS make it again, with the recipients that `berth recipients` prints");
		return false;
	}
	keep_leaves(c->mem, leaves, n, out);
	return true;
}

bool
secret_read(struct refs *c, const struct file_entry *f, const struct value *v, struct sealed *sealed, size_t *bytes,
            struct secret_content *out)
{
	const char *path = arena_strdup(c->mem, f->path);
	struct err e = { 0 };

	if (c->files->read(c->files->ctx, f, SECRET_BYTES_MAX - *bytes, c->mem, &sealed->bytes, &sealed->n, &e) < 0) {
		struct finding *x = say(c->r, TOO_LARGE, refs_place(c, v), "secrets: %s cannot be read: %s", path, e.text);

		finding_help(c->r, x, "the sealed files of an environment come to at most %zu bytes together; keep data in a volume or dataset",
		             SECRET_BYTES_MAX);
		return false;
	}
	*bytes += sealed->n;
	return sealed->format == SEAL_AGE ? check_age(c, v, path, sealed) : check_sops(c, v, path, sealed, out);
}

/* -- a key that is there and is not sealed -------------------------------------------------------------------------------- */

static bool
dotenv_has(const struct sealed *s, const char *key)
{
	size_t n = strlen(key);

	for (const char *at = s->bytes, *end = s->bytes + s->n; at && at < end;) {
		if ((size_t)(end - at) > n && memcmp(at, key, n) == 0 && at[n] == '=')
			return true;
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	return false;
}

bool
secret_is_plain(const struct secret_content *content, const struct sealed *sealed, const char *key)
{
	struct arena *AUTO_ARENA scratch = arena_new(SCRATCH);
	struct report ignored;
	struct value *root;

	for (size_t i = 0; i < content->n; i++)
		if (strcmp(content->leaves[i].name, key) == 0)
			return false;
	if (sealed->format == SEAL_SOPS_DOTENV)
		return dotenv_has(sealed, key);
	report_init(&ignored, scratch);
	if (yaml_read(scratch, "", sealed->bytes, sealed->n, NULL, &ignored, &root) < 0)
		return false;
	/* a map or a list holds other values: not the one that was meant */
	return value_at(root, key) && value_at(root, key)->type != VALUE_MAP && value_at(root, key)->type != VALUE_LIST;
}
