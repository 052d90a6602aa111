/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Loans of priority, by themselves: what so_block_lent() promises holds in every
 * form of them.  Built for the host, and for FreeBSD's form over umtx_model.c; run
 * with PMAPSIM_LOANS=none too.  Whether a priority arrives: test_inversion.c.
 */

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock/leaf_lock.h"
#include "lock_util.h"
#include "sim/loan.h"
#include "umtx_model.h"

/* Long enough to sleep, short enough to wait for. */
#define SOON_NS 2000000

static uint32_t
word_of(struct thread *td)
{
	/* Acquire: pairs with the lender's stores. */
	return (
	    atomic_load_explicit(&td->td_loan.pw_owner, memory_order_acquire));
}

static uint64_t
soon(void)
{
	return (sim_clock_ns(lt.lt_sim) + SOON_NS);
}

/* Does the host tell of borrowers that are gone, and of cycles? */
static bool
host_tells(void)
{
	return (loan_is_real() && !SIM_UMUTEX);
}

struct lender {
	struct lt_thread le_lth;
	struct thread *_Atomic le_td; /* has lent */
	struct thread *le_to;
	_Atomic bool le_back; /* the loan was given back */
	int le_error;
};

static void
lender_main(void *arg, unsigned i)
{
	struct lender *le = arg;

	(void)i;
	loan_lend(curthread(), le->le_to);
	/* Release: pairs with start_lender(). */
	atomic_store_explicit(&le->le_td, curthread(), memory_order_release);
	le->le_error = loan_block(curthread(), UINT64_MAX);
	/* Release: pairs with is_back(). */
	atomic_store_explicit(&le->le_back, true, memory_order_release);
}

static bool
is_back(struct lender *le)
{
	/* Acquire: pairs with lender_main(). */
	return (atomic_load_explicit(&le->le_back, memory_order_acquire));
}

/* One that lends to to, and sleeps, as far as can be seen. */
static struct thread *
start_lender(struct lender *le, struct thread *to)
{
	struct thread *td;

	memset(le, 0, sizeof(*le));
	le->le_to = to;
	lt_start(&lt, &le->le_lth, PRI_DEFAULT, lender_main, le, 0);
	do {
		(void)sched_yield();
		/* Acquire: pairs with lender_main(). */
		td = atomic_load_explicit(&le->le_td, memory_order_acquire);
	} while (td == NULL);
	while (loan_is_real() && word_of(td) <= PI_TID_MAX && !is_back(le))
		(void)sched_yield();
	return (td);
}

static void
the_borrower_gives_a_loan_back(void **state)
{
	static struct lender le;
	struct thread *td;

	(void)state;
	td = start_lender(&le, lt.lt_td);
	for (int i = 0; i < 100; i++)
		(void)sched_yield();
	assert_false(is_back(&le));
	loan_return(td);
	lt_join(&le.le_lth);
	assert_true(is_back(&le));
	assert_int_equal(le.le_error, 0);
	assert_int_equal(word_of(td), 0);
}

/* A borrower that does what it is told. */
struct borrower {
	struct lt_thread bo_lth;
	struct thread *_Atomic bo_td;
	_Atomic bool bo_returns;
	_Atomic bool bo_leaves;
};

static void
borrower_main(void *arg, unsigned i)
{
	struct borrower *bo = arg;
	bool done = false;

	(void)i;
	/* Release: pairs with start_borrower(). */
	atomic_store_explicit(&bo->bo_td, curthread(), memory_order_release);
	/* Acquire: both pair with tell(). */
	while (!atomic_load_explicit(&bo->bo_leaves, memory_order_acquire)) {
		if (!done &&
		    atomic_load_explicit(
			&bo->bo_returns, memory_order_acquire)) {
			loan_return(lt.lt_td);
			done = true;
		}
		(void)sched_yield();
	}
	if (!done &&
	    atomic_load_explicit(&bo->bo_returns, memory_order_acquire))
		loan_return(lt.lt_td);
}

static void
tell(_Atomic bool *what)
{
	/* Release: pairs with borrower_main(). */
	atomic_store_explicit(what, true, memory_order_release);
}

static struct thread *
start_borrower(struct borrower *bo)
{
	struct thread *td;

	memset(bo, 0, sizeof(*bo));
	lt_start(&lt, &bo->bo_lth, PRI_DEFAULT, borrower_main, bo, 0);
	do {
		(void)sched_yield();
		/* Acquire: pairs with borrower_main(). */
		td = atomic_load_explicit(&bo->bo_td, memory_order_acquire);
	} while (td == NULL);
	return (td);
}

static void
stop_borrower(struct borrower *bo)
{
	tell(&bo->bo_leaves);
	lt_join(&bo->bo_lth);
}

static void
a_loan_may_be_given_back_before_the_sleep(void **state)
{
	static struct borrower bo;

	(void)state;
	loan_lend(lt.lt_td, start_borrower(&bo));
	tell(&bo.bo_returns);
	stop_borrower(&bo);
	assert_int_equal(word_of(lt.lt_td), 0);
	assert_int_equal(loan_block(lt.lt_td, UINT64_MAX), 0);
	assert_int_equal(word_of(lt.lt_td), 0);
}

