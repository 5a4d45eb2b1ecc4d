/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed files of 200 bytes: opened in this process, and looked at by a decryptor from its cold start, beside the one multiplication on the curve
 * that opening one cannot do without. Usage: bench_seal [FILES] (default 10000)
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/seal/decryptor.h"

#define VALUE 200       /* bytes */
#define PER_OWNER 10
#define OLD_OF 10       /* one in so many is sealed for the generation before */
#define GENERATION 2
#define ROUNDS 3
#define GOAL_SECONDS 2.0 /* of 10,000 files */

struct one {
	struct seal_place place;
	struct buf file;
};

static struct one *
make(struct arena *mem, const struct master *m, size_t n)
{
	struct one *all = arena_array(mem, n, sizeof(*all));
	uint8_t value[VALUE], pk[1][32];

	for (size_t i = 0; i < n; i++) {
		struct age_identity id;

		all[i].place = (struct seal_place){ PLACE_OWNER, arena_printf(mem, "u%zu", i / PER_OWNER), arena_printf(mem, "%08zx", i / PER_OWNER), NULL };
		must(master_identity(m, i % OLD_OF ? GENERATION : GENERATION - 1, &all[i].place, &id, &e), "identity");
		memcpy(pk[0], id.pk, 32);
		randombytes_buf(value, sizeof(value));
		must(age_seal((const uint8_t(*)[32])pk, 1, value, sizeof(value), true, NULL, &all[i].file, &e), "seal");
	}
	return all;
}

/* Processor seconds of n multiplications. */
static double
multiply(size_t n)
{
	uint8_t sk[32], point[32], out[32];
	double begin;

	randombytes_buf(sk, sizeof(sk));
	(void)crypto_scalarmult_base(point, sk);
	begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < n; i++) {
		if (crypto_scalarmult(out, sk, point) != 0)
			must(ERR_INTERNAL, "multiply");
		memcpy(point, out, sizeof(point));
	}
	return seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
}

/* Processor seconds of opening each by one identity, which is at hand. */
static double
open_all(const struct master *m, const struct one *all, size_t n)
{
	double spent = 0;

	for (size_t i = 0; i < n; i++) {
		struct secret AUTO_SECRET out = { NULL, 0 };
		struct age_identity id;
		double begin;

		must(master_identity(m, i % OLD_OF ? GENERATION : GENERATION - 1, &all[i].place, &id, &e), "identity");
		begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
		must(age_open(all[i].file.data, all[i].file.len, &id, 1, NULL, &out, NULL, &e), "open");
		spent += seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
		if (out.n != VALUE)
			must(ERR_INTERNAL, "open");
	}
	return spent;
}

/* Processor seconds of this process and of those that it started and that have ended. */
static double
both(void)
{
	double sum = 0;

	for (int i = 0; i < 2; i++) {
		struct rusage u;

		(void)getrusage(i ? RUSAGE_CHILDREN : RUSAGE_SELF, &u);
		sum += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	}
	return sum;
}

/* Those of one owner in one question, as the daemon asks. */
static void
look_owner(struct decryptor *d, struct arena *mem, const struct one *all, size_t n)
{
	struct sealed files[PER_OWNER];
	struct decryptor_looked out[PER_OWNER];

	for (size_t i = 0; i < n; i++)
		files[i] = (struct sealed){ all[i].place, SEAL_AGE, all[i].file.data, all[i].file.len, GENERATION, GENERATION - 1 };
	must(decryptor_looks(d, mem, files, n, out, &e), "looks");
	for (size_t i = 0; i < n; i++)
		if (!out[i].known || out[i].e || out[i].n != 1 || out[i].values[0].size != VALUE)
			must(ERR_INTERNAL, "looks");
	arena_reset(mem);
}

/* Seconds on the clock from no process to the last digest; *work: what the processors spent on it, both processes together. */
static double
look_owners(const char *key_file, const struct one *all, size_t n, double *work)
{
	struct decryptor_config c = { .key_file = key_file };
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct decryptor *d;
	double begin = seconds(CLOCK_MONOTONIC), spent, before = both();

	must(decryptor_start(&c, &d, &e), "start");
	for (size_t i = 0; i < n; i += PER_OWNER)
		look_owner(d, mem, all + i, n - i < PER_OWNER ? n - i : PER_OWNER);
	spent = seconds(CLOCK_MONOTONIC) - begin;
	decryptor_stop(d);
	*work = both() - before;
	return spent;
}

