/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our own writes made of each object, in a file of the state folder: after a restart an object that still is what it was
 * needs no look. The file is a cache; lost or old, objects are compared with what was rendered.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply/kube_priv.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define LINES_MAX ((size_t)4000000)
#define HEAD "berth-kubernetes-memory 1 "
#define WAIT_MS 5000

/* KEY UID RESOURCEVERSION GENERATION MANAGED BODY */
static bool
read_line(char *line, char *part[6])
{
	size_t n = 0;

	for (char *c = line; n < 6; n++) {
		part[n] = c;
		c += strcspn(c, " ");
		if (!*c)
			return n == 5;
		*c++ = '\0';
	}
	return false;
}

static void
take_line(struct target_kube *t, char *line)
{
	struct sight s = { .rv = 0 }, now;
	int64_t rv, generation;
	struct kobj *o;
	char *part[6];

	if (!read_line(line, part) || !uid_parse(part[1], s.uid) || str_to_i64(part[2], &rv) < 0 || rv < 0 ||
	    str_to_i64(part[3], &generation) < 0 || !hash_parse(part[4], s.managed) || !hash_parse(part[5], s.body))
		return;
	s.rv = (uint64_t)rv;
	s.generation = generation;
	o = kobj_get(t, part[0]);
	if (!o || !o->live || o->wanted || o->foreign)
		return;
	now = o->is;
	o->is = s;
	o->sure = memcmp(s.body, now.body, HASH_LEN) == 0 && sight_same(o, &now);
	o->is = now;
}

/* A file, and no link or pipe that somebody put in its place. */
static FILE *
open_plain(const char *path, int how, const char *mode)
{
	int fd = open(path, how | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;
	FILE *f;

	if (fd < 0)
		return NULL;
	f = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(fd, mode) : NULL;
	if (!f)
		(void)close(fd);
	return f;
}

void
memory_recall(struct target_kube *t)
{
	FILE *f = t->memory_file ? open_plain(t->memory_file, O_RDONLY, "r") : NULL;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool ours = false;

	if (!f)
		return;
	for (size_t i = 0; i < LINES_MAX && (n = getline(&line, &cap, f)) > 0; i++) {
		if (line[n - 1] != '\n')
			break; /* cut: the rest is looked at */
		line[n - 1] = '\0';
		if (i == 0)
			ours = str_starts(line, HEAD) && strcmp(line + sizeof(HEAD) - 1, t->id) == 0;
		else if (ours)
			take_line(t, line);
	}
	free(line);
	(void)fclose(f);
}

static void
write_line(FILE *f, const struct kobj *o)
{
	char uid[37], managed[2 * HASH_LEN + 1], body[2 * HASH_LEN + 1];

	uid_text(o->is.uid, uid);
	hash_text(o->is.managed, managed);
	hash_text(o->is.body, body);
	(void)fprintf(f, "%s %s %llu %lld %s %s\n", o->key, uid, (unsigned long long)o->is.rv, (long long)o->is.generation, managed, body);
}

/* Line by line: of ten thousand environments the whole text would need more memory than everything that is known of them. */
static bool
write_all(struct target_kube *t, const char *path)
{
	FILE *f = open_plain(path, O_WRONLY | O_CREAT | O_TRUNC, "w");
	bool good;
	void *v;

	if (!f)
		return false;
	(void)fchmod(fileno(f), 0600);
	(void)fprintf(f, HEAD "%s\n", t->id);
	for (size_t i = 0; map_next(&t->objects, &i, NULL, &v);) {
		const struct kobj *o = v;

		if (o->live && o->sure && !o->foreign)
			write_line(f, o);
	}
	good = fflush(f) == 0 && !ferror(f);
	return fclose(f) == 0 && good;
}

void
memory_turn(struct target_kube *t, bool now)
{
	struct arena *AUTO_ARENA mem = NULL;
	const char *temporary;

	if (!t->memory_dirty || !t->memory_file || !t->opened || (!now && clock_mono_ms() < t->memory_due))
		return;
	mem = arena_new(65536);
	temporary = arena_printf(mem, "%s.new", t->memory_file);
	/* a file that cannot be written costs reads after a restart, nothing else */
	if (write_all(t, temporary) && rename(temporary, t->memory_file) == 0)
		t->memory_dirty = false;
	t->memory_due = clock_mono_ms() + WAIT_MS + (int64_t)(t->objects.live / 10);
}
