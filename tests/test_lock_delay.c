/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How a thread waits before it blocks, with a clock that its own spinning moves:
 * when it gives up, how the delay grows, and when it lets others have its CPU.
 */

#include "lock/lock_delay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lock_util.h"

/* What the others take when a thread yields. */
#define OTHERS_NS 300000

static struct sim_ops fake_ops;
static uint64_t fake_ns;
static unsigned spins, units, yields;
static int host_pri, owner_runs;

static uint64_t
fake_clock_ns(struct sim *sim)
{
	(void)sim;
	return (fake_ns);
}

/* A unit takes a nanosecond. */
static void
fake_spin(struct sim *sim, unsigned n)
{
	(void)sim;
	fake_ns += n;
	units = n;
	spins++;
}

static void
fake_yield(struct sim *sim)
{
	(void)sim;
	fake_ns += OTHERS_NS;
	yields++;
}

static int
fake_host_pri(const struct thread *td)
{
	(void)td;
	return (host_pri);
}

static int
fake_runs(const struct thread *td)
{
	assert_ptr_equal(td, lt.lt_td);
	return (owner_runs);
}

static int
setup(void **state)
{
	(void)state;
	lt_setup(&lt, &sim_real_ops, 2, false);
	fake_ops = sim_real_ops;
	fake_ops.so_clock_ns = fake_clock_ns;
	fake_ops.so_spin = fake_spin;
	fake_ops.so_yield = fake_yield;
	fake_ops.so_host_pri = fake_host_pri;
	lt.lt_sim->sim_ops = &fake_ops;
	lt.lt_sim->sim_oversubscribed = false;
	lt.lt_sim->sim_spin_ns = 1;
	fake_ns = UINT64_C(1) << 40;
	spins = yields = 0;
	host_pri = PRI_NONE;
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	lt.lt_sim->sim_ops = &sim_real_ops;
	lt_teardown(&lt);
	return (0);
}

/* One wait that ends after a look. */
static void
meet(void)
{
	struct lock_delay ld;

	lock_delay_init(&ld, lt.lt_sim);
	assert_true(lock_delay_seen(&ld, 1));
}

static void
waiting_ends_with_the_budget(void **state)
{
	uint64_t t0 = fake_ns;
	struct lock_delay ld;

	(void)state;
	lock_delay_init(&ld, lt.lt_sim);
	while (lock_delay_seen(&ld, 1))
		assert_true(units <= LOCK_DELAY_MIN_NS + 1);
	assert_true(fake_ns - t0 >= LOCK_DELAY_BUDGET_NS);
	assert_true(fake_ns - t0 <= LOCK_DELAY_BUDGET_NS + LOCK_DELAY_MIN_NS);
	assert_int_equal(yields, 0);
}

static void
looks_get_rarer_while_others_come_and_go(void **state)
{
	uint64_t seen = 0;
	struct lock_delay ld;
	unsigned last = 0;

	(void)state;
	lock_delay_init(&ld, lt.lt_sim);
	while (lock_delay_seen(&ld, seen++)) {
		assert_true(units >= last);
		assert_true(units <= LOCK_DELAY_MAX_NS + 1);
		last = units;
	}
	assert_int_equal(last, LOCK_DELAY_MAX_NS + 1);
}

static void
one_cpu_is_not_spun_on(void **state)
{
	struct lock_delay ld;

	(void)state;
	lt.lt_sim->sim_ncpus = 1;
	lock_delay_init(&ld, lt.lt_sim);
	assert_false(lock_delay_seen(&ld, 1));
	assert_int_equal(spins, 0);
}

/* 2 CPUs: at most 512 units. */
static void
who_sees_the_owner_run_waits_for_it(void **state)
{
	uint64_t t0 = fake_ns;
	struct lock_delay ld;
	unsigned last = 1;

	(void)state;
	fake_ops.so_runs = fake_runs;
	owner_runs = 1;
	lock_delay_init(&ld, lt.lt_sim);
	while (fake_ns - t0 < 10 * LOCK_DELAY_BUDGET_NS) {
		assert_true(lock_delay_owner(&ld, lt.lt_td, 1));
		assert_int_equal(units, 2 * last < 512 ? 2 * last : 512);
		last = units;
	}
	assert_int_equal(yields, 0);
	owner_runs = 0;
	assert_false(lock_delay_owner(&ld, lt.lt_td, 1));
	/* Nobody can tell. */
	owner_runs = -1;
	lock_delay_init(&ld, lt.lt_sim);
	while (lock_delay_owner(&ld, lt.lt_td, 1))
		assert_true(units <= LOCK_DELAY_MIN_NS + 1);
}

static void
who_keeps_meeting_held_locks_yields_once_a_turn(void **state)
{
	uint64_t began = fake_ns, turn;

	(void)state;
	for (unsigned turns = 0; turns < 10; turns++) {
		while (yields == turns) {
			fake_ns += 1000;
			turn = fake_ns - began;
			assert_true(turn < 2 * LOCK_DELAY_TURN_NS);
			meet();
		}
		assert_int_equal(yields, turns + 1);
		assert_true(turn > LOCK_DELAY_TURN_NS);
		assert_true(turn <= LOCK_DELAY_TURN_NS + 2000);
		/* What others had of it is no part of the next turn. */
		began = fake_ns - units;
	}
}

static void
who_meets_one_now_and_then_does_not_yield(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		meet();
		fake_ns += LOCK_DELAY_TURN_NS + 1;
	}
	assert_int_equal(yields, 0);
}

static void
a_real_time_thread_does_not_yield(void **state)
{
	(void)state;
	host_pri = PRI_HOST_END - 1;
	for (unsigned i = 0; i < 1000; i++) {
		fake_ns += 1000;
		meet();
	}
	assert_int_equal(yields, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    waiting_ends_with_the_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    looks_get_rarer_while_others_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    one_cpu_is_not_spun_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_sees_the_owner_run_waits_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_keeps_meeting_held_locks_yields_once_a_turn, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    who_meets_one_now_and_then_does_not_yield, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_real_time_thread_does_not_yield, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
