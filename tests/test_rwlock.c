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

#define NITERS 4000

static void
read_or_write(void *arg, unsigned i)
{
	struct shared *s = arg;
	bool torn = false;

	for (unsigned k = 0; k < s->s_iters; k++) {
		if ((k + i) % 8 == 0) {
			rw_wlock(&s->s_rw);
			s->s_a++;
			if (k % 64 == 0)
				(void)sched_yield();
			s->s_b++;
			rw_wunlock(&s->s_rw);
		} else {
			rw_rlock(&s->s_rw);
			torn |= s->s_a != s->s_b;
			if (k % 64 == 0)
				(void)sched_yield();
			rw_runlock(&s->s_rw);
		}
	}
	if (torn) {
		/* Relaxed: a count, read after the threads are joined. */
		atomic_fetch_add_explicit(&s->s_torn, 1, memory_order_relaxed);
	}
}

static void
readers_see_whole_writes(void **state)
{
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.s_iters = lt_scale(NITERS) & ~7u;
	rw_init(&s.s_rw, "test", 0);
	lt_run(&lt, NTHREADS, read_or_write, &s);
	/* Relaxed: the threads are joined. */
	assert_int_equal(
	    atomic_load_explicit(&s.s_torn, memory_order_relaxed), 0);
	assert_int_equal(s.s_a, (uint64_t)NTHREADS * s.s_iters / 8);
	assert_true(word(&s.s_rw) == 0);
	rw_destroy(&s.s_rw);
}

static void
trylocks_follow_the_state(void **state)
{
	static struct shared s; /* zeroed is unlocked */

	(void)state;
	assert_true(rw_try_rlock(&s.s_rw));
	lt_run(&lt, 1, try_read, &s);
	assert_true(s.s_result);
	lt_run(&lt, 1, try_write, &s);
	assert_false(s.s_result);
	rw_runlock(&s.s_rw);

	assert_true(rw_try_wlock(&s.s_rw));
	assert_true(rw_wowned(&s.s_rw));
	lt_run(&lt, 1, try_read, &s);
	assert_false(s.s_result);
	lt_run(&lt, 1, try_write, &s);
	assert_false(s.s_result);
	rw_wunlock(&s.s_rw);
	assert_false(rw_wowned(&s.s_rw));
	lt_run(&lt, 1, try_write, &s);
	assert_true(s.s_result);
}

static void
writers_go_first_then_all_readers_at_once(void **state)
{
	static struct lt_thread lth[NTHREADS];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	rw_init(&s.s_rw, "test", 0);
	rw_wlock(&s.s_rw);
	for (unsigned i = 0; i < NTHREADS; i++) {
		lt_start(&lt, &lth[i], PRI_DEFAULT, enter, &s, i);
		lt_await_blocked(&lth[i], &s.s_rw.rw_lock);
	}
	s.s_a = NTHREADS / 2; /* writers fill the second half of the trail */
	rw_wunlock(&s.s_rw);
	for (unsigned i = 0; i < NTHREADS; i++)
		lt_join(&lth[i]);
	assert_true(word(&s.s_rw) == 0);
	for (unsigned i = NTHREADS / 2; i < NTHREADS; i++)
		assert_int_equal(s.s_trail[i], i);
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		assert_int_equal(s.s_trail[i], NTHREADS);
}

static void
a_waiting_writer_keeps_new_readers_out(void **state)
{
	static struct lt_thread lth[2];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.s_a = NTHREADS / 2;
	/* Relaxed: no thread is there yet.  One reader is enough for all. */
	atomic_store_explicit(&s.s_inside, NTHREADS / 2, memory_order_relaxed);
	rw_init(&s.s_rw, "test", 0);
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
	assert_true(word(&s.s_rw) == 0);
}

static void
hold_reading(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	rw_rlock(&s->s_rw);
	/* Relaxed: a signal, nothing is published with it. */
	atomic_fetch_add_explicit(&s->s_inside, 1, memory_order_relaxed);
	while (inside(s) < 2)
		(void)sched_yield();
	rw_runlock(&s->s_rw);
}

