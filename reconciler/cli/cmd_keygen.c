/* SPDX-License-Identifier: Apache-2.0 */
/* berth keygen: the master key, its public halves, its backup. */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/guarded.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/seal/master.h"
#include "lib/seal/sshsig.h"

#define DEFAULT_FILE "berth-master-key"
#define RECIPIENTS_MAX AGE_STANZAS_MAX
#define LIST_MAX ((size_t)65536)
#define ABOUT "# A master key of berth, from its backup.\n"

/* -- a new one ------------------------------------------------------------------------------------------------------------ */

static void
print_public(const struct master *m, FILE *f)
{
	char signer[96], ca[96];
	uint8_t sk[64];

	master_signer(m, sk);
	ssh_public_text(sk + 32, signer);
	master_host_ca(m, sk);
	ssh_public_text(sk + 32, ca);
	secret_wipe(sk, sizeof(sk));
	(void)fprintf(f, "# berth.yaml\nspec:\n  secrets:\n    signer: \"%s\"\n# the authority that signs environments' host keys: %s\n", signer, ca);
}

/* One slip of `git add .` would publish it. */
static int
check_not_in_repository(struct arena *mem, const char *path, struct err *e)
{
	char *folder = realpath(dirname(arena_strdup(mem, path)), NULL);
	int rc = 0;

	for (char *at = folder; at && *at && rc == 0;) {
		char *slash = strrchr(at, '/');

		if (fs_exists(arena_printf(mem, "%s/berth.yaml", at)))
			rc = err_set(e, ERR_DENIED, "%s would lie in the environments repository %s, one slip away from being published", path, at);
		*slash = '\0';
	}
	free(folder);
	return rc < 0 ? err_hint(e, "choose a place outside of it: berth keygen -o ~/" DEFAULT_FILE) : 0;
}

static void
next_steps(const char *path)
{
	(void)fprintf(stderr,
	              "%s holds a new master key, and nothing else does: without it no sealed secret can ever be opened.\n"
	              "next: berth keygen --backup -r AGE-RECIPIENT-OF-AN-ADMIN %s > " DEFAULT_FILE ".backup.age\n"
	              "      berth run … --master-key %s        (docs/operators.md: systemd, Kubernetes)\n"
	              "      write the lines above into berth.yaml, by a pull request like any other\n",
	              path, path, path);
}

/* For a pipe into something that keeps it. */
static int
to_stdout(const struct master *m, struct err *e)
{
	struct secret text AUTO_SECRET = { NULL, 0 };
	size_t n;
	int rc;

	if (isatty(STDOUT_FILENO)) {
		(void)err_set(e, ERR_DENIED, "a master key is not shown on a terminal");
		return err_hint(e, "give a file with -o FILE, or pipe it: berth keygen -o - | COMMAND");
	}
	master_text(m, &text);
	n = strlen((const char *)text.b);
	text.b[n] = '\n'; /* in place of the NUL */
	if ((rc = guarded_write(STDOUT_FILENO, text.b, n + 1, e)) == 0)
		print_public(m, stderr);
	return rc;
}

static int
make(const struct args *a, const char *path, struct err *e)
{
	struct master m;
	int rc;

	if (strcmp(path, "-") != 0 && (rc = check_not_in_repository(a->mem, path, e)) < 0)
		return rc;
	master_new(&m);
	if (strcmp(path, "-") == 0)
		rc = to_stdout(&m, e);
	else if ((rc = master_store(&m, path, e)) == 0) {
		print_public(&m, stdout);
		(void)fflush(stdout);
		next_steps(path);
	}
	master_free(&m);
	return rc < 0 ? rc : EXIT_FINE;
}

static int
show_public(const struct args *a, struct err *e)
{
	struct master m;
	int rc;

	if ((rc = master_load(a->pos[0], &m, e)) < 0)
		return rc;
	print_public(&m, stdout);
	master_free(&m);
	return EXIT_FINE;
}

/* -- backup --------------------------------------------------------------------------------------------------------------- */

struct recipients_list {
	uint8_t pk[RECIPIENTS_MAX][32];
	size_t n;
};

static int
add_recipient(struct recipients_list *l, const char *text, size_t n, struct err *e)
{
	int rc;

	if (l->n == RECIPIENTS_MAX)
		return err_set(e, ERR_INVALID, "more than %d recipients", RECIPIENTS_MAX);
	if ((rc = age_recipient_parse(text, n, l->pk[l->n], e)) < 0)
		return rc;
	l->n++;
	return 0;
}

/* Lines of a file for `age -R`. */
static int
add_file(const struct args *a, struct recipients_list *l, const char *path, struct err *e)
{
	size_t n;
	char *text;
	int rc;

	if ((rc = fs_read(path, LIST_MAX, a->mem, &text, &n, e)) < 0)
		return rc;
	for (char *at = text; *at;) {
		size_t len = strcspn(at, "\n"), use = len && at[len - 1] == '\r' ? len - 1 : len;

		if (use && *at != '#' && (rc = add_recipient(l, at, use, e)) < 0)
			return err_wrap(e, "%s", path);
		at += len + (at[len] == '\n');
	}
	return 0;
}

static int
recipients_of(const struct args *a, struct recipients_list *l, struct err *e)
{
	size_t n, m;
	const char *const *one = args_list(a, "r", &n), *const *files = args_list(a, "R", &m);
	int rc;

	l->n = 0;
	for (size_t i = 0; i < n; i++)
		if ((rc = add_recipient(l, one[i], strlen(one[i]), e)) < 0)
			return err_wrap(e, "-r");
	for (size_t i = 0; i < m; i++)
		if ((rc = add_file(a, l, files[i], e)) < 0)
			return rc;
	if (l->n)
		return 0;
	(void)err_set(e, ERR_USAGE, "a backup is for somebody: give age recipients with -r or -R");
	return err_hint(e, "an administrator makes one with `age-keygen -o admin.key`, and keeps that file away from this machine");
}

