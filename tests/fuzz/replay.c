/* SPDX-License-Identifier: Apache-2.0 */
/* A plain main for a fuzz target: gives it every file of the folders named, so that old crashes stay mended. */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)4 << 20)
#define SECONDS_PER_INPUT 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

static char current[4096] = "(none)";

static void
say_current(void)
{
	static const char text[] = "\n# input: ";

	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0 || write(STDOUT_FILENO, current, strlen(current)) < 0 ||
	    write(STDOUT_FILENO, "\n", 1) < 0)
		_exit(99);
}

static void
on_signal(int sig)
{
	say_current();
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static int
not_dot(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int
replay_file(uint8_t *buf)
{
	FILE *f = fopen(current, "rbe");
	uint8_t *exact;
	size_t n;

	if (!f)
		return -1;
	n = fread(buf, 1, INPUT_MAX, f);
	(void)fclose(f);
	/* a block of just this size lets the sanitizer see a read past the end */
	exact = malloc(n ? n : 1);
	if (!exact)
		return -1;
	if (n)
		memcpy(exact, buf, n);
	(void)alarm(SECONDS_PER_INPUT);
	(void)LLVMFuzzerTestOneInput(exact, n);
	(void)alarm(0);
	free(exact);
	return 0;
}

static int
replay_folder(const char *dir, uint8_t *buf, int *count)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, not_dot, alphasort), rc = 0;

	for (int i = 0; i < n; i++) {
		(void)snprintf(current, sizeof(current), "%s/%s", dir, list[i]->d_name);
		if (replay_file(buf) == 0)
			(*count)++;
		else
			rc = -1;
		free(list[i]);
	}
	free(list);
	return n < 0 ? -1 : rc;
}

int
main(int argc, char **argv)
{
	uint8_t *buf = malloc(INPUT_MAX);
	int count = 0, rc = 0;

	if (!buf)
		return 1;
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(say_current);
	(void)signal(SIGALRM, on_signal);
	(void)signal(SIGABRT, on_signal);
	(void)puts("1..1");
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		rc |= replay_folder(argv[i], buf, &count);
	free(buf);
	(void)printf("%s 1 - %d inputs replayed\n", rc == 0 && count > 0 ? "ok" : "not ok", count);
	return rc == 0 && count > 0 ? 0 : 1;
}