static void
only_the_sole_reader_upgrades(void **state)
{
	static struct lt_thread lth;
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	rw_init(&s.s_rw, "test", 0);
	rw_rlock(&s.s_rw);
	assert_true(rw_try_upgrade(&s.s_rw));
	assert_true(rw_wowned(&s.s_rw));
	assert_int_equal(lt.lt_td->td_rw_rlocks, 0);
	lt_run(&lt, 1, try_read, &s);
	assert_false(s.s_result);
	rw_wunlock(&s.s_rw);

	rw_rlock(&s.s_rw);
	lt_start(&lt, &lth, PRI_DEFAULT, hold_reading, &s, 0);
	while (inside(&s) < 1)
		(void)sched_yield();
	assert_false(rw_try_upgrade(&s.s_rw));
	assert_false(rw_wowned(&s.s_rw));
	assert_int_equal(lt.lt_td->td_rw_rlocks, 1);
	/* Relaxed: a signal, nothing is published with it. */
	atomic_fetch_add_explicit(&s.s_inside, 1, memory_order_relaxed);
	lt_join(&lth);
	assert_true(rw_try_upgrade(&s.s_rw));
	rw_wunlock(&s.s_rw);
	rw_destroy(&s.s_rw);
}

static void
upgrade_goes_ahead_of_a_waiting_writer(void **state)
{
	static struct lt_thread lth;
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	rw_init(&s.s_rw, "test", 0);
	rw_rlock(&s.s_rw);
	lt_start(&lt, &lth, PRI_DEFAULT, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth, &s.s_rw.rw_lock);
	assert_true(rw_try_upgrade(&s.s_rw));
	assert_true((word(&s.s_rw) & RW_LOCK_WRITE_WAITERS) != 0);
	assert_int_equal(s.s_a, 0);
	s.s_a = 1; /* the writer comes after this */
	rw_wunlock(&s.s_rw);
	lt_join(&lth);
	assert_int_equal(s.s_trail[1], NTHREADS - 1);
	assert_true(word(&s.s_rw) == 0);
}

static void
downgrade_lets_waiting_readers_in(void **state)
{
	static struct lt_thread lth[NTHREADS / 2];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	rw_init(&s.s_rw, "test", 0);
	rw_wlock(&s.s_rw);
	for (unsigned i = 0; i < NTHREADS / 2; i++) {
		lt_start(&lt, &lth[i], PRI_DEFAULT, enter, &s, i);
		lt_await_blocked(&lth[i], &s.s_rw.rw_lock);
	}
	s.s_a = 42;
	rw_downgrade(&s.s_rw);
	assert_false(rw_wowned(&s.s_rw));
	assert_int_equal(lt.lt_td->td_rw_rlocks, 1);
	/* They all are inside at once, and so are we. */
	while (inside(&s) < NTHREADS / 2)
		(void)sched_yield();
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		lt_join(&lth[i]);
	assert_true(word(&s.s_rw) == RW_ONE_READER);
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		assert_int_equal(s.s_trail[i], 42);
	rw_runlock(&s.s_rw);
	assert_true(word(&s.s_rw) == 0);
}

static void
downgrade_keeps_readers_out_for_a_waiting_writer(void **state)
{
	static struct lt_thread lth[2];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.s_a = NTHREADS / 2;
	/* Relaxed: no thread is there yet.  One reader is enough for all. */
	atomic_store_explicit(&s.s_inside, NTHREADS / 2, memory_order_relaxed);
	rw_init(&s.s_rw, "test", 0);
	rw_wlock(&s.s_rw);
	lt_start(&lt, &lth[0], PRI_DEFAULT, enter, &s, 0);
	lt_await_blocked(&lth[0], &s.s_rw.rw_lock);
	lt_start(&lt, &lth[1], PRI_DEFAULT, enter, &s, NTHREADS - 1);
	lt_await_blocked(&lth[1], &s.s_rw.rw_lock);
	rw_downgrade(&s.s_rw);
	assert_true(word(&s.s_rw) == (RW_ONE_READER | RW_LOCK_WAITERS));
	assert_false(rw_try_rlock(&s.s_rw));
	rw_runlock(&s.s_rw);
	lt_join(&lth[0]);
	lt_join(&lth[1]);
	assert_int_equal(s.s_trail[0], NTHREADS / 2 + 1);
	assert_true(word(&s.s_rw) == 0);
}