static void
a_deadline_ends_the_sleep_and_not_the_loan(void **state)
{
	static struct borrower bo;
	uint64_t end;

	(void)state;
	loan_lend(lt.lt_td, start_borrower(&bo));
	for (int i = 0; i < 3; i++) {
		end = soon();
		assert_int_equal(loan_block(lt.lt_td, end), ETIMEDOUT);
		assert_true(sim_clock_ns(lt.lt_sim) + SOON_NS / 2 >= end);
		assert_int_not_equal(word_of(lt.lt_td), 0);
	}
	tell(&bo.bo_returns);
	assert_int_equal(loan_block(lt.lt_td, UINT64_MAX), 0);
	stop_borrower(&bo);
}

static void
a_loan_that_is_called_off_leaves_nothing(void **state)
{
	static struct borrower first, second;

	(void)state;
	loan_lend(lt.lt_td, start_borrower(&first));
	assert_int_equal(loan_block(lt.lt_td, soon()), ETIMEDOUT);
	loan_cancel(lt.lt_td);
	assert_int_equal(word_of(lt.lt_td), 0);
	loan_lend(lt.lt_td, start_borrower(&second));
	tell(&second.bo_returns);
	assert_int_equal(loan_block(lt.lt_td, UINT64_MAX), 0);
	stop_borrower(&second);
	stop_borrower(&first);
}

static void
a_borrower_that_is_gone_is_told_or_waited_for(void **state)
{
	static struct borrower bo;
	static struct lender le;
	struct thread *td;

	(void)state;
	td = start_borrower(&bo);
	if (host_tells()) {
		/* It goes while it is lent to. */
		(void)start_lender(&le, td);
		stop_borrower(&bo);
		lt_join(&le.le_lth);
		assert_int_equal(le.le_error, ESRCH);
	} else
		stop_borrower(&bo);
	loan_lend(lt.lt_td, td);
	assert_int_equal(
	    loan_block(lt.lt_td, soon()), host_tells() ? ESRCH : ETIMEDOUT);
	loan_cancel(lt.lt_td);
}

static void
a_cycle_of_loans_is_told_or_waited_for(void **state)
{
	static struct lender le;
	struct thread *td;
	int error;

	(void)state;
	td = start_lender(&le, lt.lt_td);
	loan_lend(lt.lt_td, td);
	error = loan_block(lt.lt_td, soon());
	loan_cancel(lt.lt_td);
	/* The other sleeps on, or was told and has gone. */
	loan_return(td);
	lt_join(&le.le_lth);
	if (!host_tells()) {
		assert_int_equal(error, ETIMEDOUT);
		assert_int_equal(le.le_error, 0);
		return;
	}
	/*
	 * Linux tells the second to sleep, or both; of a bit that is set one
	 * cannot tell that the other sleeps already.  One that was told has gone.
	 */
	assert_true(error == EDEADLK || error == ESRCH);
	assert_true(le.le_error == EDEADLK || le.le_error == 0);
	assert_true(error == EDEADLK || le.le_error == EDEADLK);
}

/* Each loan of a row is given back by the main thread, at all sorts of moments. */
struct row {
	struct lt_thread ro_lth;
	struct thread *_Atomic ro_lent; /* a loan stands, to be given back */
	_Atomic unsigned ro_timeouts;
	unsigned ro_n;
};

/* Those that are to be given back after their deadline only. */
static bool
returned_late(unsigned n)
{
	return (n % 32 == 1);
}

static void
row_main(void *arg, unsigned i)
{
	struct row *ro = arg;
	int error;

	(void)i;
	for (unsigned n = 0; n < ro->ro_n; n++) {
		loan_lend(curthread(), lt.lt_td);
		/* Release: pairs with the main thread. */
		atomic_store_explicit(
		    &ro->ro_lent, curthread(), memory_order_release);
		error = loan_block(curthread(),
		    n % 2 == 0 ? UINT64_MAX
			       : sim_clock_ns(lt.lt_sim) + n % 64 * 1000);
		if (error == ETIMEDOUT) {
			/* Relaxed: a count. */
			atomic_fetch_add_explicit(
			    &ro->ro_timeouts, 1, memory_order_relaxed);
			error = loan_block(curthread(), UINT64_MAX);
		}
		if (error != 0 || word_of(curthread()) != 0)
			abort();
	}
}

