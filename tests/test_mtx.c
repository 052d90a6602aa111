/* SPDX-License-Identifier: BSD-2-Clause */

#include "lock/mtx.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lock_util.h"

#define NTHREADS 8
#define NITERS   4000

struct shared {
	struct mtx s_mtx;
	uint64_t s_plain;
	unsigned s_iters;
	unsigned s_trail[NTHREADS];
	bool s_result;
};

static uint64_t
word(const struct mtx *m)
{
	/* Relaxed: threads are joined, or the value is our own. */
	return (atomic_load_explicit(&m->mtx_lock, memory_order_relaxed));
}

static void
count(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	for (unsigned k = 0; k < s->s_iters; k++) {
		mtx_lock(&s->s_mtx);
		s->s_plain++;
		if (k % 128 == 0)
			(void)sched_yield(); /* let others block */
		mtx_unlock(&s->s_mtx);
	}
}

static void
mutex_excludes_and_publishes(void **state)
{
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.s_iters = lt_scale(NITERS);
	mtx_init(&s.s_mtx, "test", 0);
	lt_run(&lt, NTHREADS, count, &s);
	assert_int_equal(s.s_plain, (uint64_t)NTHREADS * s.s_iters);
	assert_true(word(&s.s_mtx) == MTX_UNOWNED);
	mtx_destroy(&s.s_mtx);
}

static void
zeroed_mutex_is_unlocked(void **state)
{
	static struct shared s;

	(void)state;
	mtx_lock(&s.s_mtx);
	assert_true(mtx_owned(&s.s_mtx));
	mtx_unlock(&s.s_mtx);
	assert_false(mtx_owned(&s.s_mtx));
}

static void
word_is_the_owner(void **state)
{
	struct mtx m;

	(void)state;
	mtx_init(&m, "test", LO_DUPOK);
	assert_string_equal(m.lock_object.lo_name, "test");
	assert_int_equal(m.lock_object.lo_flags & LO_CLASSMASK, LC_MTX);
	assert_true((m.lock_object.lo_flags & LO_DUPOK) != 0);
	mtx_lock(&m);
	assert_true(word(&m) == (uint64_t)(uintptr_t)curthread());
	mtx_unlock(&m);
	assert_true(word(&m) == MTX_UNOWNED);
	mtx_destroy(&m);
	assert_true(word(&m) == MTX_DESTROYED);
}

static void
try_and_ask(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = mtx_owned(&s->s_mtx) || mtx_trylock(&s->s_mtx);
}

static void
trylock_fails_while_another_owns(void **state)
{
	struct shared s = { .s_result = true };

	(void)state;
	mtx_init(&s.s_mtx, "test", 0);
	assert_true(mtx_trylock(&s.s_mtx));
	lt_run(&lt, 1, try_and_ask, &s);
	assert_false(s.s_result);
	mtx_unlock(&s.s_mtx);
	mtx_destroy(&s.s_mtx);
}

static void
leave_trail(void *arg, unsigned i)
{
	struct shared *s = arg;

	mtx_lock(&s->s_mtx);
	s->s_trail[s->s_plain++] = i;
	mtx_unlock(&s->s_mtx);
}

static void
waiters_enter_by_priority_then_by_age(void **state)
{
	static const int pris[] = { 128, 200, 128, 10, 200 };
	static const unsigned expected[] = { 3, 0, 2, 1, 4 };
	static struct lt_thread lth[5];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	mtx_init(&s.s_mtx, "test", 0);
	mtx_lock(&s.s_mtx);
	for (unsigned i = 0; i < 5; i++) {
		lt_start(&lt, &lth[i], pris[i], leave_trail, &s, i);
		lt_await_blocked(&lth[i], &s.s_mtx.mtx_lock);
	}
	assert_true(word(&s.s_mtx) ==
	    ((uint64_t)(uintptr_t)curthread() | MTX_CONTESTED));
	mtx_unlock(&s.s_mtx);
	for (unsigned i = 0; i < 5; i++)
		lt_join(&lth[i]);
	assert_memory_equal(s.s_trail, expected, sizeof(expected));
	mtx_destroy(&s.s_mtx);
}

