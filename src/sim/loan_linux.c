/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lending a priority under Linux: PI futexes.  The only file that names them.
 *
 * FUTEX_LOCK_PI (or FUTEX_LOCK_PI2, the same with another clock) sleeps on a word
 * that holds the id of a thread, and for as long as it does the kernel lets that
 * thread run with the sleeper's priority, and whomever that one sleeps for in the
 * same way, and so on.  It needs no privilege: the sleeper had the priority
 * already.
 *
 * A loan turns this about.  Each thread has one such word, td_loan, and is the
 * only one to sleep on it.  The *lender* writes the borrower's id there, and then
 * "waits for the lock": the borrower did not do anything and need not know.  The
 * kernel lets only the thread whose id is in the word unlock it, so a loan can
 * be given back by the borrower, or be called off by the lender, and by nobody
 * else; this is the whole of what so_block_lent() says.
 *
 *	lend		0 -> to			lender
 *	sleep		to -> to | WAITERS	kernel, for the lender
 *	return		to -> 0			CAS, borrower: nobody sleeps yet
 *			to | WAITERS -> td	kernel, FUTEX_UNLOCK_PI
 *	awake		td -> 0			lender
 *			0 -> td -> 0		kernel, lender: was returned before
 *	cancel		to, to | WAITERS -> 0	lender, which does not sleep
 *
 * Invariant.  While the borrower owes a return, the lender does not leave this
 * file for good: the word is touched by no borrower of an earlier loan.
 *
 * What the kernel lends are real-time and deadline priorities.  Among the others
 * (SCHED_OTHER and its kin) there is nothing to lend, whatever their nice value;
 * linux_host_pri() says so.
 *
 * leaf_lock.h uses a PI futex in the ordinary way: a chain lock whose holder
 * loses its CPU must not hold up the urgent.
 *
 * ThreadSanitizer does not see the kernel's accesses.  A loan orders nothing;
 * for the leaf lock both slow paths touch the word once with the order that the
 * fast path has.
 */

#include "sim/loan.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kern/kassert.h"
#include "sim/clock.h"

#define NS_PER_S UINT64_C(1000000000)

/* Rounds of a leaf lock's waiter before it sleeps.  Assumed: see leaf_lock.h. */
#define LEAF_SPINS 64

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

/*
 * FUTEX_LOCK_PI2, with the clock that nobody sets, is there from Linux 5.14.  Set
 * once, by loan_linux(); constant after that.
 */
static int lock_op;
static clockid_t lock_clock;

static int
futex_pi(_Atomic uint32_t *word, int op, const struct timespec *ts)
{
	if (syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, 0, ts, NULL, 0) ==
	    0)
		return (0);
	return (errno);
}

/* The kernel fails a thread, and not for a reason that passes. */
static _Noreturn void
futex_failed(const char *what, const _Atomic uint32_t *word, int error)
{
	panic("loan: %s on %#" PRIxPTR ": %s; it worked when the process "
	      "began, PMAPSIM_LOANS=none does without",
	    what, (uintptr_t)word, strerror(error));
}

static void
futex_unlock(_Atomic uint32_t *word)
{
	int error;

	do {
		error = futex_pi(word, FUTEX_UNLOCK_PI, NULL);
	} while (error == EAGAIN || error == EINTR);
	if (error != 0)
		futex_failed("FUTEX_UNLOCK_PI", word, error);
}

static uint32_t
linux_tid(void)
{
	return ((uint32_t)syscall(SYS_gettid));
}

static int
linux_host_pri(const struct thread *td)
{
	pid_t tid = td == curthread() ? 0 : (pid_t)td->td_tid;
	struct sched_param sp;
	int policy;

	/* -1: the thread has gone. */
	policy = sched_getscheduler(tid);
	if (policy == -1)
		return (PRI_NONE);
	policy &= ~SCHED_RESET_ON_FORK;
	if (policy == SCHED_DEADLINE)
		return (PRI_MIN);
	if (policy != SCHED_FIFO && policy != SCHED_RR)
		return (PRI_NONE);
	if (sched_getparam(tid, &sp) != 0)
		return (PRI_NONE);
	/* 1 to 99, larger is more urgent: ours are 99 to 1. */
	return (100 - sp.sched_priority);
}

static void
linux_lend(struct thread *td, const struct thread *to)
{
	/* Relaxed: the chain lock orders it before the borrower's return. */
	atomic_store_explicit(
	    &td->td_loan.pw_owner, to->td_tid, memory_order_relaxed);
}

/*
 * ns from now, by the clock of lock_op.  FUTEX_LOCK_PI knows the clock of the day
 * only.  If that is set while a thread lends, the deadline comes early or late by
 * as much; only loans to suspects have one.  Early, the lender asks again who the
 * owner is, no more.  Late, it lends to one that perhaps is not the owner until
 * that one lets go of a lock or the deadline is there: an inversion of that length,
 * and nothing is lost.
 */
