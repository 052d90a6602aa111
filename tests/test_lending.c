/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Loans that go wrong, or that come at a bad moment: to suspects, who lend or leave
 * themselves, and to threads behind one that is on its way.  Played on a stage
 * (stage_util.h), so that the moment comes each time.
 */

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flag.h"
#include "lock/held.h"
#include "lock/leaf_lock.h"
#include "lock/mtx.h"
#include "lock/turnstile.h"
#include "lock_util.h"
#include "pmapsim/pv_lock.h"
#include "stage_util.h"

/* How long what must happen may take. */
#define PATIENCE_NS UINT64_C(20000000000)

/* The main thread holds the word; the suspect publishes it. */
static struct scene {
	_Alignas(64) _Atomic uint32_t sc_word; /* gen2 */
	struct mtx sc_mtx;
	struct lt_thread sc_suspect;
	struct lt_thread sc_waiter; /* of the word, with the mutex or not */
	struct lt_thread sc_urgent; /* of the mutex */
	_Atomic bool sc_lent;  /* waiter to suspect, until it is returned */
	_Atomic bool sc_clear; /* the suspect may go on */
	_Atomic bool sc_done;  /* urgent had the mutex */
	_Atomic unsigned sc_refused; /* loans of the suspect */
	_Atomic unsigned sc_died;
} sc;

static const struct pv_lock_ops *gen2;

static int
setup(void **state)
{
	(void)state;
	stage_reset();
	memset(&sc, 0, sizeof(sc));
	/* On one CPU nobody spins: the clock stands. */
	lt_setup(&lt, &stage_ops, 1, false);
	mtx_init(&sc.sc_mtx, "stage", 0);
	gen2 = pv_lock_ops_lookup("gen2");
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	mtx_destroy(&sc.sc_mtx);
	lt_teardown(&lt);
	return (0);
}

/* True when it is set; false when it takes too long. */
static bool
await(_Atomic bool *flag)
{
	uint64_t end = sim_real_ops.so_clock_ns(lt.lt_sim) + PATIENCE_NS;

	while (!flag_get(flag) && sim_real_ops.so_clock_ns(lt.lt_sim) < end)
		(void)sched_yield();
	return (flag_get(flag));
}

/* Waits for the word. */
static void
want_word(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	gen2->plo_lock(&sc.sc_word);
	gen2->plo_unlock(&sc.sc_word, true);
}

/* The same, holding the mutex. */
static void
want_word_holding(void *arg, unsigned i)
{
	mtx_lock(&sc.sc_mtx);
	want_word(arg, i);
	mtx_unlock(&sc.sc_mtx);
}

static void
want_mtx(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	mtx_lock(&sc.sc_mtx);
	flag_set(&sc.sc_done);
	mtx_unlock(&sc.sc_mtx);
}

/* One that failed to acquire and has lost its CPU before it took that back. */
static void
be_suspect(void)
{
	const void *_Atomic *slot = held_slot(curthread());

	held_publish(slot, &sc.sc_word);
	while (!flag_get(&sc.sc_clear))
		(void)sched_yield();
	held_clear(slot);
}

static void
suspect_that_ends(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	be_suspect();
}

/* Leaves, as lock_thread_detach() does, but its host thread is still there. */
static void
suspect_that_leaves(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	be_suspect();
	turnstile_leave(curthread());
	while (!flag_get(&sc.sc_done))
		(void)sched_yield();
}

static void
suspect_that_waits(void *arg, unsigned i)
{
	be_suspect();
	want_mtx(arg, i);
}

static void
suspect_that_stays(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	be_suspect();
	while (!flag_get(&sc.sc_done))
		(void)sched_yield();
}

static void
start_suspect(void (*fn)(void *arg, unsigned i), int pri)
{
	struct thread *td;
	void *slot = NULL;

	lt_start(&lt, &sc.sc_suspect, pri, fn, NULL, 0);
	while (slot == NULL) {
		(void)sched_yield();
		td = lt_td(&sc.sc_suspect);
		if (td != NULL)
			/* Acquire: pairs with held_publish(). */
			slot = (void *)(uintptr_t)atomic_load_explicit(
			    &td->td_held->hl_word[0], memory_order_acquire);
	}
}

