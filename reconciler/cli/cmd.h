/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: one file, one `const struct verb`, one row in the table of main.c. Help, completion and man page come from it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct opt {
	const char *name; /* "repo" for --repo; "C" and "o" are -C and -o */
	const char *arg;  /* "URL|PATH"; NULL: a flag without value */
	const char *help;
};

enum { EXIT_FINE = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3, EXIT_REFUSED = 4, EXIT_INTERRUPTED = 130 };

struct args;

struct verb {
	const char *name, *args, *summary;
	const char *examples;    /* lines "berth …", shown first in help */
	const char *details;     /* paragraphs after the options, or NULL */
	const struct opt *opts;  /* ends with a row whose name is NULL */
	size_t min, max;         /* positional arguments */
	/* Returns an exit code, or a negative error with `e` set. */
	int (*run)(const struct args *a, struct err *e);
};

/* The table, in the order of the path. */
extern const struct verb *const verbs[];
extern const size_t verbs_n;

/* -- what a verb is given ------------------------------------------------------------------------------------------ */

struct args {
	const struct verb *verb;
	struct arena *mem;
	const char **values; /* by row of verb->opts: text, "" for a flag that is set, NULL when absent; of several the last */
	struct arg_given {
		size_t opt;
		const char *value;
	} *given;            /* each as it was given, in order */
	size_t ngiven;
	const char **pos;
	size_t npos;
};

/* --NAME, else BERTH_NAME from the environment, else the config file, else `fallback`. NAME must be a row of the verb. */
const char *args_str(const struct args *a, const char *name, const char *fallback);
/* The same without a person's own config file (the one of BERTH_CONFIG counts): what they say there about their forge and token is not for a daemon. */
const char *args_str_daemon(const struct args *a, const char *name, const char *fallback);
bool args_flag(const struct args *a, const char *name);
/* Every value of --NAME on the command line, in its order: for options that may be given more than once. In a->mem. */
const char *const *args_list(const struct args *a, const char *name, size_t *n);
/* The last --NAME of the command line alone, or NULL: where a variable such as BERTH_ENV stands in environments, and nobody means it by that. */
const char *args_said(const struct args *a, const char *name);
int args_duration(const struct args *a, const char *name, const char *fallback, int64_t *ms, struct err *e) MUST_USE;

/* argv without the program and verb. --help gives 1 (printed), errors ERR_USAGE. */
int args_parse(struct args *a, const struct verb *v, int argc, char **argv, struct err *e) MUST_USE;

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML };

/* -o table|json|yaml */
int args_output(const struct args *a, enum output *out, struct err *e) MUST_USE;

/* Prints a value on standard output as JSON (indented, one line end) or YAML. OUTPUT_TABLE is the verb's own affair. */
struct value;
void output_value(const struct value *v, enum output form);

/* -- help ------------------------------------------------------------------------------------------------------------ */

void help_all(void);
void help_verb(const struct verb *v);
void help_man(void); /* the manual page, berth(1), on standard output */

/* Colour on stdout? A terminal, no NO_COLOR, TERM not dumb. */
bool use_colour(int fd);

/* Where an error goes: stderr, with its hint. Returns the exit code that fits. */
int error_show(const struct err *e);

extern const struct verb cmd_init, cmd_new, cmd_user, cmd_fmt, cmd_validate, cmd_render, cmd_plan, cmd_diff, cmd_apply, cmd_run, cmd_status, cmd_why,
	cmd_doctor, cmd_log, cmd_approve, cmd_verify, cmd_ssh, cmd_ssh_config, cmd_keygen, cmd_recipients, cmd_seal, cmd_open, cmd_codeowners, cmd_explain, cmd_completion, cmd_version, cmd_help;