static void
no_loan_is_lost_or_given_back_twice(void **state)
{
	static struct row ro;
	struct thread *td;
	unsigned late = 0;

	(void)state;
	memset(&ro, 0, sizeof(ro));
	ro.ro_n = lt_scale(20000);
	lt_start(&lt, &ro.ro_lth, PRI_DEFAULT, row_main, &ro, 0);
	for (unsigned n = 0; n < ro.ro_n; n++) {
		do {
			if (n % 3 != 0)
				(void)sched_yield();
			/* Acquire: pairs with row_main(). */
			td = atomic_exchange_explicit(
			    &ro.ro_lent, NULL, memory_order_acquire);
		} while (td == NULL);
		/* Some asleep, with the kernel's bit; some on the way. */
		for (unsigned i = 0; n % 4 == 0 && i < 1000 && loan_is_real() &&
		     word_of(td) <= PI_TID_MAX;
		     i++)
			(void)sched_yield();
		late += returned_late(n);
		/* Relaxed: a count. */
		while (returned_late(n) &&
		    atomic_load_explicit(
			&ro.ro_timeouts, memory_order_relaxed) < late)
			(void)sched_yield();
		loan_return(td);
	}
	lt_join(&ro.ro_lth);
}

#define NADDERS 8

static struct leaf_lock leaf;
static unsigned leaf_sum; /* leaf */

static void
add(void *arg, unsigned i)
{
	(void)i;
	for (unsigned n = 0; n < *(const unsigned *)arg; n++) {
		leaf_lock(&leaf, lt.lt_sim);
		leaf_sum++;
		/* A holder that has lost its CPU: the others sleep. */
		if (n % 64 == 0)
			(void)sched_yield();
		leaf_unlock(&leaf);
	}
}

static void
leaf_locks_exclude(void **state)
{
	unsigned n = lt_scale(20000);

	(void)state;
	leaf_sum = 0;
	lt_run(&lt, NADDERS, add, &n);
	assert_int_equal(leaf_sum, NADDERS * n);
	/* Relaxed: nobody else is there. */
	assert_int_equal(
	    atomic_load_explicit(&leaf.ll_word.pw_owner, memory_order_relaxed),
	    0);
}

static void
the_form_is_the_one_asked_for(void **state)
{
	const char *s = getenv("PMAPSIM_LOANS");

	(void)state;
	if (s != NULL && strcmp(s, "none") == 0) {
		assert_false(loan_is_real());
		assert_string_equal(loan_missing(), "PMAPSIM_LOANS=none");
		return;
	}
	if (!loan_is_real()) {
		print_message("loans are not real: %s\n", loan_missing());
		skip();
	}
}

#if SIM_UMUTEX

static void
the_kernel_knows_whom_a_lender_lends_to(void **state)
{
	static struct lender one, two;
	struct thread *td[2];

	(void)state;
	if (!loan_is_real())
		skip();
	td[0] = start_lender(&one, lt.lt_td);
	td[1] = start_lender(&two, lt.lt_td);
	/* One may be on its way back to sleep after an interrupt. */
	while (umtx_model_lends_to(lt.lt_td->td_tid) < 2)
		(void)sched_yield();
	loan_return(td[0]);
	lt_join(&one.le_lth);
	while (umtx_model_lends_to(lt.lt_td->td_tid) < 1)
		(void)sched_yield();
	loan_return(td[1]);
	lt_join(&two.le_lth);
	assert_int_equal(umtx_model_lends_to(lt.lt_td->td_tid), 0);
}

static void
real_time_priorities_can_be_lent(void **state)
{
	(void)state;
	if (!loan_is_real())
		skip();
	umtx_model_rtprio(2, 7);
	assert_int_equal(loan_host_pri(lt.lt_td), PRI_MIN + 7);
	umtx_model_rtprio(10, 31);
	assert_int_equal(loan_host_pri(lt.lt_td), PRI_MIN + 31);
	umtx_model_rtprio(3, 0);
	assert_int_equal(loan_host_pri(lt.lt_td), PRI_NONE);
}

static void
a_kernel_that_refuses_is_found_out(void **state)
{
	const char *why = NULL;

	(void)state;
	umtx_model_deny(ENOSYS);
	assert_null(loan_freebsd(&why));
	assert_non_null(why);
	umtx_model_deny(0);
	assert_non_null(loan_freebsd(&why));
}

#endif /* SIM_UMUTEX */

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_form_is_the_one_asked_for),
		cmocka_unit_test(the_borrower_gives_a_loan_back),
		cmocka_unit_test(a_loan_may_be_given_back_before_the_sleep),
		cmocka_unit_test(a_deadline_ends_the_sleep_and_not_the_loan),
		cmocka_unit_test(a_loan_that_is_called_off_leaves_nothing),
		cmocka_unit_test(a_borrower_that_is_gone_is_told_or_waited_for),
		cmocka_unit_test(a_cycle_of_loans_is_told_or_waited_for),
		cmocka_unit_test(no_loan_is_lost_or_given_back_twice),
		cmocka_unit_test(leaf_locks_exclude),
#if SIM_UMUTEX
		cmocka_unit_test(the_kernel_knows_whom_a_lender_lends_to),
		cmocka_unit_test(real_time_priorities_can_be_lent),
		cmocka_unit_test(a_kernel_that_refuses_is_found_out),
#endif
	};

	return (lt_run_tests(tests, sizeof(tests) / sizeof(tests[0]), 2));
}