static void
time_in(uint64_t ns, struct timespec *ts)
{
	(void)clock_gettime(lock_clock, ts);
	ns += (uint64_t)ts->tv_nsec;
	ts->tv_sec += (time_t)(ns / NS_PER_S);
	ts->tv_nsec = (long)(ns % NS_PER_S);
}

static int
linux_block(struct thread *td, uint64_t deadline_ns)
{
	_Atomic uint32_t *word = &td->td_loan.pw_owner;
	struct timespec ts;
	uint64_t now;
	uint32_t v;
	int error;

	if (deadline_ns != UINT64_MAX) {
		now = clock_ns();
		time_in(deadline_ns > now ? deadline_ns - now : 0, &ts);
	}
	do {
		/* EAGAIN: the borrower is on its way out. */
		error = futex_pi(
		    word, lock_op, deadline_ns != UINT64_MAX ? &ts : NULL);
	} while (error == EINTR || error == EAGAIN);
	if (error == 0) {
		/* Acquire: the borrower is done with us; linux_return(). */
		v = atomic_load_explicit(word, memory_order_acquire);
		/* Relaxed: nobody else uses the word now. */
		atomic_store_explicit(word, 0, memory_order_relaxed);
		/* The kernel returned it, for a borrower that has exited. */
		if ((v & FUTEX_OWNER_DIED) != 0)
			error = ESRCH;
	} else if (error != ETIMEDOUT && error != ENOMEM && error != ESRCH &&
	    error != EDEADLK)
		futex_failed("FUTEX_LOCK_PI", word, error);
	return (error);
}

static void
linux_return(struct thread *td)
{
	_Atomic uint32_t *word = &td->td_loan.pw_owner;
	uint32_t v = curthread()->td_tid;

	/* Release: whoever walks a list of lenders has left this one. */
	if (atomic_compare_exchange_strong_explicit(
		word, &v, 0, memory_order_release, memory_order_relaxed))
		return;
	/* Release: the same, in an operation that changes nothing. */
	(void)atomic_fetch_or_explicit(word, 0, memory_order_release);
	futex_unlock(word);
}

static void
linux_cancel(struct thread *td)
{
	/* Relaxed: nobody else uses the word now. */
	atomic_store_explicit(&td->td_loan.pw_owner, 0, memory_order_relaxed);
}

static bool
leaf_try(_Atomic uint32_t *word, uint32_t tid)
{
	uint32_t v = 0;

	/* Relaxed: a hint that the CAS may succeed. */
	return (atomic_load_explicit(word, memory_order_relaxed) == 0 &&
	    /* Acquire: pairs with leaf_unlock(). */
	    atomic_compare_exchange_strong_explicit(
		word, &v, tid, memory_order_acquire, memory_order_relaxed));
}

static void
linux_pi_lock(struct pi_word *pw, uint32_t tid)
{
	int error;

	do {
		for (int i = 0; i < LEAF_SPINS; i++) {
			if (leaf_try(&pw->pw_owner, tid))
				return;
			cpu_spinwait();
		}
		/* ENOMEM: it has no memory to note a sleeper in just now. */
		error = futex_pi(&pw->pw_owner, lock_op, NULL);
	} while (error == EINTR || error == EAGAIN || error == ENOMEM);
	if (error != 0)
		futex_failed("FUTEX_LOCK_PI", &pw->pw_owner, error);
	/* Acquire: the kernel wrote the word; pairs with linux_pi_unlock(). */
	(void)atomic_load_explicit(&pw->pw_owner, memory_order_acquire);
}

static void
linux_pi_unlock(struct pi_word *pw)
{
	/* Release: as leaf_unlock(), in an operation that changes nothing. */
	(void)atomic_fetch_or_explicit(&pw->pw_owner, 0, memory_order_release);
	futex_unlock(&pw->pw_owner);
}

static const struct loan_ops linux_ops = {
	.lo_lend = linux_lend,
	.lo_block = linux_block,
	.lo_return = linux_return,
	.lo_cancel = linux_cancel,
	.lo_host_pri = linux_host_pri,
	.lo_tid = linux_tid,
	.lo_pi_lock = linux_pi_lock,
	.lo_pi_unlock = linux_pi_unlock,
};

/*
 * Lock and unlock a word that nobody else knows.  The kernel does both as it would
 * with others waiting; without PI futexes, or in a sandbox, neither.
 */
static int
try_op(int op)
{
	_Atomic uint32_t word = 0;
	int error;

	error = futex_pi(&word, op, NULL);
	if (error == 0)
		error = futex_pi(&word, FUTEX_UNLOCK_PI, NULL);
	return (error);
}

const struct loan_ops *
loan_linux(const char **whyp)
{
	lock_op = FUTEX_LOCK_PI2;
	lock_clock = CLOCK_MONOTONIC;
	if (try_op(lock_op) == 0)
		return (&linux_ops);
	lock_op = FUTEX_LOCK_PI;
	lock_clock = CLOCK_REALTIME;
	if (try_op(lock_op) == 0)
		return (&linux_ops);
	*whyp = "the kernel has no PI futexes, or keeps them from this process";
	return (NULL);
}