/* One wake-up each, however many wait: a woken thread passes it on. */
static void
every_waiter_is_woken_in_the_end(void **state)
{
	static struct lt_thread lth[NTHREADS];
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	mtx_init(&s.s_mtx, "test", 0);
	for (unsigned round = 0; round < 20; round++) {
		mtx_lock(&s.s_mtx);
		s.s_plain = 0;
		for (unsigned i = 0; i < NTHREADS; i++)
			lt_start(&lt, &lth[i], PRI_DEFAULT, leave_trail, &s, i);
		for (unsigned i = 0; i < NTHREADS; i++)
			lt_await_blocked(&lth[i], &s.s_mtx.mtx_lock);
		mtx_unlock(&s.s_mtx);
		/* Barge in between. */
		mtx_lock(&s.s_mtx);
		mtx_unlock(&s.s_mtx);
		for (unsigned i = 0; i < NTHREADS; i++)
			lt_join(&lth[i]);
		assert_int_equal(s.s_plain, NTHREADS);
	}
	assert_true(word(&s.s_mtx) == MTX_UNOWNED);
	mtx_destroy(&s.s_mtx);
}

static void
owner_may_recurse_where_it_is_allowed(void **state)
{
	static struct lt_thread lth;
	static struct shared s;

	(void)state;
	memset(&s, 0, sizeof(s));
	mtx_init(&s.s_mtx, "test", MTX_RECURSE);
	mtx_lock(&s.s_mtx);
	assert_true((word(&s.s_mtx) & MTX_RECURSED) == 0);
	mtx_lock(&s.s_mtx);
	assert_true(mtx_trylock(&s.s_mtx));
	assert_true((word(&s.s_mtx) & MTX_RECURSED) != 0);
	lt_start(&lt, &lth, PRI_DEFAULT, leave_trail, &s, 7);
	lt_await_blocked(&lth, &s.s_mtx.mtx_lock);
	mtx_unlock(&s.s_mtx);
	assert_true((word(&s.s_mtx) & MTX_RECURSED) != 0);
	mtx_unlock(&s.s_mtx);
	assert_true((word(&s.s_mtx) & MTX_RECURSED) == 0);
	assert_true(mtx_owned(&s.s_mtx));
	assert_int_equal(s.s_plain, 0);
	mtx_unlock(&s.s_mtx);
	lt_join(&lth);
	assert_int_equal(s.s_trail[0], 7);
	assert_true(word(&s.s_mtx) == MTX_UNOWNED);
	mtx_destroy(&s.s_mtx);
}

static void
padded_mutex_has_its_line_alone(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct mtx_padalign), CACHE_LINE_SIZE);
	assert_int_equal(_Alignof(struct mtx_padalign), CACHE_LINE_SIZE);
}

static void
misuse_panics_with_invariants(void **state)
{
	static struct shared s;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	lt_mock_panics(true);
	mtx_init(&s.s_mtx, "test", 0);
	expect_assert_failure(mtx_unlock(&s.s_mtx));
	mtx_lock(&s.s_mtx);
	expect_assert_failure(mtx_lock(&s.s_mtx));
	expect_assert_failure(mtx_destroy(&s.s_mtx));
	mtx_unlock(&s.s_mtx);
	mtx_destroy(&s.s_mtx);
	expect_assert_failure(mtx_lock(&s.s_mtx));
	sim_thread_switch(NULL);
	mtx_init(&s.s_mtx, "test", 0);
	expect_assert_failure(mtx_lock(&s.s_mtx));
	sim_thread_switch(lt.lt_td);
	lt_mock_panics(false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutex_excludes_and_publishes),
		cmocka_unit_test(zeroed_mutex_is_unlocked),
		cmocka_unit_test(word_is_the_owner),
		cmocka_unit_test(trylock_fails_while_another_owns),
		cmocka_unit_test(waiters_enter_by_priority_then_by_age),
		cmocka_unit_test(every_waiter_is_woken_in_the_end),
		cmocka_unit_test(owner_may_recurse_where_it_is_allowed),
		cmocka_unit_test(padded_mutex_has_its_line_alone),
		cmocka_unit_test(misuse_panics_with_invariants),
	};

	return (
	    lt_run_tests(tests, sizeof(tests) / sizeof(tests[0]), NTHREADS));
}
