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
		cmocka_unit_test(misuse_panics_with_invariants),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
