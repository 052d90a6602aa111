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
#include "lock_util.h"

#define NTHREADS 8
#define NITERS   4000

struct shared {
	struct sx s_sx;
	uint64_t s_a; /* equal, under the lock */
	uint64_t s_b;
	unsigned s_iters;
	_Atomic unsigned s_torn;
	_Atomic unsigned s_inside;
	_Atomic bool s_event;
	unsigned s_trail[NTHREADS];
	bool s_result;
};

static uint64_t
word(const struct sx *sx)
{
	/* Relaxed: threads are joined, or the value is our own. */
	return (atomic_load_explicit(&sx->sx_lock, memory_order_relaxed));
}

static unsigned
inside(struct shared *s)
{
	/* Relaxed: a signal, nothing is published with it. */
	return (atomic_load_explicit(&s->s_inside, memory_order_relaxed));
}

static void
share_or_own(void *arg, unsigned i)
{
	struct shared *s = arg;
	bool torn = false;

	for (unsigned k = 0; k < s->s_iters; k++) {
		if ((k + i) % 8 == 0) {
			sx_xlock(&s->s_sx);
			s->s_a++;
			if (k % 64 == 0)
				(void)sched_yield();
			s->s_b++;
			/* Half of them look at their work before they leave. */
			if (k % 16 < 8)
				sx_downgrade(&s->s_sx);
			torn |= s->s_a != s->s_b;
			sx_unlock(&s->s_sx);
		} else {
			sx_slock(&s->s_sx);
			torn |= s->s_a != s->s_b;
			if (k % 64 == 0)
				(void)sched_yield();
			sx_unlock(&s->s_sx);
		}
	}
	if (torn) {
		/* Relaxed: a count, read after the threads are joined. */
		atomic_fetch_add_explicit(&s->s_torn, 1, memory_order_relaxed);
	}
}

static void
sharers_see_whole_writes(void **state)
{
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.s_iters = lt_scale(NITERS) & ~7u;
	sx_init(&s.s_sx, "test", 0);
	lt_run(&lt, NTHREADS, share_or_own, &s);
	/* Relaxed: the threads are joined. */
	assert_int_equal(
	    atomic_load_explicit(&s.s_torn, memory_order_relaxed), 0);
	assert_int_equal(s.s_a, (uint64_t)NTHREADS * s.s_iters / 8);
	assert_true(word(&s.s_sx) == 0);
	assert_int_equal(lt.lt_td->td_sx_slocks, 0);
	sx_destroy(&s.s_sx);
}

static void
try_shared(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = sx_try_slock(&s->s_sx);
	if (s->s_result)
		sx_sunlock(&s->s_sx);
}

static void
try_exclusive(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = sx_xlocked(&s->s_sx) || sx_try_xlock(&s->s_sx);
	if (s->s_result)
		sx_xunlock(&s->s_sx);
}

static void
trylocks_follow_the_state(void **state)
{
	static struct shared s; /* zeroed is unlocked */

	(void)state;
	assert_true(sx_try_slock(&s.s_sx));
	sx_assert(&s.s_sx, SA_SLOCKED);
	lt_run(&lt, 1, try_shared, &s);
	assert_true(s.s_result);
	lt_run(&lt, 1, try_exclusive, &s);
	assert_false(s.s_result);
	sx_sunlock(&s.s_sx);

	assert_true(sx_try_xlock(&s.s_sx));
	assert_true(sx_xlocked(&s.s_sx));
	sx_assert(&s.s_sx, SA_XLOCKED);
	lt_run(&lt, 1, try_shared, &s);
	assert_false(s.s_result);
	lt_run(&lt, 1, try_exclusive, &s);
	assert_false(s.s_result);
	sx_xunlock(&s.s_sx);
	assert_false(sx_xlocked(&s.s_sx));
	sx_assert(&s.s_sx, SA_UNLOCKED);
	lt_run(&lt, 1, try_exclusive, &s);
	assert_true(s.s_result);
}

/* The last half of the threads own. */
static void
enter(void *arg, unsigned i)
{
	struct shared *s = arg;

	if (i >= NTHREADS / 2) {
		sx_xlock(&s->s_sx);
		s->s_trail[s->s_a++] = i;
		sx_xunlock(&s->s_sx);
	} else {
		sx_slock(&s->s_sx);
		s->s_trail[i] = (unsigned)s->s_a;
		/* Relaxed: a signal, nothing is published with it. */
		atomic_fetch_add_explicit(
		    &s->s_inside, 1, memory_order_relaxed);
		while (inside(s) < NTHREADS / 2)
			(void)sched_yield();
		sx_sunlock(&s->s_sx);
	}
}

