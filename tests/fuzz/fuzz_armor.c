/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as armor: what is taken is, but for line ends and blanks around it, just what berth writes for the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/seal/armor.h"
#include "lib/seal/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without blanks at both ends, CR LF as LF, and LF at the end. */
static void
plainly(const char *s, size_t n, struct buf *out)
{
	for (; n && blank(*s); n--)
		s++;
	while (n && blank(s[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		if (s[i] != '\r' || i + 1 == n || s[i + 1] != '\n')
			buf_char(out, s[i]);
	buf_char(out, '\n');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf AUTO_BUF bytes = BUF_INIT(0), again = BUF_INIT(0), want = BUF_INIT(0);
	const char *text = (const char *)data;
	struct err e = { 0 };

	if (seal_init(&e) < 0)
		abort();
	if (size && armor_read(text, size, &bytes, &e) == 0) {
		armor_write(buf_cstr(&bytes), bytes.len, &again);
		plainly(text, size, &want);
		if (!armor_is(text, size) || again.len != want.len || memcmp(again.data, want.data, want.len) != 0)
			abort();
	}
	return 0;
}
