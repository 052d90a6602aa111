/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lending a priority under FreeBSD: umutexes of protocol UMUTEX_PRIO_INHERIT,
 * which is what libthr's mutexes of PTHREAD_PRIO_INHERIT are.  The only file that
 * names them.
 *
 * Not run on FreeBSD yet: written from what _umtx_op(2) and kern_umtx.c promise, and
 * run against tests/umtx_model.c, which does as they do.
 *
 * UMTX_OP_MUTEX_LOCK sleeps on a struct umutex whose m_owner holds the id of a
 * thread of this process, and lends to it and along the chain, as PI futexes do.
 * loan_linux.c says how a loan makes use of that; here is what differs.
 *
 *	lend		0 -> to			lender
 *	sleep		to -> to | CONTESTED	kernel, for the lender
 *	return		to -> 0			CAS, borrower: nobody sleeps yet
 *			to | CONTESTED -> 0	kernel, UMTX_OP_MUTEX_UNLOCK
 *	awake		0 -> td			kernel, for the lender
 *			td -> 0			lender
 *	cancel		to, to | CONTESTED -> 0	lender, which does not sleep
 *
 *   - The kernel reads m_flags beside the owner, so struct pi_word is a whole
 *	umutex here.  Its words begin as zeroes; whoever calls the kernel writes
 *	the protocol first.  All write the same.
 *   - An unlock leaves the umutex without an owner, and the thread that it woke
 *	takes it.  The lender is the only one to want its own, so nobody comes
 *	before it, and as soon as it has it the borrower is done with the word: the
 *	store of 0 is the last thing that the kernel does there in an unlock.
 *   - A leaf lock that several wait for is left CONTESTED without an owner.  For
 *	the CAS of leaf_lock() that is a held lock; only the kernel gives it out.
 *   - The kernel neither tells that the owner has gone, it goes on sleeping, nor
 *	that owners wait for each other, it stops lending where it finds the
 *	cycle.  A loan to a suspect ends by its time in any case; a true
 *	deadlock is found by turnstile_cycle.c.
 *   - Real-time priorities are lent.  All of the time-sharing class lend the
 *	least urgent priority of that class, which helps nobody but an idle
 *	thread; freebsd_host_pri() passes over that.
 *
 * The invariant is the same: while the borrower owes a return, the lender does not
 * leave this file for good.
 */

#include <sys/rtprio.h>
#include <sys/types.h>
#include <sys/umtx.h>

#include <errno.h>
#include <pthread_np.h>
#include <string.h>

#include "sim/loan_word.h"

_Static_assert(sizeof(struct pi_word) == sizeof(struct umutex) &&
	offsetof(struct pi_word, pw_owner) ==
	    offsetof(struct umutex, m_owner) &&
	offsetof(struct pi_word, pw_flags) == offsetof(struct umutex, m_flags),
    "a struct pi_word is a struct umutex");
_Static_assert((uint32_t)UMUTEX_CONTESTED > PI_TID_MAX,
    "the kernel's bit is none of a thread's number");

static int
umutex_op(struct pi_word *pw, int op, struct _umtx_time *ut)
{
	/* Relaxed: read by the kernel, for this thread. */
	atomic_store_explicit(
	    &pw->pw_flags, UMUTEX_PRIO_INHERIT, memory_order_relaxed);
	if (_umtx_op(pw, op, 0,
		ut != NULL ? (void *)(uintptr_t)sizeof(*ut) : NULL, ut) == 0)
		return (0);
	return (errno);
}

static void
umutex_unlock(struct pi_word *pw)
{
	int error;

	do {
		error = umutex_op(pw, UMTX_OP_MUTEX_UNLOCK, NULL);
	} while (error == EINTR);
	if (error != 0)
		loan_failed("UMTX_OP_MUTEX_UNLOCK", pw, error);
}

static uint32_t
freebsd_tid(void)
{
	return ((uint32_t)pthread_getthreadid_np());
}

static int
freebsd_host_pri(const struct thread *td)
{
	lwpid_t tid = td == curthread() ? 0 : (lwpid_t)td->td_tid;
	struct rtprio rtp;

	/* An error: the thread has gone. */
	if (rtprio_thread(RTP_LOOKUP, tid, &rtp) != 0 ||
	    (rtp.type != RTP_PRIO_REALTIME && rtp.type != RTP_PRIO_FIFO))
		return (PRI_NONE);
	/* 0 to 31, smaller is more urgent, as ours. */
	return (PRI_MIN + rtp.prio);
}

static int
freebsd_block(struct thread *td, uint64_t deadline_ns)
{
	struct pi_word *pw = &td->td_loan;
	struct _umtx_time ut;
	int error;

	if (deadline_ns != UINT64_MAX) {
		/* The clock that nobody sets. */
		memset(&ut, 0, sizeof(ut));
		ut._flags = UMTX_ABSTIME;
		ut._clockid = CLOCK_MONOTONIC;
		loan_deadline(deadline_ns, CLOCK_MONOTONIC, &ut._timeout);
	}
	do {
		error = umutex_op(pw, UMTX_OP_MUTEX_LOCK,
		    deadline_ns != UINT64_MAX ? &ut : NULL);
	} while (error == EINTR);
	if (error == 0) {
		/* Acquire: the borrower is done with us; freebsd_return(). */
		(void)atomic_load_explicit(&pw->pw_owner, memory_order_acquire);
		loan_word_clear(td);
	} else if (error != ETIMEDOUT && error != ENOMEM && error != EDEADLK)
		loan_failed("UMTX_OP_MUTEX_LOCK", pw, error);
	return (error);
}

static void
freebsd_return(struct thread *td)
{
	if (!loan_word_return(td))
		umutex_unlock(&td->td_loan);
}

static void
freebsd_pi_lock(struct pi_word *pw, uint32_t tid)
{
	int error;

	do {
		if (leaf_word_spin(pw, tid))
			return;
		error = umutex_op(pw, UMTX_OP_MUTEX_LOCK, NULL);
	} while (error == EINTR || error == ENOMEM);
	if (error != 0)
		loan_failed("UMTX_OP_MUTEX_LOCK", pw, error);
	/* Acquire: the kernel wrote the word; as loan_linux.c. */
	(void)atomic_load_explicit(&pw->pw_owner, memory_order_acquire);
}

static void
freebsd_pi_unlock(struct pi_word *pw)
{
	leaf_word_release(pw);
	umutex_unlock(pw);
}

static const struct loan_ops freebsd_ops = {
	.lo_lend = loan_word_lend,
	.lo_block = freebsd_block,
	.lo_return = freebsd_return,
	.lo_cancel = loan_word_clear,
	.lo_host_pri = freebsd_host_pri,
	.lo_tid = freebsd_tid,
	.lo_pi_lock = freebsd_pi_lock,
	.lo_pi_unlock = freebsd_pi_unlock,
};

const struct loan_ops *
loan_freebsd(const char **whyp)
{
	struct pi_word pw = { .pw_owner = 0 };
	uint32_t owner;

	/* A word that nobody else knows: it must come to us, and go. */
	if (umutex_op(&pw, UMTX_OP_MUTEX_LOCK, NULL) == 0) {
		/* Relaxed: this thread's own. */
		owner =
		    atomic_load_explicit(&pw.pw_owner, memory_order_relaxed);
		if (owner == freebsd_tid() &&
		    umutex_op(&pw, UMTX_OP_MUTEX_UNLOCK, NULL) == 0)
			return (&freebsd_ops);
	}
	*whyp = "the kernel keeps umutexes from this process";
	return (NULL);
}
