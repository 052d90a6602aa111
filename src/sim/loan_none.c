/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lending a priority where that cannot be done: not at all.  A thread that would
 * lend just blocks, and simulated priorities work as everywhere.  The host has no
 * way to it that we know, or keeps it from us: see loan.h.
 *
 * Who waits for a leaf lock spins, and yields.  A holder that has lost its CPU to a
 * real-time thread that waits in this way on the same CPU never gets it back: such
 * threads need a host that lends.
 *
 * Nothing is said of a borrower that has gone, and of cycles: turnstile_cycle.c finds
 * those.
 */

#include <errno.h>
#include <sched.h>

#include "sim/loan_word.h"

static int
none_block(struct thread *td, uint64_t deadline_ns)
{
	const struct sim_ops *ops = td->td_sim->sim_ops;

	/* Acquire: pairs with none_return(). */
	while (atomic_load_explicit(
		   &td->td_loan.pw_owner, memory_order_acquire) != 0) {
		if (deadline_ns == UINT64_MAX)
			ops->so_block(td);
		else if (!ops->so_block_until(td, deadline_ns))
			return (ETIMEDOUT);
	}
	return (0);
}

static void
none_return(struct thread *td)
{
	/* Release: pairs with none_block(). */
	atomic_store_explicit(&td->td_loan.pw_owner, 0, memory_order_release);
	td->td_sim->sim_ops->so_wake(td);
}

static int
none_host_pri(const struct thread *td)
{
	(void)td;
	return (PRI_NONE);
}

static uint32_t
none_tid(void)
{
	static _Atomic uint32_t last;
	static _Thread_local uint32_t tid;

	/* Relaxed: distinct numbers, no more. */
	if (tid == 0)
		tid = 1 +
		    atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
	return (tid);
}

static void
none_pi_lock(struct pi_word *pw, uint32_t tid)
{
	while (!leaf_word_spin(pw, tid))
		(void)sched_yield();
}

/* Not reached: no word has more than its holder's number. */
static void
none_pi_unlock(struct pi_word *pw)
{
	/* Release: as leaf_unlock(). */
	atomic_store_explicit(&pw->pw_owner, 0, memory_order_release);
}

const struct loan_ops loan_none_ops = {
	.lo_lend = loan_word_lend,
	.lo_block = none_block,
	.lo_return = none_return,
	.lo_cancel = loan_word_clear,
	.lo_host_pri = none_host_pri,
	.lo_tid = none_tid,
	.lo_pi_lock = none_pi_lock,
	.lo_pi_unlock = none_pi_unlock,
};
