/* SPDX-License-Identifier: Apache-2.0 */
/* Formats any bytes: what is accepted must be formatted, say the same, keep its comments, and stay when formatted again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/doc/yaml.h"
#include "lib/doc/yaml_fmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fail(const char *what, const char *once, const char *twice)
{
	(void)fprintf(stderr, "%s:\n%s\n---- again ----\n%s\n", what, once, twice);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem AUTO_ARENA = arena_new((size_t)256 << 20);
	struct buf once AUTO_BUF = BUF_INIT(0), twice AUTO_BUF = BUF_INIT(0);
	struct value *v = NULL, *back = NULL;
	struct report r;

	report_init(&r, mem);
	if (yaml_read(mem, "f.yaml", (const char *)data, size, NULL, &r, &v) < 0)
		return 0;
	report_init(&r, mem);
	if (yaml_fmt(mem, "f.yaml", (const char *)data, size, &r, &once) < 0) {
		/* the canonical form may be larger than a file may be, nothing else is a reason */
		for (size_t i = 0; i < r.n; i++)
			if (r.items[i].severity == SEVERITY_ERROR && r.items[i].code != FINDING_TOO_LARGE)
				fail(r.items[i].message, "", "");
		return 0;
	}
	report_init(&r, mem);
	if (yaml_read(mem, "o.yaml", buf_cstr(&once), once.len, NULL, &r, &back) < 0 || !value_equal(v, back))
		fail("another value", buf_cstr(&once), "");
	/* numbers stay as written, so their own warning may stay; strings are quoted where one was due */
	for (size_t i = 0; i < r.n; i++)
		if (!strstr(r.items[i].message, "number"))
			fail(r.items[i].message, buf_cstr(&once), "");
	if (yaml_fmt(mem, "o.yaml", buf_cstr(&once), once.len, &r, &twice) < 0)
		fail(r.n ? r.items[r.n - 1].message : "refused", buf_cstr(&once), "");
	if (once.len != twice.len || memcmp(buf_cstr(&once), buf_cstr(&twice), once.len) != 0)
		fail("not the same", buf_cstr(&once), buf_cstr(&twice));
	return 0;
}
