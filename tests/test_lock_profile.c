/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The lock profile with a clock that is set by hand, so that waits and holds are
 * exact; and its totals against what threads counted themselves.
 *
 * The simulated machine has one CPU where the clock stands still: a thread
 * that spun until a deadline would spin for ever.
 */

#include "lock/lock_profile.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "lock/mtx.h"
#include "lock/rwlock.h"
#include "lock_util.h"

#define NTHREADS 6
#define NITERS   2000

static struct sim_ops fake_ops;
static _Atomic uint64_t fake_ns;

static uint64_t
fake_clock_ns(struct sim *sim)
{
	(void)sim;
	/* Relaxed: set while the threads that read it wait. */
	return (atomic_load_explicit(&fake_ns, memory_order_relaxed));
}

static void
set_clock(uint64_t ns)
{
	/* Relaxed: as above. */
	atomic_store_explicit(&fake_ns, ns, memory_order_relaxed);
}

static int
fake_setup(void **state)
{
	(void)state;
	fake_ops = sim_real_ops;
	fake_ops.so_clock_ns = fake_clock_ns;
	set_clock(0);
	lt_setup(&lt, &fake_ops, 1, true);
	return (0);
}

static int
real_setup(void **state)
{
	(void)state;
	lt_setup(&lt, &sim_real_ops, 4, true);
	return (0);
}

/* All records; the caller frees them. */
static struct lock_prof_record *
collect(bool by_site, size_t *np)
{
	struct lock_prof_record *r = NULL;

	assert_int_equal(lock_profile_collect(lt.lt_sim, by_site, &r, np), 0);
	return (r);
}

static void
hold_is_from_acquisition_to_release(void **state)
{
	struct lock_prof_record *r;
	struct mtx m;
	size_t n;
	int line;

	(void)state;
	mtx_init(&m, "test", 0);
	set_clock(1000);
	for (uint64_t hold = 10; hold <= 30; hold += 10) {
		line = __LINE__ + 1;
		mtx_lock(&m);
		assert_int_equal(lock_profile_held(lt.lt_sim), 1);
		set_clock(fake_clock_ns(NULL) + hold);
		mtx_unlock(&m);
		set_clock(fake_clock_ns(NULL) + 500);
	}
	assert_int_equal(lock_profile_held(lt.lt_sim), 0);
	r = collect(true, &n);
	assert_int_equal(n, 1);
	assert_string_equal(r[0].lpr_name, "test");
	assert_string_equal(lock_class_name(r[0].lpr_class), "sleep mutex");
	assert_string_equal(r[0].lpr_file, __FILE__);
	assert_int_equal(r[0].lpr_line, line);
	assert_int_equal(r[0].lpr_count, 3);
	assert_int_equal(r[0].lpr_hold_ns, 60);
	assert_int_equal(r[0].lpr_hold_max_ns, 30);
	assert_int_equal(r[0].lpr_wait_ns, 0);
	assert_int_equal(r[0].lpr_contested, 0);
	free(r);
	mtx_destroy(&m);
}

struct waiting {
	struct mtx w_mtx;
	struct rwlock w_rw;
};

static void
lock_mtx(void *arg, unsigned i)
{
	struct waiting *wt = arg;

	(void)i;
	mtx_lock(&wt->w_mtx);
	mtx_unlock(&wt->w_mtx);
}

static void
lock_read(void *arg, unsigned i)
{
	struct waiting *wt = arg;

	(void)i;
	rw_rlock(&wt->w_rw);
	rw_runlock(&wt->w_rw);
}

static void
lock_write(void *arg, unsigned i)
{
	struct waiting *wt = arg;

	(void)i;
	rw_wlock(&wt->w_rw);
	rw_wunlock(&wt->w_rw);
}

