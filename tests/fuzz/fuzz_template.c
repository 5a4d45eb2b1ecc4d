/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a template, as an expression and as a string with interpolations: compiled, rendered, within limits. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/doc/json.h"
#include "lib/doc/yaml.h"
#include "render/template.h"

#define ARENA_MAX ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char context[] = "{\"s\": \"text\", \"n\": 3, \"r\": 2.5, \"t\": true, \"z\": null, \"l\": [1, \"b\", [2, 3]],"
			      " \"m\": {\"k\": \"v\", \"n\": {\"deep\": [1]}}, \"u\": \"\xc3\xa9\xe2\x98\x83\"}";

/* What comes out must be a tree that can be written, and the same one every time. */
static void
render(const struct value *document, struct arena *mem)
{
	static const struct template_limits limits = { 20000, 60, (size_t)1 << 20 };
	struct value *ctx, *one = NULL, *two = NULL;
	struct template *t;
	struct err e = { 0 };
	int rc;

	if (template_compile(mem, document, &t, &e) < 0 || json_read(mem, context, sizeof(context) - 1, &ctx, &e) < 0)
		return;
	rc = template_render(t, mem, ctx, "2017-01-19T16:27:20.974Z", &limits, &one, &e);
	if (rc != template_render(t, mem, ctx, "2017-01-19T16:27:20.974Z", &limits, &two, NULL))
		abort();
	if (rc == 0 && one) {
		struct buf AUTO_BUF a = BUF_INIT(0), b = BUF_INIT(0);

		json_write(one, 0, &a);
		json_write(two, 0, &b);
		if (a.len != b.len || !value_equal(one, two))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
	struct yaml_limits limits = { .bytes = 16384 };
	struct value *document = NULL, *expression = value_map(mem);
	struct report r;

	report_init(&r, mem);
	if (yaml_read(mem, "fuzz.yaml", (const char *)data, size, &limits, &r, &document) == 0)
		render(document, mem);
	if (size > 16384)
		return 0;
	value_set(mem, expression, "$eval", value_strn(mem, (const char *)data, size));
	render(expression, mem);
	render(value_strn(mem, (const char *)data, size), mem);
	return 0;
}
