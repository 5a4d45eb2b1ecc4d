/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a path of a sealed file, as a file of recipients and as a master key's file: what is taken means one thing, and is written so. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/seal/master.h"
#include "status/recipients.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_path(struct arena *mem, const char *path)
{
	const char *file = strrchr(path, '/'), *info, *again = NULL;
	enum seal_format format;
	struct seal_place p;

	if (place_of_path(mem, path, &p, &format, NULL) < 0)
		return;
	if (p.scope == PLACE_SITE)
		again = arena_printf(mem, "secrets%s", file);
	else if (p.scope == PLACE_OWNER)
		again = arena_printf(mem, "envs/%s/secrets%s", p.owner, file);
	else
		again = arena_printf(mem, "envs/%s/secrets/%s%s", p.owner, p.env, file);
	p.uid = "1";
	if (strcmp(again, path) != 0 || place_info(mem, &p, 1, &info, NULL) < 0 || strpbrk(p.owner ? p.owner : "", ";=") || strpbrk(p.env ? p.env : "", ";="))
		abort();
}

static void
check_recipients(struct arena *mem, const char *text, size_t n, const char *user)
{
	struct buf AUTO_BUF one = BUF_INIT(0), two = BUF_INIT(0);
	struct recipients r, again;

	if (recipients_parse(mem, text, n, user, &r, NULL) < 0)
		return;
	recipients_write(&r, &one);
	if (recipients_parse(mem, one.data, one.len, user, &again, NULL) < 0)
		abort();
	recipients_write(&again, &two);
	if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
		abort();
}

static void
check_master(const char *text, size_t n)
{
	struct master m, again;
	struct secret line AUTO_SECRET = { NULL, 0 };

	if (master_parse(text, n, &m, NULL) < 0)
		return;
	master_text(&m, &line);
	if (master_parse((const char *)line.b, strlen((const char *)line.b), &again, NULL) < 0 || memcmp(m.key.b, again.key.b, 32) != 0)
		abort();
	master_free(&m);
	master_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	char *text = arena_strndup(mem, (const char *)data, size);
	struct err e = { 0 };

	if (seal_init(&e) < 0)
		abort();
	check_path(mem, text);
	check_recipients(mem, text, size, NULL);
	check_recipients(mem, text, size, "alice");
	check_master(text, size);
	return 0;
}
