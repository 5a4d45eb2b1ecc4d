/* SPDX-License-Identifier: Apache-2.0 */
/* Data of the scripts ConfigMap of one environment, and the hash that restarts its pods. */
#include <string.h>

#include "lib/base/hash.h"
#include "parse/dataset.h"
#include "parse/packages.h"
#include "parse/shape.h"
#include "render/context_secrets.h"

#define CONFIG_MAP_MAX (1024 * 1024)
#define LIST_TEXT_MAX (512 * 1024) /* of one list; a ConfigMap holds 1 MiB */

/* One list under way: lines of cells with a tab between them. What the scripts read is data and never shell text. */
struct lines {
	struct arena *mem;
	struct value *files;
	struct buf text;
	struct err *e;
	int rc;
	bool started; /* the line has a cell */
};

/* The hash covers what a running pod cannot take up: a change of it restarts. */
static void
add_hashed(struct arena *mem, struct value *files, struct hash_state *h, const char *name, struct value *text)
{
	value_set(mem, files, name, text);
	hash_field_str(h, name);
	hash_field(h, text->str.s, text->str.len);
}

/* The schema lets no blank or control character into these fields; here they would be another cell or line. */
static void
cell(struct lines *l, const char *s, const char *field)
{
	for (const char *c = s; *c && l->rc == 0; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			l->rc = err_set(l->e, ERR_INVALID, "%s: a blank or control character", field);
	if (l->started)
		buf_char(&l->text, '\t');
	buf_str(&l->text, s);
	l->started = true;
}

static void
end_line(struct lines *l)
{
	buf_char(&l->text, '\n');
	l->started = false;
}

/* Puts the list down as a file when it has a line. */
static int
end_list(struct lines *l, const char *name)
{
	if (l->rc == 0 && l->text.len >= LIST_TEXT_MAX)
		l->rc = err_set(l->e, ERR_INVALID, "spec: the file %s would have more than %d bytes", name, LIST_TEXT_MAX);
	if (l->rc == 0 && l->text.len > 0)
		value_set(l->mem, l->files, name, value_strn(l->mem, buf_cstr(&l->text), l->text.len));
	buf_reset(&l->text);
	return l->rc;
}

static int
add_packages(struct lines *l, const struct env *env)
{
	static const char *const managers[] = { "apt", "yum", "conda", "pip" };

	for (size_t i = 0; i < sizeof(managers) / sizeof(*managers); i++) {
		const struct value *list = env_packages(l->mem, env, managers[i]);

		for (size_t k = 0; k < value_len(list); k++) {
			cell(l, value_as_str(value_item(list, k), ""), "spec.packages");
			end_line(l);
		}
		if (end_list(l, arena_printf(l->mem, "packages.%s", managers[i])) < 0)
			return l->rc;
	}
	return 0;
}

/* path, url, ref */
static int
add_repositories(struct lines *l, const struct env *env)
{
	const struct value *list = value_get(env->spec, "repositories");

	for (size_t i = 0; i < value_len(list); i++) {
		struct repository r;

		env_repository(l->mem, value_item(list, i), &r);
		cell(l, r.path, "spec.repositories.path");
		cell(l, r.url, "spec.repositories.url");
		cell(l, r.ref, "spec.repositories.ref");
		end_line(l);
	}
	return end_list(l, "repositories");
}

/* url, ref or "-", script */
static int
add_dotfiles(struct lines *l, const struct env *env)
{
	const struct value *d = value_get(env->user ? env->user->spec : NULL, "dotfiles");

	if (!value_is(d, VALUE_MAP))
		return 0;
	cell(l, value_as_str(value_get(d, "url"), ""), "dotfiles.url");
	cell(l, value_as_str(value_get(d, "ref"), "-"), "dotfiles.ref");
	cell(l, value_as_str(value_get(d, "script"), ""), "dotfiles.script");
	end_line(l);
	return end_list(l, "dotfiles");
}

/* name, stage, path, claim or s3, bytes, endpoint or "-", region or "-", bucket, prefix: for datasets.sh */
static int
add_datasets(struct lines *l, const struct env *env)
{
	const struct value *list = value_get(env->spec, "datasets");

	for (size_t i = 0; i < value_len(list) && i < env->ndatasets; i++) {
		struct dataset_use u;

		env_dataset(l->mem, env, i, &u);
		if (!u.copied && !u.bucket)
			continue; /* a mount: nothing to do */
		cell(l, u.name, "spec.datasets.name");
		cell(l, u.stage, "spec.datasets.stage");
		cell(l, u.path, "spec.datasets.path");
		cell(l, u.bucket ? "s3" : "claim", "");
		cell(l, arena_printf(l->mem, "%lld", (long long)u.size), "");
		cell(l, u.endpoint ? u.endpoint : "-", "spec.s3.endpoint");
		cell(l, u.region ? u.region : "-", "spec.s3.region");
		cell(l, u.bucket ? u.bucket : "-", "spec.s3.bucket");
		cell(l, u.prefix ? u.prefix : "", "spec.s3.prefix");
		end_line(l);
	}
	return end_list(l, "datasets");
}

/* how many, path */
static int
add_checkpoints(struct lines *l, const struct env *env)
{
	const struct value *c = value_get(env->spec, "checkpoints");
	int64_t keep = value_as_int(value_get(c, "keep"), 0);

	if (keep <= 0)
		return 0;
	cell(l, arena_printf(l->mem, "%lld", (long long)keep), "");
	cell(l, value_as_str(value_get(c, "path"), "/checkpoints"), "spec.checkpoints.path");
	end_line(l);
	return end_list(l, "checkpoints");
}

/* Lists that follow.sh follows while the pod runs: none of them is in the hash. */
static int
add_lists(struct arena *mem, const struct env *env, struct value *files, struct err *e)
{
	struct lines l = { .mem = mem, .files = files, .text = BUF_INIT(LIST_TEXT_MAX), .e = e };
	int rc;

	if ((rc = add_packages(&l, env)) == 0 && (rc = add_repositories(&l, env)) == 0 && (rc = add_dotfiles(&l, env)) == 0 &&
	    (rc = add_datasets(&l, env)) == 0)
		rc = add_checkpoints(&l, env);
	buf_free(&l.text);
	return rc;
}

/* "export NAME='text'" a line, for lib.sh once it is the user's: what a person gives root must not read. */
static int
add_user_env(struct arena *mem, const struct env *env, struct value *files, struct hash_state *h, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT(LIST_TEXT_MAX);
	struct value *given;
	int rc;

	if (!shape_root_entry(env))
		return 0; /* the container has them (context_vars) */
	if ((rc = context_given(mem, env, &given, e)) < 0)
		return rc;
	for (size_t i = 0; i < given->map.n; i++) {
		buf_printf(&text, "export %s='", given->map.items[i].key);
		for (const char *c = given->map.items[i].value->str.s; *c; c++) {
			if (*c == '\'')
				buf_str(&text, "'\\''");
			else
				buf_char(&text, *c);
		}
		buf_str(&text, "'\n");
	}
	context_secret_exports(env, &text);
	if ((rc = buf_check(&text, "spec.env", e)) < 0 || text.len == 0)
		return rc;
	add_hashed(mem, files, h, "user-env.sh", value_strn(mem, buf_cstr(&text), text.len));
	return 0;
}

static bool
has_git_secret(const struct env *env)
{
	for (size_t i = 0; i < env->nsecrets; i++)
		if (env->secrets[i].as == SECRET_GIT)
			return true;
	return false;
}

/*
 * secrets.sh takes the place of ssh.sh, which it reads under another name: who has no secrets keeps the scripts, and the hash, that there were before
 * secrets.
 */
static void
add_secret_scripts(struct arena *mem, const struct env *env, const struct context_scripts *scripts, struct value *files,
                   struct hash_state *h)
{
	struct value *ssh = value_get(files, "ssh.sh"), *ours = value_get(scripts->secrets, "secrets.sh");

	if (!context_has_secrets(env) || !ssh || !ours)
		return;
	value_set(mem, files, "ssh-plain.sh", ssh);
	value_set(mem, files, "ssh.sh", ours);
	if (has_git_secret(env) && value_get(scripts->secrets, "secrets-git.sh"))
		value_set(mem, files, "secrets-git.sh", value_get(scripts->secrets, "secrets-git.sh"));
	hash_field(h, scripts->secrets_digest.b, sizeof(scripts->secrets_digest.b));
}

/* A ConfigMap holds a mebibyte, names included. */
static int
check_size(const struct value *files, struct err *e)
{
	size_t size = 0;

	for (size_t i = 0; i < files->map.n; i++)
		size += strlen(files->map.items[i].key) + files->map.items[i].value->str.len;
	return size <= CONFIG_MAP_MAX ? 0
	                              : err_set(e, ERR_INVALID, "spec: scripts, setup and lists come to %zu bytes, a ConfigMap holds %d", size,
	                                        CONFIG_MAP_MAX);
}

/* -- scripts -------------------------------------------------------------------------------------------------------------- */

static bool
listed(const struct value *files, const char *a, const char *b)
{
	return value_get(files, a) || value_get(files, b);
}

static bool
for_packages(const struct env *env, const struct value *files)
{
	(void)env;
	return listed(files, "packages.conda", "packages.pip");
}

static bool
for_git(const struct env *env, const struct value *files)
{
	(void)env;
	return listed(files, "repositories", "dotfiles");
}

static bool
for_root(const struct env *env, const struct value *files)
{
	(void)files;
	return shape_root_entry(env);
}

static bool
for_batch(const struct env *env, const struct value *files)
{
	(void)files;
	return shape_jobset(env);
}

static bool
for_ranks(const struct env *env, const struct value *files)
{
	(void)files;
	return env->distributed;
}

static bool
for_saving(const struct env *env, const struct value *files)
{
	(void)files;
	return value_len(value_at(env->spec, "lifecycle.checkpointCommand")) > 0;
}

/* Scripts that only some environments need; without `when` for those with the list of that name. All others are for everybody. */
static const struct {
	const char *script, *list;
	bool (*when)(const struct env *env, const struct value *files);
} needed[] = {
	{ "checkpoint.sh", NULL, for_saving },        { "checkpoints.sh", "checkpoints", NULL }, { "datasets.sh", "datasets", NULL },
	{ "dotfiles.sh", "dotfiles", NULL },          { "git.sh", NULL, for_git },               { "job.sh", NULL, for_batch },
	{ "packages.sh", NULL, for_packages },        { "repositories.sh", "repositories", NULL }, { "root.sh", NULL, for_root },
	{ "torch.sh", NULL, for_ranks },
};

/*
 * A set of scripts weighs more than all the rest of an environment, in the cluster's memory and on the wire. What a list brings
 * arrives in the running pod with the list.
 */
static void
leave_out(const struct env *env, struct value *files)
{
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (needed[i].when ? !needed[i].when(env, files) : !value_get(files, needed[i].list))
			(void)value_del(files, needed[i].script);
}

/*
 * Keys are apart: they change without a restart. The scripts come with their digest, since hashing them for each
 * environment would be most of the work.
 */
int
context_files(struct arena *mem, const struct env *env, const struct context_scripts *scripts, struct value *out, struct err *e)
{
	struct value *f = value_overlay(mem, value_map(mem), scripts->files), *user = value_get(out, "user");
	const char *name = value_as_str(value_get(user, "name"), "dev");
	long long uid = (long long)value_as_int(value_get(user, "uid"), 1000);
	struct hash_state h;
	struct digest d;
	char hex[DIGEST_HEX];
	int rc;

	hash_init(&h);
	hash_field(&h, scripts->digest.b, sizeof(scripts->digest.b));
	add_hashed(mem, f, &h, "passwd",
	           value_fmt(mem, "root:x:0:0:root:/root:/bin/sh\nsshd:x:74:74:sshd:/:/bin/false\n"
	                          "%s:x:%lld:%lld:%s:/home/dev:%s\nnobody:x:65534:65534:nobody:/:/bin/false\n",
	                     name, uid, uid, env->owner, context_login_shell(env)));
	add_hashed(mem, f, &h, "group",
	           value_fmt(mem, "root:x:0:\ntty:x:5:\nsshd:x:74:\n%s:x:%lld:\nnogroup:x:65534:\n", name, uid));
	if (env->setup)
		add_hashed(mem, f, &h, "setup.sh", value_str(mem, env->setup));
	rc = add_user_env(mem, env, f, &h, e);
	add_secret_scripts(mem, env, scripts, f, &h);
	hash_final(&h, &d);
	if (rc < 0)
		return rc;
	digest_hex(&d, hex);
	value_set(mem, out, "files", f);
	value_set(mem, out, "hash", value_strn(mem, hex, 16));
	value_set(mem, out, "secretsHash", context_secrets_hash(mem, env));
	if (add_lists(mem, env, f, e) < 0)
		return e->code;
	leave_out(env, f);
	return check_size(f, e);
}
