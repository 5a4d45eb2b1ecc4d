/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of approval as a trusted tree has them: who exists, who may, and how many it takes. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/say.h"
#include "validate/approval_priv.h"

#define DOC_ARENA ((size_t)64 << 20)
#define LIST_MAX 100     /* as in the schema, which a trusted berth.yaml may be older than */
#define REQUIRED_MAX 100

/* -- documents ------------------------------------------------------------------------------------------------------ */

/* NULL when it is not there or cannot be read; *spec then too. Only trouble with the files is an error. */
static int
read_spec(const struct files *files, struct arena *mem, const char *path, const struct value **spec, struct err *e)
{
	const struct file_entry *f = files_find(files, path);
	struct report r;
	struct doc *d;
	int rc;

	*spec = NULL;
	if (!f)
		return 0;
	report_init(&r, mem);
	if ((rc = doc_read(mem, files, f, &r, &d, e)) < 0)
		return rc;
	*spec = d->spec;
	return 0;
}

static const char *const *
names_of(struct arena *mem, const struct value *list, size_t *n)
{
	size_t len = value_is(list, VALUE_LIST) ? value_len(list) : 0;
	const char **names = arena_array(mem, len + 1, sizeof(*names));

	*n = 0;
	for (size_t i = 0; i < len; i++) {
		const char *s = value_as_str(value_item(list, i), NULL);

		if (s && name_valid(s))
			names[(*n)++] = arena_strdup(mem, s);
	}
	return names;
}

/* A file in users/ is a person whatever stands in it: one that is broken must not make its admin nobody. */
static int
add_user(void *ctx, struct arena *mem, const struct file_entry *f, const char *name, struct err *e)
{
	struct approval_rules *r = ctx;
	const struct value *spec;
	int rc;

	if ((rc = read_spec(r->files, mem, f->path, &spec, e)) < 0)
		return err_wrap(e, "%s", f->path);
	people_add(&r->people, r->mem, name, spec);
	logins_add(&r->logins, mem, spec, people_find(&r->people, name)->name);
	return 0;
}

static int
add_team(void *ctx, struct arena *mem, const struct file_entry *f, const char *name, struct err *e)
{
	struct approval_rules *r = ctx;
	struct team_admins *t = arena_alloc(r->mem, sizeof(*t));
	const struct value *spec;
	int rc;

	if ((rc = read_spec(r->files, mem, f->path, &spec, e)) < 0)
		return err_wrap(e, "%s", f->path);
	t->names = names_of(r->mem, value_get(spec, "admins"), &t->n);
	(void)map_put(&r->teams, name, t);
	return 0;
}

/* -- sizes ---------------------------------------------------------------------------------------------------------- */

static const char *const size_keys[SIZE_COUNT] = { "gpu", "cpu", "memory", "worldSize" };
static const char *const compare_keys[] = { ">=", "<=", ">", "<", "=" }; /* longest first */
static const enum compare compare_ops[] = { COMPARE_GE, COMPARE_LE, COMPARE_GT, COMPARE_LT, COMPARE_EQ };

static int
read_test(const struct member *m, struct size_test *out)
{
	const char *s = value_as_str(m->value, "");
	size_t op = 0;

	for (out->size = 0; out->size < SIZE_COUNT && !str_eq(m->key, size_keys[out->size]);)
		out->size++;
	while (op < sizeof(compare_ops) / sizeof(*compare_ops) && !str_starts(s, compare_keys[op]))
		op++;
	if (out->size == SIZE_COUNT || op == sizeof(compare_ops) / sizeof(*compare_ops))
		return ERR_INVALID;
	out->op = compare_ops[op];
	s += strlen(compare_keys[op]);
	return quantity_parse(s + strspn(s, " "), &out->milli);
}

static int
read_count(const struct value *v, int64_t otherwise, unsigned *out)
{
	int64_t n = v ? value_as_int(v, -1) : otherwise;

	if (n < 0 || n > REQUIRED_MAX)
		return ERR_INVALID;
	*out = (unsigned)n;
	return 0;
}

static int
read_rule(const struct value *v, struct size_rule *out)
{
	const struct value *when = value_get(v, "when");

	if (!value_is(v, VALUE_MAP) || value_len(v) != 2 || !value_is(when, VALUE_MAP) || when->map.n == 0 || when->map.n > SIZE_COUNT ||
	    read_count(value_get(v, "required"), -1, &out->required) < 0)
		return ERR_INVALID;
	out->line = v->at.line;
	for (size_t i = 0; i < when->map.n; i++)
		if (read_test(&when->map.items[i], &out->tests[out->ntests++]) < 0)
			return ERR_INVALID;
	return 0;
}

int
size_rules_read(struct arena *mem, const struct value *list, struct size_rule **out, size_t *n, struct err *e)
{
	*n = value_len(list);
	if (list && (!value_is(list, VALUE_LIST) || *n > LIST_MAX))
		return err_set(e, ERR_INVALID, "berth.yaml:%u: approvals.rules is no list of at most %d rules", list->at.line, LIST_MAX);
	*out = arena_array(mem, *n + 1, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		if (read_rule(value_item(list, i), &(*out)[i]) < 0)
			return err_set(e, ERR_INVALID, "berth.yaml:%u: approvals.rules[%zu] is no rule {when: {gpu: \">4\"}, required: 2}",
			               value_item(list, i)->at.line, i);
	return 0;
}

/* -- berth.yaml ----------------------------------------------------------------------------------------------------- */

static int
read_mode(const struct value *v, enum approval_mode *out)
{
	static const char *const names[] = { "none", "signed", "forge" };
	const char *s = value_as_str(v, NULL);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_eq(s, names[i])) {
			*out = (enum approval_mode)i;
			return 0;
		}
	return ERR_INVALID;
}