static void
wait_is_from_the_first_failed_try(void **state)
{
	struct lock_prof_instance *inst = NULL;
	struct lock_prof_record *r;
	struct lt_thread lth;
	struct waiting wt;
	size_t n;

	(void)state;
	mtx_init(&wt.w_mtx, "test", 0);
	for (uint64_t wait = 100; wait <= 300; wait += 200) {
		set_clock(10000);
		mtx_lock(&wt.w_mtx);
		set_clock(20000);
		lt_start(&lt, &lth, PRI_DEFAULT, lock_mtx, &wt, 0);
		lt_await_blocked(&lth, &wt.w_mtx.mtx_lock);
		set_clock(20000 + wait);
		mtx_unlock(&wt.w_mtx);
		lt_join(&lth);
	}
	r = collect(false, &n);
	assert_int_equal(n, 1);
	assert_null(r[0].lpr_file);
	assert_int_equal(r[0].lpr_line, 0);
	assert_int_equal(r[0].lpr_count, 4);
	assert_int_equal(r[0].lpr_contested, 2);
	assert_int_equal(r[0].lpr_wait_ns, 400);
	assert_int_equal(r[0].lpr_wait_max_ns, 300);
	assert_int_equal(r[0].lpr_hold_ns, 10100 + 10300);
	assert_int_equal(r[0].lpr_hold_max_ns, 10300);
	assert_int_equal(r[0].lpr_wait_hist[lock_hist_bucket(100)], 1);
	assert_int_equal(r[0].lpr_wait_hist[lock_hist_bucket(300)], 1);
	free(r);

	/* By site, the waiter's record comes first: it waited. */
	r = collect(true, &n);
	assert_int_equal(n, 2);
	assert_int_equal(r[0].lpr_wait_ns, 400);
	assert_int_equal(r[0].lpr_count, 2);
	assert_int_equal(r[1].lpr_wait_ns, 0);
	assert_int_equal(r[1].lpr_hold_ns, 10100 + 10300);
	free(r);

	assert_int_equal(lock_profile_instances(lt.lt_sim, &inst, &n), 0);
	assert_int_equal(n, 1);
	assert_ptr_equal(inst[0].lpi_key, &wt.w_mtx);
	assert_string_equal(inst[0].lpi_name, "test");
	assert_int_equal(inst[0].lpi_wait_ns, 400);
	assert_int_equal(inst[0].lpi_contested, 2);
	free(inst);
	mtx_destroy(&wt.w_mtx);
}

static void
readers_are_profiled_each(void **state)
{
	struct lock_prof_record *r;
	struct lt_thread lth[3];
	struct waiting wt;
	size_t n;

	(void)state;
	rw_init(&wt.w_rw, "test rw", 0);
	set_clock(100);
	rw_wlock(&wt.w_rw);
	for (unsigned i = 0; i < 3; i++) {
		lt_start(&lt, &lth[i], PRI_DEFAULT,
		    i == 0 ? lock_write : lock_read, &wt, i);
		lt_await_blocked(&lth[i], &wt.w_rw.rw_lock);
	}
	set_clock(150);
	rw_wunlock(&wt.w_rw);
	for (unsigned i = 0; i < 3; i++)
		lt_join(&lth[i]);
	assert_true(rw_try_rlock(&wt.w_rw));
	set_clock(157);
	rw_runlock(&wt.w_rw);
	assert_true(rw_try_wlock(&wt.w_rw));
	rw_wunlock(&wt.w_rw);
	r = collect(false, &n);
	assert_int_equal(n, 1);
	assert_string_equal(r[0].lpr_name, "test rw");
	assert_string_equal(lock_class_name(r[0].lpr_class), "rw");
	assert_int_equal(r[0].lpr_count, 6);
	assert_int_equal(r[0].lpr_contested, 3);
	assert_int_equal(r[0].lpr_wait_ns, 3 * 50);
	assert_int_equal(r[0].lpr_hold_ns, 50 + 7);
	free(r);
	rw_destroy(&wt.w_rw);
}

static void
a_failed_trylock_leaves_no_trace(void **state)
{
	struct lock_prof_record *r;
	struct waiting wt;
	size_t n;

	(void)state;
	mtx_init(&wt.w_mtx, "test", 0);
	mtx_lock(&wt.w_mtx);
	assert_false(mtx_trylock(&wt.w_mtx));
	assert_int_equal(lock_profile_held(lt.lt_sim), 1);
	mtx_unlock(&wt.w_mtx);
	assert_true(mtx_trylock(&wt.w_mtx));
	mtx_unlock(&wt.w_mtx);
	r = collect(false, &n);
	assert_int_equal(n, 1);
	assert_int_equal(r[0].lpr_count, 2);
	assert_int_equal(r[0].lpr_contested, 0);
	free(r);
	mtx_destroy(&wt.w_mtx);
}

