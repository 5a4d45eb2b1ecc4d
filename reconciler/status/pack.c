/* SPDX-License-Identifier: Apache-2.0 */
/* Observations that stay: copied whole, compared. */
#include "status/pack.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

const char *
pack_str(struct packer *k, const char *s)
{
	size_t n;
	char *at = k->at;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	k->need += n;
	if (!at)
		return s;
	memcpy(at, s, n);
	k->at += n;
	return at;
}

/* A list of texts in an observation or in its state: where its pointer and its length stand. */
struct list_of {
	const char *const **items;
	size_t n;
};

#define LISTS 5

static void
lists_of(struct observation *o, struct list_of out[LISTS])
{
	out[0] = (struct list_of){ &o->objects, o->nobjects };
	out[1] = (struct list_of){ &o->later, o->nlater };
	out[2] = (struct list_of){ &o->findings, o->nfindings };
	out[3] = (struct list_of){ &o->state.errors, o->state.nerrors };
	out[4] = (struct list_of){ &o->state.waiting, o->state.nwaiting };
}

/* Every text of an observation is named here, and every list above. */
static void
pack_texts(struct packer *k, struct observation *o)
{
	struct unit_state *s = &o->state;
	const char **texts[] = { &o->owner, &o->name, &o->path, &o->revision, &o->access_ssh, &o->access_web, &o->message, &o->approval,
		&s->applied_reason, &s->applied_message, &s->ready, &s->ready_reason, &s->ready_message, &s->drift_by, &s->drift_what,
		&s->address };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = pack_str(k, *texts[i]);
}

static void
pack_use(struct packer *k, struct use *u)
{
	u->team = pack_str(k, u->team);
	u->flavor = pack_str(k, u->flavor);
	u->claim = pack_str(k, u->claim);
}

struct observation *
observation_pack(const struct observation *o)
{
	struct observation *c = NULL, copy = *o;
	struct packer k = { 0 };
	struct list_of lists[LISTS];
	const char **slots;
	struct use *use;
	size_t nptr = 0;

	pack_texts(&k, &copy);
	if (o->use) {
		struct use measured = *o->use;

		pack_use(&k, &measured);
	}
	lists_of(&copy, lists);
	for (size_t i = 0; i < LISTS; i++) {
		for (size_t j = 0; j < lists[i].n; j++)
			(void)pack_str(&k, (*lists[i].items)[j]);
		nptr += lists[i].n;
	}
	c = malloc(sizeof(*c) + (o->use ? sizeof(*use) : 0) + nptr * sizeof(char *) + k.need);
	if (!c)
		abort();
	*c = copy;
	use = (struct use *)(void *)(c + 1);
	slots = (const char **)(void *)(c + 1);
	if (o->use) {
		*use = *o->use;
		c->use = use;
		slots = (const char **)(void *)(use + 1);
	}
	k.at = (char *)(slots + nptr);
	pack_texts(&k, c);
	if (o->use)
		pack_use(&k, use);
	lists_of(c, lists);
	for (size_t i = 0; i < LISTS; i++) {
		for (size_t j = 0; j < lists[i].n; j++)
			slots[j] = pack_str(&k, (*lists[i].items)[j]);
		*lists[i].items = slots;
		slots += lists[i].n;
	}
	return c;
}

static bool
same_list(const char *const *x, size_t nx, const char *const *y, size_t ny)
{
	if (nx != ny)
		return false;
	for (size_t i = 0; i < nx; i++)
		if (!str_eq(x[i], y[i]))
			return false;
	return true;
}

bool
unit_state_equal(const struct unit_state *x, const struct unit_state *y)
{
	const char *const texts[][2] = {
		{ x->applied_reason, y->applied_reason }, { x->applied_message, y->applied_message }, { x->ready, y->ready },
		{ x->ready_reason, y->ready_reason }, { x->ready_message, y->ready_message }, { x->drift_by, y->drift_by },
		{ x->drift_what, y->drift_what }, { x->address, y->address },
	};

	if (x->there != y->there || x->phase != y->phase || x->applied != y->applied ||
	    !same_list(x->errors, x->nerrors, y->errors, y->nerrors) || !same_list(x->waiting, x->nwaiting, y->waiting, y->nwaiting))
		return false;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!str_eq(texts[i][0], texts[i][1]))
			return false;
	return true;
}
