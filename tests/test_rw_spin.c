/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a spinning writer does, seen from within its pauses: it spins on the main
 * thread, for a word that the main thread itself has locked for reading.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rw_util.h"

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
	spy_calls = 0;
	spy_ops = sim_real_ops;
	spy_ops.so_spin = spy_spin;
	spy_ops.so_clock_ns = spy_clock_ns;
	lt_setup(&spy_lt, &spy_ops, 2, false);
	spy_lt.lt_sim->sim_oversubscribed = false; /* on any host */
	shared_init(&spied, &rw_api_rwlock);
	rw_rlock(&spied.s_rw);
	spy_fn = fn;
	rw_wlock(&spied.s_rw);
	spy_fn = NULL;
	assert_true(rw_wowned(&spied.s_rw));
	assert_true((word(&spied) & RW_LOCK_WRITE_SPINNER) == 0);
}

static void
spy_end(void)
{
	assert_true(word(&spied) == 0);
	rw_destroy(&spied.s_rw);
	lt_teardown(&spy_lt);
}

static void
leave_in_the_third_pause(struct shared *s, unsigned nth)
{
	switch (nth) {
	case 1:
		assert_true(word(s) == RW_ONE_READER);
		break;
	case 2:
		assert_true(word(s) == (RW_ONE_READER | RW_LOCK_WRITE_SPINNER));
		lt_run(&spy_lt, 1, try_read, s);
		assert_false(s->s_result);
		rw_rlock(&s->s_rw); /* who reads may read again */
		break;
	case 3:
		rw_runlock(&s->s_rw);
		rw_runlock(&s->s_rw);
		assert_true(word(s) == RW_LOCK_WRITE_SPINNER);
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
	assert_true(word(s) == 0);
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
	assert_true(word(s) == (RW_LOCK_WRITE_SPINNER | RW_LOCK_READ_WAITERS));
}

static void
readers_left_to_the_spinner_are_woken_by_its_release(void **state)
{
	(void)state;
	spy_on_wlock(block_a_reader_in_the_second_pause);
	assert_true((word(&spied) & RW_LOCK_READ_WAITERS) != 0);
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
	s->s_b = word(s);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    spinning_writer_keeps_readers_out_and_takes_over),
		cmocka_unit_test(another_writer_may_barge_past_the_spinner),
		cmocka_unit_test(
		    readers_left_to_the_spinner_are_woken_by_its_release),
		cmocka_unit_test(spinner_gives_up_and_blocks_as_a_waiter),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
