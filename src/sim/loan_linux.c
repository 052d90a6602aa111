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

#include <linux/futex.h>
#include <sys/syscall.h>

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "sim/loan_word.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

/*
 * FUTEX_LOCK_PI2, with the clock that nobody sets, is there from Linux 5.14.
 * FUTEX_LOCK_PI knows the clock of the day only.  If that is set while a thread
 * lends, the deadline comes early or late by as much; only loans to suspects have
 * one.  Early, the lender asks again who the owner is, no more.  Late, it lends to
 * one that perhaps is not the owner until that one lets go of a lock or the
 * deadline is there: an inversion of that length, and nothing is lost.
 *
 * Set once, by loan_linux(); constant after that.
 */
static int lock_op;
static clockid_t lock_clock;

static int
futex_pi(struct pi_word *pw, int op, const struct timespec *ts)
{
	if (syscall(SYS_futex, &pw->pw_owner, op | FUTEX_PRIVATE_FLAG, 0, ts,
		NULL, 0) == 0)
		return (0);
	return (errno);
}

static void
futex_unlock(struct pi_word *pw)
{
	int error;

	do {
		error = futex_pi(pw, FUTEX_UNLOCK_PI, NULL);
	} while (error == EAGAIN || error == EINTR);
	if (error != 0)
		loan_failed("FUTEX_UNLOCK_PI", pw, error);
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

static int
linux_block(struct thread *td, uint64_t deadline_ns)
{
	struct pi_word *pw = &td->td_loan;
	struct timespec ts;
	uint32_t v;
	int error;

	if (deadline_ns != UINT64_MAX)
		loan_deadline(deadline_ns, lock_clock, &ts);
	do {
		/* EAGAIN: the borrower is on its way out. */
		error = futex_pi(
		    pw, lock_op, deadline_ns != UINT64_MAX ? &ts : NULL);
	} while (error == EINTR || error == EAGAIN);
	if (error == 0) {
		/* Acquire: the borrower is done with us; linux_return(). */
		v = atomic_load_explicit(&pw->pw_owner, memory_order_acquire);
		loan_word_clear(td);
		/* The kernel returned it, for a borrower that has exited. */
		if ((v & FUTEX_OWNER_DIED) != 0)
			error = ESRCH;
	} else if (error != ETIMEDOUT && error != ENOMEM && error != ESRCH &&
	    error != EDEADLK)
		loan_failed("FUTEX_LOCK_PI", pw, error);
	return (error);
}

static void
linux_return(struct thread *td)
{
	if (!loan_word_return(td))
		futex_unlock(&td->td_loan);
}

static void
linux_pi_lock(struct pi_word *pw, uint32_t tid)
{
	int error;

	do {
		if (leaf_word_spin(pw, tid))
			return;
		/* ENOMEM: it has no memory to note a sleeper in just now. */
		error = futex_pi(pw, lock_op, NULL);
	} while (error == EINTR || error == EAGAIN || error == ENOMEM);
	if (error != 0)
		loan_failed("FUTEX_LOCK_PI", pw, error);
	/* Acquire: the kernel wrote the word; pairs with linux_pi_unlock(). */
	(void)atomic_load_explicit(&pw->pw_owner, memory_order_acquire);
}

static void
linux_pi_unlock(struct pi_word *pw)
{
	leaf_word_release(pw);
	futex_unlock(pw);
}

static const struct loan_ops linux_ops = {
	.lo_lend = loan_word_lend,
	.lo_block = linux_block,
	.lo_return = linux_return,
	.lo_cancel = loan_word_clear,
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
	struct pi_word pw = { .pw_owner = 0 };
	int error;

	error = futex_pi(&pw, op, NULL);
	if (error == 0)
		error = futex_pi(&pw, FUTEX_UNLOCK_PI, NULL);
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
