/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/counter.h"

static void
every_counter_has_its_own_name_and_a_help_text(void **state)
{
	const char *name;

	(void)state;
	for (enum counter c = 0; c < NCOUNTERS; c++) {
		name = counter_name(c);
		assert_non_null(name);
		assert_true(strlen(name) > 0);
		assert_int_equal(
		    strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		assert_non_null(counter_help(c));
		assert_true(strlen(counter_help(c)) > 0);
		for (enum counter d = 0; d < c; d++)
			assert_string_not_equal(name, counter_name(d));
	}
	assert_string_equal(counter_name(CTR_PV_LOCKS), "pv_locks");
}

static void
add_changes_one_counter(void **state)
{
	static struct counter_set cs;

	(void)state;
	counter_add(&cs, CTR_PV_LOCKS, 3);
	counter_add(&cs, CTR_PV_LOCKS, UINT64_C(1) << 40);
	for (enum counter c = 0; c < NCOUNTERS; c++)
		assert_true(counter_read(&cs, c) ==
		    (c == CTR_PV_LOCKS ? (UINT64_C(1) << 40) + 3 : 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_counter_has_its_own_name_and_a_help_text),
		cmocka_unit_test(add_changes_one_counter),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
