/* SPDX-License-Identifier: Apache-2.0 */
/* Files on disk. */
#include "lib/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

#define LIST_DEPTH_MAX 64

static int
read_all(int fd, const char *path, struct buf *b, struct err *e)
{
	char chunk[16384];

	while (!b->over) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "read %s", path);
		if (n == 0)
			break;
		buf_add(b, chunk, (size_t)n);
	}
	return buf_check(b, path, e);
}

int
fs_read(const char *path, size_t max, struct arena *mem, char **bytes, size_t *len, struct err *e)
{
	/* non-blocking: opening a FIFO would wait for its writer */
	int AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct buf AUTO_BUF b = BUF_INIT(max ? max : 1);
	struct stat st;
	int rc;

	if (fd < 0)
		return err_errno(e, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_errno(e, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%s is not a regular file", path);
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		return err_set(e, ERR_INVALID, "%s is larger than %zu bytes", path, max);
	if ((rc = read_all(fd, path, &b, e)) < 0)
		return rc;
	if (b.len > max)
		return err_set(e, ERR_INVALID, "%s is larger than %zu bytes", path, max);
	*len = b.len;
	*bytes = arena_strndup(mem, buf_cstr(&b), b.len);
	return 0;
}

int
fs_check_private(const char *path, const struct stat *st, const char *renew, struct err *e)
{
	unsigned int mode = st->st_mode & 07777, open_to = st->st_uid == 0 ? 037 : 077;

	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_DENIED, "%s is no regular file", path);
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		(void)err_set(e, ERR_DENIED, "%s belongs to user %u, neither to this one (%u) nor to root", path, st->st_uid, geteuid());
		return err_hint(e, "chown %u %s", geteuid(), path);
	}
	if (mode & open_to) {
		(void)err_set(e, ERR_DENIED, "%s can be read or written by others (mode %04o)", path, mode);
		return err_hint(e, "chmod 400 %s; where others may have read it, %s", path, renew);
	}
	return 0;
}

