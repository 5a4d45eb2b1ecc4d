/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes quantities: exact thousandths, rounding up, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "parse/quantity.h"

#define BAD (-1) /* refused, output untouched */

static void
parse(void **state)
{
	static const struct {
		const char *in;
		int64_t milli;
	} rows[] = {
		{ "0", 0 }, { "1", 1000 }, { "1.5", 1500 }, { ".5", 500 }, { "5.", 5000 }, { "+2", 2000 }, { "007", 7000 },
		{ "500m", 500 }, { "1500m", 1500 }, { "1u", 1 }, { "1001u", 2 }, { "5n", 1 }, { "0n", 0 },
		{ "0.0001", 1 }, { "0.0015", 2 }, { "1.0000000000000000000000001", 1001 },
		{ "1k", 1000000 }, { "2M", 2000000000 }, { "1G", INT64_C(1000000000000) }, { "1T", INT64_C(1000000000000000) },
		{ "9P", INT64_C(9000000000000000000) }, { "1E", BAD }, { "10P", BAD },
		{ "1Ki", 1024000 }, { "250Gi", INT64_C(268435456000000) }, { "1.5Gi", INT64_C(1610612736000) },
		{ "0.1Ki", 102400 }, { "0.3Ki", 307200 }, { "1Ti", INT64_C(1099511627776000) },
		{ "8Pi", INT64_C(9007199254740992000) }, { "9Pi", BAD }, { "1Ei", BAD }, { "0.001Ei", INT64_C(1152921504606846976) },
		{ "0Ei", 0 }, { "0E", 0 },
		{ "1e3", 1000000 }, { "1E3", 1000000 }, { "12e-1", 1200 }, { "1e+2", 100000 }, { "1e-9", 1 }, { "0e9999999", 0 },
		{ "1e15", INT64_C(1000000000000000000) }, { "1e16", BAD }, { "1e999999999999", BAD }, { "1e-999999999999", 1 },
		{ "9223372036854775.807", INT64_MAX }, { "9223372036854775.808", BAD },
		{ "100000000000000000000000n", INT64_C(100000000000000000) }, { "9999999999999999999999999999", BAD },
		{ "", BAD }, { ".", BAD }, { "-1", BAD }, { "--1", BAD }, { "+-1", BAD }, { "1..2", BAD }, { "1.2.3", BAD },
		{ "Gi", BAD }, { "1gi", BAD }, { "1GiB", BAD }, { "1GB", BAD }, { "1K", BAD }, { "1ki", BAD }, { " 1", BAD },
		{ "1 ", BAD }, { "1 Gi", BAD }, { "1e", BAD }, { "1e+", BAD }, { "1e1.5", BAD }, { "1e3Ki", BAD }, { "0x10", BAD },
		{ "inf", BAD }, { "nan", BAD }, { "1,5", BAD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t got = -7;
		int rc = quantity_parse(rows[i].in, &got);

		if (rows[i].milli == BAD ? rc != ERR_INVALID || got != -7 : rc != 0 || got != rows[i].milli)
			fail_msg("'%s' gives %d, %lld", rows[i].in, rc, (long long)got);
	}
}

static void
values(void **state)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 16);
	struct value *real = value_real(mem, 0.1);
	int64_t n = -7;

	(void)state;
	assert_int_equal(quantity_milli(value_int(mem, 4), &n), 0);
	assert_int_equal(n, 4000);
	assert_int_equal(quantity_milli(value_int(mem, INT64_MAX / 1000), &n), 0);
	n = -7;
	assert_int_equal(quantity_milli(value_int(mem, INT64_MAX / 1000 + 1), &n), ERR_INVALID);
	assert_int_equal(quantity_milli(value_int(mem, -1), &n), ERR_INVALID);
	assert_int_equal(quantity_milli(value_real(mem, -0.5), &n), ERR_INVALID);
	assert_int_equal(quantity_milli(value_bool(mem, true), &n), ERR_INVALID);
	assert_int_equal(quantity_milli(value_strn(mem, "1\0Gi", 4), &n), ERR_INVALID);
	assert_int_equal(quantity_milli(NULL, &n), ERR_INVALID);
	assert_int_equal(n, -7);
	assert_int_equal(quantity_milli(real, &n), 0);
	assert_int_equal(n, 100);
	real->text = "0.25";
	assert_int_equal(quantity_milli(real, &n), 0);
	assert_int_equal(n, 250);
	assert_int_equal(quantity_units(value_str(mem, "1500m"), &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(quantity_units(value_str(mem, "64Gi"), &n), 0);
	assert_int_equal(n, INT64_C(64) << 30);
}

static void
texts(void **state)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 16);

	(void)state;
	assert_string_equal(quantity_bytes_text(mem, 0), "0");
	assert_string_equal(quantity_bytes_text(mem, 1000), "1000");
	assert_string_equal(quantity_bytes_text(mem, INT64_C(64) << 30), "64Gi");
	assert_string_equal(quantity_bytes_text(mem, INT64_C(1536) << 20), "1536Mi");
	assert_string_equal(quantity_bytes_text(mem, INT64_C(1) << 40), "1Ti");
	assert_string_equal(quantity_cpu_text(mem, 16000), "16");
	assert_string_equal(quantity_cpu_text(mem, 1500), "1500m");
	assert_string_equal(quantity_cpu_text(mem, 0), "0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parse), cmocka_unit_test(values), cmocka_unit_test(texts) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
