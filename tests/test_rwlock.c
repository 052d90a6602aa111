/* SPDX-License-Identifier: BSD-2-Clause */

#include "lock/rwlock.h"

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

static struct lt lt;

struct shared {
	struct rwlock s_rw;
	uint64_t s_a; /* equal, under the lock */
	uint64_t s_b;
	unsigned s_iters;
	_Atomic unsigned s_torn;
	_Atomic unsigned s_inside;
	unsigned s_trail[NTHREADS];
	bool s_result;
};

static int
setup(void **state)
{
	(void)state;
	lt_setup(&lt, &sim_real_ops, NTHREADS, false);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	lt_teardown(&lt);
	return (0);
}

static uint64_t
word(const struct rwlock *rw)
{
	/* Relaxed: threads are joined, or the value is our own. */
	return (atomic_load_explicit(&rw->rw_lock, memory_order_relaxed));
}

static unsigned
inside(struct shared *s)
{
	/* Relaxed: a signal, nothing is published with it. */
	return (atomic_load_explicit(&s->s_inside, memory_order_relaxed));
}

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
try_read(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = rw_try_rlock(&s->s_rw);
	if (s->s_result)
		rw_runlock(&s->s_rw);
}

static void
try_write(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = rw_wowned(&s->s_rw) || rw_try_wlock(&s->s_rw);
	if (s->s_result)
		rw_wunlock(&s->s_rw);
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

/* The last half of the threads write. */
static void
enter(void *arg, unsigned i)
{
	struct shared *s = arg;

	if (i >= NTHREADS / 2) {
		rw_wlock(&s->s_rw);
		s->s_trail[s->s_a++] = i;
		rw_wunlock(&s->s_rw);
	} else {
		rw_rlock(&s->s_rw);
		s->s_trail[i] = (unsigned)s->s_a;
		/* Relaxed: a signal, nothing is published with it. */
		atomic_fetch_add_explicit(
		    &s->s_inside, 1, memory_order_relaxed);
		while (inside(s) < NTHREADS / 2)
			(void)sched_yield();
		rw_runlock(&s->s_rw);
	}
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

/*
 * What a spinning writer does, seen from within its pauses: it spins on the main
 * thread, for a word that the main thread itself has locked for reading.
 */
static struct sim_ops spy_ops;
static void (*spy_fn)(struct shared *s, unsigned nth);
static struct shared spied;
static unsigned spy_calls;
static struct lt spy_lt;
static struct lt_thread spy_lth;

static void
spy_spin(struct sim *sim, unsigned n)
{
	if (curthread() == spy_lt.lt_td && spy_fn != NULL)
		spy_fn(&spied, ++spy_calls);
	sim_real_ops.so_spin(sim, n);
}

/* Time stands still: spinning ends by rounds, however slow the host is. */
static uint64_t
spy_clock_ns(struct sim *sim)
{
	(void)sim;
	return (1);
}

static void
spy_on_wlock(void (*fn)(struct shared *s, unsigned nth))
{
	memset(&spied, 0, sizeof(spied));
	spy_calls = 0;
	spy_ops = sim_real_ops;
	spy_ops.so_spin = spy_spin;
	spy_ops.so_clock_ns = spy_clock_ns;
	sim_thread_switch(NULL);
	lt_setup(&spy_lt, &spy_ops, 2, false);
	spy_lt.lt_sim->sim_oversubscribed = false; /* on any host */
	rw_init(&spied.s_rw, "test", 0);
	rw_rlock(&spied.s_rw);
	spy_fn = fn;
	rw_wlock(&spied.s_rw);
	spy_fn = NULL;
	assert_true(rw_wowned(&spied.s_rw));
	assert_true((word(&spied.s_rw) & RW_LOCK_WRITE_SPINNER) == 0);
}

static void
spy_end(void)
{
	assert_true(word(&spied.s_rw) == 0);
	rw_destroy(&spied.s_rw);
	lt_teardown(&spy_lt);
	sim_thread_switch(lt.lt_td);
}

static void
leave_in_the_third_pause(struct shared *s, unsigned nth)
{
	switch (nth) {
	case 1:
		assert_true(word(&s->s_rw) == RW_ONE_READER);
		break;
	case 2:
		assert_true(
		    word(&s->s_rw) == (RW_ONE_READER | RW_LOCK_WRITE_SPINNER));
		lt_run(&spy_lt, 1, try_read, s);
		assert_false(s->s_result);
		rw_rlock(&s->s_rw); /* who reads may read again */
		break;
	case 3:
		rw_runlock(&s->s_rw);
		rw_runlock(&s->s_rw);
		assert_true(word(&s->s_rw) == RW_LOCK_WRITE_SPINNER);
		/* Free, but not for readers. */
		lt_run(&spy_lt, 1, try_read, s);
		assert_false(s->s_result);
		break;
	default:
		break;
	}
}

static void
spinning_writer_keeps_readers_out_and_takes_over(void **state)
{
	(void)state;
	spy_on_wlock(leave_in_the_third_pause);
	assert_true(spy_calls >= 3);
	rw_wunlock(&spied.s_rw);
	spy_end();
}

static void
barge_in_the_second_pause(struct shared *s, unsigned nth)
{
	if (nth != 2)
		return;
	rw_runlock(&s->s_rw);
	lt_run(&spy_lt, 1, try_write, s);
	assert_true(s->s_result);
	/* It took the spinner's bit along. */
	assert_true(word(&s->s_rw) == 0);
	assert_true(rw_try_rlock(&s->s_rw));
	rw_runlock(&s->s_rw);
}

static void
another_writer_may_barge_past_the_spinner(void **state)
{
	(void)state;
	spy_on_wlock(barge_in_the_second_pause);
	rw_wunlock(&spied.s_rw);
	spy_end();
}

static void
block_a_reader_in_the_second_pause(struct shared *s, unsigned nth)
{
	if (nth != 2)
		return;
	/* Relaxed: no thread is there yet.  One reader is enough for all. */
	atomic_store_explicit(&s->s_inside, NTHREADS / 2, memory_order_relaxed);
	lt_start(&spy_lt, &spy_lth, PRI_DEFAULT, enter, s, 0);
	lt_await_blocked(&spy_lth, &s->s_rw.rw_lock);
	rw_runlock(&s->s_rw);
	/* The last reader leaves whom it saw waiting to the spinner. */
	assert_true(
	    word(&s->s_rw) == (RW_LOCK_WRITE_SPINNER | RW_LOCK_READ_WAITERS));
}

static void
readers_left_to_the_spinner_are_woken_by_its_release(void **state)
{
	(void)state;
	spy_on_wlock(block_a_reader_in_the_second_pause);
	assert_true((word(&spied.s_rw) & RW_LOCK_READ_WAITERS) != 0);
	rw_wunlock(&spied.s_rw);
	lt_join(&spy_lth);
	spy_end();
}

static void
release_once_blocked(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	rw_rlock(&s->s_rw);
	/* Relaxed: a signal, nothing is published with it. */
	atomic_fetch_add_explicit(&s->s_inside, 1, memory_order_relaxed);
	/* Relaxed: only the value counts. */
	while (atomic_load_explicit(&spy_lt.lt_td->td_blocked_on,
		   memory_order_relaxed) != &s->s_rw.rw_lock)
		(void)sched_yield();
	s->s_b = word(&s->s_rw);
	rw_runlock(&s->s_rw);
}

static void
leave_another_reader_behind(struct shared *s, unsigned nth)
{
	if (nth != 1)
		return;
	lt_start(&spy_lt, &spy_lth, PRI_DEFAULT, release_once_blocked, s, 0);
	while (inside(s) < 1)
		(void)sched_yield();
	rw_runlock(&s->s_rw);
}

static void
spinner_gives_up_and_blocks_as_a_waiter(void **state)
{
	(void)state;
	spy_on_wlock(leave_another_reader_behind);
	lt_join(&spy_lth);
	assert_true(spied.s_b == (RW_ONE_READER | RW_LOCK_WRITE_WAITERS));
	assert_true(spy_calls <= 20); /* two pauses in each of ten rounds */
	rw_wunlock(&spied.s_rw);
	spy_end();
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
		cmocka_unit_test(
		    spinning_writer_keeps_readers_out_and_takes_over),
		cmocka_unit_test(another_writer_may_barge_past_the_spinner),
		cmocka_unit_test(
		    readers_left_to_the_spinner_are_woken_by_its_release),
		cmocka_unit_test(spinner_gives_up_and_blocks_as_a_waiter),
		cmocka_unit_test(waiters_lend_to_a_writer_and_not_to_readers),
		cmocka_unit_test(assertions_know_the_state),
		cmocka_unit_test(misuse_panics_with_invariants),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
