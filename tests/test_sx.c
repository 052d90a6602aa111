/* SPDX-License-Identifier: BSD-2-Clause */

#include "lock/sx.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "rw_util.h"

static void
wait_for_owner_then_wake_it(void *arg, unsigned i)
{
	struct shared *s = arg;
	struct thread *td = lt.lt_td;

	(void)i;
	while (inside(s) == 0)
		(void)sched_yield();
	/* Release: what comes before the event. */
	atomic_store_explicit(&s->s_event, true, memory_order_release);
	td->td_sim->sim_ops->so_wake(td);
}

/* The waiter waits on; its priority is of no use to a holder that sleeps. */
static void
holder_may_sleep_and_is_lent_nothing(void **state)
{
	static struct lt_thread lth[2];
	static struct shared s;
	struct thread *td = lt.lt_td;
	int pri = td->td_pri;

	(void)state;
	shared_init(&s, &rw_api_sx);
	sx_xlock(&s.s_sx);
	lt_start(&lt, &lth[0], PRI_MIN, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth[0], &s.s_sx.sx_lock);
	lt_start(&lt, &lth[1], PRI_DEFAULT, wait_for_owner_then_wake_it, &s, 0);
	assert_int_equal(td->td_pri, pri);
	/* Relaxed: a signal, nothing is published with it. */
	atomic_store_explicit(&s.s_inside, 1, memory_order_relaxed);
	do {
		td->td_sim->sim_ops->so_block(td);
		/* Acquire: pairs with the other thread's release. */
	} while (!atomic_load_explicit(&s.s_event, memory_order_acquire));
	assert_int_equal(td->td_pri, pri);
	assert_int_equal(s.s_a, 0);
	sx_xunlock(&s.s_sx);
	lt_join(&lth[0]);
	lt_join(&lth[1]);
	assert_int_equal(s.s_a, 1);
}

static void
reading_an_rwlock_gives_no_privilege_here(void **state)
{
	static struct lt_thread lth;
	static struct shared s;

	(void)state;
	shared_init(&s, &rw_api_sx);
	sx_slock(&s.s_sx);
	lt_start(&lt, &lth, PRI_DEFAULT, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth, &s.s_sx.sx_lock);
	assert_int_equal(lt.lt_td->td_sx_slocks, 1);
	assert_int_equal(lt.lt_td->td_rw_rlocks, 0);
	sx_sunlock(&s.s_sx);
	lt_join(&lth);
}

static void
assertions_know_the_state(void **state)
{
	static struct sx sx;

	(void)state;
	sx_assert(&sx, SA_UNLOCKED);
	sx_slock(&sx);
	sx_assert(&sx, SA_SLOCKED);
	sx_assert(&sx, SA_LOCKED);
	sx_unlock(&sx);
	sx_xlock(&sx);
	sx_assert(&sx, SA_XLOCKED);
	sx_xunlock(&sx);
	sx_assert(&sx, SA_UNLOCKED);
}

static void
misuse_panics_with_invariants(void **state)
{
	static struct shared s;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	lt_mock_panics(true);
	sx_init(&s.s_sx, "test", 0);
	assert_int_equal(s.s_sx.lock_object.lo_flags & LO_CLASSMASK, LC_SX);
	expect_assert_failure(sx_xunlock(&s.s_sx));
	expect_assert_failure(sx_sunlock(&s.s_sx));
	sx_xlock(&s.s_sx);
	expect_assert_failure(sx_xlock(&s.s_sx));
	expect_assert_failure(sx_slock(&s.s_sx));
	expect_assert_failure(sx_assert(&s.s_sx, SA_SLOCKED));
	expect_assert_failure(sx_destroy(&s.s_sx));
	sx_xunlock(&s.s_sx);
	expect_assert_failure(sx_assert(&s.s_sx, SA_LOCKED));
	sx_destroy(&s.s_sx);
	expect_assert_failure(sx_slock(&s.s_sx));
	lt_mock_panics(false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holder_may_sleep_and_is_lent_nothing),
		cmocka_unit_test(reading_an_rwlock_gives_no_privilege_here),
		cmocka_unit_test(assertions_know_the_state),
		cmocka_unit_test(misuse_panics_with_invariants),
	};

	return (
	    rw_run_tests(&rw_api_sx, tests, sizeof(tests) / sizeof(tests[0])));
}
