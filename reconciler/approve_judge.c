/* SPDX-License-Identifier: Apache-2.0 */
/* From change-sets to what they need, and from what was said to an answer. */
#include "approve_judge.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "validate/approval_keys.h"

#define RULES_ARENA ((size_t)256 << 20) /* users and teams of a large organization */
#define ENTRY_ARENA ((size_t)64 << 20)

struct judge {
	struct git_repo *git;
	struct arena *mem;           /* of the rules */
	struct arena *entry;         /* of one path that is looked at */
	struct files files;          /* of the trusted tree */
	struct approval_rules *rules;
	struct digest of;            /* what the rules were read from */
	struct approve_judge face;
};

/* -- the policy ------------------------------------------------------------------------------------------------------------------ */

static int
load_rules(struct git_repo *g, const struct oid *tree, struct arena *mem, struct files *files, struct approval_rules **out, struct err *e)
{
	int rc = git_files(g, tree, mem, files, e);

	return rc < 0 ? rc : approval_rules_load(mem, files, out, e);
}

/* Everything that rules are read from, and that environments refer to: all but the environments themselves. */
static int
digest_of(struct git_repo *g, const struct oid *tree, struct digest *out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct git_edit *ed;
	struct hash_state h;
	const char **names;
	size_t n;
	int rc = git_edit_new(g, tree, &ed, e);

	if (rc < 0)
		return rc;
	hash_init(&h);
	if ((rc = git_edit_list(ed, "", mem, &names, &n, e)) == 0)
		for (size_t i = 0; i < n && rc == 0; i++) {
			char *name = arena_strdup(mem, names[i]), *slash = strchr(name, '/');
			struct oid id;

			if (slash)
				*slash = '\0';
			if (str_eq(name, "envs") || (rc = git_tree_find(g, tree, name, &id, NULL, e)) < 0)
				continue;
			hash_field_str(&h, name);
			hash_field(&h, id.b, sizeof(id.b));
		}
	git_edit_free(ed);
	hash_final(&h, out);
	return rc;
}

int
judge_policy(struct judge *j, const struct oid *tree, struct err *e)
{
	struct digest of;
	int rc = digest_of(j->git, tree, &of, e);

	if (rc < 0)
		return rc;
	if (j->rules && memcmp(&of, &j->of, sizeof(of)) == 0 && arena_used(j->mem) < RULES_ARENA / 2)
		return 0; /* ten thousand users are not read again for one environment */
	j->of = of;
	j->rules = NULL;
	arena_reset(j->mem);
	rc = load_rules(j->git, tree, j->mem, &j->files, &j->rules, e);
	return rc == ERR_INVALID ? err_wrap(e, "the policy that is trusted") : rc;
}

static int
policy(void *ctx, const struct oid *tree, struct err *e)
{
	return judge_policy(ctx, tree, e);
}

static bool
asks_nothing(void *ctx)
{
	const struct judge *j = ctx;

	return j->rules && approval_mode(j->rules) == APPROVAL_NONE;
}

static const char *
person(void *ctx, const char *name_or_mail)
{
	const struct judge *j = ctx;

	return j->rules ? approval_person(j->rules, name_or_mail) : NULL;
}

static bool
logs_in(void *ctx, const struct ssh_key *k)
{
	const struct judge *j = ctx;

	return j->rules && approval_login_of(j->rules, k) != NULL;
}

static bool
reviews(void *ctx)
{
	const struct judge *j = ctx;

	return j->rules && approval_mode(j->rules) == APPROVAL_FORGE;
}

static const char *
account(void *ctx, const char *login)
{
	const struct judge *j = ctx;

	return j->rules ? approval_account(j->rules, login) : NULL;
}

static const char *
author(void *ctx, const char *mail)
{
	const struct judge *j = ctx;

	return j->rules ? approval_author(j->rules, mail) : NULL;
}

/* -- what a change needs ------------------------------------------------------------------------------------------------------------ */

/* Bytes of one side; "" for what is there and cannot be read as a document: its path decides alone. */
static int
read_side(struct judge *j, const struct oid *id, uint32_t mode, const char **bytes, size_t *len, struct err *e)
{
	int rc;

	*bytes = NULL;
	*len = 0;
	if (!mode)
		return 0;
	*bytes = "";
	if (mode != FILE_REGULAR && mode != FILE_EXECUTABLE)
		return 0;
	rc = git_blob_read(j->git, id, FILE_OTHER_MAX, j->entry, bytes, len, e);
	if (rc != ERR_INVALID)
		return rc;
	*bytes = "";
	*len = 0;
	return 0;
}

static void
copy_part(struct arena *mem, const struct approval_part *from, struct approval_part *to)
{
	const char **teams = arena_array(mem, from->nteams + 1, sizeof(*teams));

	*to = *from;
	to->path = arena_strdup(mem, from->path);
	to->owner = from->owner ? arena_strdup(mem, from->owner) : NULL;
	to->why = from->why ? arena_strdup(mem, from->why) : NULL;
	for (size_t i = 0; i < from->nteams; i++)
		teams[i] = arena_strdup(mem, from->teams[i]);
	to->teams = teams;
}

