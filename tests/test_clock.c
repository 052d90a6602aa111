/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/clock.h"

static int
setup(void **state)
{
	(void)state;
	clock_init();
	clock_init();
	return (0);
}

/* Is a, which is rounded down to a whole number, b up to 1 in 2^40? */
static bool
is_close(uint64_t a, uint64_t b)
{
	return (a <= b && b - a <= 1 + (b >> 40));
}

static void
scale_is_exact_to_twelve_digits(void **state)
{
	/* Ticks in 5 ms: 1 MHz to 6 GHz, and rates that do not divide. */
	static const uint64_t ticks[] = { 5000, 125000, 9600001, 13000000,
		14999999, 20000000, 30000000 };
	struct clock_scale cs;
	uint64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		cs = clock_scale_from(ticks[i], 5000000);
		assert_int_equal(clock_scale_apply(cs, 0), 0);
		/* From an interval to a century. */
		for (seconds = 1; seconds < UINT64_C(3155760000);
		     seconds *= 10) {
			assert_true(is_close(
			    clock_scale_apply(cs, ticks[i] * 200 * seconds),
			    seconds * UINT64_C(1000000000)));
		}
	}
}

static void
scale_never_goes_backwards(void **state)
{
	struct clock_scale cs = clock_scale_from(13000001, 5000000);
	uint64_t base = UINT64_C(1) << 60, last = 0, ns;

	(void)state;
	for (uint64_t t = 0; t < 100000; t++) {
		ns = clock_scale_apply(cs, base + t);
		assert_true(ns >= last);
		last = ns;
	}
}

static void
clock_is_monotonic_and_moves(void **state)
{
	uint64_t first, last, ns;

	(void)state;
	first = last = clock_ns();
	for (int i = 0; i < 1000000; i++) {
		ns = clock_ns();
		assert_true(ns >= last);
		last = ns;
	}
	assert_true(last > first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scale_is_exact_to_twelve_digits),
		cmocka_unit_test(scale_never_goes_backwards),
		cmocka_unit_test(clock_is_monotonic_and_moves),
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
