/* SPDX-License-Identifier: Apache-2.0 */
/* Whether those who said yes are enough. */
#include <string.h>

#include "lib/base/str.h"
#include "validate/approval_priv.h"

#define NAMES_MAX 8 /* that a line shows */

struct count {
	const struct approval_rules *r;
	const struct approval_part *p;
	const struct approval_said *said;
	struct map pool;      /* who may give a voice for this part at all */
	const char *alone;    /* the only admin there is, or NULL */
	bool authors_count;
	unsigned need, have;
};

static bool
among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

static bool
wrote(const struct count *c, const char *name)
{
	return among(c->said->authors, c->said->nauthors, name);
}

static bool
said_yes(const struct count *c, const char *name)
{
	return among(c->said->voices, c->said->nvoices, name);
}

static void
fill_pool(struct count *c)
{
	for (size_t i = 0; i < c->r->nadmins; i++)
		(void)map_put(&c->pool, c->r->admins[i], NULL);
	for (size_t i = 0; i < c->p->nteams; i++) {
		const struct team_admins *t = map_get(&c->r->teams, c->p->teams[i]);

		for (size_t k = 0; t && k < t->n; k++)
			if (map_has(&c->r->people.names, t->names[k]))
				(void)map_put(&c->pool, t->names[k], NULL);
	}
}

/* Where there is a single admin, nobody else could say it: that one's voice is one whatever it is about. */
static bool
counts(const struct count *c, const char *name)
{
	return str_eq(name, c->alone) || ((c->authors_count || !wrote(c, name)) && !str_eq(name, c->p->owner));
}

/* How many of the pool count, and how many of those have said yes; the single admin is left out when `others`. */
static void
tally(const struct count *c, bool others, unsigned *can, unsigned *have)
{
	const char *name;

	*can = *have = 0;
	for (size_t i = 0; map_next(&c->pool, &i, &name, NULL);) {
		if (!counts(c, name) || (others && str_eq(name, c->alone)))
			continue;
		++*can;
		*have += said_yes(c, name);
	}
}

/*
 * An author who is nobody known may be any of those who said yes, so one voice more is needed. Not where it makes no difference: where authors' voices
 * count all the same, or would if it were one of those.
 */
static bool
one_more(const struct count *c)
{
	unsigned can, have;

	if (!c->said->author_unknown)
		return false;
	tally(c, true, &can, &have);
	if (c->p->class_ == APPROVAL_SHARED)
		return !c->authors_count && can > c->p->required;
	return c->alone && c->p->required <= 1 ? have > 0 : can > 0;
}

static void
count_voices(struct count *c)
{
	unsigned can;

	c->alone = c->r->nadmins == 1 ? c->r->admins[0] : NULL;
	fill_pool(c);
	tally(c, false, &can, &c->have);
	/* two admins cannot both be somebody else: then both have to say it, whoever wrote it */
	if (c->p->class_ == APPROVAL_SHARED && can < c->p->required) {
		c->authors_count = true;
		tally(c, false, &can, &c->have);
	}
	c->need = c->p->required + one_more(c);
	if (c->p->class_ == APPROVAL_OWNER && said_yes(c, c->p->owner))
		c->need = c->have = 0;
}

/* -- what to say ------------------------------------------------------------------------------------------------------ */

/* "carol, dana" of those who could still say it. */
static const char *
who_may(const struct count *c, struct arena *mem, unsigned *n)
{
	const char *text = "", *name;

	*n = 0;
	for (size_t i = 0; map_next(&c->pool, &i, &name, NULL);) {
		if (!counts(c, name) || said_yes(c, name))
			continue;
		if (*n < NAMES_MAX)
			text = arena_printf(mem, "%s%s%s", text, *n ? ", " : "", name);
		++*n;
	}
	return *n > NAMES_MAX ? arena_printf(mem, "%s and %u more", text, *n - NAMES_MAX) : text;
}

