/* SPDX-License-Identifier: Apache-2.0 */
/* Head lines. */
#include "lib/net/header.h"

#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

bool
header_is(const char *line, size_t len, const char *name, const char **value, size_t *n)
{
	size_t k = strlen(name);

	if (len <= k || line[k] != ':' || strncasecmp(line, name, k) != 0)
		return false;
	*value = line + k + 1;
	*n = len - k - 1;
	while (*n && (**value == ' ' || **value == '\t'))
		++*value, --*n;
	while (*n && strchr(" \t\r\n", (*value)[*n - 1]))
		--*n;
	return true;
}

bool
header_seconds(const char *line, size_t len, const char *name, int64_t *out)
{
	char number[24];
	const char *v;
	size_t n;

	if (!header_is(line, len, name, &v, &n))
		return false;
	*out = -1;
	if (n < sizeof(number)) {
		memcpy(number, v, n);
		number[n] = '\0';
		if (str_to_i64(number, out) < 0 || *out < 0)
			*out = -1;
	}
	return true;
}