static int
need_of(struct judge *j, const struct change_entry *c, struct arena *mem, struct approval_part *out, struct err *e)
{
	struct approval_change change = { .path = c->path };
	struct approval_part part;
	int rc;

	arena_reset(j->entry);
	if ((rc = read_side(j, &c->old_id, c->old_mode, &change.old_bytes, &change.old_len, e)) < 0 ||
	    (rc = read_side(j, &c->new_id, c->new_mode, &change.new_bytes, &change.new_len, e)) < 0 ||
	    (rc = approval_need(j->rules, j->entry, &change, &part, e)) < 0)
		return rc;
	copy_part(mem, &part, out);
	return 0;
}

/* -- who is left afterwards ----------------------------------------------------------------------------------------------------------- */

struct keys {
	const struct approval_rules *rules;
	struct approval_keys keys;
};

static bool
has_key(void *ctx, const char *user)
{
	const struct keys *k = ctx;

	return approval_keys_of(&k->keys, k->rules, user);
}

static bool
changes_policy(const struct changeset *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->items[i].path, "berth.yaml") || str_starts(c->items[i].path, "approvers/") ||
		    str_starts(c->items[i].path, "users/") || str_starts(c->items[i].path, "teams/"))
			return true;
	return false;
}

/* A policy that nobody could change again is refused whoever wants it. */
static int
enough_left(struct judge *j, const struct oid *tree, const struct changeset *c, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(RULES_ARENA);
	struct approval_rules *rules;
	struct keys keys = { 0 };
	struct files files;
	struct oid after;
	int rc;

	if ((rc = changeset_apply(j->git, tree, c, &after, e)) < 0 || (rc = load_rules(j->git, &after, mem, &files, &rules, e)) < 0)
		return rc == ERR_INVALID ? err_wrap(e, "the policy after it") : rc;
	keys.rules = rules;
	if ((rc = approval_keys_load(mem, &files, &keys.keys, e)) < 0)
		return err_wrap(e, "the policy after it");
	return approval_enough_left(rules, has_key, &keys, e);
}

/* Who asks for changes is waited for, however many said yes. */
static void
add_against(struct arena *mem, const struct approve_said *said, const char **missing, unsigned *lacks)
{
	if (!said->against)
		return;
	*missing = *missing ? arena_printf(mem, "%s; %s", said->against, *missing) : arena_strdup(mem, said->against);
	*lacks = *lacks ? *lacks : 1;
}

static struct approval_said
said_of(const struct approve_said *said)
{
	return (struct approval_said){ .voices = said->voices, .nvoices = said->nvoices, .authors = said->authors, .nauthors = said->nauthors,
		.author_unknown = said->author_unknown };
}

/* Mostly the first paths tell it of everybody. */
static void
weigh(void *ctx, struct arena *mem, const struct changeset *c, const struct approve_said *said, bool *has_say)
{
	struct judge *j = ctx;
	struct approval_said s = said_of(said);
	size_t left = said->nvoices;

	for (size_t k = 0; k < said->nvoices; k++)
		has_say[k] = false;
	for (size_t i = 0; i < c->n && left; i++) {
		struct approval_part part;
		bool read = need_of(j, &c->items[i], mem, &part, NULL) == 0;

		for (size_t k = 0; k < said->nvoices; k++)
			if (!has_say[k] && (!read || approval_weighs(j->rules, &part, &s, said->voices[k]))) {
				has_say[k] = true;
				left--;
			}
	}
}

static int
enough(void *ctx, struct arena *mem, const struct oid *tree, const struct changeset *c, const struct approve_said *said,
       const char **missing, unsigned *lacks, struct err *e)
{
	struct judge *j = ctx;
	struct approval_part *parts = arena_array(mem, c->n ? c->n : 1, sizeof(*parts));
	struct approval_said s = said_of(said);
	struct err left = { 0 };
	int rc;

	for (size_t i = 0; i < c->n; i++)
		if ((rc = need_of(j, &c->items[i], mem, &parts[i], e)) < 0)
			return rc;
	*missing = NULL;
	if (said->emergency && approval_is_admin(j->rules, said->emergency)) {
		*lacks = 0;
	} else if (!c->n) {
		*missing = "nothing is changed";
	} else {
		(void)approval_enough(j->rules, mem, parts, c->n, &s, missing, lacks);
		add_against(mem, said, missing, lacks);
	}
	if (*missing || !changes_policy(c))
		return 0;
	rc = enough_left(j, tree, c, &left);
	if (rc == ERR_DENIED || rc == ERR_INVALID) {
		*missing = arena_strdup(mem, left.text);
		*lacks = 1;
		return 0;
	}
	return rc < 0 ? err_set(e, rc, "%s", left.text) : 0;
}

/* -- set-up --------------------------------------------------------------------------------------------------------------------------- */

struct judge *
judge_new(struct git_repo *g)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (!j)
		abort();
	j->git = g;
	j->mem = arena_new(RULES_ARENA);
	j->entry = arena_new(ENTRY_ARENA);
	j->face = (struct approve_judge){ .ctx = j, .policy = policy, .asks_nothing = asks_nothing, .person = person, .logs_in = logs_in,
		.reviews = reviews, .account = account, .author = author, .weigh = weigh, .enough = enough };
	return j;
}

void
judge_free(struct judge *j)
{
	if (!j)
		return;
	arena_free(j->mem);
	arena_free(j->entry);
	free(j);
}

const struct approve_judge *
judge_get(const struct judge *j)
{
	return &j->face;
}

const struct approval_rules *
judge_rules(const struct judge *j)
{
	return j->rules;
}