/* The same, one file after the other. */
static double
look_all(const char *key_file, const struct one *all, size_t n, double *work)
{
	struct decryptor_config c = { .key_file = key_file };
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct decryptor *d;
	double begin = seconds(CLOCK_MONOTONIC), spent, before = both();

	must(decryptor_start(&c, &d, &e), "start");
	for (size_t i = 0; i < n; i++) {
		struct sealed s = { all[i].place, SEAL_AGE, all[i].file.data, all[i].file.len, GENERATION, GENERATION - 1 };
		struct sealed_value *values;
		unsigned generation;
		size_t count;

		must(decryptor_look(d, mem, &s, &values, &count, &generation, &e), "look");
		if (count != 1 || values[0].size != VALUE)
			must(ERR_INTERNAL, "look");
		arena_reset(mem);
	}
	spent = seconds(CLOCK_MONOTONIC) - begin;
	decryptor_stop(d);
	*work = both() - before;
	return spent;
}

static int
by_value(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static double
middle(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), by_value);
	return v[ROUNDS / 2];
}

static void
measure(const char *key_file, size_t n)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 30);
	double floor[ROUNDS], opened[ROUNDS], looked[ROUNDS], work[ROUNDS], owners[ROUNDS], owners_work[ROUNDS], per, goal = GOAL_SECONDS * (double)n / 10000;
	struct master m;
	struct one *all;

	must(master_load(key_file, &m, &e), "key");
	all = make(mem, &m, n);
	for (int i = 0; i < ROUNDS; i++) {
		floor[i] = multiply(n);
		opened[i] = open_all(&m, all, n);
		looked[i] = look_all(key_file, all, n, &work[i]);
		owners[i] = look_owners(key_file, all, n, &owners_work[i]);
	}
	per = middle(floor) / (double)n * 1e6;
	(void)printf("%zu sealed files of %d bytes, one in %d of the generation before\n", n, VALUE, OLD_OF);
	(void)printf("  one multiplication on the curve %8.2f us   %8.0f a second and core\n", per, 1e6 / per);
	(void)printf("  age_open                        %8.2f us   %8.0f a second and core   ratio %.2f\n", middle(opened) / (double)n * 1e6,
	             (double)n / opened[ROUNDS / 2], opened[ROUNDS / 2] / floor[ROUNDS / 2]);
	(void)printf("  a decryptor, processor time     %8.2f us   %8.0f a second and core   ratio %.2f\n", middle(work) / (double)n * 1e6,
	             (double)n / work[ROUNDS / 2], work[ROUNDS / 2] / floor[ROUNDS / 2]);
	(void)printf("  a decryptor, from cold          %8.2f us   %8.0f a second            %.3f s of at most %.1f\n", middle(looked) / (double)n * 1e6,
	             (double)n / looked[ROUNDS / 2], looked[ROUNDS / 2], goal);
	(void)printf("  %d in one question, processor time %5.2f us   %8.0f a second and core   ratio %.2f\n", PER_OWNER, middle(owners_work) / (double)n * 1e6,
	             (double)n / owners_work[ROUNDS / 2], owners_work[ROUNDS / 2] / floor[ROUNDS / 2]);
	(void)printf("  %d in one question, from cold    %8.2f us   %8.0f a second            %.3f s of at most %.1f\n", PER_OWNER, middle(owners) / (double)n * 1e6,
	             (double)n / owners[ROUNDS / 2], owners[ROUNDS / 2], goal);
	for (size_t i = 0; i < n; i++)
		buf_free(&all[i].file);
	master_free(&m);
}

int
main(int argc, char **argv)
{
	char folder[] = "/tmp/berth-bench-XXXXXX", path[sizeof(folder) + 8];
	struct master m;
	int64_t n = 10000;

	if (argc > 1 && strcmp(argv[1], "__decryptor") == 0) /* the process that the bench starts is itself */
		return decryptor_main();
	proc_save_self(argv[0]);
	if (argc > 2 || (argc == 2 && (str_to_i64(argv[1], &n) < 0 || n < 1 || n > 1000000))) {
		(void)fprintf(stderr, "usage: bench_seal [FILES]\n");
		return 2;
	}
	must(seal_init(&e), "libsodium");
	if (!mkdtemp(folder))
		must(err_errno(&e, "%s", folder), "folder");
	(void)snprintf(path, sizeof(path), "%s/key", folder);
	master_new(&m);
	must(master_store(&m, path, &e), "key");
	master_free(&m);
	measure(path, (size_t)n);
	(void)unlink(path);
	(void)rmdir(folder);
	return 0;
}
