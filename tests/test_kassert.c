/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"

static char last_file[256];
static char last_msg[1024];
static int last_line;

/* Keeps what it was told and hands over to expect_assert_failure(). */
static void
panic_record(const char *file, int line, const char *msg)
{
	(void)snprintf(last_file, sizeof(last_file), "%s", file);
	(void)snprintf(last_msg, sizeof(last_msg), "%s", msg);
	last_line = line;
	mock_assert(0, msg, file, line);
}

static int
install(void **state)
{
	(void)state;
	panic_handler = panic_record;
	last_file[0] = last_msg[0] = '\0';
	last_line = 0;
	return (0);
}

static void
panic_tells_the_handler_place_and_message(void **state)
{
	int line;

	(void)state;
	line = __LINE__ + 1;
	expect_assert_failure(panic("page %d of %s", 7, "object"));
	assert_string_equal(last_msg, "page 7 of object");
	assert_string_equal(last_file, __FILE__);
	assert_int_equal(last_line, line);
}

static void
long_message_is_cut(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	expect_assert_failure(panic("%s", text));
	assert_in_range(strlen(last_msg), 200, 1000);
	assert_int_equal(strspn(last_msg, "x"), strlen(last_msg));
}

static void
kassert_panics_only_with_invariants(void **state)
{
	(void)state;
	if (INVARIANTS_ENABLED) {
		expect_assert_failure(KASSERT(1 + 1 == 3, ("sum %d", 1 + 1)));
	} else {
		KASSERT(1 + 1 == 3, ("sum %d", 1 + 1));
	}
	assert_string_equal(last_msg, INVARIANTS_ENABLED ? "sum 2" : "");
}

static int
count_calls(int *calls)
{
	(*calls)++;
	return (1);
}

static void
kassert_that_holds_is_silent(void **state)
{
	int calls = 0;

	(void)state;
	KASSERT(count_calls(&calls) == 1, ("not printed"));
	assert_int_equal(calls, INVARIANTS_ENABLED ? 1 : 0);
	assert_string_equal(last_msg, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    panic_tells_the_handler_place_and_message, install),
		cmocka_unit_test_setup(long_message_is_cut, install),
		cmocka_unit_test_setup(
		    kassert_panics_only_with_invariants, install),
		cmocka_unit_test_setup(kassert_that_holds_is_silent, install),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
