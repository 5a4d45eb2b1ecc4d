/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the decryptor from arbitrary bytes: what can be read is written and read back the same; and registries' documents. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/seal/decryptor_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writing sorts sealed files by their first use and drops those that no part uses; after that nothing changes any more. */
static void
requests(struct arena *mem, const uint8_t *data, size_t size)
{
	struct buf AUTO_BUF one = BUF_INIT(0), two = BUF_INIT(0);
	struct request r, again;
	struct err e = { 0 };

	if (request_read(mem, data, size, &r, &e) < 0)
		return;
	if (request_write(&r, &one, &e) < 0 || request_read(mem, one.data + WIRE_HEAD, one.len - WIRE_HEAD, &again, &e) < 0 ||
	    request_write(&again, &two, &e) < 0)
		abort();
	if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0 || one.len - WIRE_HEAD > size)
		abort();
}

static void
answers(struct arena *mem, const uint8_t *data, size_t size)
{
	struct msg m = { data, size, false };
	struct err e = { 0 };
	int rc = msg_answer(&m, &e);

	if (rc > 0 || rc < ERR_CANCELLED || strlen(e.text) >= sizeof(e.text) || strlen(e.hint) >= sizeof(e.hint))
		abort();
	(void)msg_text(&m, mem, WIRE_LEAF_MAX);
	if (m.left > size)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new((size_t)64 << 20);
	struct err e = { 0 };

	if (size <= WIRE_REQUEST_MAX) {
		requests(mem, data, size);
		answers(mem, data, size);
		if (docker_config_check(data, size, &e) > 0)
			abort();
	}
	arena_free(mem);
	return 0;
}
