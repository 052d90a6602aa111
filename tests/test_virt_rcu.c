/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * RCU among fibers: a reader is switched away from inside, and who waits for it
 * blocks.  What happens is written down as letters, in the order of virtual time.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "kern/rcu.h"
#include "sim/virtual/preset.h"
#include "sim/virtual/virt.h"
#include "sim/virtual/world.h"

#define US UINT64_C(1000000) /* in picoseconds */

/* A fiber: at this time enter or wait, leave as many microseconds later. */
struct actor {
	unsigned a_at_us;
	unsigned a_for_us; /* 0: it waits for the readers */
	unsigned a_nested;
	char a_name;
};

static char events[64];

static void
note(char c)
{
	size_t n = strlen(events);

	assert_true(n + 1 < sizeof(events));
	events[n] = c;
}

static void
act(void *arg)
{
	const struct actor *a = arg;

	world_charge(VT_COMPUTE, a->a_at_us * US);
	rcu_thread_register();
	if (a->a_for_us == 0) {
		rcu_synchronize();
		note(a->a_name);
	} else {
		rcu_enter();
		for (unsigned i = 0; i < a->a_nested; i++)
			rcu_enter();
		world_charge(VT_COMPUTE, a->a_for_us * US / 2);
		for (unsigned i = 0; i < a->a_nested; i++)
			rcu_exit();
		world_charge(VT_COMPUTE, a->a_for_us * US / 2);
		note(a->a_name);
		rcu_exit();
	}
	rcu_thread_unregister();
}

/* Each on its own CPU; the order of readers' ends and of waiters' ends. */
static const char *
play(struct actor *a, unsigned n)
{
	static struct preset pr;
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = n + 1,
		.vc_seed = 1,
	};
	struct vfiber *fb[8];
	struct preset_error pe;

	memset(events, 0, sizeof(events));
	assert_int_equal(preset_open("clx-2s-104", &pr, &pe), 0);
	assert_int_equal(virt_begin(&vc), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(world_create(i + 1, act, &a[i], &fb[i]), 0);
	for (unsigned i = 0; i < n; i++)
		world_join(fb[i]);
	virt_end();
	return (events);
}

static void
waiter_waits_for_those_inside(void **state)
{
	struct actor a[] = {
		{ .a_at_us = 10, .a_for_us = 100, .a_name = 'r' },
		{ .a_at_us = 10, .a_for_us = 50, .a_name = 'q' },
		{ .a_at_us = 20, .a_name = 'W' },
	};

	(void)state;
	assert_string_equal(play(a, 3), "qrW");
}

static void
waiter_does_not_wait_for_later_ones(void **state)
{
	struct actor a[] = {
		{ .a_at_us = 10, .a_for_us = 100, .a_name = 'r' },
		{ .a_at_us = 30, .a_for_us = 500, .a_name = 'l' },
		{ .a_at_us = 20, .a_name = 'W' },
	};

	(void)state;
	assert_string_equal(play(a, 3), "rWl");
}

static void
waiter_with_nobody_inside_goes_on(void **state)
{
	struct actor a[] = {
		{ .a_at_us = 10, .a_for_us = 5, .a_name = 'r' },
		{ .a_at_us = 30, .a_name = 'W' },
		{ .a_at_us = 40, .a_for_us = 5, .a_name = 's' },
	};

	(void)state;
	assert_string_equal(play(a, 3), "rWs");
}

static void
waiters_wait_each_for_theirs(void **state)
{
	struct actor a[] = {
		{ .a_at_us = 10, .a_for_us = 100, .a_name = 'r' },
		{ .a_at_us = 30, .a_for_us = 500, .a_name = 'l' },
		{ .a_at_us = 20, .a_name = 'V' },
		{ .a_at_us = 40, .a_name = 'W' },
		{ .a_at_us = 25, .a_name = 'X' },
	};
	const char *got = play(a, 5);

	(void)state;
	/* V and X become ready at once. */
	assert_true(strcmp(got, "rVXlW") == 0 || strcmp(got, "rXVlW") == 0);
}

static void
readers_leave_in_any_order(void **state)
{
	struct actor a[] = {
		{ .a_at_us = 10, .a_for_us = 90, .a_name = 'a' },
		{ .a_at_us = 11, .a_for_us = 20, .a_name = 'b' },
		{ .a_at_us = 12, .a_for_us = 300, .a_name = 'c' },
		{ .a_at_us = 14, .a_for_us = 500, .a_name = 'd' },
		{ .a_at_us = 13, .a_name = 'W' },
	};

	(void)state;
	assert_string_equal(play(a, 5), "bacWd");
}

static void
only_the_outermost_exit_counts(void **state)
{
	struct actor a[] = {
		{ .a_at_us = 10,
		    .a_for_us = 100,
		    .a_nested = 3,
		    .a_name = 'r' },
		{ .a_at_us = 20, .a_name = 'W' },
	};

	(void)state;
	assert_string_equal(play(a, 2), "rW");
}

static void
panic_to_cmocka(const char *file, int line, const char *msg)
{
	mock_assert(0, msg, file, line);
}

static void
misuse_panics(void **state)
{
	static _Atomic uint32_t word;

	(void)state;
	panic_handler = panic_to_cmocka;
	expect_assert_failure(futex_wait(&word, 0, 1));
	expect_assert_failure(futex_wake(&word, 1));
	expect_assert_failure(rcu_exit());
	rcu_enter();
	expect_assert_failure(rcu_synchronize());
	rcu_exit();
	rcu_synchronize();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiter_waits_for_those_inside),
		cmocka_unit_test(waiter_does_not_wait_for_later_ones),
		cmocka_unit_test(waiter_with_nobody_inside_goes_on),
		cmocka_unit_test(waiters_wait_each_for_theirs),
		cmocka_unit_test(readers_leave_in_any_order),
		cmocka_unit_test(only_the_outermost_exit_counts),
		cmocka_unit_test(misuse_panics),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
