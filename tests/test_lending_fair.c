/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A thread that starves is handed the lock: once it has waited for the turnstile's
 * measure, at the next release, whoever barges.  Played on a stage (stage_util.h):
 * the clock stands but for what the test adds.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lock_util.h"
#include "pmapsim/pv_lock.h"
#include "stage_util.h"

#define NWAITERS 3
/* What the measure is divided into, a step for each that barges in. */
#define FAIR_NS UINT64_C(500000)
#define NSTEPS  5

static const struct pv_lock_ops *ops; /* the backend under test */

static struct arena {
	_Alignas(64) char ar_word[PV_LOCK_WORD_MAX];
	struct lt_thread ar_lth[NWAITERS];
	unsigned ar_trail[NWAITERS]; /* under the lock */
	unsigned ar_n;               /* under the lock */
} ar;

static int
setup(void **state)
{
	(void)state;
	stage_reset();
	memset(&ar, 0, sizeof(ar));
	/* On one CPU nobody spins. */
	lt_setup(&lt, &stage_ops, 1, false);
	return (0);
}

static void
take_once(void *arg, unsigned i)
{
	(void)arg;
	ops->plo_lock(ar.ar_word);
	ar.ar_trail[ar.ar_n++] = i;
	ops->plo_unlock(ar.ar_word, true);
}

static void
start_waiters(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		lt_start(&lt, &ar.ar_lth[i], PRI_DEFAULT, take_once, NULL, i);
		lt_await_blocked(&ar.ar_lth[i], ar.ar_word);
	}
}

static uint32_t
gen2_word(void)
{
	/* Relaxed: only whoever has the lock writes, and those who wait. */
	return (atomic_load_explicit(
	    (_Atomic uint32_t *)(void *)ar.ar_word, memory_order_relaxed));
}

/* Let go, and take it again before the one that was woken can. */
static bool
barge(struct thread *woken)
{
	bool had;

	stage_hold(woken);
	ops->plo_unlock(ar.ar_word, true);
	had = ops->plo_trylock(ar.ar_word);
	stage_release();
	return (had);
}

static void
a_starving_waiter_is_handed_the_lock(void **state)
{
	unsigned barged = 0;

	(void)state;
	ops->plo_lock(ar.ar_word);
	start_waiters(1);
	while (barge(lt_td(&ar.ar_lth[0]))) {
		barged++;
		assert_true(barged <= NSTEPS);
		/* Woken for nothing, it goes back, and has waited since. */
		lt_await_blocked(&ar.ar_lth[0], ar.ar_word);
		stage_clock_add(FAIR_NS / NSTEPS);
	}
	assert_int_equal(barged, NSTEPS);
	lt_join(&ar.ar_lth[0]);
	assert_int_equal(ar.ar_n, 1);
}

/* First come first served, and each is handed it only when its time has come. */
static void
equals_are_handed_it_in_their_order(void **state)
{
	(void)state;
	ops->plo_lock(ar.ar_word);
	start_waiters(NWAITERS);
	stage_clock_add(FAIR_NS);
	ops->plo_unlock(ar.ar_word, true);
	for (unsigned i = 0; i < NWAITERS; i++)
		lt_join(&ar.ar_lth[i]);
	for (unsigned i = 0; i < NWAITERS; i++)
		assert_int_equal(ar.ar_trail[i], i);
}

/* With many that have waited for long it is not handed on each time. */
static void
a_chain_hands_over_once_in_a_while(void **state)
{
	(void)state;
	ops->plo_lock(ar.ar_word);
	start_waiters(2);
	stage_clock_add(FAIR_NS);
	stage_hold(lt_td(&ar.ar_lth[1]));
	/* To the first; whose own release wakes the second, which is held. */
	ops->plo_unlock(ar.ar_word, true);
	lt_join(&ar.ar_lth[0]);
	assert_true(ops->plo_trylock(ar.ar_word));
	stage_release();
	lt_await_blocked(&ar.ar_lth[1], ar.ar_word);
	ops->plo_unlock(ar.ar_word, true);
	lt_join(&ar.ar_lth[1]);
}

/* The word of gen2, step by step: generation, W, L. */
static void
the_word_shows_who_waits(void **state)
{
	const uint32_t one = 4, w = 2, l = 1;

	(void)state;
	ops->plo_lock(ar.ar_word);
	assert_int_equal(gen2_word(), l);
	start_waiters(2);
	assert_int_equal(gen2_word(), w | l);

	/* Woken, not handed: nobody has it, and no bit says that two wait. */
	stage_hold(lt_td(&ar.ar_lth[0]));
	ops->plo_unlock(ar.ar_word, true);
	assert_int_equal(gen2_word(), one);
	assert_true(ops->plo_trylock(ar.ar_word));
	assert_int_equal(gen2_word(), one | l);
	stage_release();
	lt_await_blocked(&ar.ar_lth[0], ar.ar_word);
	assert_int_equal(gen2_word(), one | w | l);

	/* Handed over, not modified: held throughout; one more waits. */
	stage_clock_add(FAIR_NS);
	stage_hold(lt_td(&ar.ar_lth[0]));
	ops->plo_unlock(ar.ar_word, false);
	assert_int_equal(gen2_word(), one | w | l);
	assert_false(ops->plo_trylock(ar.ar_word));
	stage_release();
	for (unsigned i = 0; i < 2; i++)
		lt_join(&ar.ar_lth[i]);
	assert_int_equal(gen2_word(), 3 * one);

	/* Handed to the last, modified: nobody is left. */
	ops->plo_lock(ar.ar_word);
	start_waiters(1);
	stage_clock_add(2 * FAIR_NS);
	stage_hold(lt_td(&ar.ar_lth[0]));
	ops->plo_unlock(ar.ar_word, true);
	assert_int_equal(gen2_word(), 4 * one | l);
	stage_release();
	lt_join(&ar.ar_lth[0]);
	assert_int_equal(gen2_word(), 5 * one);
}

int
main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, setup, lt_end)
	static const char *const names[] = { "mtx8", "gen2" };
	const struct CMUnitTest tests[] = {
		STAGED(a_starving_waiter_is_handed_the_lock),
		STAGED(equals_are_handed_it_in_their_order),
		STAGED(a_chain_hands_over_once_in_a_while),
	};
	const struct CMUnitTest gen2_tests[] = {
		STAGED(the_word_shows_who_waits),
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ops = pv_lock_ops_lookup(names[i]);
		failed += cmocka_run_group_tests_name(
		    ops->plo_name, tests, NULL, NULL);
	}
	failed +=
	    cmocka_run_group_tests_name(ops->plo_name, gen2_tests, NULL, NULL);
	return (failed == 0 ? 0 : 1);
}
