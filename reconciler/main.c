/* SPDX-License-Identifier: Apache-2.0 */
/* The verb table. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apply/deliver.h"
#include "cli/cmd.h"
#include "lib/base/log.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/git/git.h"
#include "lib/seal/decryptor.h"

const struct verb *const verbs[] = { &cmd_init, &cmd_new, &cmd_user, &cmd_fmt, &cmd_validate, &cmd_render, &cmd_plan, &cmd_diff, &cmd_apply, &cmd_run,
	&cmd_status, &cmd_why, &cmd_doctor, &cmd_log, &cmd_approve, &cmd_verify, &cmd_ssh, &cmd_ssh_config, &cmd_keygen, &cmd_recipients, &cmd_seal, &cmd_open, &cmd_codeowners, &cmd_explain, &cmd_completion, &cmd_version, &cmd_help };
const size_t verbs_n = sizeof(verbs) / sizeof(verbs[0]);

static const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < verbs_n; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static int
unknown_verb(const char *name)
{
	const char *names[64], *near;
	struct err e = { 0 };

	for (size_t i = 0; i < verbs_n; i++)
		names[i] = verbs[i]->name;
	near = str_nearest(name, names, verbs_n);
	(void)err_set(&e, ERR_USAGE, "there is no verb %s", name);
	if (near)
		(void)err_hint(&e, "did you mean `berth %s`? `berth help` lists them all", near);
	else
		(void)err_hint(&e, "`berth help` lists them all");
	return error_show(&e);
}

int
main(int argc, char **argv)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)4 << 30);
	struct args a = { .mem = mem };
	const struct verb *v;
	struct err e = { 0 };
	int rc;

	proc_save_self(argv[0]);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_all();
		return argc < 2 ? EXIT_USAGE : EXIT_FINE;
	}
	if (strcmp(argv[1], "git-child") == 0) /* not for people: network git with a deadline */
		return git_child_main(argc - 1, argv + 1);
	if (strcmp(argv[1], "__decryptor") == 0) /* the same: holds the master key */
		return decryptor_main();
	if (strcmp(argv[1], "__deliver") == 0) /* the same: values of Secrets on their way to the cluster */
		return deliver_main();
	v = strcmp(argv[1], "--version") == 0 ? &cmd_version : verb_find(argv[1]);
	if (!v)
		return unknown_verb(argv[1]);
	rc = args_parse(&a, v, argc - 2, argv + 2, &e);
	if (rc == 0)
		rc = v->run(&a, &e);
	else if (rc == 1)
		rc = EXIT_FINE;
	if (fflush(stdout) != 0 && rc >= 0)
		rc = err_errno(&e, "write to standard output");
	else if (ferror(stdout) && rc >= 0) /* of an earlier write, which had no room in the buffer */
		rc = err_set(&e, ERR_UNAVAILABLE, "standard output could not be written");
	return rc < 0 ? error_show(&e) : rc;
}
