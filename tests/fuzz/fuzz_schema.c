/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas and values from outside. "SCHEMA\n---\nVALUE" (both JSON) compiles the one and checks the other; any other input
 * is a YAML document that is checked against all of our schemas.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/doc/json.h"
#include "lib/doc/yaml.h"
#include "validate/schema_node.h"
#include "validate/validate.h"

#define MEM ((size_t)512 << 20)
#define INPUT_MAX ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The verdict and the findings must agree. */
static void
check_both(const struct schema *s, const struct value *v, struct arena *mem)
{
	AUTO_BUF struct buf text = BUF_INIT(0);
	struct report r;
	size_t errors;

	report_init(&r, mem);
	errors = schema_check(s, v, &r);
	if ((errors == 0) != schema_valid(s, v) || r.errors != errors)
		abort();
	report_text(&r, NULL, false, &text);
}

static void
check_schema(struct arena *mem, const char *schema, size_t schema_len, const char *text, size_t len)
{
	struct value *document = NULL, *v = NULL;

	if (json_read(mem, schema, schema_len, &document, NULL) < 0 || json_read(mem, text, len, &v, NULL) < 0)
		return;
	for (int lax = 0; lax < 2; lax++) {
		const struct schema_options o = { .uri = "test:/a/b", .lax = lax };
		struct schema *s = NULL;
		struct err e = { 0 };

		if (schema_compile_with(mem, document, &o, &s, &e) == 0)
			check_both(s, v, mem);
		else if (e.code != ERR_INVALID || !*e.text)
			abort();
	}
}

static void
check_document(struct arena *mem, const char *text, size_t len)
{
	static struct schemas *schemas;
	struct err e = { 0 };
	struct report r;
	struct value *v = NULL;

	if (!schemas && schemas_load(&schemas, &e) < 0)
		abort();
	report_init(&r, mem);
	if (yaml_read(mem, "doc.yaml", text, len, NULL, &r, &v) < 0)
		return;
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		struct doc d = { .kind = k, .path = "doc.yaml", .root = v, .ok = true };
		size_t before = r.errors;

		validate_doc(schemas, &d, &r);
		if (d.ok != (r.errors == before))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n---\n";
	AUTO_ARENA struct arena *mem = arena_new(MEM);
	const char *text = (const char *)data, *split = size ? memmem(text, size, mark, strlen(mark)) : NULL;

	if (size > INPUT_MAX)
		return 0;
	if (split)
		check_schema(mem, text, (size_t)(split - text), split + strlen(mark), size - (size_t)(split - text) - strlen(mark));
	else
		check_document(mem, text, size);
	return 0;
}
