/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's loop over three jobs: poll the remote, pass, flush the status. */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply/targets.h"
#include "daemon/queue.h"
#include "daemon/serve.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/seal/decryptor.h"
#include "pulls/pulls.h"
#include "reconcile.h"

#define LOOK_MS 100           /* between looks at a local repository's refs */
#define FLUSH_LOCAL_MS 200    /* from the first transition to the status commit */
#define FLUSH_CALM_MS 1000    /* between two commits about what was seen between passes: pods become ready one by one */
#define FLUSH_REMOTE_MS 2000
#define FLUSH_APART_MS 10000  /* between two status commits to a remote */
#define REFUSED_RETRY_MS 600000
#define SETTLE_MS 120000      /* `run --once` waits so long for the answers of its target */
#define HINTED_MS 1000        /* between two polls that hooks ask for */
#define MANY 100 /* environments in a pass */
#define BEAT_MAX_MS 180000    /* a network deadline and then some */

static const char JOB_POLL[] = "poll", JOB_PASS[] = "pass", JOB_FLUSH[] = "flush";

static atomic_bool stopping;
static volatile sig_atomic_t stop_signal;
static int wake_fd = -1;

struct loop {
	const struct daemon_config *c;
	struct source *source;
	struct target_setup setup;
	struct target *target;
	struct publisher *publisher;
	struct reconciler *reconciler;
	struct pulls *pulls; /* NULL: no forge */
	struct server *server;
	struct hooks *hooks; /* NULL: no secret for them */
	struct decryptor *decryptor; /* NULL: no master key */
	struct queue queue;
	struct health health;
	char run[17], identity[320];
	int lock_fd, wake[2];
	int64_t last_flush, last_poll;
	bool refused, passed, led;
	struct oid failed_at; /* main's tip when a pass failed: another tip is tried at once */
	char last_error[1024]; /* the same trouble is logged once, then counted */
	unsigned same_error;
	struct daemon_result *out;
};

static void
on_signal(int sig)
{
	int saved = errno;

	stopping = true;
	stop_signal = sig;
	if (write(wake_fd, "x", 1) < 0) {
		/* the pipe is full: the loop wakes anyway */
	}
	errno = saved;
}