static void
locks_may_be_released_in_any_order(void **state)
{
	static const struct lock_object lo[3] = {
		{ .lo_name = "a", .lo_flags = LC_MTX },
		{ .lo_name = "b", .lo_flags = LC_RW },
		{ .lo_name = "c", .lo_flags = LC_PV },
	};
	struct lock_prof_record *r;
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		set_clock(100 * i + 100);
		lock_profile_acquired(
		    lt.lt_td, &lo[i], &lo[i], i == 0 ? 0 : 50 * i, "file", 1);
	}
	set_clock(1000);
	lock_profile_release(lt.lt_td, &lo[1]);
	lock_profile_release(lt.lt_td, &lo[0]);
	lock_profile_release(lt.lt_td, &lo[2]);
	r = collect(false, &n);
	assert_int_equal(n, 3);
	/* Sorted by wait: c 300 - 100, b 200 - 50, a none. */
	assert_string_equal(r[0].lpr_name, "c");
	assert_string_equal(lock_class_name(r[0].lpr_class), "rw");
	assert_int_equal(r[0].lpr_wait_ns, 200);
	assert_int_equal(r[0].lpr_hold_ns, 700);
	assert_string_equal(r[1].lpr_name, "b");
	assert_int_equal(r[1].lpr_wait_ns, 150);
	assert_int_equal(r[1].lpr_hold_ns, 800);
	assert_string_equal(r[2].lpr_name, "a");
	assert_int_equal(r[2].lpr_wait_ns, 0);
	assert_int_equal(r[2].lpr_hold_ns, 900);
	free(r);
}

static void
reset_zeroes_and_keeps_counting(void **state)
{
	struct lock_prof_record *r;
	struct waiting wt;
	size_t n;

	(void)state;
	mtx_init(&wt.w_mtx, "test", 0);
	lt_run(&lt, 1, lock_mtx, &wt); /* goes to the past ones */
	mtx_lock(&wt.w_mtx);
	mtx_unlock(&wt.w_mtx);
	lock_profile_reset(lt.lt_sim);
	r = collect(false, &n);
	assert_int_equal(n, 0);
	free(r);
	lt_run(&lt, 2, lock_mtx, &wt);
	r = collect(false, &n);
	assert_int_equal(n, 1);
	assert_int_equal(r[0].lpr_count, 2);
	free(r);
	mtx_destroy(&wt.w_mtx);
}

/* More sites than a thread has room for: counted, or told as rejected. */
static void
what_finds_no_room_is_rejected(void **state)
{
	static const struct lock_object lo = { .lo_name = "lock" };
	static char keys[100];
	struct lock_prof_record *r;
	uint64_t counted;
	size_t n;

	(void)state;
	for (int line = 1; line <= 1000; line++) {
		lock_profile_acquired(lt.lt_td, &lo, &lo, 0, "file", line);
		lock_profile_release(lt.lt_td, &lo);
	}
	r = collect(false, &n);
	assert_int_equal(n, 1);
	counted = r[0].lpr_count;
	free(r);
	assert_true(counted > 100);
	assert_int_equal(counted + lock_profile_rejected(lt.lt_sim), 1000);

	/* The same for locks held at once. */
	lock_profile_reset(lt.lt_sim);
	for (size_t i = 0; i < sizeof(keys); i++)
		lock_profile_acquired(lt.lt_td, &lo, &keys[i], 0, "file", 1);
	for (size_t i = 0; i < sizeof(keys); i++)
		lock_profile_release(lt.lt_td, &keys[i]);
	assert_int_equal(lock_profile_held(lt.lt_sim), 0);
	r = collect(false, &n);
	assert_int_equal(n, 1);
	assert_int_equal(
	    r[0].lpr_count + lock_profile_rejected(lt.lt_sim), sizeof(keys));
	free(r);
}

