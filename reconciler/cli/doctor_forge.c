/* SPDX-License-Identifier: Apache-2.0 */
/* berth doctor: does the forge answer, whose token is it, and what may it do? Nothing is written there. */
#include <string.h>
#include <sys/stat.h>

#include "cli/doctor.h"
#include "cli/forge_args.h"
#include "lib/base/fs.h"
#include "lib/base/redact.h"

/* Where a right is given. */
static const char *const places[FORGE_KIND_COUNT] = {
	[FORGE_GITHUB] = "Settings, Developer settings, Personal access tokens (an app: its permissions)",
	[FORGE_GITLAB] = "the project's Settings, Access tokens; the role: Manage, Members",
	[FORGE_GITEA] = "the account's Settings, Applications; its right here: the repository's Settings, Collaborators",
};

static void
look_at_file(struct doctor *d, const char *path)
{
	struct err own = { 0 };
	struct stat st;

	if (stat(path, &st) == 0 && fs_check_private(path, &st, "make a new token", &own) < 0)
		doctor_say(d, DOCTOR_WARN, "forge token", own.hint, "%s", own.text);
}

static void
say_right(struct doctor *d, const struct forge_config *c, const struct forge_may_row *row)
{
	const char *why = *row->why ? arena_printf(d->mem, " (%s)", row->why) : "";

	if (row->may == FORGE_MAY)
		doctor_say(d, DOCTOR_OK, "forge token", NULL, "may %s%s", row->what, why);
	else if (row->may == FORGE_MAY_NOT)
		doctor_say(d, DOCTOR_FAIL, "forge token", arena_printf(d->mem, "it needs %s: %s", row->needs, places[c->kind]), "may not %s%s", row->what, why);
	else
		doctor_say(d, DOCTOR_WARN, "forge token", arena_printf(d->mem, "see that it has %s: %s", row->needs, places[c->kind]),
		           "may it %s? %s", row->what, row->why);
}

static int
ask(struct doctor *d, const struct forge_config *c, struct err *e)
{
	struct forge_rights rights;
	struct forge *f;
	int rc = forge_open(c, &f, e);

	if (rc < 0)
		return rc;
	rc = forge_rights(f, d->mem, &rights, e);
	forge_close(f);
	if (rc < 0)
		return rc;
	doctor_say(d, DOCTOR_OK, "forge", NULL, "%s %s answers at %s%s%s", forge_kind_name(c->kind), c->repo, c->api,
	           *rights.login ? "; the token is that of " : "", rights.login);
	for (size_t i = 0; i < FORGE_RIGHTS; i++)
		say_right(d, c, &rights.rows[i]);
	return 0;
}

void
doctor_forge(struct doctor *d)
{
	struct forge_config c = { 0 };
	struct err own = { 0 };
	bool given = false;
	int rc = forge_of_args(d->a, args_str(d->a, "repo", ""), &c, &given, &own);

	if (rc == 0 && given) {
		look_at_file(d, c.token_file);
		rc = ask(d, &c, &own);
	}
	if (rc < 0) {
		struct buf text AUTO_BUF = BUF_INIT(0);

		redact(own.text, strlen(own.text), &text);
		doctor_say(d, DOCTOR_FAIL, "forge", own.hint, "%s", buf_cstr(&text));
	}
}