/* A key that is not known here may be a rule that a newer version holds: less would be asked for than is written. */
static int
check_keys(const struct value *approvals, struct err *e)
{
	static const char *const keys[] = { "mode", "required", "admins", "rules" };

	for (size_t i = 0; i < approvals->map.n; i++) {
		const struct member *m = &approvals->map.items[i];
		size_t k = 0;

		while (k < sizeof(keys) / sizeof(*keys) && !str_eq(m->key, keys[k]))
			k++;
		if (k == sizeof(keys) / sizeof(*keys))
			return err_set(e, ERR_INVALID, "berth.yaml:%u: approvals has a field that this version does not know", m->at.line);
	}
	return 0;
}

static int
read_org(struct approval_rules *r, const struct value *spec, struct err *e)
{
	const struct value *a = value_get(spec, "approvals"), *admins = value_get(a, "admins");
	const char *const *names;
	size_t n;
	int rc;

	if (!value_is(a, VALUE_MAP))
		return err_set(e, ERR_INVALID, "berth.yaml cannot be read, or has no spec.approvals");
	if ((rc = check_keys(a, e)) < 0)
		return rc;
	if (read_mode(value_get(a, "mode"), &r->mode) < 0)
		return err_set(e, ERR_INVALID, "berth.yaml:%u: approvals.mode is not signed, forge or none", a->at.line);
	if (read_count(value_get(a, "required"), 1, &r->required) < 0 ||
	    read_count(value_at(spec, "guards.minApprovers"), 1, &r->min_approvers) < 0)
		return err_set(e, ERR_INVALID, "berth.yaml: approvals.required or guards.minApprovers is no number from 0 to %d", REQUIRED_MAX);
	names = names_of(r->mem, admins, &n);
	if (admins && (!value_is(admins, VALUE_LIST) || n != value_len(admins) || n > LIST_MAX))
		return err_set(e, ERR_INVALID, "berth.yaml:%u: approvals.admins is no list of at most %d names", admins->at.line, LIST_MAX);
	r->admins = arena_array(r->mem, n + 1, sizeof(*r->admins));
	for (size_t i = 0; i < n; i++)
		if (map_has(&r->people.names, names[i]) && !approval_is_admin(r, names[i]))
			r->admins[r->nadmins++] = names[i];
	/* what nobody approves is not approved */
	r->required = r->required ? r->required : 1;
	return size_rules_read(r->mem, value_get(a, "rules"), &r->rules, &r->nrules, e);
}

/* -- the whole ------------------------------------------------------------------------------------------------------- */

static void
rules_free(void *ctx)
{
	struct approval_rules *r = ctx;

	trusted_free(r->trusted);
	people_free(&r->people);
	map_free(&r->teams);
	map_free(&r->logins);
}

static int
load(struct approval_rules *r, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(DOC_ARENA);
	const struct value *spec;
	int rc;

	if ((rc = doc_each(r->files, KIND_USER, "users/", add_user, r, e)) < 0 ||
	    (rc = doc_each(r->files, KIND_TEAM, "teams/", add_team, r, e)) < 0 || (rc = read_spec(r->files, mem, "berth.yaml", &spec, e)) < 0)
		return rc;
	return read_org(r, spec, e);
}

int
approval_rules_load(struct arena *mem, const struct files *files, struct approval_rules **out, struct err *e)
{
	struct approval_rules *r = arena_alloc(mem, sizeof(*r));
	int rc;

	r->mem = mem;
	r->files = files;
	r->trusted = arena_alloc(mem, sizeof(*r->trusted));
	r->trusted->files = files;
	arena_defer(mem, rules_free, r);
	if ((rc = load(r, e)) < 0)
		return err_wrap(e, "rules of approval");
	*out = r;
	return 0;
}

int
approval_mode_read(const struct files *files, enum approval_mode *out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(DOC_ARENA);
	struct approval_rules r = { .mem = mem };
	const struct value *spec;
	int rc;

	if ((rc = read_spec(files, mem, "berth.yaml", &spec, e)) < 0 || (rc = read_org(&r, spec, e)) < 0)
		return rc;
	*out = r.mode;
	return 0;
}

enum approval_mode
approval_mode(const struct approval_rules *r)
{
	return r->mode;
}

const char *
approval_person(const struct approval_rules *r, const char *principal_or_mail)
{
	const struct person *p = people_find(&r->people, principal_or_mail);

	return p ? p->name : NULL;
}

const char *
approval_account(const struct approval_rules *r, const char *login)
{
	const struct person *p = people_account(&r->people, login);

	return p ? p->name : NULL;
}

const char *
approval_login_of(const struct approval_rules *r, const struct ssh_key *k)
{
	char hex[DIGEST_HEX];

	login_digest(k, hex);
	return map_get(&r->logins, hex);
}

bool
approval_is_admin(const struct approval_rules *r, const char *user)
{
	for (size_t i = 0; i < r->nadmins; i++)
		if (str_eq(r->admins[i], user))
			return true;
	return false;
}

size_t
approval_admins(const struct approval_rules *r)
{
	return r->nadmins;
}
