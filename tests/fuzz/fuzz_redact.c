/* SPDX-License-Identifier: Apache-2.0 */
/* The redactor on any bytes: a registered secret never comes out, and nothing is read past the end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/redact.h"

static const char secret[] = "s3cr%t/+=";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf AUTO_BUF out = BUF_INIT((size_t)1 << 20);

	redact_add(secret, sizeof(secret) - 1);
	redact((const char *)data, size, &out);
	if (out.len && memmem(out.data, out.len, secret, sizeof(secret) - 1))
		abort();
	return 0;
}
