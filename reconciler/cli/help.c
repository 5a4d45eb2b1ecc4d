/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts from the verb table. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "lib/base/buf.h"
#include "lib/base/redact.h"

void
help_all(void)
{
	(void)printf("berth: development environments from a git repository.\n\nExamples\n"
	             "  berth init envs                                    a new environments repository\n"
	             "  berth new train -C envs                            an environment, by a branch and a pull request\n"
	             "  berth validate -C envs                             check every file, offline\n"
	             "  berth plan -C envs                                 what a merge would change\n"
	             "  berth run --repo envs --target git --state state   apply, and keep applying\n"
	             "  berth status -C envs                               what berth says of each environment\n\nVerbs\n");
	for (size_t i = 0; i < verbs_n; i++)
		(void)printf("  %-11s %s\n", verbs[i]->name, verbs[i]->summary);
	(void)printf("\n`berth VERB --help` shows examples and options. Options may also come from BERTH_* variables or from\n"
	             "~/.config/berth/config.yaml. Exit: 0 fine, 1 findings or differences, 2 usage, 3 unreachable, 4 refused.\n");
}

void
help_verb(const struct verb *v)
{
	(void)printf("berth %s%s%s\n  %s\n\nExamples\n", v->name, *v->args ? " " : "", v->args, v->summary);
	for (const char *s = v->examples; *s;) {
		size_t n = strcspn(s, "\n");

		(void)printf("  %.*s\n", (int)n, s);
		s += n + (s[n] == '\n');
	}
	if (v->opts && v->opts[0].name)
		(void)printf("\nOptions\n");
	for (const struct opt *o = v->opts; o && o->name; o++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s%s", o->name[1] ? "--" : "-", o->name, o->arg ? " " : "",
		               o->arg ? o->arg : "");
		(void)printf("  %-26s %s\n", left, o->help);
	}
	if (v->details)
		(void)printf("\n%s\n", v->details);
}

static int
exit_code(int code)
{
	switch (code) {
	case ERR_USAGE:
		return EXIT_USAGE;
	case ERR_UNAVAILABLE:
	case ERR_CONFLICT:
	case ERR_NOTFOUND:
		return EXIT_UNREACHABLE;
	case ERR_DENIED:
		return EXIT_REFUSED;
	case ERR_CANCELLED:
		return EXIT_INTERRUPTED;
	default:
		return EXIT_FINDINGS;
	}
}

int
error_show(const struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT(0);

	buf_str(&text, "berth: ");
	redact(e->text, strlen(e->text), &text);
	buf_char(&text, '\n');
	if (*e->hint) {
		buf_str(&text, "  ");
		redact(e->hint, strlen(e->hint), &text);
		buf_char(&text, '\n');
	}
	(void)fputs(buf_cstr(&text), stderr);
	return exit_code(e->code);
}
