/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_LOAN_WORD_H
#define SIM_LOAN_WORD_H

/*
 * What the forms of loans do alike with a struct pi_word: the steps of a loan that
 * need no kernel, and the attempts at a leaf lock that come before a sleep.
 * loan_linux.c has the table of a loan's steps.
 */

#include <time.h>

#include "kern/cpu.h"
#include "sim/loan.h"

/* Rounds of a leaf lock's waiter before it sleeps.  Assumed: see leaf_lock.h. */
#define LEAF_SPINS 64

/* so_lend: the lender writes who the borrower is. */
static inline void
loan_word_lend(struct thread *td, const struct thread *to)
{
	/* Relaxed: the chain lock orders it before the borrower's return. */
	atomic_store_explicit(
	    &td->td_loan.pw_owner, to->td_tid, memory_order_relaxed);
}

/* so_lend_cancel; and the last step of a lender that was awake again. */
static inline void
loan_word_clear(struct thread *td)
{
	/* Relaxed: nobody else uses the word now. */
	atomic_store_explicit(&td->td_loan.pw_owner, 0, memory_order_relaxed);
}

/* so_unlend as long as nobody sleeps on the word.  False: the kernel has to. */
static inline bool
loan_word_return(struct thread *td)
{
	_Atomic uint32_t *word = &td->td_loan.pw_owner;
	uint32_t v = curthread()->td_tid;

	/* Release: whoever walks a list of lenders has left this one. */
	if (atomic_compare_exchange_strong_explicit(
		word, &v, 0, memory_order_release, memory_order_relaxed))
		return (true);
	/* Release: the same, in an operation that changes nothing. */
	(void)atomic_fetch_or_explicit(word, 0, memory_order_release);
	return (false);
}

static inline bool
leaf_word_try(struct pi_word *pw, uint32_t tid)
{
	uint32_t v = 0;

	/* Relaxed: a hint that the CAS may succeed. */
	return (
	    atomic_load_explicit(&pw->pw_owner, memory_order_relaxed) == 0 &&
	    /* Acquire: pairs with leaf_unlock(). */
	    atomic_compare_exchange_strong_explicit(&pw->pw_owner, &v, tid,
		memory_order_acquire, memory_order_relaxed));
}

/* Try for LEAF_SPINS rounds. */
static inline bool
leaf_word_spin(struct pi_word *pw, uint32_t tid)
{
	for (int i = 0; i < LEAF_SPINS; i++) {
		if (leaf_word_try(pw, tid))
			return (true);
		cpu_spinwait();
	}
	return (false);
}

/* so_pi_unlock, before the kernel is called. */
static inline void
leaf_word_release(struct pi_word *pw)
{
	/* Release: as leaf_unlock(), in an operation that changes nothing. */
	(void)atomic_fetch_or_explicit(&pw->pw_owner, 0, memory_order_release);
}

/*
 * A deadline of so_block_lent(), which is a time of clock_ns(), as the time of the
 * clock that the kernel is to wait by.
 */
void loan_deadline(uint64_t deadline_ns, clockid_t clock, struct timespec *ts);

/* The kernel fails a thread, and not for a reason that passes. */
_Noreturn void
loan_failed(const char *what, const struct pi_word *pw, int error);

#endif /* SIM_LOAN_WORD_H */