int
fs_read_private(const char *path, const char *renew, char *bytes, size_t max, size_t *n, struct stat *st, struct err *e)
{
	int AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t have = 0;
	int rc;

	if (fd < 0)
		return err_errno(e, "open %s", path);
	if (fstat(fd, st) < 0)
		return err_errno(e, "stat %s", path);
	if ((rc = fs_check_private(path, st, renew, e)) < 0)
		return rc;
	while (have <= max) {
		ssize_t got = read(fd, bytes + have, max + 1 - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(e, "read %s", path);
		if (got == 0)
			break;
		have += (size_t)got;
	}
	if (have > max)
		return err_set(e, ERR_INVALID, "%s is larger than %zu bytes", path, max);
	bytes[have] = '\0';
	*n = have;
	return 0;
}

int
fs_write_all(int fd, const void *bytes, size_t n)
{
	for (const char *p = bytes; n;) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int
fs_write_atomic(const char *path, const void *bytes, size_t len, unsigned int mode, struct err *e)
{
	struct buf AUTO_BUF tmp = BUF_INIT(8192);
	int fd, rc;

	buf_printf(&tmp, "%s.XXXXXX", path);
	if ((rc = buf_check(&tmp, "path", e)) < 0)
		return rc;
	fd = mkostemp(tmp.data, O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "create %s", path);
	if (fs_write_all(fd, bytes, len) < 0 || fchmod(fd, (mode_t)mode) < 0 || fsync(fd) < 0) {
		rc = err_errno(e, "write %s", path);
		(void)close(fd);
	} else if (close(fd) < 0 || rename(tmp.data, path) < 0) {
		rc = err_errno(e, "write %s", path);
	}
	if (rc < 0)
		(void)unlink(tmp.data);
	return rc;
}

/* As mkostemp makes them. */
static bool
is_left_over(const char *name, const char *of)
{
	size_t n = strlen(of);
	const char *tail = name + n + 1;

	return strncmp(name, of, n) == 0 && name[n] == '.' && strlen(tail) == 6 &&
	       strspn(tail, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == 6;
}

void
fs_sweep(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct buf AUTO_BUF dir = BUF_INIT(8192);
	const struct dirent *d;
	DIR *open_dir;

	if (!slash)
		return;
	buf_printf(&dir, "%.*s/", (int)(slash - path), path);
	if (buf_check(&dir, "path", NULL) < 0 || !(open_dir = opendir(buf_cstr(&dir))))
		return;
	while ((d = readdir(open_dir)))
		if (d->d_type == DT_REG && is_left_over(d->d_name, slash + 1))
			(void)unlinkat(dirfd(open_dir), d->d_name, 0);
	(void)closedir(open_dir);
}

int
fs_mkdirs(const char *path, struct err *e)
{
	struct buf AUTO_BUF b = BUF_INIT(8192);
	int rc;

	if (!*path)
		return err_set(e, ERR_INVALID, "an empty path is no directory");
	buf_str(&b, path);
	if ((rc = buf_check(&b, "path", e)) < 0)
		return rc;
	for (char *p = b.data + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = '\0';
		/* EROFS and EACCES too: a parent that is there needs no right to create it */
		if (mkdir(b.data, 0777) < 0 && !fs_is_dir(b.data))
			return err_errno(e, "create directory %s", b.data);
		*p = c;
		if (!c)
			return 0;
	}
}

bool
fs_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool
fs_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int
fs_lock(const char *path, int *fd, struct err *e)
{
	char pid[32] = "";
	int AUTO_FD f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	ssize_t got;
	int n;

	if (f < 0)
		return err_errno(e, "open lock %s", path);
	if (flock(f, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_errno(e, "lock %s", path);
		got = pread(f, pid, sizeof(pid) - 1, 0);
		pid[got > 0 ? strspn(pid, "0123456789") : 0] = '\0';
		return err_set(e, ERR_CONFLICT, "%s is locked by process %s", path, *pid ? pid : "(unknown)");
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(f, 0) < 0 || n < 0 || pwrite(f, pid, (size_t)n, 0) != n)
		return err_errno(e, "write lock %s", path);
	*fd = f;
	f = -1;
	return 0;
}

struct listed {
	const char *path;
	unsigned int mode;
};

struct lister {
	struct arena *mem;
	struct listed *v;
	size_t n, cap, max;
};

static int list_dir(struct lister *l, int fd, const char *rel, size_t depth, struct err *e);

static int
list_entry(struct lister *l, int dirfd, const char *name, const char *rel, size_t depth, struct err *e)
{
	const char *path = arena_printf(l->mem, "%s%s%s", rel, *rel ? "/" : "", name);
	struct stat st;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(e, "stat %s", path); /* gone since readdir: never there */
	if (S_ISDIR(st.st_mode)) {
		if (depth >= LIST_DEPTH_MAX)
			return err_set(e, ERR_INVALID, "%s is more than %d folders deep", path, LIST_DEPTH_MAX);
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_errno(e, "open %s", path);
		return list_dir(l, fd, path, depth + 1, e);
	}
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return 0;
	if (l->n >= l->max)
		return err_set(e, ERR_INVALID, "more than %zu files", l->max);
	if (l->n == l->cap) {
		l->v = arena_regrow(l->mem, l->v, l->n, l->cap ? l->cap * 2 : 64, sizeof(*l->v));
		l->cap = l->cap ? l->cap * 2 : 64;
	}
	l->v[l->n++] = (struct listed){ path, (unsigned int)st.st_mode };
	return 0;
}

/* Takes fd over. */
static int
list_dir(struct lister *l, int fd, const char *rel, size_t depth, struct err *e)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int rc = 0;

	if (!d) {
		rc = err_errno(e, "read folder %s", rel);
		(void)close(fd);
		return rc;
	}
	for (errno = 0; rc == 0 && (de = readdir(d)); errno = 0) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, "..") || str_eq(de->d_name, ".git"))
			continue;
		rc = list_entry(l, fd, de->d_name, rel, depth, e);
	}
	if (rc == 0 && errno)
		rc = err_errno(e, "read folder %s", rel);
	(void)closedir(d);
	return rc;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->path, ((const struct listed *)b)->path);
}

int
fs_list(const char *dir, size_t max, struct arena *mem, const char ***paths, unsigned int **modes, size_t *n,
        struct err *e)
{
	struct lister l = { mem, NULL, 0, 0, max };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_errno(e, "open folder %s", dir);
	if ((rc = list_dir(&l, fd, "", 0, e)) < 0)
		return err_wrap(e, "list %s", dir);
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_path);
	*paths = arena_array(mem, l.n, sizeof(**paths));
	*modes = arena_array(mem, l.n, sizeof(**modes));
	for (size_t i = 0; i < l.n; i++) {
		(*paths)[i] = l.v[i].path;
		(*modes)[i] = l.v[i].mode;
	}
	*n = l.n;
	return 0;
}
