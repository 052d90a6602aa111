/* SPDX-License-Identifier: BSD-2-Clause */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "rw_util.h"

/* A lock for threads of which not half read: one reader is enough. */
static void
init_for_one_reader(struct shared *s)
{
	shared_init(s, &rw_api_rwlock);
	s->s_a = NTHREADS / 2;
	/* Relaxed: no thread is there yet. */
	atomic_store_explicit(&s->s_inside, NTHREADS / 2, memory_order_relaxed);
}

static void
a_waiting_writer_keeps_new_readers_out(void **state)
{
	static struct lt_thread lth[2];
	static struct shared s;

	(void)state;
	init_for_one_reader(&s);
	rw_rlock(&s.s_rw);
	lt_start(&lt, &lth[0], PRI_DEFAULT, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth[0], &s.s_rw.rw_lock);
	assert_false(rw_try_rlock(&s.s_rw));
	lt_start(&lt, &lth[1], PRI_DEFAULT, enter, &s, 0);
	lt_await_blocked(&lth[1], &s.s_rw.rw_lock);
	rw_runlock(&s.s_rw);
	lt_join(&lth[0]);
	lt_join(&lth[1]);
	assert_int_equal(s.s_trail[0], NTHREADS / 2 + 1);
	assert_true(word(&s) == 0);
}

static void
upgrade_goes_ahead_of_a_waiting_writer(void **state)
{
	static struct lt_thread lth;
	static struct shared s;

	(void)state;
	shared_init(&s, &rw_api_rwlock);
	rw_rlock(&s.s_rw);
	lt_start(&lt, &lth, PRI_DEFAULT, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth, &s.s_rw.rw_lock);
	assert_true(rw_try_upgrade(&s.s_rw));
	assert_true((word(&s) & RW_LOCK_WRITE_WAITERS) != 0);
	assert_int_equal(s.s_a, 0);
	s.s_a = 1; /* the writer comes after this */
	rw_wunlock(&s.s_rw);
	lt_join(&lth);
	assert_int_equal(s.s_trail[1], NTHREADS - 1);
	assert_true(word(&s) == 0);
}

static void
downgrade_keeps_readers_out_for_a_waiting_writer(void **state)
{
	static struct lt_thread lth[2];
	static struct shared s;

	(void)state;
	init_for_one_reader(&s);
	rw_wlock(&s.s_rw);
	lt_start(&lt, &lth[0], PRI_DEFAULT, enter, &s, 0);
	lt_await_blocked(&lth[0], &s.s_rw.rw_lock);
	lt_start(&lt, &lth[1], PRI_DEFAULT, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth[1], &s.s_rw.rw_lock);
	rw_downgrade(&s.s_rw);
	assert_true(word(&s) == (RW_ONE_READER | RW_LOCK_WAITERS));
	assert_false(rw_try_rlock(&s.s_rw));
	rw_runlock(&s.s_rw);
	lt_join(&lth[0]);
	lt_join(&lth[1]);
	assert_int_equal(s.s_trail[0], NTHREADS / 2 + 1);
	assert_true(word(&s) == 0);
}

/* The main thread's priority, once what is under way on the chain is done. */
static int
lent_priority(const void *key)
{
	turnstile_chain_unlock(turnstile_chain_lock(lt.lt_td, key));
	return (lt_pri(lt.lt_td));
}

