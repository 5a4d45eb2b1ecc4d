/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up paths in a sorted file list; object ids. */
#include "lib/base/files.h"

#include <string.h>

#include "lib/base/str.h"

/* The first entry not less than `path`. */
static size_t
lower_bound(const struct files *f, const char *path)
{
	size_t lo = 0, hi = f->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(f->entries[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct file_entry *
files_find(const struct files *f, const char *path)
{
	size_t i = lower_bound(f, path);

	return i < f->n && strcmp(f->entries[i].path, path) == 0 ? &f->entries[i] : NULL;
}

const struct file_entry *
files_under(const struct files *f, const char *prefix, size_t *n)
{
	size_t i = lower_bound(f, prefix), j = i;

	while (j < f->n && str_starts(f->entries[j].path, prefix))
		j++;
	*n = j - i;
	return *n ? &f->entries[i] : NULL;
}

void
oid_hex(const struct oid *id, char out[OID_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(id->b); i++) {
		out[2 * i] = digits[id->b[i] >> 4];
		out[2 * i + 1] = digits[id->b[i] & 15];
	}
	out[OID_HEX - 1] = '\0';
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int
oid_parse(const char *hex, struct oid *out)
{
	struct oid id;

	if (strlen(hex) != OID_HEX - 1)
		return ERR_INVALID;
	for (size_t i = 0; i < sizeof(id.b); i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return ERR_INVALID;
		id.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*out = id;
	return 0;
}

bool
oid_eq(const struct oid *a, const struct oid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
oid_zero(const struct oid *id)
{
	static const struct oid zero;

	return oid_eq(id, &zero);
}
