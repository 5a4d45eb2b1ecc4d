/* SPDX-License-Identifier: Apache-2.0 */
/* The secret, the deliveries heard of, the counters and the hint. */
#include "daemon/hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"

#define FILE_MAX_LEN 8192
#define RENEW "make a new secret and give it to the forge"

struct delivery {
	struct digest id, body;
	uint64_t used; /* 0: nothing here */
};

struct hooks {
	const char *file;
	int wake_fd;
	/* of the server's thread */
	struct webhook_secrets secrets;
	struct stat read_at; /* of the file, when it was read or failed to be */
	struct err unusable; /* why it cannot be used; code 0: it can */
	uint64_t turn;
	struct delivery seen[HOOK_SEEN_MAX];
	/* of both */
	pthread_mutex_t lock;
	struct hook_counts counts;
	uint64_t hints, untold;
	int64_t told_at;
	bool told;
	char about[HOOK_REASON_MAX], reason[HOOK_REASON_MAX];
};

/* -- the secret ------------------------------------------------------------------------------------------------------ */

static int
load(struct hooks *h, struct err *e)
{
	char bytes[FILE_MAX_LEN + 1];
	struct webhook_secrets s;
	size_t n;
	int rc = fs_read_private(h->file, RENEW, bytes, FILE_MAX_LEN, &n, &h->read_at, e);

	if (rc == 0 && (rc = webhook_secrets_parse(bytes, n, &s, e)) < 0)
		(void)err_wrap(e, "%s", h->file);
	explicit_bzero(bytes, sizeof(bytes));
	if (rc < 0)
		return rc;
	webhook_secrets_free(&h->secrets);
	h->secrets = s;
	for (size_t i = 0; i < s.n; i++)
		redact_add(s.list[i].text, s.list[i].len);
	return 0;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mode == b->st_mode &&
	       a->st_uid == b->st_uid && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A secret that was taken away must not go on being good: without a file that can be used there is none. */
static void
look_at_secret(struct hooks *h)
{
	struct stat now;

	if (stat(h->file, &now) < 0) {
		(void)err_errno(&h->unusable, "stat %s", h->file);
		memset(&h->read_at, 0, sizeof(h->read_at));
	} else if (same_file(&now, &h->read_at)) {
		return;
	} else {
		h->unusable = (struct err){ 0 };
		h->read_at = now;
		(void)load(h, &h->unusable);
	}
	if (h->unusable.code)
		webhook_secrets_free(&h->secrets);
}

/* Somebody's slip: an error that names the "file" would show it once more. */
static bool
is_secret(const char *path)
{
	return str_starts(path, "whsec_") || (strlen(path) >= WEBHOOK_SECRET_MIN && !strchr(path, '/') && !fs_exists(path));
}

int
hooks_open(const char *secret_file, int wake_fd, struct hooks **out, struct err *e)
{
	struct hooks *h = calloc(1, sizeof(*h));
	int rc;

	if (is_secret(secret_file)) {
		free(h);
		(void)err_set(e, ERR_NOTFOUND, "--hook-secret: there is no file of that name, and it may be the secret itself");
		return err_hint(e, "it takes the name of a file; a secret that stood there was seen by whoever lists processes: make a new one");
	}
	if (!h)
		abort();
	h->file = secret_file;
	h->wake_fd = wake_fd;
	if ((rc = load(h, e)) < 0) {
		free(h);
		return err_wrap(e, "--hook-secret");
	}
	if (pthread_mutex_init(&h->lock, NULL) != 0)
		abort();
	*out = h;
	return 0;
}

void
hooks_close(struct hooks *h)
{
	if (!h)
		return;
	webhook_secrets_free(&h->secrets);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

/* -- heard before ---------------------------------------------------------------------------------------------------- */

/* Its place when it was heard of, else NULL and the place that is to be used for it. */
static struct delivery *
find(struct hooks *h, const struct delivery *d, bool by_body, struct delivery **place)
{
	*place = &h->seen[0];
	for (size_t i = 0; i < HOOK_SEEN_MAX; i++) {
		struct delivery *s = &h->seen[i];

		if (s->used && (digest_same(&s->id, &d->id) || (by_body && digest_same(&s->body, &d->body))))
			return s;
		if (s->used < (*place)->used)
			*place = s;
	}
	return NULL;
}

/* -- one request ----------------------------------------------------------------------------------------------------- */

static void
put(char to[HOOK_REASON_MAX], const char *forge, const char *text)
{
	if (snprintf(to, HOOK_REASON_MAX, "%s: %s", forge, text) >= HOOK_REASON_MAX)
		memcpy(to + HOOK_REASON_MAX - 4, "...", 4);
}

void
hooks_refuse(struct hooks *h, const char *forge, const char *reason)
{
	(void)pthread_mutex_lock(&h->lock);
	h->counts.refused++;
	h->untold++;
	put(h->reason, forge, reason);
	(void)pthread_mutex_unlock(&h->lock);
}

static void
count(struct hooks *h, uint64_t *counter)
{
	(void)pthread_mutex_lock(&h->lock);
	(*counter)++;
	(void)pthread_mutex_unlock(&h->lock);
}

static void
hint(struct hooks *h, const char *forge, const char *about)
{
	(void)pthread_mutex_lock(&h->lock);
	h->counts.accepted++;
	h->hints++;
	put(h->about, forge, about);
	(void)pthread_mutex_unlock(&h->lock);
	while (write(h->wake_fd, "h", 1) < 0 && errno == EINTR)
		;
}

static unsigned int
refuse(struct hooks *h, const struct webhook *w, const struct err *e, unsigned int status)
{
	hooks_refuse(h, webhook_forge_name(w->forge), e->text);
	return status;
}

unsigned int
hooks_take(struct hooks *h, const struct webhook *w, int64_t now, const char **text)
{
	struct delivery d = { 0 }, *place, *before;
	struct hook_event event;
	struct err e = { 0 };
	bool by_body;

	look_at_secret(h);
	*text = "not now\n";
	if (h->unusable.code)
		return refuse(h, w, &h->unusable, 503);
	*text = "not signed with the secret of --hook-secret\n";
	if (webhook_verify(w, &h->secrets, now, &e) < 0)
		return refuse(h, w, &e, 401);
	webhook_identity(w, &d.id, &d.body, &by_body);
	d.used = ++h->turn;
	if ((before = find(h, &d, by_body, &place))) {
		before->used = d.used;
		count(h, &h->counts.replayed);
		*text = "heard before\n";
		return 202;
	}
	*text = "not a JSON event; set the hook's content type to application/json\n";
	if (hook_event_read(w, &event, &e) < 0)
		return refuse(h, w, &e, 400);
	*place = d;
	*text = event.hint ? "looking\n" : "nothing to do\n";
	if (event.hint)
		hint(h, webhook_forge_name(w->forge), event.about);
	else
		count(h, &h->counts.ignored);
	return 202;
}

/* -- the loop's side ------------------------------------------------------------------------------------------------- */

bool
hooks_waiting(struct hooks *h)
{
	bool waiting;

	(void)pthread_mutex_lock(&h->lock);
	waiting = h->hints > 0;
	(void)pthread_mutex_unlock(&h->lock);
	return waiting;
}

bool
hooks_hint(struct hooks *h, char about[HOOK_REASON_MAX], uint64_t *n)
{
	(void)pthread_mutex_lock(&h->lock);
	*n = h->hints;
	h->hints = 0;
	memcpy(about, h->about, HOOK_REASON_MAX);
	(void)pthread_mutex_unlock(&h->lock);
	return *n > 0;
}

bool
hooks_refused(struct hooks *h, int64_t mono_ms, char reason[HOOK_REASON_MAX], uint64_t *n)
{
	bool tell;

	(void)pthread_mutex_lock(&h->lock);
	tell = h->untold && (!h->told || mono_ms - h->told_at >= HOOK_TELL_MS);
	if (tell) {
		*n = h->untold;
		memcpy(reason, h->reason, HOOK_REASON_MAX);
		h->untold = 0;
		h->told_at = mono_ms;
		h->told = true;
	}
	(void)pthread_mutex_unlock(&h->lock);
	return tell;
}

void
hooks_counts(struct hooks *h, struct hook_counts *out)
{
	(void)pthread_mutex_lock(&h->lock);
	*out = h->counts;
	(void)pthread_mutex_unlock(&h->lock);
}