static void
waiters_lend_to_a_writer_and_not_to_readers(void **state)
{
	static struct lt_thread lth[2];
	static struct shared s;

	(void)state;
	init_for_one_reader(&s);
	rw_wlock(&s.s_rw);
	lt_start(&lt, &lth[0], PRI_DEFAULT - 20, enter, &s, 0);
	lt_await_blocked(&lth[0], &s.s_rw.rw_lock);
	assert_int_equal(lent_priority(&s.s_rw.rw_lock), PRI_DEFAULT - 20);
	lt_start(&lt, &lth[1], PRI_DEFAULT - 40, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth[1], &s.s_rw.rw_lock);
	assert_int_equal(lent_priority(&s.s_rw.rw_lock), PRI_DEFAULT - 40);

	/* Both go on waiting. */
	rw_downgrade(&s.s_rw);
	assert_int_equal(lent_priority(&s.s_rw.rw_lock), PRI_DEFAULT);
	assert_true(rw_try_upgrade(&s.s_rw));
	assert_int_equal(lent_priority(&s.s_rw.rw_lock), PRI_DEFAULT - 40);
	rw_wunlock(&s.s_rw);
	assert_int_equal(lent_priority(&s.s_rw.rw_lock), PRI_DEFAULT);
	lt_join(&lth[0]);
	lt_join(&lth[1]);
	/* The writer first; or the reader, if it looked while that was woken. */
	assert_in_range(s.s_trail[0], NTHREADS / 2, NTHREADS / 2 + 1);
	assert_true(word(&s) == 0);
}

static void
assertions_know_the_state(void **state)
{
	static struct rwlock rw;

	(void)state;
	assert_int_equal(rw_word_state(&rw.rw_lock, &rw), RWA_UNLOCKED);
	rw_rlock(&rw);
	assert_true((rw_word_state(&rw.rw_lock, &rw) & RWA_SHARED) != 0);
	rw_assert(&rw, RA_RLOCKED);
	rw_assert(&rw, RA_LOCKED);
	rw_runlock(&rw);
	rw_wlock(&rw);
	assert_int_equal(rw_word_state(&rw.rw_lock, &rw), RWA_OWNED);
	rw_assert(&rw, RA_WLOCKED);
	rw_wunlock(&rw);
	rw_assert(&rw, RA_UNLOCKED);
}

static void
misuse_panics_with_invariants(void **state)
{
	static struct shared s;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	lt_mock_panics(true);
	rw_init(&s.s_rw, "test", 0);
	expect_assert_failure(rw_wunlock(&s.s_rw));
	expect_assert_failure(rw_runlock(&s.s_rw));
	rw_wlock(&s.s_rw);
	expect_assert_failure(rw_wlock(&s.s_rw));
	expect_assert_failure(rw_rlock(&s.s_rw));
	expect_assert_failure(rw_runlock(&s.s_rw));
	expect_assert_failure(rw_destroy(&s.s_rw));
	rw_wunlock(&s.s_rw);
	rw_rlock(&s.s_rw);
	expect_assert_failure(rw_wunlock(&s.s_rw));
	expect_assert_failure(rw_destroy(&s.s_rw));
	rw_runlock(&s.s_rw);
	expect_assert_failure(rw_assert(&s.s_rw, RA_LOCKED));
	expect_assert_failure(rw_try_upgrade(&s.s_rw));
	expect_assert_failure(rw_downgrade(&s.s_rw));
	rw_destroy(&s.s_rw);
	expect_assert_failure(rw_wlock(&s.s_rw));
	expect_assert_failure(rw_rlock(&s.s_rw));
	rw_init(&s.s_rw, "test", RW_RECURSE);
	rw_wlock(&s.s_rw);
	rw_wlock(&s.s_rw);
	expect_assert_failure(rw_downgrade(&s.s_rw));
	expect_assert_failure(rw_rlock(&s.s_rw));
	rw_wunlock(&s.s_rw);
	rw_wunlock(&s.s_rw);
	expect_assert_failure(rw_wunlock(&s.s_rw));
	rw_destroy(&s.s_rw);
	lt_mock_panics(false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiting_writer_keeps_new_readers_out),
		cmocka_unit_test(upgrade_goes_ahead_of_a_waiting_writer),
		cmocka_unit_test(
		    downgrade_keeps_readers_out_for_a_waiting_writer),
		cmocka_unit_test(waiters_lend_to_a_writer_and_not_to_readers),
		cmocka_unit_test(assertions_know_the_state),
		cmocka_unit_test(misuse_panics_with_invariants),
	};

	return (rw_run_tests(
	    &rw_api_rwlock, tests, sizeof(tests) / sizeof(tests[0])));
}
