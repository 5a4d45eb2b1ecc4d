/* SPDX-License-Identifier: Apache-2.0 */
/* berth version, help and completion: from the verb table. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "lib/base/str.h"

static const struct opt no_opts[] = { { NULL, NULL, NULL } };

static const struct opt help_opts[] = {
	{ "man", NULL, "print the manual page, berth(1)" },
	{ NULL, NULL, NULL },
};

static int
run_version(const struct args *a, struct err *e)
{
	(void)a;
	(void)e;
	(void)printf("berth %s\n", BERTH_VERSION);
	return EXIT_FINE;
}

static int
run_help(const struct args *a, struct err *e)
{
	if (args_flag(a, "man")) {
		help_man();
		return EXIT_FINE;
	}
	for (size_t i = 0; i < verbs_n; i++)
		if (a->npos && strcmp(verbs[i]->name, a->pos[0]) == 0) {
			help_verb(verbs[i]);
			return EXIT_FINE;
		}
	if (a->npos)
		return (void)err_set(e, ERR_USAGE, "there is no verb %s", a->pos[0]), err_hint(e, "`berth help` lists them all");
	help_all();
	return EXIT_FINE;
}

/* -- completion ------------------------------------------------------------------------------------------------------ */

static void
words(const struct verb *v, const char *sep)
{
	for (const struct opt *o = v->opts; o->name; o++)
		(void)printf("%s%s%s", o == v->opts ? "" : sep, o->name[1] ? "--" : "-", o->name);
}

static void
bash(void)
{
	(void)printf("_berth() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]}\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	             "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	for (size_t i = 0; i < verbs_n; i++)
		(void)printf("%s%s", i ? " " : "", verbs[i]->name);
	(void)printf("' -- \"$cur\")\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < verbs_n; i++) {
		(void)printf("\t%s) mapfile -t COMPREPLY < <(compgen -W '", verbs[i]->name);
		words(verbs[i], " ");
		(void)printf("%s--help' -- \"$cur\") ;;\n", verbs[i]->opts->name ? " " : "");
	}
	(void)printf("\tesac\n}\ncomplete -o default -F _berth berth\n");
}

static void
zsh(void)
{
	(void)printf("#compdef berth\nif (( CURRENT == 2 )); then\n\t_values 'verb'");
	for (size_t i = 0; i < verbs_n; i++)
		(void)printf(" '%s[%s]'", verbs[i]->name, verbs[i]->summary);
	(void)printf("\n\treturn\nfi\ncase $words[2] in\n");
	for (size_t i = 0; i < verbs_n; i++) {
		(void)printf("%s) compadd -- ", verbs[i]->name);
		words(verbs[i], " ");
		(void)printf(" --help; _files ;;\n");
	}
	(void)printf("esac\n");
}

static void
fish(void)
{
	(void)printf("complete -c berth -f -n __fish_use_subcommand -a '");
	for (size_t i = 0; i < verbs_n; i++)
		(void)printf("%s%s", i ? " " : "", verbs[i]->name);
	(void)printf("'\n");
	for (size_t i = 0; i < verbs_n; i++)
		for (const struct opt *o = verbs[i]->opts; o->name; o++)
			(void)printf("complete -c berth -n '__fish_seen_subcommand_from %s' -%s %s%s -d '%s'\n", verbs[i]->name,
			             o->name[1] ? "l" : "s", o->name, o->arg ? " -r" : "", o->help);
}

static const struct {
	const char *name;
	void (*fn)(void);
} shells[] = {
	{ "bash", bash },
	{ "zsh", zsh },
	{ "fish", fish },
};

static int
run_completion(const struct args *a, struct err *e)
{
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (str_eq(a->pos[0], shells[i].name)) {
			shells[i].fn();
			return EXIT_FINE;
		}
	return err_set(e, ERR_USAGE, "completion for %s: there is bash, zsh and fish", a->pos[0]);
}

const struct verb cmd_version = {
	.name = "version", .args = "", .summary = "the version of this program", .examples = "berth version\n", .opts = no_opts,
	.run = run_version,
};

const struct verb cmd_help = {
	.name = "help", .args = "[VERB]", .summary = "this help, or that of a verb", .examples = "berth help plan\nberth help --man | man -l -\n",
	.opts = help_opts, .max = 1, .run = run_help,
};

const struct verb cmd_completion = {
	.name = "completion", .args = "bash|zsh|fish", .summary = "completion for your shell",
	.examples = "eval \"$(berth completion bash)\"\nberth completion zsh > ~/.zfunc/_berth\nberth completion fish | source\n",
	.opts = no_opts, .min = 1, .max = 1, .run = run_completion,
};