/* Why a voice that somebody may have counted on is none. */
static const char *
who_may_not(const struct count *c, struct arena *mem)
{
	const char *text = "", *name;

	if (c->p->owner && c->p->class_ != APPROVAL_OWNER && !str_eq(c->p->owner, c->alone))
		text = arena_printf(mem, "; %s is its owner", c->p->owner);
	for (size_t i = 0; map_next(&c->pool, &i, &name, NULL);)
		if (!counts(c, name) && wrote(c, name) && !str_eq(name, c->p->owner))
			text = arena_printf(mem, "%s; %s wrote it", text, name);
	return text;
}

static const char *
say_missing(const struct count *c, struct arena *mem)
{
	unsigned lacks = c->need - c->have, can;
	const char *names = who_may(c, mem, &can), *text;

	if (can >= lacks)
		text = arena_printf(mem, "%u more of %s", lacks, names);
	else if (can)
		text = arena_printf(mem, "%u more, but only %s may", lacks, names);
	else
		text = arena_printf(mem, "%u more, but nobody else may", lacks);
	if (c->p->class_ == APPROVAL_OWNER)
		text = arena_printf(mem, "%s, or %s", c->p->owner, text);
	text = arena_printf(mem, "%s%s", text, who_may_not(c, mem));
	if (c->need > c->p->required)
		text = arena_printf(mem, "%s; an author is nobody of users/, which takes one more", text);
	if (c->p->class_ == APPROVAL_SHARED)
		text = arena_printf(mem, "%s; %s takes %u", text, str_line(mem, c->p->path), c->p->required);
	return c->p->why ? arena_printf(mem, "%s; %s", text, c->p->why) : text;
}

bool
approval_enough(const struct approval_rules *r, struct arena *mem, const struct approval_part *parts, size_t n,
                const struct approval_said *said, const char **missing, unsigned *lacks)
{
	*lacks = n ? 0 : 1;
	*missing = n ? NULL : "nothing is changed, so there is nothing to approve";
	for (size_t i = 0; i < n; i++) {
		struct count c = { .r = r, .p = &parts[i], .said = said };

		count_voices(&c);
		if (c.need > c.have && c.need - c.have > *lacks) {
			*lacks = c.need - c.have;
			*missing = say_missing(&c, mem);
		}
		map_free(&c.pool);
	}
	return *lacks == 0;
}

bool
approval_weighs(const struct approval_rules *r, const struct approval_part *part, const struct approval_said *said, const char *voice)
{
	struct count c = { .r = r, .p = part, .said = said };
	bool weighs;

	count_voices(&c);
	weighs = (part->class_ == APPROVAL_OWNER && str_eq(part->owner, voice)) || (map_has(&c.pool, voice) && counts(&c, voice));
	map_free(&c.pool);
	return weighs;
}

unsigned
approval_needed(const struct approval_rules *r)
{
	unsigned shared = r->nadmins == 1 ? 1 : 2;

	return r->min_approvers > shared ? r->min_approvers : shared;
}

int
approval_enough_left(const struct approval_rules *new_, bool (*has_key)(void *ctx, const char *user), void *ctx, struct err *e)
{
	unsigned left = 0, need = approval_needed(new_);

	if (new_->mode == APPROVAL_NONE)
		return 0;
	for (size_t i = 0; i < new_->nadmins; i++)
		left += new_->mode == APPROVAL_FORGE || has_key(ctx, new_->admins[i]);
	if (left >= need)
		return 0;
	if (new_->mode == APPROVAL_FORGE) {
		err_set(e, ERR_DENIED, "%u of approvals.admins would be users, and %u are needed: %s", left, need,
		        need == new_->min_approvers ? "guards.minApprovers says so" : "nobody could change berth.yaml, users or flavors any more");
		return err_hint(e, "name one more in the same change");
	}
	err_set(e, ERR_DENIED, "%u of the admins in berth.yaml would have a key in approvers/allowed_signers, and %u are needed: %s", left, need,
	        need == new_->min_approvers ? "guards.minApprovers says so" : "nobody could change berth.yaml, users or flavors any more");
	return err_hint(e, "add the missing keys in the same change, or take who has none out of approvals.admins");
}
