/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets on the rendered branch. */
#include "apply/git_secrets.h"

#include "lib/doc/yaml.h"

#define HEAD                                                                                                           \
	"# What the Secrets of this folder are made of. A digest tells whether a value changed and nothing else of it; only berth can make it.\n"

bool
bundle_has_secrets(const struct bundle *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->objects[i].nparts)
			return true;
	return false;
}

static struct value *
describe(struct arena *mem, const struct object *o, const char *recipient)
{
	struct value *v = value_map(mem), *data = value_map(mem);
	struct digest d;
	char hex[DIGEST_HEX];

	object_digest(o, &d);
	digest_hex(&d, hex);
	value_set(mem, v, "name", value_str(mem, o->name));
	value_set(mem, v, "type", value_str(mem, value_as_str(value_get(o->value, "type"), "Opaque")));
	if (recipient)
		value_set(mem, v, "sealedFor", value_str(mem, recipient));
	else
		value_set(mem, v, "delivered", value_bool(mem, false));
	value_set(mem, v, "digest", value_strn(mem, hex, SEAL_DIGEST_HEX - 1));
	for (size_t i = 0; i < o->nparts; i++)
		value_set(mem, data, o->parts[i].key, value_str(mem, o->digests[i]));
	value_set(mem, v, "data", data);
	return v;
}

void
secrets_digest_write(const struct bundle *b, const char *recipient, struct buf *out)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct value *doc = value_map(mem), *list = value_list(mem);

	for (size_t i = 0; i < b->n; i++)
		if (b->objects[i].nparts)
			value_push(mem, list, describe(mem, &b->objects[i], recipient));
	value_set(mem, doc, "secrets", list);
	buf_str(out, HEAD);
	yaml_write(doc, out);
}

int
secret_reseal(struct decryptor *d, const struct object *o, const char *recipient, struct buf *out, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT((size_t)1 << 20);
	int rc;

	yaml_write(o->value, &text);
	if ((rc = buf_check(&text, o->file, e)) < 0 ||
	    (rc = decryptor_reseal(d, text.data, text.len, o->parts, o->nparts, recipient, out, e)) < 0)
		return err_wrap(e, "seal %s for the one who applies the branch", o->file);
	return 0;
}
