/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 by libsodium, less what its decoder lets through. */
#include "lib/seal/base64_exact.h"

#include <sodium.h>

bool
base64_exact(const char *s, size_t n, bool padded, void *out, size_t max, size_t *got)
{
	const char *end = NULL;
	unsigned char high = 0;

	for (size_t i = 0; i < n; i++)
		high |= (unsigned char)s[i] & 0x80;
	*got = 0;
	if (high)
		return false;
	return sodium_base642bin(out, max, s, n, NULL, got, &end,
	                         padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
	       end == s + n;
}
