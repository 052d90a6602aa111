/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lending a priority on a host that we do not know how to: not at all.  A thread
 * that would lend just blocks, and simulated priorities work as everywhere.
 *
 * FreeBSD has what it takes, umutexes of protocol UMUTEX_PRIO_INHERIT, with the
 * same rule that only the thread in the word unlocks; a file beside this one
 * would use them.
 */

#include "sim/loan.h"

#include <errno.h>
#include <sched.h>

#include "kern/cpu.h"

#define LEAF_SPINS 64

/* td_loan: 0, or 1 while the loan stands. */

void
loan_lend(struct thread *td, const struct thread *to)
{
	(void)to;
	/* Relaxed: the chain lock orders it before the borrower's return. */
	atomic_store_explicit(&td->td_loan, 1, memory_order_relaxed);
}

int
loan_block(struct thread *td, uint64_t deadline_ns)
{
	const struct sim_ops *ops = td->td_sim->sim_ops;

	/* Acquire: pairs with loan_return(). */
	while (atomic_load_explicit(&td->td_loan, memory_order_acquire) != 0) {
		if (deadline_ns == UINT64_MAX)
			ops->so_block(td);
		else if (!ops->so_block_until(td, deadline_ns))
			return (ETIMEDOUT);
	}
	return (0);
}

void
loan_return(struct thread *td)
{
	/* Release: pairs with loan_block(). */
	atomic_store_explicit(&td->td_loan, 0, memory_order_release);
	td->td_sim->sim_ops->so_wake(td);
}

void
loan_cancel(struct thread *td)
{
	/* Relaxed: nobody else uses the word now. */
	atomic_store_explicit(&td->td_loan, 0, memory_order_relaxed);
}

bool
loan_is_real(void)
{
	return (false);
}

int
loan_host_pri(const struct thread *td)
{
	(void)td;
	return (PRI_NONE);
}

uint32_t
loan_tid(void)
{
	static _Atomic uint32_t last;
	static _Thread_local uint32_t tid;

	/* Relaxed: distinct numbers, no more. */
	if (tid == 0)
		tid = 1 +
		    atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
	return (tid);
}

void
loan_pi_lock(_Atomic uint32_t *word, uint32_t tid)
{
	uint32_t v;

	for (unsigned i = 1;; i++) {
		v = 0;
		/* Relaxed: a hint that the CAS may succeed. */
		if (atomic_load_explicit(word, memory_order_relaxed) == 0 &&
		    /* Acquire: pairs with leaf_unlock(). */
		    atomic_compare_exchange_strong_explicit(word, &v, tid,
			memory_order_acquire, memory_order_relaxed))
			return;
		if (i % LEAF_SPINS != 0)
			cpu_spinwait();
		else
			(void)sched_yield();
	}
}

/* Not reached: no word has more than its holder's number. */
void
loan_pi_unlock(_Atomic uint32_t *word)
{
	/* Release: as leaf_unlock(). */
	atomic_store_explicit(word, 0, memory_order_release);
}