/* It would wait for itself otherwise. */
static void
reader_enters_again_although_a_writer_waits(void **state)
{
	static struct shared s[2];
	static struct lt_thread lth[2];

	(void)state;
	memset(s, 0, sizeof(s));
	for (unsigned i = 0; i < 2; i++) {
		rw_init(&s[i].s_rw, "test", 0);
		rw_rlock(&s[i].s_rw);
		lt_start(&lt, &lth[i], PRI_DEFAULT, enter, &s[i], NTHREADS - 1);
		lt_await_blocked(&lth[i], &s[i].s_rw.rw_lock);
		rw_rlock(&s[i].s_rw);
		rw_rlock(&s[0].s_rw);
		rw_runlock(&s[i].s_rw);
	}
	/* The last one: not the holder of any has no privilege any more. */
	rw_runlock(&s[0].s_rw);
	rw_runlock(&s[0].s_rw);
	rw_runlock(&s[0].s_rw);
	rw_runlock(&s[1].s_rw);
	for (unsigned i = 0; i < 2; i++) {
		lt_join(&lth[i]);
		assert_true(word(&s[i].s_rw) == 0);
	}
	assert_int_equal(lt.lt_td->td_rw_rlocks, 0);
}

static void
writer_may_recurse_where_it_is_allowed(void **state)
{
	static struct shared s;

	(void)state;
	rw_init(&s.s_rw, "test", RW_RECURSE);
	rw_wlock(&s.s_rw);
	assert_true((word(&s.s_rw) & RW_LOCK_WRITER_RECURSED) == 0);
	rw_wlock(&s.s_rw);
	assert_true(rw_try_wlock(&s.s_rw));
	assert_true((word(&s.s_rw) & RW_LOCK_WRITER_RECURSED) != 0);
	rw_wunlock(&s.s_rw);
	assert_true((word(&s.s_rw) & RW_LOCK_WRITER_RECURSED) != 0);
	rw_wunlock(&s.s_rw);
	assert_true((word(&s.s_rw) & RW_LOCK_WRITER_RECURSED) == 0);
	assert_true(rw_wowned(&s.s_rw));
	lt_run(&lt, 1, try_write, &s);
	assert_false(s.s_result);
	rw_wunlock(&s.s_rw);
	assert_true(word(&s.s_rw) == 0);
	rw_destroy(&s.s_rw);
}

/* The main thread's priority, once what is under way on the chain is done. */
static int
lent_priority(const void *key)
{
	struct thread *td = lt.lt_td;
	int pri;

	turnstile_chain_unlock(turnstile_chain_lock(td, key));
	leaf_lock(&td->td_pri_lock, td->td_sim);
	pri = td->td_pri;
	leaf_unlock(&td->td_pri_lock);
	return (pri);
}

static void
waiters_lend_to_a_writer_and_not_to_readers(void **state)
{
	static struct lt_thread lth[2];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	/* Relaxed: no thread is there yet.  One reader is enough for all. */
	atomic_store_explicit(&s.s_inside, NTHREADS / 2, memory_order_relaxed);
	s.s_a = NTHREADS / 2;
	rw_init(&s.s_rw, "test", 0);
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
	assert_true(word(&s.s_rw) == 0);
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
	panic_handler = saved;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_see_whole_writes),
		cmocka_unit_test(trylocks_follow_the_state),
		cmocka_unit_test(writers_go_first_then_all_readers_at_once),
		cmocka_unit_test(a_waiting_writer_keeps_new_readers_out),
		cmocka_unit_test(only_the_sole_reader_upgrades),
		cmocka_unit_test(upgrade_goes_ahead_of_a_waiting_writer),
		cmocka_unit_test(downgrade_lets_waiting_readers_in),
		cmocka_unit_test(
		    downgrade_keeps_readers_out_for_a_waiting_writer),
		cmocka_unit_test(reader_enters_again_although_a_writer_waits),
		cmocka_unit_test(writer_may_recurse_where_it_is_allowed),
		cmocka_unit_test(waiters_lend_to_a_writer_and_not_to_readers),
		cmocka_unit_test(assertions_know_the_state),
		cmocka_unit_test(misuse_panics_with_invariants),
	};

	return (
	    lt_run_tests(tests, sizeof(tests) / sizeof(tests[0]), NTHREADS));
}