/*
 * Loans of the waiter to the suspect stand until they are returned, as if the time
 * that they have were not over; those to others are over at once.  The suspect's
 * own loan to the waiter is refused, as the host does where that lends to it.
 */
static int
keep_loan_to_suspect(struct thread *td, const struct thread *to, bool timed)
{
	if (td == lt_td(&sc.sc_suspect)) {
		/* Relaxed: a count. */
		if (flag_get(&sc.sc_lent) &&
		    atomic_fetch_add_explicit(
			&sc.sc_refused, 1, memory_order_relaxed) == 0)
			return (EDEADLK);
		return (STAGE_REAL);
	}
	if (!timed)
		return (STAGE_REAL);
	if (to != lt_td(&sc.sc_suspect))
		return (ETIMEDOUT);
	flag_set(&sc.sc_lent);
	return (STAGE_REAL);
}

static void
a_loan_to_a_suspect_is_no_deadlock(void **state)
{
	(void)state;
	gen2->plo_lock(&sc.sc_word);
	stage_loans(keep_loan_to_suspect);
	start_suspect(suspect_that_waits, 10);
	lt_start(&lt, &sc.sc_waiter, 100, want_word_holding, NULL, 0);
	assert_true(await(&sc.sc_lent));
	/* Now the suspect wants what the waiter has, and lends to it. */
	flag_set(&sc.sc_clear);
	lt_await_blocked(&sc.sc_suspect, &sc.sc_mtx.mtx_lock);
	assert_int_equal(lt_await_pri(lt_td(&sc.sc_waiter), 10), 10);
	assert_int_equal(lt_await_pri(lt.lt_td, 10), 10);
	gen2->plo_unlock(&sc.sc_word, true);
	assert_true(await(&sc.sc_done));
	lt_join(&sc.sc_waiter);
	lt_join(&sc.sc_suspect);
	/* Relaxed: the threads are joined. */
	assert_true(
	    atomic_load_explicit(&sc.sc_refused, memory_order_relaxed) > 0);
}

static void
a_suspect_that_leaves_returns_what_it_was_lent(void **state)
{
	(void)state;
	gen2->plo_lock(&sc.sc_word);
	stage_loans(keep_loan_to_suspect);
	start_suspect(suspect_that_leaves, PRI_DEFAULT);
	lt_start(&lt, &sc.sc_waiter, 10, want_word, NULL, 0);
	assert_true(await(&sc.sc_lent));
	flag_set(&sc.sc_clear);
	/* The waiter is awake again, and lends to who has the word. */
	assert_int_equal(lt_await_pri(lt.lt_td, 10), 10);
	gen2->plo_unlock(&sc.sc_word, true);
	flag_set(&sc.sc_done);
	lt_join(&sc.sc_waiter);
	lt_join(&sc.sc_suspect);
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
}

/* The host thread has ended with the loan: FUTEX_OWNER_DIED. */
static int
suspect_dies(struct thread *td, const struct thread *to, bool timed)
{
	(void)td;
	if (!timed)
		return (STAGE_REAL);
	if (to != lt_td(&sc.sc_suspect))
		return (ETIMEDOUT);
	/* Relaxed: a count. */
	atomic_fetch_add_explicit(&sc.sc_died, 1, memory_order_relaxed);
	flag_set(&sc.sc_lent);
	return (ESRCH);
}

static void
a_suspect_that_dies_holds_nobody_up(void **state)
{
	(void)state;
	gen2->plo_lock(&sc.sc_word);
	stage_loans(suspect_dies);
	start_suspect(suspect_that_ends, PRI_DEFAULT);
	lt_start(&lt, &sc.sc_waiter, 10, want_word, NULL, 0);
	assert_true(await(&sc.sc_lent));
	flag_set(&sc.sc_clear);
	lt_join(&sc.sc_suspect);
	assert_int_equal(lt_await_pri(lt.lt_td, 10), 10);
	gen2->plo_unlock(&sc.sc_word, true);
	lt_join(&sc.sc_waiter);
}

/* Loans for a time are over at once. */
static int
time_is_up(struct thread *td, const struct thread *to, bool timed)
{
	(void)td;
	(void)to;
	return (timed ? ETIMEDOUT : STAGE_REAL);
}

