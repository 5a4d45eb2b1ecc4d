/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets to and from a person's shell. */
#include "cli/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/seal/age_scrypt.h"

#define IDENTITY_FILE_MAX ((size_t)65536)
#define LINE_MAX_TTY 4095 /* what Linux keeps of a line; the rest is dropped without a word */

int
guarded_start(struct err *e)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return seal_init(e);
}

int
guarded_read(int fd, const char *what, size_t max, struct secret *out, struct err *e)
{
	struct secret AUTO_SECRET all = secret_new(max + 1);
	size_t n = 0;

	while (n <= max) {
		ssize_t got = read(fd, all.b + n, max + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(e, "read %s", what);
		if (!got)
			break;
		n += (size_t)got;
	}
	if (n > max)
		return err_set(e, ERR_INVALID, "%s has more than %zu bytes", what, max);
	*out = secret_new(n + 1); /* as small as it is, and with a NUL */
	memcpy(out->b, all.b, n);
	out->n = n;
	return 0;
}

int
guarded_write(int fd, const void *bytes, size_t n, struct err *e)
{
	const char *at = bytes;

	while (n) {
		ssize_t put = write(fd, at, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_errno(e, "write");
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

/* -- the terminal -------------------------------------------------------------------------------------------------------- */

static struct termios before;

/* A terminal that stays silent after Ctrl-C is a nuisance. */
static void
restore_and_end(int sig)
{
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define NENDS (sizeof(ends) / sizeof(*ends))

static int
read_line(struct secret *out, struct err *e)
{
	struct secret AUTO_SECRET line = secret_new(LINE_MAX_TTY + 1);
	ssize_t got;

	do
		got = read(STDIN_FILENO, line.b, line.n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_errno(e, "read the terminal");
	if (!got)
		return err_set(e, ERR_CANCELLED, "nothing was typed");
	if (line.b[got - 1] != '\n' || got > LINE_MAX_TTY) {
		(void)err_set(e, ERR_INVALID, "a terminal hands over less than %d bytes of a line", LINE_MAX_TTY);
		return err_hint(e, "pipe the value instead: COMMAND | berth seal NAME");
	}
	*out = secret_new((size_t)got);
	out->n = (size_t)got - 1;
	memcpy(out->b, line.b, out->n);
	return 0;
}

int
guarded_ask(const char *prompt, struct secret *out, struct err *e)
{
	struct sigaction old[NENDS], end = { .sa_handler = restore_and_end };
	struct termios silent;
	int rc;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_errno(e, "the terminal");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	silent.c_lflag |= ICANON | ECHONL;
	for (size_t i = 0; i < NENDS; i++)
		(void)sigaction(ends[i], &end, &old[i]);
	/* before the prompt: whoever types at once is not shown it */
	rc = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0 ? err_errno(e, "the terminal") : guarded_write(STDERR_FILENO, prompt, strlen(prompt), e);
	if (rc == 0)
		rc = read_line(out, e);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	for (size_t i = 0; i < NENDS; i++)
		(void)sigaction(ends[i], &old[i], NULL);
	return rc;
}

/* -- identities ---------------------------------------------------------------------------------------------------------- */

struct age_identity *
identities_at(const struct identities *ids)
{
	return (struct age_identity *)(void *)ids->block.b;
}

void
identities_free(struct identities *ids)
{
	secret_free(&ids->block);
	ids->n = 0;
}

static int
read_lines(const char *text, const char *path, struct identities *ids, struct err *e)
{
	int rc;

	for (const char *at = text; *at;) {
		size_t len = strcspn(at, "\n"), use = len && at[len - 1] == '\r' ? len - 1 : len;

		if (use && *at != '#') {
			if (ids->n == IDENTITIES_MAX)
				return err_set(e, ERR_INVALID, "%s: more than %d identities", path, IDENTITIES_MAX);
			if ((rc = age_identity_parse(at, use, identities_at(ids) + ids->n, e)) < 0) {
				(void)err_wrap(e, "%s", path);
				return err_hint(e, "for other kinds of keys use age itself: age -d -i %s FILE", path);
			}
			ids->n++;
		}
		at += len + (at[len] == '\n');
	}
	return ids->n ? 0 : err_set(e, ERR_INVALID, "%s has no age identity", path);
}

/* A file of identities that is itself sealed with a passphrase (age -p). */
static int
unlock(const char *path, struct secret *text, struct err *e)
{
	struct secret AUTO_SECRET sealed = *text;
	struct secret AUTO_SECRET passphrase = { NULL, 0 };
	struct secret plain;
	char prompt[512];
	int rc;

	*text = (struct secret){ NULL, 0 };
	if (!isatty(STDIN_FILENO))
		return err_set(e, ERR_DENIED, "%s is sealed with a passphrase, and there is no terminal to ask for it", path);
	(void)snprintf(prompt, sizeof(prompt), "passphrase of %s: ", path);
	if ((rc = guarded_ask(prompt, &passphrase, e)) < 0 ||
	    (rc = age_scrypt_open(sealed.b, sealed.n, (const char *)passphrase.b, passphrase.n, AGE_SCRYPT_WORK_MAX, &plain, NULL, e)) < 0) {
		(void)err_wrap(e, "%s", path);
		return rc;
	}
	*text = secret_new(plain.n + 1); /* with a NUL */
	memcpy(text->b, plain.b, plain.n);
	text->n = plain.n;
	secret_free(&plain);
	return 0;
}

int
identities_read(const char *path, struct identities *out, struct err *e)
{
	struct secret AUTO_SECRET text = { NULL, 0 };
	struct identities ids = { secret_new(IDENTITIES_MAX * sizeof(struct age_identity)), 0 };
	int AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0)
		rc = err_errno(e, "%s", path);
	else if ((rc = guarded_read(fd, path, IDENTITY_FILE_MAX, &text, e)) == 0 && age_recipients(text.b, text.n))
		rc = unlock(path, &text, e);
	if (rc == 0)
		rc = read_lines((const char *)text.b, path, &ids, e);
	if (rc < 0)
		identities_free(&ids);
	else
		*out = ids;
	return rc;
}