static int
catch_signals(struct loop *l, struct err *e)
{
	struct sigaction sa = { .sa_handler = on_signal };

	if (pipe2(l->wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, "pipe");
	wake_fd = l->wake[1];
	stopping = false;
	stop_signal = 0;
	(void)sigemptyset(&sa.sa_mask);
	if (sigaction(SIGTERM, &sa, NULL) < 0 || sigaction(SIGINT, &sa, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return err_errno(e, "sigaction");
	return 0;
}

/* Sleeps until a signal or the time is over. */
static void
wait_for(struct loop *l, int64_t ms)
{
	struct pollfd p = { .fd = l->wake[0], .events = POLLIN };

	if (l->target && l->target->ops->wait) {
		if (!stopping)
			l->target->ops->wait(l->target, ms > 0 ? ms : 0, l->wake[0]);
	} else if (ms > 0 && !stopping)
		(void)poll(&p, 1, ms > 60000 ? 60000 : (int)ms);
}

/* May this process write? Another one may be at it, or have been while this one was stopped. */
static bool
leading(struct loop *l)
{
	return !l->target->ops->leading || l->target->ops->leading(l->target);
}

static struct log_about
about(const struct loop *l, const char *stage)
{
	return (struct log_about){ .run = l->run, .stage = stage };
}

/* -- trouble ------------------------------------------------------------------------------------------------------ */

static void
trouble(struct loop *l, const char *job, const char *stage, const struct err *e)
{
	struct log_about a = about(l, stage);

	if (strcmp(l->last_error, e->text) != 0) {
		log_err(LOG_ERROR, &a, e);
		(void)snprintf(l->last_error, sizeof(l->last_error), "%s", e->text);
		l->same_error = 0;
	} else if (++l->same_error % 10 == 0) {
		log_line(LOG_ERROR, &a, "still: %s (%u times)", e->text, l->same_error + 1);
	}
	atomic_fetch_add(&l->health.failures, 1);
	queue_failed(&l->queue, job, clock_mono_ms());
}

static void
all_well(struct loop *l, const char *job, const char *stage)
{
	struct log_about a = about(l, stage);

	if (queue_failures(&l->queue, job)) {
		log_line(LOG_INFO, &a, "%s works again", job);
		l->last_error[0] = '\0';
		atomic_store(&l->health.failures, 0);
	}
	queue_succeeded(&l->queue, job);
}

/* -- jobs ---------------------------------------------------------------------------------------------------------- */

/* Before the look and not after it: a hint that comes meanwhile may be of something that this one does not see. */
static void
take_hint(struct loop *l)
{
	struct log_about a = about(l, "repo");
	char text[HOOK_REASON_MAX], more[40] = "";
	uint64_t n;

	l->last_poll = clock_mono_ms();
	if (!l->hooks || !hooks_hint(l->hooks, text, &n))
		return;
	if (n > 1)
		(void)snprintf(more, sizeof(more), ", and %llu before it", (unsigned long long)n - 1);
	log_line(LOG_INFO, &a, "hook of %s%s", text, more);
	pulls_poke(l->pulls);
}

static int
do_poll(struct loop *l, struct err *e)
{
	bool moved;
	int rc;

	take_hint(l);
	rc = source_poll(l->source, &moved, e);
	if (rc < 0) {
		if (!stopping)
			trouble(l, JOB_POLL, "repo", e);
		return rc;
	}
	all_well(l, JOB_POLL, "repo");
	if (moved || !l->passed)
		queue_at(&l->queue, JOB_PASS, clock_mono_ms());
	if (!source_is_local(l->source))
		queue_at(&l->queue, JOB_POLL, clock_mono_ms() + l->c->interval_ms);
	return 0;
}

static void
say_pass(struct loop *l, const struct pass_result *r)
{
	struct log_about a = about(l, "apply");
	char hex[OID_HEX];

	oid_hex(&r->commit, hex);
	if (!r->adopted)
		return; /* its reason was logged */
	log_line(LOG_INFO, &a,
	         "%.12s: %zu looked at, %zu created, %zu changed, %zu deleted, %zu waiting, %zu held; %s in %lld ms", hex,
	         r->environments, r->created, r->changed, r->deleted, r->pending, r->held,
	         !r->wrote ? "no write" : l->target->ops->wait ? "answered" : "committed", (long long)r->ms);
	if (r->unapplied)
		log_line(LOG_WARN, &a, "%zu not applied yet, first %s", r->unapplied, r->why);
}

static void
schedule_flush(struct loop *l, bool calm)
{
	int64_t now = clock_mono_ms(), due;

	if (!publish_waiting(l->publisher))
		return;
	if (source_is_local(l->source)) {
		due = now + FLUSH_LOCAL_MS;
		if (calm && l->last_flush && due < l->last_flush + FLUSH_CALM_MS)
			due = l->last_flush + FLUSH_CALM_MS;
	} else {
		due = now + FLUSH_REMOTE_MS;
		if (l->last_flush && due < l->last_flush + FLUSH_APART_MS)
			due = l->last_flush + FLUSH_APART_MS;
	}
	if (l->refused)
		due = now + REFUSED_RETRY_MS;
	queue_at(&l->queue, JOB_FLUSH, due);
}

/* The other daemon, or a person, wrote to the status branch: compare again what we know. */
static void
look_at_status(struct loop *l)
{
	struct source_heads h;

	if (l->passed && source_heads(l->source, &h, NULL) == 0)
		(void)publish_check_tip(l->publisher, h.has_status, &h.status);
}

static int
do_pass(struct loop *l, struct err *e)
{
	struct pass_result r;
	int rc = reconcile_pass(l->reconciler, &r, e);

	if (source_is_local(l->source) && !l->c->once)
		queue_at(&l->queue, JOB_PASS, clock_mono_ms() + LOOK_MS);
	if (rc < 0) {
		struct source_heads h;

		memset(&l->failed_at, 0, sizeof(l->failed_at));
		if (source_heads(l->source, &h, NULL) == 0)
			l->failed_at = h.main;
		queue_drop(&l->queue, JOB_PASS);
		trouble(l, JOB_PASS, "apply", e);
		return rc;
	}
	all_well(l, JOB_PASS, "apply");
	l->passed = true;
	atomic_store(&l->health.last_good, clock_mono_ms());
	if (r.again_ms && !l->c->once)
		queue_at(&l->queue, JOB_PASS, clock_mono_ms() + r.again_ms);
	if (r.looked) {
		pulls_poke(l->pulls);
		say_pass(l, &r);
		l->out->held = r.held;
		l->out->pending = r.pending;
		l->out->refused = !r.adopted && r.refused;
		l->out->invalid = !r.adopted && !r.refused;
	}
	look_at_status(l);
	schedule_flush(l, false);
	if (r.environments >= MANY)
		(void)malloc_trim(0); /* what a large pass needed goes back: idle memory is what operators see */
	return 0;
}

static int
do_flush(struct loop *l, struct err *e)
{
	struct log_about a = about(l, "status");
	size_t n = 0;
	int rc = publish_flush(l->publisher, clock_now(), &n, e);

	l->last_flush = clock_mono_ms();
	if (rc == ERR_DENIED) {
		if (!l->refused)
			log_line(LOG_WARN, &a, "StatusBranchRefused: %s; going on without it", e->text);
		l->refused = true;
		queue_at(&l->queue, JOB_FLUSH, l->last_flush + REFUSED_RETRY_MS);
		return 0;
	}
	if (rc < 0) {
		trouble(l, JOB_FLUSH, "status", e);
		return rc;
	}
	l->refused = false;
	all_well(l, JOB_FLUSH, "status");
	if (n) {
		log_line(LOG_INFO, &a, "%zu transition%s committed to " BRANCH_STATUS, n, n == 1 ? "" : "s");
		pulls_poke(l->pulls);
	}
	return 0;
}

/* What the target saw between passes: to the status, and what moved there to a pass. */
static void
observe(struct loop *l)
{
	bool moved;

	if (!l->target->ops->changed || !l->passed)
		return;
	if (reconcile_observe(l->reconciler))
		schedule_flush(l, true);
	if (l->target->ops->moved(l->target, &moved, NULL) == 0 && moved && !queue_failures(&l->queue, JOB_PASS))
		queue_at(&l->queue, JOB_PASS, clock_mono_ms());
}

static const struct {
	const char *name;
	int (*fn)(struct loop *l, struct err *e);
} jobs[] = {
	{ JOB_POLL, do_poll },
	{ JOB_PASS, do_pass },
	{ JOB_FLUSH, do_flush },
};

static int
run_job(struct loop *l, const char *name, struct err *e)
{
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (jobs[i].name == name)
			return jobs[i].fn(l, e);
	return err_set(e, ERR_INTERNAL, "no job %s", name);
}

/* A pass that failed waits; a commit that arrives meanwhile does not. */
static void
new_commit_cancels_wait(struct loop *l)
{
	struct source_heads h;

	if (queue_failures(&l->queue, JOB_PASS) && source_is_local(l->source) && source_heads(l->source, &h, NULL) == 0 &&
	    !oid_eq(&h.main, &l->failed_at))
		queue_at(&l->queue, JOB_PASS, clock_mono_ms());
}

static void
tell_of_decryptor(struct loop *l)
{
	struct log_about a = about(l, NULL);
	const char *note = l->decryptor ? decryptor_note(l->decryptor) : NULL;

	if (note)
		log_line(LOG_WARN, &a, "%s; it is started again when it is needed", note);
}

static void
look_at_hooks(struct loop *l)
{
	struct log_about a = about(l, "repo");
	char text[HOOK_REASON_MAX];
	int64_t now = clock_mono_ms(), next = l->last_poll + HINTED_MS;
	uint64_t n;

	if (!l->hooks)
		return;
	if (hooks_waiting(l->hooks))
		queue_at(&l->queue, JOB_POLL, l->last_poll && next > now ? next : now);
	if (hooks_refused(l->hooks, now, text, &n))
		log_line(LOG_WARN, &a, "%llu hook%s refused, last of %s", (unsigned long long)n, n == 1 ? "" : "s", text);
}

/* Hooks and reviews wake the loop; a signal does too, and is not taken off. */
static void
look_at_news(struct loop *l)
{
	char drop[256];

	while ((l->hooks || l->pulls) && !stopping && read(l->wake[0], drop, sizeof(drop)) == (ssize_t)sizeof(drop))
		;
	look_at_hooks(l);
	if (pulls_news(l->pulls) && !queue_failures(&l->queue, JOB_PASS))
		queue_at(&l->queue, JOB_PASS, clock_mono_ms());
}

static void
turn(struct loop *l)
{
	struct err e = { 0 };
	int64_t wait;
	const char *job;

	atomic_store(&l->health.beat, clock_mono_ms());
	pulls_allow(l->pulls, leading(l));
	look_at_news(l);
	if (!leading(l)) {
		wait_for(l, LOOK_MS * 10);
		return;
	}
	job = queue_next(&l->queue, clock_mono_ms(), LOOK_MS * 10, &wait);
	if (job) {
		(void)run_job(l, job, &e); /* trouble has been logged and queued again */
		tell_of_decryptor(l);
		return;
	}
	wait_for(l, queue_failures(&l->queue, JOB_PASS) && wait > LOOK_MS ? LOOK_MS : wait);
	observe(l);
	tell_of_decryptor(l);
	new_commit_cancels_wait(l);
}

static int
run_once(struct loop *l, struct err *e)
{
	int rc;

	while (!leading(l) && !stopping)
		wait_for(l, LOOK_MS);
	if ((rc = do_poll(l, e)) < 0 || (rc = do_pass(l, e)) < 0)
		return rc;
	if (l->target->ops->settle) {
		l->target->ops->settle(l->target, SETTLE_MS);
		(void)reconcile_observe(l->reconciler);
		l->target->ops->settle(l->target, SETTLE_MS); /* what is seen to be gone is taken off the target's notes */
		l->out->failed = reconcile_failed(l->reconciler);
	}
	return publish_waiting(l->publisher) ? do_flush(l, e) : 0;
}

static void
run_forever(struct loop *l)
{
	struct log_about a = about(l, NULL);
	struct err e = { 0 };

	queue_at(&l->queue, source_is_local(l->source) ? JOB_PASS : JOB_POLL, clock_mono_ms());
	while (!stopping && !(l->led && !leading(l))) {
		turn(l);
		if (!l->led && leading(l)) {
			l->led = true;
			if (l->c->lease)
				log_line(LOG_INFO, &a, "leading as %s", l->identity);
		}
	}
	if (!stopping)
		return;
	if (publish_waiting(l->publisher) && !l->refused && l->passed && leading(l))
		(void)do_flush(l, &e);
	log_line(LOG_INFO, &a, "stopped by %s", stop_signal == SIGINT ? "SIGINT" : "SIGTERM");
}

/* -- start and stop ------------------------------------------------------------------------------------------------ */

/* Half-written files of a process that was killed; nobody else writes here while the lock is held. */
static void
sweep_state(const char *dir)
{
	static const char *const files[] = { "adopted", "proof", "pulls", "reviews" };
	struct arena *AUTO_ARENA mem = arena_new(65536);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		fs_sweep(arena_printf(mem, "%s/%s", dir, files[i]));
}

static int
lock_state(struct loop *l, struct err *e)
{
	char lock[4096];
	int rc;

	if (snprintf(lock, sizeof(lock), "%s/lock", l->c->state_dir) >= (int)sizeof(lock))
		return err_set(e, ERR_USAGE, "--state: the path is too long");
	if ((rc = fs_mkdirs(l->c->state_dir, e)) == 0 && (rc = fs_lock(lock, &l->lock_fd, e)) == ERR_CONFLICT)
		(void)err_hint(e, "one berth a state folder: stop the other one, or give this one its own --state");
	if (rc == 0)
		sweep_state(l->c->state_dir);
	return rc;
}

/* Everything that begins anew when the right to write was lost. */
/* Commits of ours are signed by berth's key. Without the decryptor for a moment they go unsigned, which whoever verifies them sees. */
static int
sign_commit(void *ctx, const void *bytes, size_t n, struct buf *out, struct err *e)
{
	struct loop *l = ctx;
	struct log_about a = about(l, NULL);
	struct err why = { 0 };

	(void)e;
	if (decryptor_sign(l->decryptor, "git", bytes, n, out, &why) == 0)
		return 0;
	log_err(LOG_WARN, &a, &why);
	return 1;
}

/* Not with `once`: whoever runs that wants to see the end of it. */
static int
open_pulls(struct loop *l, struct err *e)
{
	const struct daemon_config *c = l->c;
	bool local = source_is_local(l->source);
	char main_ref[512];
	struct pulls_config p = { .forge = c->forge_as, .git_dir = git_path(source_git(l->source)), .url = local ? NULL : c->repo, .auth = c->auth,
		.branch = c->branch, .main_ref = main_ref, .state_dir = c->state_dir, .run = l->run, .interval_ms = c->interval_ms,
		.wake_fd = l->wake[1],
		.status_ref = local ? "refs/heads/" BRANCH_STATUS : "refs/remotes/origin/" BRANCH_STATUS };

	if (!c->forge || c->once)
		return 0;
	if (snprintf(main_ref, sizeof(main_ref), "refs/%s/%s", local ? "heads" : "remotes/origin", c->branch) >= (int)sizeof(main_ref))
		return err_set(e, ERR_USAGE, "--branch: the name is too long");
	return pulls_start(&p, &l->pulls, e);
}

static int
open_work(struct loop *l, struct err *e)
{
	const struct daemon_config *c = l->c;
	struct source_config s = { .repo = c->repo, .branch = c->branch, .state_dir = c->state_dir, .auth = c->auth,
		.cancel = &stopping };
	struct publish_config p = { .run = l->run, .reconciler = "berth/" BERTH_VERSION };
	struct reconcile_config r = { .run = l->run, .reconciler = p.reconciler, .has_accept_rewind = c->has_accept_rewind,
		.accept_rewind = c->accept_rewind, .only = c->only, .nonly = c->nonly, .decryptor = l->decryptor,
		.state_dir = c->state_dir, .branch = c->branch, .has_trust_anchor = c->has_trust_anchor, .trust_anchor = c->trust_anchor,
		.reviews = c->forge };
	int rc;

	if ((rc = source_open(&s, &l->source, e)) < 0)
		return rc;
	if (l->decryptor)
		git_sign_by(source_git(l->source), sign_commit, l);
	l->setup = (struct target_setup){ .source = l->source, .kube = c->kube };
	l->setup.kube.state_dir = c->state_dir;
	l->setup.kube.cancel = &stopping;
	l->setup.kube.decryptor = l->decryptor;
	l->setup.kube.lease = c->lease ? l->identity : NULL;
	if ((rc = target_open(c->target, &l->setup, &l->target, e)) < 0)
		return rc;
	p.source = r.source = l->source;
	l->publisher = publisher_new(&p);
	r.publisher = l->publisher;
	r.target = l->target;
	if ((rc = reconciler_new(&r, &l->reconciler, e)) < 0)
		return rc;
	return open_pulls(l, e);
}

static void
close_work(struct loop *l)
{
	pulls_stop(l->pulls);
	l->pulls = NULL;
	reconciler_free(l->reconciler);
	publisher_free(l->publisher);
	if (l->target)
		l->target->ops->close(l->target);
	source_close(l->source);
	l->reconciler = NULL;
	l->publisher = NULL;
	l->target = NULL;
	l->source = NULL;
	l->queue.n = 0;
	l->passed = l->led = l->refused = false;
}

static int
start_decryptor(struct loop *l, struct err *e)
{
	struct decryptor_config c = { .key_file = l->c->master_key };
	struct log_about a = about(l, NULL);
	int rc;

	if (!c.key_file)
		return 0;
	if ((rc = decryptor_start(&c, &l->decryptor, e)) < 0)
		return err_wrap(e, "--master-key %s", c.key_file);
	if (decryptor_warning(l->decryptor))
		log_line(LOG_WARN, &a, "decryptor: %s", decryptor_warning(l->decryptor));
	log_line(LOG_INFO, &a, "the decryptor is process %d, signer %s", decryptor_pid(l->decryptor), decryptor_signer(l->decryptor));
	return 0;
}

static int
open_all(struct loop *l, struct err *e)
{
	int rc;

	if (l->c->hook_secret && (rc = hooks_open(l->c->hook_secret, l->wake[1], &l->hooks, e)) < 0)
		return rc;
	if ((rc = lock_state(l, e)) < 0 || (rc = start_decryptor(l, e)) < 0 || (rc = open_work(l, e)) < 0)
		return rc;
	return l->c->listen ? server_start(l->c->listen, &l->health, l->hooks, &l->server, e) : 0;
}

static void
close_all(struct loop *l)
{
	server_stop(l->server);
	hooks_close(l->hooks);
	close_work(l);
	decryptor_stop(l->decryptor);
	for (int i = 0; i < 2; i++)
		if (l->wake[i] >= 0)
			(void)close(l->wake[i]);
	if (l->lock_fd >= 0)
		(void)close(l->lock_fd);
	wake_fd = -1;
}

int
daemon_run(const struct daemon_config *c, struct daemon_result *out, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	struct log_about a;
	int rc;

	if (!l)
		abort();
	*out = (struct daemon_result){ 0 };
	l->c = c;
	l->out = out;
	l->lock_fd = l->wake[0] = l->wake[1] = -1;
	l->health.beat_max = BEAT_MAX_MS;
	l->queue.backoff_max = 30000;
	(void)snprintf(l->run, sizeof(l->run), "%08llx%04x", (unsigned long long)clock_now() & 0xffffffffULL,
	               (unsigned int)getpid() & 0xffffu);
	(void)gethostname(l->identity, 256);
	(void)snprintf(l->identity + strlen(l->identity), sizeof(l->identity) - strlen(l->identity), "_%s", l->run);
	atomic_store(&l->health.beat, clock_mono_ms());
	if ((rc = catch_signals(l, e)) == 0 && (rc = open_all(l, e)) == 0) {
		a = about(l, NULL);
		if (!c->once)
			log_line(LOG_INFO, &a, "berth %s watches %s (branch %s), target %s", BERTH_VERSION,
			         source_name(l->source), c->branch, c->target);
		if (c->once)
			rc = run_once(l, e);
		else
			run_forever(l);
		while (!c->once && !stopping) { /* somebody else may have written meanwhile */
			log_line(LOG_WARN, &a, "lost the lease: standing by");
			close_work(l);
			if ((rc = open_work(l, e)) < 0)
				break;
			run_forever(l);
		}
	}
	out->signal = stop_signal;
	close_all(l);
	free(l);
	return rc;
}
