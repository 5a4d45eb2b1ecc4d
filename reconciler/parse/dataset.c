/* SPDX-License-Identifier: Apache-2.0 */
/* How an environment uses one of its datasets. */
#include "parse/dataset.h"

#include <string.h>

#include "parse/quantity.h"

void
env_dataset(struct arena *mem, const struct env *env, size_t i, struct dataset_use *out)
{
	const struct value *use = value_item(value_get(env->spec, "datasets"), i), *s3, *size;
	const struct doc *d = env->datasets[i];
	const struct value *spec = d ? d->spec : NULL;

	s3 = value_get(spec, "s3");
	size = value_get(spec, "size");
	*out = (struct dataset_use){
		.name = d ? d->name : value_as_str(value_get(use, "name"), ""),
		.path = value_as_str(value_get(use, "path"), NULL),
		.claim = value_as_str(value_at(spec, "claim.name"), NULL),
		.bucket = value_as_str(value_get(s3, "bucket"), NULL),
		.prefix = value_as_str(value_get(s3, "prefix"), NULL),
		.endpoint = value_as_str(value_get(s3, "endpoint"), NULL),
		.region = value_as_str(value_get(s3, "region"), NULL),
		.secret = value_as_str(value_get(s3, "secret"), NULL),
		.read_only = value_as_bool(value_get(spec, "readOnly"), true),
	};
	if (!out->path)
		out->path = arena_printf(mem, "/data/%s", out->name);
	out->stage = value_as_str(value_get(use, "stage"), out->bucket ? "nvme" : "mount");
	out->copied = strcmp(out->stage, "nvme") == 0 || strcmp(out->stage, "mmap") == 0;
	if (!size || quantity_units(size, &out->size) < 0)
		out->size = 0;
}

int64_t
dataset_room(const struct dataset_use *u)
{
	int64_t n;

	return __builtin_add_overflow(u->size, u->size / 10, &n) ? INT64_MAX : n;
}
