/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lending a priority under Linux: PI futexes.  The only file that names them.
 *
 * FUTEX_LOCK_PI sleeps on a word that holds the id of a thread, and for as long
 * as it does the kernel lets that thread run with the sleeper's priority, and
 * whomever that one sleeps for in the same way, and so on.  It needs no
 * privilege: the sleeper had the priority already.
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
 * loan_host_pri() says so.
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
#include <limits.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "kern/kassert.h"
#include "sim/clock.h"

#define NS_PER_S UINT64_C(1000000000)

/* Rounds of a leaf lock's waiter before it sleeps.  Assumed: see leaf_lock.h. */
#define LEAF_SPINS 64

static int
futex_pi(_Atomic uint32_t *word, int op, const struct timespec *ts)
{
	if (syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, 0, ts, NULL, 0) ==
	    0)
		return (0);
	return (errno);
}

uint32_t
loan_tid(void)
{
	return ((uint32_t)syscall(SYS_gettid));
}

bool
loan_is_real(void)
{
	return (true);
}

int
loan_host_pri(const struct thread *td)
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

void
loan_lend(struct thread *td, const struct thread *to)
{
	/* Relaxed: the chain lock orders it before the borrower's return. */
	atomic_store_explicit(&td->td_loan, to->td_tid, memory_order_relaxed);
}

/*
 * The kernel's clock for FUTEX_LOCK_PI is the one of the day.  If that is set
 * meanwhile a deadline comes early or late, by as much; only loans to suspects have
 * one.  FUTEX_LOCK_PI2 (Linux 5.14) has the other clock.
 */
static void
realtime_in(uint64_t ns, struct timespec *ts)
{
	(void)clock_gettime(CLOCK_REALTIME, ts);
	ns += (uint64_t)ts->tv_nsec;
	ts->tv_sec += (time_t)(ns / NS_PER_S);
	ts->tv_nsec = (long)(ns % NS_PER_S);
}

int
loan_block(struct thread *td, uint64_t deadline_ns)
{
	struct timespec ts;
	uint64_t now;
	uint32_t v;
	int error;

	if (deadline_ns != UINT64_MAX) {
		now = clock_ns();
		realtime_in(deadline_ns > now ? deadline_ns - now : 0, &ts);
	}
	do {
		/* EAGAIN: the borrower is on its way out. */
		error = futex_pi(&td->td_loan, FUTEX_LOCK_PI,
		    deadline_ns != UINT64_MAX ? &ts : NULL);
	} while (error == EINTR || error == EAGAIN);
	if (error == 0) {
		/* Acquire: the borrower is done with us; loan_return(). */
		v = atomic_load_explicit(&td->td_loan, memory_order_acquire);
		/* Relaxed: nobody else uses the word now. */
		atomic_store_explicit(&td->td_loan, 0, memory_order_relaxed);
		/* The kernel returned it, for a borrower that has exited. */
		if ((v & FUTEX_OWNER_DIED) != 0)
			error = ESRCH;
	}
	KASSERT(error == 0 || error == ETIMEDOUT || error == ESRCH ||
		error == EDEADLK,
	    ("thread %u: FUTEX_LOCK_PI: error %d", (unsigned)td->td_id, error));
	return (error);
}

void
loan_return(struct thread *td)
{
	uint32_t v = curthread()->td_tid;
	int error;

	/* Release: whoever walks a list of lenders has left this one. */
	if (atomic_compare_exchange_strong_explicit(&td->td_loan, &v, 0,
		memory_order_release, memory_order_relaxed))
		return;
	/* Release: the same, in an operation that changes nothing. */
	(void)atomic_fetch_or_explicit(&td->td_loan, 0, memory_order_release);
	do {
		error = futex_pi(&td->td_loan, FUTEX_UNLOCK_PI, NULL);
	} while (error == EAGAIN || error == EINTR);
	KASSERT(error == 0,
	    ("thread %u: FUTEX_UNLOCK_PI: error %d", (unsigned)td->td_id,
		error));
}

void
loan_cancel(struct thread *td)
{
	/* Relaxed: nobody else uses the word now. */
	atomic_store_explicit(&td->td_loan, 0, memory_order_relaxed);
}

void
loan_pi_lock(_Atomic uint32_t *word, uint32_t tid)
{
	uint32_t v;
	int error;

	for (int i = 0; i < LEAF_SPINS; i++) {
		v = 0;
		/* Relaxed: a hint that the CAS may succeed. */
		if (atomic_load_explicit(word, memory_order_relaxed) == 0 &&
		    /* Acquire: pairs with leaf_unlock(). */
		    atomic_compare_exchange_strong_explicit(word, &v, tid,
			memory_order_acquire, memory_order_relaxed))
			return;
		cpu_spinwait();
	}
	do {
		error = futex_pi(word, FUTEX_LOCK_PI, NULL);
	} while (error == EINTR || error == EAGAIN);
	if (error != 0)
		panic("leaf lock %#" PRIxPTR ": FUTEX_LOCK_PI: error %d",
		    (uintptr_t)word, error);
	/* Acquire: the kernel wrote the word; pairs with loan_pi_unlock(). */
	(void)atomic_load_explicit(word, memory_order_acquire);
}

void
loan_pi_unlock(_Atomic uint32_t *word)
{
	int error;

	/* Release: as leaf_unlock(), in an operation that changes nothing. */
	(void)atomic_fetch_or_explicit(word, 0, memory_order_release);
	do {
		error = futex_pi(word, FUTEX_UNLOCK_PI, NULL);
	} while (error == EAGAIN || error == EINTR);
	if (error != 0)
		panic("leaf lock %#" PRIxPTR ": FUTEX_UNLOCK_PI: error %d",
		    (uintptr_t)word, error);
}
