/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of one commit by kind and name. */
#include <stdio.h>

#include "parse/doc.h"

/* Two names of 40 characters and a slash fit; path_classify lets nothing longer through. */
#define KEY_MAX 96

void
site_add(struct site *s, struct doc *d)
{
	char key[KEY_MAX];
	int n;

	if (d->kind == KIND_ORG) {
		s->org = d;
		return;
	}
	if (d->kind != KIND_ENV) {
		(void)map_put(&s->docs[d->kind], d->name, d);
		return;
	}
	n = snprintf(key, sizeof(key), "%s/%s", d->owner, d->name);
	if (n > 0 && (size_t)n < sizeof(key))
		(void)map_put(&s->docs[KIND_ENV], key, d);
}

const struct doc *
site_get(const struct site *s, enum kind k, const char *name)
{
	return k == KIND_ORG ? s->org : map_get(&s->docs[k], name);
}

void
site_free(struct site *s)
{
	for (size_t k = 0; k < KIND_COUNT; k++)
		map_free(&s->docs[k]);
	s->org = NULL;
}
