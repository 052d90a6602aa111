/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Delayed invalidation, in both forms: who waits for whom, and in which order
 * generations go.  What one thread alone can see is in test_di_block.c.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "di_util.h"
#include "lock/turnstile.h"

/* A thread that does one thing at a time, when told. */
enum order {
	IDLE,
	START,
	MARK,
	FINISH,
	WAIT,
	LEAVE
};

struct worker {
	struct di_fixture *w_f;
	struct pu_thread w_put;
	_Atomic uint32_t w_order;
};

static void
work(void *arg)
{
	struct worker *w = arg;
	struct machine *ma = w->w_f->f_pu.pu_ma;
	uint32_t order;

	for (;;) {
		/* Acquire: pairs with order(). */
		order = atomic_load_explicit(&w->w_order, memory_order_acquire);
		switch (order) {
		case START:
			pmap_delayed_invl_start(ma);
			break;
		case MARK:
			di_mark(w->w_f);
			break;
		case FINISH:
			pmap_delayed_invl_finish(ma);
			break;
		case WAIT:
			pmap_delayed_invl_wait(ma, w->w_f->f_m);
			break;
		case LEAVE:
			return;
		default:
			(void)sched_yield();
			continue;
		}
		/* Release: pairs with order(); it is done. */
		atomic_store_explicit(&w->w_order, IDLE, memory_order_release);
	}
}

static void
begin_order(struct worker *w, enum order o)
{
	/* Release: pairs with work(). */
	atomic_store_explicit(&w->w_order, o, memory_order_release);
}

static void
end_order(struct worker *w)
{
	/* Acquire: pairs with work(). */
	while (atomic_load_explicit(&w->w_order, memory_order_acquire) != IDLE)
		(void)sched_yield();
}

static void
order(struct worker *w, enum order o)
{
	begin_order(w, o);
	end_order(w);
}

static void
hire(struct di_fixture *f, struct worker *w)
{
	memset(w, 0, sizeof(*w));
	w->w_f = f;
	pu_start(&f->f_pu, &w->w_put, 0, work, w);
}

static void
dismiss(struct worker *w)
{
	begin_order(w, LEAVE);
	pu_join(&w->w_put);
}

/* It waits, and has not come back. */
static void
assert_waits(struct worker *w)
{
	pu_await_blocked(&w->w_put, &w->w_f->f_di->di_head);
}

static void
wait_lasts_as_long_as_the_block_that_marked(void **state)
{
	struct di_fixture *f = *state;
	struct worker a, w;

	hire(f, &a);
	hire(f, &w);
	order(&a, START);
	order(&w, WAIT); /* nothing is marked yet */
	order(&a, MARK);
	begin_order(&w, WAIT);
	assert_waits(&w);
	order(&a, FINISH);
	end_order(&w);
	assert_int_equal(pu_counter(&f->f_pu, CTR_INVL_WAIT), 1);
	assert_true(pu_counter(&f->f_pu, CTR_INVL_WAIT_SLOW) >= 1);
	dismiss(&a);
	dismiss(&w);
}

/* The promise of a block that has left is kept by those before it. */
static void
wait_lasts_as_long_as_any_older_block(void **state)
{
	struct di_fixture *f = *state;
	struct worker a, b, c, w;

	hire(f, &a);
	hire(f, &b);
	hire(f, &c);
	hire(f, &w);
	order(&a, START);
	order(&b, START);
	order(&c, START);
	assert_int_equal(pmap_di_max_qlen(f->f_pu.pu_ma), 3);
	order(&c, MARK);
	order(&c, FINISH);
	begin_order(&w, WAIT);
	assert_waits(&w);
	order(&a, FINISH);
	/* Told, and looked again in vain; or the head was not worth it. */
	assert_int_equal(pmap_di_done(f->f_di), 2);
	assert_waits(&w);
	order(&b, FINISH);
	end_order(&w);
	assert_int_equal(pmap_di_done(f->f_di), 4);
	dismiss(&a);
	dismiss(&b);
	dismiss(&c);
	dismiss(&w);
}

