/* SPDX-License-Identifier: BSD-2-Clause */

/* The tests that rwlocks and sx locks both pass. */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rw_util.h"

#define NITERS 4000

static const struct rw_api *api; /* under test */

static void
read_or_write(void *arg, unsigned i)
{
	struct shared *s = arg;
	bool torn = false;

	for (unsigned k = 0; k < s->s_iters; k++) {
		if ((k + i) % 8 == 0) {
			api->ra_wlock(&s->s_rw);
			s->s_a++;
			if (k % 64 == 0)
				(void)sched_yield();
			s->s_b++;
			if (k % 16 < 8) {
				api->ra_wunlock(&s->s_rw);
				continue;
			}
			/* Half of them look at their work before they leave. */
			api->ra_downgrade(&s->s_rw);
		} else {
			api->ra_rlock(&s->s_rw);
		}
		torn |= s->s_a != s->s_b;
		if (k % 64 == 0)
			(void)sched_yield();
		api->ra_runlock(&s->s_rw);
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
	shared_init(&s, api);
	s.s_iters = lt_scale(NITERS) & ~7u;
	lt_run(&lt, NTHREADS, read_or_write, &s);
	/* Relaxed: the threads are joined. */
	assert_int_equal(
	    atomic_load_explicit(&s.s_torn, memory_order_relaxed), 0);
	assert_int_equal(s.s_a, (uint64_t)NTHREADS * s.s_iters / 8);
	assert_true(word(&s) == 0);
	assert_int_equal(api->ra_nread(lt.lt_td), 0);
	api->ra_destroy(&s.s_rw);
}

static void
trylocks_follow_the_state(void **state)
{
	static struct shared s; /* zeroed is unlocked */

	(void)state;
	memset(&s, 0, sizeof(s));
	s.s_api = api;
	assert_true(api->ra_try_rlock(&s.s_rw));
	lt_run(&lt, 1, try_read, &s);
	assert_true(s.s_result);
	lt_run(&lt, 1, try_write, &s);
	assert_false(s.s_result);
	api->ra_runlock(&s.s_rw);

	assert_true(api->ra_try_wlock(&s.s_rw));
	assert_true(api->ra_wowned(&s.s_rw));
	lt_run(&lt, 1, try_read, &s);
	assert_false(s.s_result);
	lt_run(&lt, 1, try_write, &s);
	assert_false(s.s_result);
	api->ra_wunlock(&s.s_rw);
	assert_false(api->ra_wowned(&s.s_rw));
	lt_run(&lt, 1, try_write, &s);
	assert_true(s.s_result);
}

static void
writers_go_first_then_all_readers_at_once(void **state)
{
	static struct lt_thread lth[NTHREADS];
	static struct shared s;

	(void)state;
	shared_init(&s, api);
	api->ra_wlock(&s.s_rw);
	for (unsigned i = 0; i < NTHREADS; i++) {
		lt_start(&lt, &lth[i], PRI_DEFAULT, enter, &s, i);
		lt_await_blocked(&lth[i], word_of(&s));
	}
	s.s_a = NTHREADS / 2; /* writers fill the second half of the trail */
	api->ra_wunlock(&s.s_rw);
	for (unsigned i = 0; i < NTHREADS; i++)
		lt_join(&lth[i]);
	assert_true(word(&s) == 0);
	for (unsigned i = NTHREADS / 2; i < NTHREADS; i++)
		assert_int_equal(s.s_trail[i], i);
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		assert_int_equal(s.s_trail[i], NTHREADS);
}

static void
only_the_sole_reader_upgrades(void **state)
{
	static struct lt_thread lth;
	static struct shared s;

	(void)state;
	shared_init(&s, api);
	api->ra_rlock(&s.s_rw);
	assert_true(api->ra_try_upgrade(&s.s_rw));
	assert_true(api->ra_wowned(&s.s_rw));
	assert_int_equal(api->ra_nread(lt.lt_td), 0);
	lt_run(&lt, 1, try_read, &s);
	assert_false(s.s_result);
	api->ra_wunlock(&s.s_rw);

	api->ra_rlock(&s.s_rw);
	lt_start(&lt, &lth, PRI_DEFAULT, enter, &s, 0);
	while (inside(&s) == 0)
		(void)sched_yield();
	assert_false(api->ra_try_upgrade(&s.s_rw));
	assert_false(api->ra_wowned(&s.s_rw));
	assert_int_equal(api->ra_nread(lt.lt_td), 1);
	/* Relaxed: a signal; it lets the other one go. */
	atomic_store_explicit(&s.s_inside, NTHREADS / 2, memory_order_relaxed);
	lt_join(&lth);
	assert_true(api->ra_try_upgrade(&s.s_rw));
	api->ra_wunlock(&s.s_rw);
	api->ra_destroy(&s.s_rw);
}

static void
downgrade_lets_waiting_readers_in(void **state)
{
	static struct lt_thread lth[NTHREADS / 2];
	static struct shared s;

	(void)state;
	shared_init(&s, api);
	api->ra_wlock(&s.s_rw);
	for (unsigned i = 0; i < NTHREADS / 2; i++) {
		lt_start(&lt, &lth[i], PRI_DEFAULT, enter, &s, i);
		lt_await_blocked(&lth[i], word_of(&s));
	}
	s.s_a = 42;
	api->ra_downgrade(&s.s_rw);
	assert_false(api->ra_wowned(&s.s_rw));
	assert_int_equal(api->ra_nread(lt.lt_td), 1);
	/* They all are inside at once, and so are we. */
	while (inside(&s) < NTHREADS / 2)
		(void)sched_yield();
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		lt_join(&lth[i]);
	assert_true(word(&s) == RW_ONE_READER);
	for (unsigned i = 0; i < NTHREADS / 2; i++)
		assert_int_equal(s.s_trail[i], 42);
	api->ra_runlock(&s.s_rw);
	assert_true(word(&s) == 0);
}

/* It would wait for itself otherwise. */
static void
reader_enters_again_although_a_writer_waits(void **state)
{
	static struct shared s[2];
	static struct lt_thread lth[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		shared_init(&s[i], api);
		api->ra_rlock(&s[i].s_rw);
		lt_start(&lt, &lth[i], PRI_DEFAULT, enter, &s[i], NTHREADS - 1);
		lt_await_blocked(&lth[i], word_of(&s[i]));
		api->ra_rlock(&s[i].s_rw);
		api->ra_rlock(&s[0].s_rw);
		api->ra_runlock(&s[i].s_rw);
	}
	/* The last one: not the holder of any has no privilege any more. */
	api->ra_runlock(&s[0].s_rw);
	api->ra_runlock(&s[0].s_rw);
	api->ra_runlock(&s[0].s_rw);
	api->ra_runlock(&s[1].s_rw);
	for (unsigned i = 0; i < 2; i++) {
		lt_join(&lth[i]);
		assert_true(word(&s[i]) == 0);
	}
	assert_int_equal(api->ra_nread(lt.lt_td), 0);
}

static void
writer_may_recurse_where_it_is_allowed(void **state)
{
	static struct shared s;

	(void)state;
	shared_init(&s, api);
	api->ra_init(&s.s_rw, true);
	api->ra_wlock(&s.s_rw);
	assert_true((word(&s) & RW_LOCK_WRITER_RECURSED) == 0);
	api->ra_wlock(&s.s_rw);
	assert_true(api->ra_try_wlock(&s.s_rw));
	assert_true((word(&s) & RW_LOCK_WRITER_RECURSED) != 0);
	api->ra_wunlock(&s.s_rw);
	assert_true((word(&s) & RW_LOCK_WRITER_RECURSED) != 0);
	api->ra_wunlock(&s.s_rw);
	assert_true((word(&s) & RW_LOCK_WRITER_RECURSED) == 0);
	assert_true(api->ra_wowned(&s.s_rw));
	lt_run(&lt, 1, try_write, &s);
	assert_false(s.s_result);
	api->ra_wunlock(&s.s_rw);
	assert_true(word(&s) == 0);
	api->ra_destroy(&s.s_rw);
}

int
rw_run_tests(const struct rw_api *ra, const struct CMUnitTest *tests, size_t n)
{
	const struct CMUnitTest both[] = {
		cmocka_unit_test(readers_see_whole_writes),
		cmocka_unit_test(trylocks_follow_the_state),
		cmocka_unit_test(writers_go_first_then_all_readers_at_once),
		cmocka_unit_test(only_the_sole_reader_upgrades),
		cmocka_unit_test(downgrade_lets_waiting_readers_in),
		cmocka_unit_test(reader_enters_again_although_a_writer_waits),
		cmocka_unit_test(writer_may_recurse_where_it_is_allowed),
	};
	int failed;

	api = ra;
	failed = lt_run_tests(both, sizeof(both) / sizeof(both[0]), NTHREADS);
	failed += lt_run_tests(tests, n, NTHREADS);
	return (failed != 0);
}