/*
 * The waiter, an equal, sleeps without a loan when the suspect comes up.  What the
 * urgent one lends it has to be passed on to one of two.
 */
static void
a_loan_is_passed_on_to_suspects_in_turn(void **state)
{
	struct thread *suspect;

	(void)state;
	stage_loans(time_is_up);
	gen2->plo_lock(&sc.sc_word);
	lt_start(&lt, &sc.sc_waiter, PRI_DEFAULT, want_word_holding, NULL, 0);
	lt_await_blocked(&sc.sc_waiter, &sc.sc_word);
	start_suspect(suspect_that_stays, PRI_DEFAULT);
	suspect = lt_td(&sc.sc_suspect);
	lt_start(&lt, &sc.sc_urgent, 10, want_mtx, NULL, 0);
	lt_await_blocked(&sc.sc_urgent, &sc.sc_mtx.mtx_lock);
	/* One after the other has it, while both are suspected. */
	assert_int_equal(lt_await_pri(lt.lt_td, 10), 10);
	assert_int_equal(lt_await_pri(suspect, 10), 10);
	assert_int_equal(lt_await_pri(lt.lt_td, 10), 10);
	flag_set(&sc.sc_clear);
	/* And then the owner, and it keeps it. */
	while (held_find(suspect, &sc.sc_word) != NULL)
		(void)sched_yield();
	assert_int_equal(lt_await_pri(suspect, PRI_DEFAULT), PRI_DEFAULT);
	assert_int_equal(lt_await_pri(lt.lt_td, 10), 10);
	gen2->plo_unlock(&sc.sc_word, true);
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
	assert_true(await(&sc.sc_done));
	lt_join(&sc.sc_urgent);
	lt_join(&sc.sc_waiter);
	lt_join(&sc.sc_suspect);
}

/*
 * The word is free, and the one that was woken for it is kept from it.  The next on
 * the queue holds the mutex.
 */
static void
free_the_word(void)
{
	struct lt_thread *late = &sc.sc_suspect;

	gen2->plo_lock(&sc.sc_word);
	lt_start(&lt, late, PRI_DEFAULT, want_word, NULL, 0);
	lt_await_blocked(late, &sc.sc_word);
	lt_start(&lt, &sc.sc_waiter, PRI_DEFAULT, want_word_holding, NULL, 0);
	lt_await_blocked(&sc.sc_waiter, &sc.sc_word);
	stage_hold(lt_td(late));
	gen2->plo_unlock(&sc.sc_word, true);
}

/* Who wants the mutex has it though that one is kept still. */
static void
urgent_is_done(void)
{
	assert_true(await(&sc.sc_done));
	stage_release();
	lt_join(&sc.sc_urgent);
	lt_join(&sc.sc_waiter);
	lt_join(&sc.sc_suspect);
}

/* The urgent one wants the mutex: who has it must not wait for its turn. */
static void
who_is_lent_to_does_not_wait_behind_one_on_its_way(void **state)
{
	(void)state;
	free_the_word();
	lt_start(&lt, &sc.sc_urgent, 10, want_mtx, NULL, 0);
	urgent_is_done();
}

/*
 * The same, and the word was taken by one that barged in and is not told.  What it
 * is lent it has until it lets go.
 */
static void
who_barged_in_is_lent_to(void **state)
{
	(void)state;
	free_the_word();
	gen2->plo_lock(&sc.sc_word);
	lt_start(&lt, &sc.sc_urgent, 10, want_mtx, NULL, 0);
	assert_int_equal(lt_await_pri(lt.lt_td, 10), 10);
	gen2->plo_unlock(&sc.sc_word, true);
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
	urgent_is_done();
}

int
main(void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		STAGED(a_loan_to_a_suspect_is_no_deadlock),
		STAGED(a_suspect_that_leaves_returns_what_it_was_lent),
		STAGED(a_suspect_that_dies_holds_nobody_up),
		STAGED(a_loan_is_passed_on_to_suspects_in_turn),
		STAGED(who_is_lent_to_does_not_wait_behind_one_on_its_way),
		STAGED(who_barged_in_is_lent_to),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