static int
backup(const struct args *a, struct err *e)
{
	struct secret text AUTO_SECRET = { NULL, 0 }, file AUTO_SECRET = { NULL, 0 };
	struct buf out AUTO_BUF = BUF_INIT(AGE_FILE_MAX);
	struct recipients_list l;
	struct master m;
	size_t n;
	int rc;

	if (a->npos != 1)
		return err_set(e, ERR_USAGE, "--backup takes the master key's file: berth keygen --backup -r RECIPIENT KEYFILE");
	if ((rc = recipients_of(a, &l, e)) < 0 || (rc = master_load(a->pos[0], &m, e)) < 0)
		return rc;
	master_text(&m, &text);
	master_free(&m);
	n = strlen((const char *)text.b);
	file = secret_new(sizeof(ABOUT) - 1 + n + 1);
	memcpy(file.b, ABOUT, sizeof(ABOUT) - 1);
	memcpy(file.b + sizeof(ABOUT) - 1, text.b, n);
	file.b[file.n - 1] = '\n';
	if ((rc = age_seal((const uint8_t(*)[32])l.pk, l.n, file.b, file.n, true, NULL, &out, e)) < 0)
		return rc;
	(void)fwrite(out.data, 1, out.len, stdout);
	(void)fprintf(stderr, "sealed for %zu recipient%s; each of them alone opens it: berth keygen --restore FILE --identity THEIR-KEY -o FILE\n",
	              l.n, l.n == 1 ? "" : "s");
	return EXIT_FINE;
}

/* -- restore -------------------------------------------------------------------------------------------------------------- */

static int
restore(const struct args *a, const char *from, struct err *e)
{
	const char *identity = args_str(a, "identity", NULL), *to = args_str(a, "o", NULL);
	struct secret plain AUTO_SECRET = { NULL, 0 };
	struct identities ids AUTO_IDENTITIES = { { NULL, 0 }, 0 };
	struct master m;
	char *file;
	size_t n;
	int rc;

	if (!identity || !to || a->npos)
		return err_set(e, ERR_USAGE, "write: berth keygen --restore BACKUP --identity FILE -o FILE");
	if ((rc = check_not_in_repository(a->mem, to, e)) < 0 || (rc = fs_read(from, AGE_FILE_MAX, a->mem, &file, &n, e)) < 0)
		return rc;
	if ((rc = identities_read(identity, &ids, e)) < 0) {
		if (!*e->hint)
			(void)err_hint(e, "for other kinds of keys use age itself: age -d -i %s %s > FILE; chmod 400 FILE", identity, from);
		return rc;
	}
	if ((rc = age_open(file, n, identities_at(&ids), ids.n, NULL, &plain, NULL, e)) < 0)
		return err_wrap(e, "%s", from);
	if ((rc = master_parse((const char *)plain.b, plain.n, &m, e)) < 0)
		return err_wrap(e, "%s", from);
	if ((rc = master_store(&m, to, e)) == 0) {
		print_public(&m, stdout);
		(void)fprintf(stderr, "%s holds the key of the backup; the signer above must be the one that berth.yaml names\n", to);
	}
	master_free(&m);
	return rc < 0 ? rc : EXIT_FINE;
}

static int
run(const struct args *a, struct err *e)
{
	const char *from = args_str(a, "restore", NULL);
	int rc;

	if ((rc = guarded_start(e)) < 0)
		return rc;
	if (args_flag(a, "backup"))
		return backup(a, e);
	if (from)
		return restore(a, from, e);
	if (args_flag(a, "public")) {
		if (a->npos != 1)
			return err_set(e, ERR_USAGE, "--public takes the master key's file: berth keygen --public KEYFILE");
		return show_public(a, e);
	}
	if (a->npos)
		return err_set(e, ERR_USAGE, "a new key's file is given with -o: berth keygen -o %s", a->pos[0]);
	return make(a, args_str(a, "o", DEFAULT_FILE), e);
}

static const struct opt opts[] = {
	{ "o", "FILE", "where the key goes, a new file of mode 0400 (default: " DEFAULT_FILE "; - for a pipe)" },
	{ "public", NULL, "of an existing key: what berth.yaml needs of it" },
	{ "backup", NULL, "the key, sealed for administrators, on standard output" },
	{ "r", "RECIPIENT", "backup: an age recipient (age1…); more than one may be given" },
	{ "R", "FILE", "backup: a file of them, a line each" },
	{ "restore", "BACKUP", "the key out of its backup, into -o FILE" },
	{ "identity", "FILE", "restore: the age identity that opens it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_keygen = {
	.name = "keygen", .args = "[KEYFILE]", .summary = "make the master key that opens sealed secrets, back it up, restore it",
	.examples = "berth keygen -o master-key                                    once, where the daemon runs\n"
	            "berth keygen --backup -R admins.txt master-key > key.age      a copy that only administrators open\n"
	            "berth keygen --restore key.age --identity admin.key -o again  the key out of it\n"
	            "berth keygen --public master-key                              its lines for berth.yaml\n",
	.details = "The key is never shown on a terminal and never stands in an argument. Everything else is derived from it: the recipients that\n"
	           "people seal for, berth's signing key, the authority of host keys. docs/admins.md, Keys, says how to rotate and to replace it.",
	.opts = opts, .max = 1, .run = run,
};