static void
same_text_is_the_same_lock(void **state)
{
	char copy[] = "lock";
	struct lock_object a = { .lo_name = "lock" }, b = { .lo_name = copy };
	struct lock_object nameless = { .lo_name = NULL };
	struct lock_prof_record *r;
	size_t n;

	(void)state;
	lock_profile_acquired(lt.lt_td, &a, &a, 0, "file", 1);
	lock_profile_release(lt.lt_td, &a);
	lock_profile_acquired(lt.lt_td, &b, &b, 0, "file", 2);
	lock_profile_release(lt.lt_td, &b);
	lock_profile_acquired(lt.lt_td, &nameless, &nameless, 0, "file", 3);
	lock_profile_release(lt.lt_td, &nameless);
	r = collect(false, &n);
	assert_int_equal(n, 2);
	assert_string_equal(r[0].lpr_name, "lock");
	assert_int_equal(r[0].lpr_count, 2);
	assert_string_equal(r[1].lpr_name, "unnamed");
	free(r);
	r = collect(true, &n);
	assert_int_equal(n, 3);
	free(r);
	lock_profile_reset(lt.lt_sim); /* copy goes out of scope */
}

static void
buckets_are_in_order_and_end_where_the_next_begins(void **state)
{
	uint64_t hist[LOCK_HIST_BUCKETS] = { 0 }, v;
	unsigned b, prev = 0;

	(void)state;
	for (v = 0; v < 5000; v++) {
		b = lock_hist_bucket(v);
		assert_true(b == prev || b == prev + 1);
		prev = b;
	}
	assert_int_equal(lock_hist_bucket(UINT64_MAX), LOCK_HIST_BUCKETS - 1);
	for (v = 1; v < UINT64_C(1) << 40; v += v / 3 + 1) {
		memset(hist, 0, sizeof(hist));
		hist[lock_hist_bucket(v)] = 1;
		/* The value lies below, and within a quarter of it. */
		assert_true(lock_hist_quantile(hist, 0.5) > v);
		assert_true(lock_hist_quantile(hist, 0.5) <= v + v / 4 + 1);
	}
}

static void
quantiles_follow_the_ranks(void **state)
{
	uint64_t hist[LOCK_HIST_BUCKETS] = { 0 };

	(void)state;
	assert_int_equal(lock_hist_quantile(hist, 0.5), 0);
	hist[lock_hist_bucket(1)] = 50;
	hist[lock_hist_bucket(100)] = 49;
	hist[lock_hist_bucket(1000)] = 1;
	assert_int_equal(lock_hist_quantile(hist, 0), 2);
	assert_int_equal(lock_hist_quantile(hist, 0.5), 2);
	assert_int_equal(lock_hist_quantile(hist, 0.51), 112);
	assert_int_equal(lock_hist_quantile(hist, 0.99), 112);
	assert_int_equal(lock_hist_quantile(hist, 0.991), 1024);
	assert_int_equal(lock_hist_quantile(hist, 1), 1024);
}

static void
a_lock_held_at_the_end_is_told(void **state)
{
	static const struct lock_object lo = { .lo_name = "lock" };

	(void)state;
	lock_profile_acquired(lt.lt_td, &lo, &lo, 0, "file", 1);
	assert_int_equal(lock_profile_held(lt.lt_sim), 1);
	lock_profile_release(lt.lt_td, &lo);
	lock_profile_release(lt.lt_td, &lo); /* not held: ignored */
	assert_int_equal(lock_profile_held(lt.lt_sim), 0);
}

struct counting {
	struct mtx c_mtx[2];
	struct rwlock c_rw;
	uint64_t c_mtx_count[NTHREADS];
	uint64_t c_rw_count[NTHREADS];
	_Atomic unsigned c_left;
};

static void
count(void *arg, unsigned i)
{
	struct counting *c = arg;

	for (unsigned k = 0; k < lt_scale(NITERS); k++) {
		mtx_lock(&c->c_mtx[k % 2]);
		c->c_mtx_count[i]++;
		if (k % 4 == 0) {
			rw_rlock(&c->c_rw);
			c->c_rw_count[i]++;
			rw_runlock(&c->c_rw);
		}
		mtx_unlock(&c->c_mtx[k % 2]);
		if (k % 8 == 0 && rw_try_wlock(&c->c_rw)) {
			c->c_rw_count[i]++;
			rw_wunlock(&c->c_rw);
		}
	}
	/* Relaxed: a signal, nothing is published with it. */
	atomic_fetch_sub_explicit(&c->c_left, 1, memory_order_relaxed);
}

