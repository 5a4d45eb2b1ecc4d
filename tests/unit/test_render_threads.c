/* SPDX-License-Identifier: Apache-2.0 */
/* One set of compiled templates, many threads: each renders the examples and gets the same digests. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "render/render.h"
#include "tree.h"

#define THREADS 4
#define ROUNDS 3
#define UNITS_MAX 64

struct work {
	const struct templates *templates;
	struct digest digests[UNITS_MAX];
	size_t n;
	bool failed;
};

static void
render_once(struct work *w)
{
	struct tree t;
	struct bundle *b;
	struct err e = { 0 };

	w->n = 0;
	tree_load(&t, "examples");
	tree_resolve(&t);
	for (size_t i = 0; i < t.nenvs && i < UNITS_MAX; i++) {
		if (render_env(w->templates, t.mem, t.envs[i], &b, &e) < 0)
			w->failed = true;
		else
			w->digests[w->n++] = b->digest;
	}
	tree_free(&t);
}

static void *
render_often(void *arg)
{
	struct work *w = arg, first = { .templates = w->templates };

	render_once(w);
	for (int i = 1; i < ROUNDS; i++) {
		render_once(&first);
		if (first.n != w->n || memcmp(first.digests, w->digests, w->n * sizeof(struct digest)) != 0)
			w->failed = true;
	}
	return NULL;
}

static void
threads_share_templates(void **state)
{
	struct arena *mem = arena_new((size_t)1 << 20);
	struct work works[THREADS] = { 0 };
	pthread_t threads[THREADS];
	struct templates *ts;
	struct report r = { 0 };
	struct err e = { 0 };

	(void)state;
	report_init(&r, mem);
	assert_int_equal(templates_load(NULL, &r, &ts, &e), 0);
	for (size_t i = 0; i < THREADS; i++) {
		works[i].templates = ts;
		assert_int_equal(pthread_create(&threads[i], NULL, render_often, &works[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_false(works[i].failed);
		assert_true(works[i].n >= 5);
		assert_int_equal(works[i].n, works[0].n);
		assert_memory_equal(works[i].digests, works[0].digests, works[0].n * sizeof(struct digest));
	}
	templates_free(ts);
	arena_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_templates),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
