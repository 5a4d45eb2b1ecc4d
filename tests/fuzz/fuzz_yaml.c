/* SPDX-License-Identifier: Apache-2.0 */
/* Reads any bytes as YAML; what is accepted must come back the same from the writer, without a finding. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/doc/json.h"
#include "lib/doc/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fail(const char *what, const char *yaml)
{
	(void)fprintf(stderr, "%s:\n%s\n", what, yaml);
	abort();
}

static void
check_places(const struct value *v, size_t size)
{
	/* a text of n bytes has at most n + 1 lines, and no longer ones */
	if (!v->at.line || !v->at.col || v->at.line > size + 1 || v->at.col > size + 1)
		fail("a value without a place", "");
	for (size_t i = 0; i < value_len(v); i++) {
		if (v->type == VALUE_LIST)
			check_places(v->list.items[i], size);
		else if (v->type == VALUE_MAP)
			check_places(v->map.items[i].value, size);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* as in the daemon: a document's tree fits here, whatever it holds */
	struct arena *mem AUTO_ARENA = arena_new(ARENA_ENV_MAX), *more AUTO_ARENA = arena_new((size_t)64 << 20);
	struct buf yaml AUTO_BUF = BUF_INIT(0), again AUTO_BUF = BUF_INIT(0), json AUTO_BUF = BUF_INIT(0), text AUTO_BUF = BUF_INIT(0);
	struct yaml_limits wide = { .bytes = (size_t)16 << 20 };
	struct value *v = NULL, *back = NULL;
	struct report r;

	report_init(&r, mem);
	if (yaml_read(mem, "f.yaml", (const char *)data, size, NULL, &r, &v) < 0) {
		if (v || !r.errors)
			fail("refused without a finding", "");
		report_sort(&r);
		report_text(&r, NULL, false, &text);
		return 0;
	}
	if (r.errors)
		fail("accepted with an error", "");
	check_places(v, size);
	yaml_write(v, &yaml);
	report_init(&r, more);
	if (yaml_read(more, "w.yaml", buf_cstr(&yaml), yaml.len, &wide, &r, &back) < 0 || r.n)
		fail(r.n ? r.items[0].message : "refused", buf_cstr(&yaml));
	if (!value_equal(v, back))
		fail("another value", buf_cstr(&yaml));
	yaml_write(back, &again);
	if (again.len != yaml.len || memcmp(buf_cstr(&again), buf_cstr(&yaml), yaml.len) != 0)
		fail("another text", buf_cstr(&yaml));
	json_write(v, 0, &json);
	back = NULL;
	if (json_read(more, buf_cstr(&json), json.len, &back, NULL) < 0 || !value_equal(v, back))
		fail("another value from JSON", buf_cstr(&json));
	return 0;
}
