/* SPDX-License-Identifier: Apache-2.0 */
/* berth recipients: for whom to seal, checked, with the commands that do it. */
#include <stdio.h>
#include <string.h>

#include "cli/guarded.h"
#include "cli/published.h"
#include "cli/tree.h"
#include "lib/base/str.h"
#include "lib/doc/value.h"
#include "lib/seal/master.h"
#include "lib/seal/sshsig.h"

struct showing {
	struct published p;
	struct arena *mem;
	const char *env;         /* --env */
	const char *checked;     /* how they came to be believed, for people */
	const struct master *key; /* --key: computed, nothing is published */
	struct files tree;       /* with a key */
	enum output form;
	struct value *list;
	bool one;                /* one place was asked for: with the commands */
};

/* -- from the master key ---------------------------------------------------------------------------------------------------- */

static int
recipient_of(const struct showing *s, const struct seal_place *place, const char **out, struct err *e)
{
	char text[AGE_TEXT_MAX];
	struct age_identity id;
	int rc;

	if ((rc = master_identity(s->key, s->p.set.generation, place, &id, e)) < 0)
		return rc;
	age_recipient_text(id.pk, text);
	secret_wipe(&id, sizeof(id));
	*out = arena_strdup(s->mem, text);
	return 0;
}

static int
envs_of(struct showing *s, struct recipients *r, struct err *e)
{
	const char *prefix = arena_printf(s->mem, "envs/%s/", r->user);
	size_t count;
	const struct file_entry *f = files_under(&s->tree, prefix, &count);
	struct recipient_env *envs = arena_array(s->mem, count + 1, sizeof(*envs));
	int rc;

	for (size_t i = 0; i < count; i++) {
		struct path_info info;
		struct seal_place place = { PLACE_ENV, r->user, r->uid, NULL };

		path_classify(s->mem, f[i].path, &info);
		if (info.class != PATH_DOC || info.kind != KIND_ENV)
			continue;
		place.env = info.name;
		envs[r->nenvs].name = info.name;
		if ((rc = recipient_of(s, &place, &envs[r->nenvs].recipient, e)) < 0)
			return rc;
		r->nenvs++;
	}
	r->envs = envs;
	return 0;
}

static int
computed(struct showing *s, const char *user, struct recipients *out, struct err *e)
{
	struct recipients r = { .user = user, .generation = s->p.set.generation };
	struct seal_place place = { .scope = PLACE_SITE };
	int rc;

	if (user) {
		if ((rc = published_uid(&s->p, user, &r.uid, e)) < 0)
			return rc;
		place = (struct seal_place){ PLACE_OWNER, user, r.uid, NULL };
		if ((rc = envs_of(s, &r, e)) < 0)
			return rc;
	}
	if ((rc = recipient_of(s, &place, &r.recipient, e)) < 0)
		return rc;
	*out = r;
	return 0;
}

static int
take(struct showing *s, const char *user, struct recipients *out, struct err *e)
{
	return s->key ? computed(s, user, out, e) : published_recipients(&s->p, user, out, e);
}

/* -- for people --------------------------------------------------------------------------------------------------------------- */

static const char *
folder_of(struct arena *mem, const struct recipients *r, const char *env)
{
	if (!r->user)
		return "secrets";
	return env ? arena_printf(mem, "envs/%s/secrets/%s", r->user, env) : arena_printf(mem, "envs/%s/secrets", r->user);
}

static void
print_commands(const struct showing *s, const struct recipients *r, const char *recipient)
{
	const char *folder = folder_of(s->mem, r, s->env);

	(void)printf("\nseal a value for it:\n");
	if (!r->user)
		(void)printf("  berth seal --site NAME\n");
	else
		(void)printf("  berth seal --user %s%s%s NAME\n", r->user, s->env ? " --env " : "", s->env ? s->env : "");
	(void)printf("  age -a -r %s -o %s/NAME.age\n", recipient, folder);
	/* a .sops.yaml that has no rule for FILE would refuse it */
	(void)printf("  sops --config /dev/null encrypt --age %s --output %s/NAME.sops.yaml FILE.yaml\n", recipient, folder);
}

static void
print_rows(const struct showing *s, const struct recipients *r)
{
	(void)printf("%s%s   generation %u, %s\n", r->user ? "" : "the site", r->user ? r->user : "", r->generation, s->checked);
	if (!s->env)
		(void)printf("  %s   %s/\n", r->recipient, folder_of(s->mem, r, NULL));
	for (size_t i = 0; i < r->nenvs; i++)
		if (!s->env || strcmp(r->envs[i].name, s->env) == 0)
			(void)printf("  %s   %s/\n", r->envs[i].recipient, folder_of(s->mem, r, r->envs[i].name));
}

