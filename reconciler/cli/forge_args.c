/* SPDX-License-Identifier: Apache-2.0 */
/* Options to a client of a forge. */
#include "cli/forge_args.h"

#include <sys/stat.h>

#include "cli/pull_link.h"
#include "lib/base/fs.h"
#include "lib/forge/address.h"

/* -- the daemon's ------------------------------------------------------------------------------------------------------------------ */

int
forge_of_args(const struct args *a, const char *url, struct forge_config *f, bool *given, struct err *e)
{
	const char *kind = args_str_daemon(a, "forge", NULL);
	struct forge_address at = { 0 };

	f->api = args_str_daemon(a, "forge-api", NULL);
	f->repo = args_str_daemon(a, "forge-repo", NULL);
	f->token_file = args_str_daemon(a, "forge-token-file", args_str(a, "token-file", NULL));
	f->login = args_str_daemon(a, "forge-login", NULL);
	*given = kind != NULL;
	if (!kind)
		return f->api || f->repo || f->login ? err_set(e, ERR_USAGE, "--forge is missing: github, gitlab or gitea") : 0;
	if (forge_kind_parse(kind, &f->kind) < 0)
		return err_set(e, ERR_USAGE, "--forge %s: write github, gitlab or gitea", kind);
	if (!f->token_file) {
		(void)err_set(e, ERR_USAGE, "--forge needs a token that may read pull requests, set statuses and write comments");
		return err_hint(e, "write it into a file that only berth can read: --forge-token-file FILE");
	}
	if ((!f->api || !f->repo) && forge_address(f->kind, url, a->mem, &at, e) < 0) {
		e->code = ERR_USAGE;
		return err_hint(e, "say where it is: --forge-api URL --forge-repo OWNER/NAME");
	}
	f->api = f->api ? f->api : at.api;
	f->repo = f->repo ? f->repo : at.repo;
	return 0;
}

/* -- a person's --------------------------------------------------------------------------------------------------------------------- */

int
forge_kind_of_person(const struct args *a, const char *url, enum forge_kind *out, struct err *e)
{
	const char *name = args_str(a, "forge", NULL);

	*out = name ? forge_of_name(name) : forge_of_url(a->mem, url);
	if (name && *out == FORGE_UNKNOWN)
		return err_set(e, ERR_USAGE, "--forge %s: write github, gitlab or gitea", name);
	return 0;
}

static int
check_file(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		(void)err_errno(e, "--forge-token-file %s", path);
		return e->code = ERR_USAGE;
	}
	return fs_check_private(path, &st, "make a new token", e) < 0 ? err_wrap(e, "--forge-token-file") : 0;
}

/* Where a variable such as BERTH_FORGE_TOKEN_FILE gives it, it is for those repositories that have a forge. */
int
forge_of_person(const struct args *a, const char *url, struct forge **out, struct err *e)
{
	const char *file = args_str(a, "forge-token-file", NULL), *api = args_str(a, "forge-api", NULL);
	bool said = args_said(a, "forge-token-file") != NULL;
	struct forge_config c = { .token_file = file };
	struct forge_address at;
	int rc;

	*out = NULL;
	if ((rc = forge_kind_of_person(a, url, &c.kind, e)) < 0 || !file)
		return rc;
	if (c.kind == FORGE_UNKNOWN) {
		if (!said)
			return 0;
		(void)err_set(e, ERR_USAGE, "--forge-token-file: what the origin is, its address does not say");
		return err_hint(e, "add --forge github, gitlab or gitea; or say it once, `forge: gitea` in ~/.config/berth/config.yaml");
	}
	if (forge_address(c.kind, url, a->mem, &at, e) < 0)
		return said ? e->code = ERR_USAGE : 0;
	c.api = api ? api : at.api;
	c.repo = at.repo;
	if ((rc = check_file(file, e)) < 0)
		return rc;
	return (rc = forge_open(&c, out, e)) == ERR_INVALID ? e->code = ERR_USAGE : rc;
}