/* S3: blocks that begin later do not matter, even if they mark, too. */
static void
wait_is_not_kept_by_later_blocks(void **state)
{
	struct di_fixture *f = *state;
	struct worker a, b, w;

	hire(f, &a);
	hire(f, &b);
	hire(f, &w);
	order(&a, START);
	order(&a, MARK);
	begin_order(&w, WAIT);
	assert_waits(&w);
	order(&b, START);
	order(&b, MARK);
	order(&a, FINISH);
	end_order(&w);
	begin_order(&w, WAIT);
	assert_waits(&w);
	order(&b, FINISH);
	end_order(&w);
	dismiss(&a);
	dismiss(&b);
	dismiss(&w);
}

static void
everybody_who_waits_is_woken(void **state)
{
	struct di_fixture *f = *state;
	struct worker a, w[3];

	hire(f, &a);
	order(&a, START);
	order(&a, MARK);
	for (unsigned i = 0; i < 3; i++) {
		hire(f, &w[i]);
		begin_order(&w[i], WAIT);
		assert_waits(&w[i]);
	}
	order(&a, FINISH);
	for (unsigned i = 0; i < 3; i++) {
		end_order(&w[i]);
		dismiss(&w[i]);
	}
	dismiss(&a);
}

/* The element of a thread that left is taken over, generation and all. */
static void
a_new_thread_goes_on_where_another_left(void **state)
{
	struct di_fixture *f = *state;
	struct worker a;

	for (uint64_t g = 2; g < 6; g++) {
		hire(f, &a);
		order(&a, START);
		order(&a, MARK);
		assert_int_equal(di_region(f), g);
		order(&a, FINISH);
		dismiss(&a);
	}
}

/* Lockless: a thread that lost its CPU in between keeps others out. */
static void
a_marked_element_is_not_passed(void **state)
{
	struct di_fixture *f = *state;
	struct machine *ma = f->f_pu.pu_ma;
	struct pmap_invl *pi = curthread()->td_invl;
	struct worker a;

	if (!f->f_di->di_lockless)
		skip();
	hire(f, &a);
	pmap_delayed_invl_start(ma);
	/* Relaxed, all: as if before the end of start. */
	atomic_store_explicit(
	    &PMAP_INVL_NEXT(pi), PMAP_DI_FREE, memory_order_relaxed);
	begin_order(&a, START);
	while (pu_counter(&f->f_pu, CTR_INVL_START_RESTARTS) < 2)
		(void)sched_yield();
	/* Relaxed: as above. */
	atomic_store_explicit(&PMAP_INVL_NEXT(pi), 0, memory_order_relaxed);
	end_order(&a);
	/* Relaxed: as if between mark and swap of a finish behind it. */
	atomic_fetch_or_explicit(
	    &PMAP_INVL_NEXT(pi), PMAP_DI_FREE, memory_order_relaxed);
	begin_order(&a, FINISH);
	while (pu_counter(&f->f_pu, CTR_INVL_FINISH_RESTARTS) < 2)
		(void)sched_yield();
	/* Relaxed: as above. */
	atomic_fetch_and_explicit(
	    &PMAP_INVL_NEXT(pi), ~PMAP_DI_FREE, memory_order_relaxed);
	end_order(&a);
	pmap_delayed_invl_finish(ma);
	dismiss(&a);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, di_setup, di_teardown)
	const struct CMUnitTest tests[] = {
		T(wait_lasts_as_long_as_the_block_that_marked),
		T(wait_lasts_as_long_as_any_older_block),
		T(wait_is_not_kept_by_later_blocks),
		T(everybody_who_waits_is_woken),
		T(a_new_thread_goes_on_where_another_left),
		T(a_marked_element_is_not_passed),
	};
#undef T

	return (di_run_tests(tests, sizeof(tests) / sizeof(tests[0])) != 0);
}
