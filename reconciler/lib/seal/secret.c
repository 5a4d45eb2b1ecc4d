/* SPDX-License-Identifier: Apache-2.0 */
/* Guarded memory by libsodium's allocator, which leaves it out of core dumps also where it may not lock it. */
#include "lib/seal/secret.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECRET_MAX ((size_t)32 << 20)
#define LOCK_PROBE ((size_t)4 << 20) /* a few of the largest secrets at the same time */

/*
 * Mapping, guarding and locking a page costs as much as opening a file with it, so a few pages are kept for small secrets. One of these ends where its
 * page does, as the allocator itself has it, so that a byte too many still meets the guard; while a page is kept nobody can read or write it.
 * In front of it the page has the allocator's canary, a mark that tells it from a large secret (random, so that no content is taken for it), and zeros.
 */
#define CANARY ((size_t)16)
#define MARK ((size_t)16)
#define KEPT_MAX 8

static unsigned char mark[MARK];
static size_t page_size; /* 0: not started */

static _Thread_local unsigned char *kept[KEPT_MAX];
static _Thread_local size_t nkept;

static atomic_bool lock_failed;

int
seal_init(struct err *e)
{
	if (sodium_init() < 0)
		return err_set(e, ERR_INTERNAL, "libsodium cannot be used on this machine");
	if (!page_size) {
		randombytes_buf(mark, sizeof(mark));
		page_size = (size_t)sysconf(_SC_PAGESIZE);
	}
	return 0;
}

static unsigned char *
guarded(size_t n)
{
	unsigned char *b = sodium_malloc(n);

	if (!b)
		abort();
	/* the allocator locks too and says nothing when it may not; locked once more is still one lock */
	if (mlock(b, n) < 0)
		atomic_store(&lock_failed, true);
	memset(b, 0, n);
	return b;
}

struct secret
secret_new(size_t n)
{
	size_t room = n ? n : 1, small;
	unsigned char *page;

	if (n > SECRET_MAX || seal_init(NULL) < 0)
		abort();
	small = page_size - CANARY;
	if (room > small - MARK)
		return (struct secret){ guarded(room), n };
	if (nkept) {
		page = kept[--nkept];
		if (sodium_mprotect_readwrite(page) < 0)
			abort();
	} else {
		page = guarded(small);
		memcpy(page, mark, sizeof(mark));
	}
	return (struct secret){ page + small - room, n };
}

/* A small one. Whoever wrote in front of it wrote over zeros. */
static void
give_back(unsigned char *page, unsigned char *b)
{
	size_t before = (size_t)(b - page) - MARK;

	if (!sodium_is_zero(page + MARK, before))
		abort();
	sodium_memzero(b, page_size - CANARY - MARK - before);
	if (nkept < KEPT_MAX && sodium_mprotect_noaccess(page) == 0)
		kept[nkept++] = page;
	else
		sodium_free(page);
}

void
secret_free(struct secret *s)
{
	unsigned char *page;

	if (s->b) {
		/* also of a large one this lies in memory that may be read: the allocator's canary is in the same page */
		page = s->b - ((uintptr_t)s->b - CANARY) % page_size;
		if (memcmp(page, mark, sizeof(mark)) == 0)
			give_back(page, s->b);
		else
			sodium_free(s->b);
	}
	s->b = NULL;
	s->n = 0;
}

void
secret_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

static bool
may_lock(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool locked;

	if (p == MAP_FAILED)
		return false;
	locked = mlock(p, n) == 0;
	(void)munmap(p, n);
	return locked;
}

bool
secret_locked(const char **why)
{
	if (!atomic_load(&lock_failed) && may_lock(LOCK_PROBE))
		return true;
	*why = "secrets cannot be locked in memory and may reach a swap device: the limit on locked memory is below 4 MiB; set "
	       "LimitMEMLOCK=64M (systemd), `ulimit -l 65536`, or give IPC_LOCK";
	return false;
}