static void
add_value(struct showing *s, const struct recipients *r)
{
	struct value *v = value_map(s->mem), *envs = value_map(s->mem);

	if (r->user) {
		value_set(s->mem, v, "user", value_str(s->mem, r->user));
		value_set(s->mem, v, "uid", value_str(s->mem, r->uid));
	}
	value_set(s->mem, v, "generation", value_int(s->mem, r->generation));
	value_set(s->mem, v, "recipient", value_str(s->mem, r->recipient));
	for (size_t i = 0; i < r->nenvs; i++)
		if (!s->env || strcmp(r->envs[i].name, s->env) == 0)
			value_set(s->mem, envs, r->envs[i].name, value_str(s->mem, r->envs[i].recipient));
	if (r->user)
		value_set(s->mem, v, "environments", envs);
	value_push(s->mem, s->list, v);
}

static int
show(struct showing *s, const char *user, struct err *e)
{
	struct recipients r;
	const char *recipient;
	int rc;

	if ((rc = take(s, user, &r, e)) < 0 || (rc = recipients_for(&r, s->env, &recipient, e)) < 0)
		return rc;
	if (s->form != OUTPUT_TABLE) {
		add_value(s, &r);
		return 0;
	}
	print_rows(s, &r);
	if (s->one)
		print_commands(s, &r, recipient);
	return 0;
}

/* -- the verb ----------------------------------------------------------------------------------------------------------------- */

/* Users of the tree that can have recipients: those without a uid are for the one who asks for them by name. */
static void
users_of_tree(struct showing *s, const char ***out, size_t *n)
{
	size_t count;
	const struct file_entry *f = files_under(&s->tree, "users/", &count);
	struct err ignored;
	const char *uid;

	*out = arena_array(s->mem, count + 1, sizeof(**out));
	*n = 0;
	for (size_t i = 0; i < count; i++) {
		struct path_info info;

		path_classify(s->mem, f[i].path, &info);
		if (info.class == PATH_DOC && info.kind == KIND_USER && published_uid(&s->p, info.name, &uid, &ignored) == 0)
			(*out)[(*n)++] = info.name;
	}
}

static int
show_all(struct showing *s, struct err *e)
{
	const char **users = NULL;
	size_t n = 0;
	int rc;

	if (s->key)
		users_of_tree(s, &users, &n);
	else if ((rc = published_need_signer(&s->p, e)) < 0 || (rc = published_users(&s->p, &users, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if ((rc = show(s, users[i], e)) < 0)
			return rc;
	return show(s, NULL, e);
}

static int
open_key(struct showing *s, struct master *m, const char *path, struct err *e)
{
	char signer[96];
	uint8_t sk[64];
	int rc;

	if ((rc = master_load(path, m, e)) < 0)
		return rc;
	master_signer(m, sk);
	ssh_public_text(sk + 32, signer);
	secret_wipe(sk, sizeof(sk));
	if (!s->p.set.signer || strncmp(s->p.set.signer, signer, strlen(signer)) != 0)
		(void)fprintf(stderr, "berth: berth.yaml names %s signer than this key's, %s: a berth with this key opens nothing of the repository\n",
		              s->p.set.signer ? "another" : "no other", signer);
	s->key = m;
	s->checked = "computed from the master key";
	if (s->p.one.n) { /* HEAD of a bare repository */
		s->tree = s->p.one;
		return 0;
	}
	return tree_from_dir(args_str(s->p.a, "C", "."), s->mem, &s->tree, e);
}

static int
run(const struct args *a, struct err *e)
{
	const char *key = args_said(a, "key"), *user = a->npos ? a->pos[0] : NULL;
	struct showing s = { .mem = a->mem, .env = args_said(a, "env"), .list = value_list(a->mem) };
	struct master m = { { NULL, 0 } };
	bool site = args_said(a, "site");
	int rc;

	if ((site && (user || s.env)) || (s.env && !user))
		return err_set(e, ERR_USAGE, "write a user, a user and --env NAME, or --site");
	if ((rc = guarded_start(e)) < 0 || (rc = args_output(a, &s.form, e)) < 0 || (rc = published_open(a, &s.p, e)) < 0)
		return rc;
	s.one = site || user;
	s.checked = "signed by berth";
	if (!key || (rc = open_key(&s, &m, key, e)) == 0)
		rc = s.one ? show(&s, user, e) : show_all(&s, e);
	master_free(&m);
	if (rc < 0)
		return rc;
	if (s.form != OUTPUT_TABLE)
		output_value(s.one ? value_item(s.list, 0) : s.list, s.form);
	return EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository or a clone of it (default: here)" },
	{ "env", "NAME", "of one environment of that user alone" },
	{ "site", NULL, "of secrets/ at the root, which administrators use" },
	{ "key", "FILE", "compute them from the master key instead of reading what is published" },
	{ "offline", NULL, "do not ask the origin" },
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" },
	{ "o", "table|json|yaml", "how to print it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_recipients = {
	.name = "recipients", .args = "[USER]", .summary = "for whom to seal a secret, and the commands that do it",
	.examples = "berth recipients alice                 everything of alice's\n"
	            "berth recipients alice --env train     for one environment alone\n"
	            "age -a -r $(berth recipients alice -o json | jq -r .recipient) -o envs/alice/secrets/wandb.age\n",
	.details = "What is shown was published by berth on the branch berth/status and signed by the key that berth.yaml names as\n"
	           "spec.secrets.signer; anything else is refused. Without USER: of everybody.",
	.opts = opts, .max = 1, .run = run,
};
