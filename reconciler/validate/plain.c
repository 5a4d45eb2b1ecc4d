/* SPDX-License-Identifier: Apache-2.0 */
/* Plain text where sealed files stand, whether or not an environment names it: by then it is pushed, and known. */
#include <string.h>

#include "lib/seal/place.h"
#include "parse/say.h"
#include "validate/validate.h"

#define AGE_BINARY "age-encryption.org/v1\n"
#define AGE_ARMOR "-----BEGIN AGE ENCRYPTED FILE-----"
#define SOPS_SEALED "ENC[AES256_GCM,"

static bool
looks_sealed(enum seal_format format, const char *bytes, size_t n)
{
	if (format != SEAL_AGE)
		return memmem(bytes, n, SOPS_SEALED, strlen(SOPS_SEALED)) != NULL;
	if (n >= strlen(AGE_BINARY) && memcmp(bytes, AGE_BINARY, strlen(AGE_BINARY)) == 0)
		return true;
	bytes += strspn(bytes, " \t\r\n"); /* what was read ends with NUL */
	return strncmp(bytes, AGE_ARMOR, strlen(AGE_ARMOR)) == 0;
}

/* The environment that names it was told already. */
static bool
is_said(const struct report *r, const char *path)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].code == FINDING_NOT_SEALED && strstr(r->items[i].message, path))
			return true;
	return false;
}

void
validate_plain(const struct files *files, const struct file_entry *f, struct report *r)
{
	struct arena *AUTO_ARENA mem = arena_new(FILE_OTHER_MAX + ((size_t)1 << 20));
	enum seal_format format;
	struct seal_place place;
	struct finding *x;
	const char *bytes;
	size_t n;

	if (f->mode != FILE_REGULAR && f->mode != FILE_EXECUTABLE)
		return;
	if (place_of_path(mem, f->path, &place, &format, NULL) < 0)
		return;
	/* too large, or gone meanwhile: said where it is used */
	if (files->read(files->ctx, f, FILE_OTHER_MAX, mem, &bytes, &n, NULL) < 0)
		return;
	if (n == 0 || looks_sealed(format, bytes, n) || is_said(r, f->path))
		return;
	x = say(r, NOT_SEALED, say_file(arena_strdup(r->mem, f->path)), "%s is not sealed: anyone who reads the repository has it", f->path);
	finding_help(r, x, "change that secret now where it is from, then seal the new one: `berth seal`");
}
