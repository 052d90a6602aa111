/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pmapsim/build.h"

static void
version_has_three_numbers(void **state)
{
	unsigned major, minor, patch;
	int end = 0;

	(void)state;
	assert_int_equal(sscanf(pmapsim_version(), "%u.%u.%u%n", &major, &minor,
			     &patch, &end),
	    3);
	assert_int_equal(pmapsim_version()[end], '\0');
}

static void
compiler_has_name_and_version(void **state)
{
	unsigned major, minor, patch;
	char name[8];
	int end = 0;

	(void)state;
	assert_int_equal(sscanf(pmapsim_compiler(), "%7[a-z] %u.%u.%u%n", name,
			     &major, &minor, &patch, &end),
	    4);
	assert_int_equal(pmapsim_compiler()[end], '\0');
}

static void
commit_is_a_word(void **state)
{
	(void)state;
	assert_int_not_equal(strlen(pmapsim_commit()), 0);
	assert_null(strpbrk(pmapsim_commit(), " \t\n"));
}

/* The tests are built with the flags of the library, so both must agree. */
static void
invariants_are_those_of_the_build(void **state)
{
	bool expected = false;

	(void)state;
#ifdef PMAPSIM_INVARIANTS
	expected = true;
#endif
	assert_int_equal(pmapsim_invariants(), expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_has_three_numbers),
		cmocka_unit_test(commit_is_a_word),
		cmocka_unit_test(compiler_has_name_and_version),
		cmocka_unit_test(invariants_are_those_of_the_build),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
