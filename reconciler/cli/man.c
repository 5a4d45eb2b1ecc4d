/* SPDX-License-Identifier: Apache-2.0 */
/* The manual page from the verb table (man(7) macros). */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"

/* A backslash, a dot or a quote at the start of a line, and hyphens mean something to roff. */
static void
text(const char *s)
{
	bool start = true;

	for (; *s; s++) {
		if (start && (*s == '.' || *s == '\''))
			(void)fputs("\\&", stdout);
		start = *s == '\n';
		if (*s == '\\')
			(void)fputs("\\e", stdout);
		else if (*s == '-')
			(void)fputs("\\-", stdout);
		else
			(void)fputc(*s, stdout);
	}
}

static void
verb_section(const struct verb *v)
{
	(void)printf(".SS berth ");
	text(v->name);
	(void)fputc(' ', stdout);
	text(v->args);
	(void)printf("\n");
	text(v->summary);
	(void)printf(".\n.PP\n.nf\n.RS 4\n");
	text(v->examples);
	(void)printf(".RE\n.fi\n");
	for (const struct opt *o = v->opts; o->name; o++) {
		(void)printf(".TP\n.B ");
		text(o->name[1] ? "--" : "-");
		text(o->name);
		if (o->arg) {
			(void)printf(" \\fI");
			text(o->arg);
			(void)printf("\\fR");
		}
		(void)printf("\n");
		text(o->help);
		(void)printf("\n");
	}
	if (v->details) {
		(void)printf(".PP\n");
		text(v->details);
		(void)printf("\n");
	}
}

void
help_man(void)
{
	(void)printf(".TH BERTH 1 \"\" \"berth " BERTH_VERSION "\"\n.SH NAME\nberth \\- development environments from a git repository\n"
	             ".SH SYNOPSIS\n.B berth\n.I VERB\n[options]\n.SH DESCRIPTION\n"
	             "A person adds a file of four lines to a git repository; after review and merge berth makes complete manifests of it\n"
	             "and writes what happened back into git: the branch berth/rendered holds the manifests, berth/status the state and\n"
	             "history of every environment.\n.SH VERBS\n");
	for (size_t i = 0; i < verbs_n; i++)
		verb_section(verbs[i]);
	(void)printf(".SH ENVIRONMENT\n.TP\n.B BERTH_NAME\nany long option, in capitals with underscores (BERTH_REPO, BERTH_TOKEN_FILE);"
	             " flags win\n.TP\n.B BERTH_CONFIG\nthe config file\n.TP\n.B BERTH_SHARE\nread schemas and templates from this folder"
	             " instead of those compiled in\n.TP\n.B NO_COLOR\nno colours\n.SH FILES\n.TP\n.I ~/.config/berth/config.yaml\n"
	             "option names as keys; BERTH_* variables win. berth run and berth doctor take nothing about a forge from it: that is a person's own\n.SH EXIT STATUS\n0 fine, 1 findings or differences, 2 usage,"
	             " 3 git, forge or cluster unreachable, 4 refused (guard, approval), 130 interrupted.\n"
	             ".SH SEE ALSO\n.BR git (1),\n.BR kustomize (1)\n");
}