/* Also collects while the threads are at work, for ThreadSanitizer. */
static void
counts_add_up_to_the_threads_own(void **state)
{
	uint64_t mtx_count = 0, rw_count = 0, contested = 0;
	struct lock_prof_instance *inst = NULL;
	struct lt_thread lth[NTHREADS];
	struct lock_prof_record *r;
	static struct counting c;
	size_t n;

	(void)state;
	mtx_init(&c.c_mtx[0], "test", 0);
	mtx_init(&c.c_mtx[1], "test", 0);
	rw_init(&c.c_rw, "test", 0);
	/* Relaxed: no thread is there yet. */
	atomic_store_explicit(&c.c_left, NTHREADS, memory_order_relaxed);
	for (unsigned i = 0; i < NTHREADS; i++)
		lt_start(&lt, &lth[i], PRI_DEFAULT, count, &c, i);
	/* Relaxed: a signal. */
	while (atomic_load_explicit(&c.c_left, memory_order_relaxed) > 0) {
		r = collect(true, &n);
		free(r);
		(void)sched_yield();
	}
	for (unsigned i = 0; i < NTHREADS; i++) {
		lt_join(&lth[i]);
		mtx_count += c.c_mtx_count[i];
		rw_count += c.c_rw_count[i];
	}

	/* One name, two classes. */
	r = collect(false, &n);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		uint64_t hist = 0;

		assert_int_equal(r[i].lpr_count,
		    r[i].lpr_class == LC_MTX ? mtx_count : rw_count);
		for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
			hist += r[i].lpr_wait_hist[b];
		assert_int_equal(hist, r[i].lpr_contested);
		assert_true(r[i].lpr_wait_max_ns <= r[i].lpr_wait_ns);
		assert_true(r[i].lpr_hold_max_ns <= r[i].lpr_hold_ns);
		contested += r[i].lpr_contested;
	}
	free(r);
	assert_int_equal(lock_profile_rejected(lt.lt_sim), 0);
	assert_int_equal(lock_profile_instances(lt.lt_sim, &inst, &n), 0);
	for (size_t i = 0; i < n; i++)
		contested -= inst[i].lpi_contested;
	assert_int_equal(contested, 0);
	free(inst);
}

static void
nothing_is_recorded_when_off(void **state)
{
	struct lock_prof_record *r;
	struct waiting wt;
	struct lt off;
	size_t n = 1;

	(void)state;
	sim_thread_switch(NULL);
	lt_setup(&off, &sim_real_ops, 1, false);
	mtx_init(&wt.w_mtx, "test", 0);
	assert_null(off.lt_td->td_prof);
	lt_run(&off, 2, lock_mtx, &wt);
	assert_int_equal(lock_profile_collect(off.lt_sim, true, &r, &n), 0);
	assert_int_equal(n, 0);
	free(r);
	assert_int_equal(lock_profile_rejected(off.lt_sim), 0);
	lock_profile_reset(off.lt_sim);
	mtx_destroy(&wt.w_mtx);
	lt_teardown(&off);
	sim_thread_switch(lt.lt_td);
}

#define FAKE(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, lt_end)
#define REAL(fn) cmocka_unit_test_setup_teardown(fn, real_setup, lt_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE(hold_is_from_acquisition_to_release),
		FAKE(wait_is_from_the_first_failed_try),
		FAKE(readers_are_profiled_each),
		FAKE(a_failed_trylock_leaves_no_trace),
		FAKE(locks_may_be_released_in_any_order),
		FAKE(reset_zeroes_and_keeps_counting),
		FAKE(what_finds_no_room_is_rejected),
		FAKE(same_text_is_the_same_lock),
		FAKE(a_lock_held_at_the_end_is_told),
		FAKE(buckets_are_in_order_and_end_where_the_next_begins),
		FAKE(quantiles_follow_the_ranks),
		REAL(counts_add_up_to_the_threads_own),
		REAL(nothing_is_recorded_when_off),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