static void
exclusive_goes_first_then_all_sharers_at_once(void **state)
{
	static struct lt_thread lth[NTHREADS];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	sx_init(&s.s_sx, "test", 0);
	sx_xlock(&s.s_sx);
	for (unsigned i = 0; i < NTHREADS; i++) {
		lt_start(&lt, &lth[i], PRI_DEFAULT, enter, &s, i);
		lt_await_blocked(&lth[i], &s.s_sx.sx_lock);
	}
	s.s_a = NTHREADS / 2; /* owners fill the second half of the trail */
	sx_xunlock(&s.s_sx);
	for (unsigned i = 0; i < NTHREADS; i++)
		lt_join(&lth[i]);
	assert_true(word(&s.s_sx) == 0);
	for (unsigned i = NTHREADS / 2; i < NTHREADS; i++)
		assert_int_equal(s.s_trail[i], i);
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		assert_int_equal(s.s_trail[i], NTHREADS);
}

static void
only_the_sole_sharer_upgrades(void **state)
{
	static struct lt_thread lth;
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	sx_init(&s.s_sx, "test", 0);
	sx_slock(&s.s_sx);
	lt_start(&lt, &lth, PRI_DEFAULT, enter, &s, 0);
	while (inside(&s) == 0)
		(void)sched_yield();
	assert_false(sx_try_upgrade(&s.s_sx));
	sx_assert(&s.s_sx, SA_SLOCKED);
	/* Relaxed: a signal; it lets the other one go. */
	atomic_store_explicit(&s.s_inside, NTHREADS / 2, memory_order_relaxed);
	lt_join(&lth);
	assert_true(sx_try_upgrade(&s.s_sx));
	assert_true(sx_xlocked(&s.s_sx));
	assert_int_equal(lt.lt_td->td_sx_slocks, 0);
	sx_xunlock(&s.s_sx);
	sx_destroy(&s.s_sx);
}

static void
downgrade_lets_waiting_sharers_in(void **state)
{
	static struct lt_thread lth[NTHREADS / 2];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	sx_init(&s.s_sx, "test", 0);
	sx_xlock(&s.s_sx);
	for (unsigned i = 0; i < NTHREADS / 2; i++) {
		lt_start(&lt, &lth[i], PRI_DEFAULT, enter, &s, i);
		lt_await_blocked(&lth[i], &s.s_sx.sx_lock);
	}
	s.s_a = 42;
	sx_downgrade(&s.s_sx);
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		lt_join(&lth[i]);
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		assert_int_equal(s.s_trail[i], 42);
	sx_sunlock(&s.s_sx);
	assert_true(word(&s.s_sx) == 0);
}

static void
sharer_enters_again_although_an_owner_waits(void **state)
{
	static struct lt_thread lth;
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	sx_init(&s.s_sx, "test", 0);
	sx_slock(&s.s_sx);
	lt_start(&lt, &lth, PRI_DEFAULT, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth, &s.s_sx.sx_lock);
	sx_slock(&s.s_sx);
	sx_sunlock(&s.s_sx);
	sx_sunlock(&s.s_sx);
	lt_join(&lth);
	assert_true(word(&s.s_sx) == 0);
}

static void
owner_may_recurse_where_it_is_allowed(void **state)
{
	static struct shared s;

	(void)state;
	sx_init(&s.s_sx, "test", SX_RECURSE);
	sx_xlock(&s.s_sx);
	sx_xlock(&s.s_sx);
	assert_true((word(&s.s_sx) & RW_LOCK_WRITER_RECURSED) != 0);
	sx_unlock(&s.s_sx);
	assert_true(sx_xlocked(&s.s_sx));
	sx_unlock(&s.s_sx);
	assert_true(word(&s.s_sx) == 0);
	sx_destroy(&s.s_sx);
}

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
	memset(&s, 0, sizeof(s));
	sx_init(&s.s_sx, "test", 0);
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
	memset(&s, 0, sizeof(s));
	sx_init(&s.s_sx, "test", 0);
	sx_slock(&s.s_sx);
	lt_start(&lt, &lth, PRI_DEFAULT, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth, &s.s_sx.sx_lock);
	assert_int_equal(lt.lt_td->td_sx_slocks, 1);
	assert_int_equal(lt.lt_td->td_rw_rlocks, 0);
	sx_sunlock(&s.s_sx);
	lt_join(&lth);
}

static void
panic_in_test(const char *file, int line, const char *msg)
{
	mock_assert(0, msg, file, line);
}

static void
misuse_panics_with_invariants(void **state)
{
	panic_handler_fn *saved = panic_handler;
	static struct shared s;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	panic_handler = panic_in_test;
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
	panic_handler = saved;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sharers_see_whole_writes),
		cmocka_unit_test(trylocks_follow_the_state),
		cmocka_unit_test(exclusive_goes_first_then_all_sharers_at_once),
		cmocka_unit_test(only_the_sole_sharer_upgrades),
		cmocka_unit_test(downgrade_lets_waiting_sharers_in),
		cmocka_unit_test(sharer_enters_again_although_an_owner_waits),
		cmocka_unit_test(owner_may_recurse_where_it_is_allowed),
		cmocka_unit_test(holder_may_sleep_and_is_lent_nothing),
		cmocka_unit_test(reading_an_rwlock_gives_no_privilege_here),
		cmocka_unit_test(misuse_panics_with_invariants),
	};

	return (
	    lt_run_tests(tests, sizeof(tests) / sizeof(tests[0]), NTHREADS));
}
