/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of nodes, and the names of sealed values. */
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/seal/sops_priv.h"

#define NUMBER_MAX_TEXT 24 /* digits of a list item's number, and what stands behind it */

const struct sops_step *
sops_step(struct arena *mem, const struct sops_step *up, const char *key, size_t index)
{
	struct sops_step *s = arena_alloc(mem, sizeof(*s));
	size_t len = key ? strlen(key) : 0;

	*s = (struct sops_step){
		up, key, index, len, up ? up->depth + 1 : 1, (up ? up->total : 0) + (key ? len + 1 : NUMBER_MAX_TEXT)
	};
	return s;
}

/* The keys with `between` after each but the last; with `additional` after that too, and without the items of lists. */
static const char *
path_text(struct arena *mem, const struct sops_step *path, char between, bool additional)
{
	size_t n = 0, room = (path ? path->total : 0) + 1;
	char *text = arena_alloc(mem, room), number[NUMBER_MAX_TEXT];

	/* from its end: a path knows its parent only */
	for (const struct sops_step *s = path; s; s = s->up) {
		const char *part = s->key;
		size_t len;

		if (!part && additional)
			continue;
		if (!part) {
			(void)snprintf(number, sizeof(number), "%zu", s->index);
			part = number;
		}
		len = strlen(part);
		if (n || additional)
			text[room - 1 - ++n] = between;
		n += len;
		memcpy(text + room - 1 - n, part, len);
	}
	return text + room - 1 - n;
}

const char *
sops_additional(struct arena *mem, const struct sops_step *path)
{
	return path_text(mem, path, ':', true);
}

const char *
sops_where(struct arena *mem, const struct sops_step *path, unsigned line)
{
	return arena_printf(mem, "`%.100s` (line %u)", str_line(mem, path_text(mem, path, '.', false)), line);
}

/*
 * A list says nothing that is authenticated: neither GCM nor the MAC knows which item a value is in, and items without
 * values may come and go. What they do know is the keys above a value and the order of values. So of the lists around a
 * value the innermost stands in its name, with the value's number among those that have the same keys: for a list of
 * texts, or of maps that are alike, that is the item's own number.
 */
static void
fill_name(struct arena *mem, const struct sops_step *path, size_t number, struct sops_name *out)
{
	const char **keys = arena_array(mem, path->depth, sizeof(*keys));
	size_t n = path->depth, bytes = 0;
	bool numbered = false;
	char *at;

	for (const struct sops_step *s = path; s; s = s->up) {
		if (!s->key && numbered)
			continue;
		keys[--n] = s->key ? s->key : arena_printf(mem, "%zu", number);
		numbered = numbered || !s->key;
		bytes += strlen(keys[n]) + 1;
	}
	out->keys = keys + n;
	out->nkeys = path->depth - n;
	out->name = at = arena_alloc(mem, bytes);
	for (size_t i = 0; i < out->nkeys; i++) {
		size_t len = strlen(out->keys[i]);

		memcpy(at, out->keys[i], len);
		at += len;
		if (i + 1 < out->nkeys)
			*at++ = '.';
	}
	*at = '\0';
}

static int
check_name(struct arena *mem, const struct sops_file *f, size_t i, struct err *e)
{
	const struct sops_node *node = f->names[i].node;

	for (size_t k = 0; k < i; k++)
		if (strcmp(f->names[k].name, f->names[i].name) == 0)
			return err_set(e, ERR_INVALID, "two sealed values have the name %s",
			               sops_where(mem, node->path, node->line));
	return 0;
}

int
sops_name_values(struct arena *mem, struct sops_file *f, struct err *e)
{
	const char *additional[SOPS_LEAVES_MAX];
	size_t n = 0, bytes = 0;

	f->names = arena_array(mem, f->nvalues, sizeof(*f->names));
	for (size_t i = 0; i < f->n; i++) {
		const struct sops_node *node = &f->nodes[i];
		size_t number = 0;

		if (!node->enc || node->enc->type == SOPS_COMMENT)
			continue;
		additional[n] = sops_additional(mem, node->path);
		for (size_t k = 0; k < n; k++)
			number += strcmp(additional[k], additional[n]) == 0;
		f->names[n].node = node;
		fill_name(mem, node->path, number, &f->names[n]);
		bytes += strlen(f->names[n].name) + 1;
		if (bytes > SOPS_NAMES_MAX)
			return err_set(e, ERR_INVALID, "the names of all sealed values take more than %zu bytes",
			               SOPS_NAMES_MAX);
		if (check_name(mem, f, n, e) < 0)
			return e->code;
		n++;
	}
	return 0;
}
