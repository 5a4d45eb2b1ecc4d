/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: dedupe, order, back-off. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/queue.h"

static void
test_dedupe_and_order(void **state)
{
	struct queue q = { 0 };
	int64_t wait = -1;

	(void)state;
	queue_at(&q, "late", 300);
	queue_at(&q, "pass", 200);
	queue_at(&q, "pass", 100); /* earlier wins */
	queue_at(&q, "pass", 900); /* later does not postpone */
	assert_null(queue_next(&q, 50, 1000, &wait));
	assert_int_equal(wait, 50);
	assert_string_equal(queue_next(&q, 400, 1000, &wait), "pass");
	assert_string_equal(queue_next(&q, 400, 1000, &wait), "late");
	assert_null(queue_next(&q, 400, 1000, &wait));
	assert_int_equal(wait, 1000);
}

static void
test_drop(void **state)
{
	struct queue q = { 0 };
	int64_t wait;

	(void)state;
	queue_at(&q, "pass", 1);
	queue_drop(&q, "pass");
	assert_null(queue_next(&q, 10, 77, &wait));
	assert_int_equal(wait, 77);
}

/* The delay doubles up to the maximum, less at most a quarter of jitter; success starts over. */
static void
test_backoff(void **state)
{
	static const int64_t full[] = { 100, 200, 400, 800, 1000, 1000 };
	struct queue q = { .backoff_first = 100, .backoff_max = 1000 };
	int64_t now = 5000, wait;

	(void)state;
	for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++) {
		queue_failed(&q, "pass", now);
		assert_int_equal(queue_failures(&q, "pass"), i + 1);
		assert_null(queue_next(&q, now, 100000, &wait));
		assert_in_range(wait, full[i] - full[i] / 4, full[i]);
		queue_drop(&q, "pass");
		now += 13;
	}
	queue_succeeded(&q, "pass");
	assert_int_equal(queue_failures(&q, "pass"), 0);
	queue_failed(&q, "pass", now);
	assert_null(queue_next(&q, now, 100000, &wait));
	assert_in_range(wait, 75, 100);
}

/* Ten thousand failures must not overflow the delay. */
static void
test_backoff_many(void **state)
{
	struct queue q = { 0 };
	int64_t wait;

	(void)state;
	for (int i = 0; i < 10000; i++)
		queue_failed(&q, "pass", 1);
	assert_null(queue_next(&q, 1, 100000, &wait));
	assert_in_range(wait, 45000, 60000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dedupe_and_order),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_backoff_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
