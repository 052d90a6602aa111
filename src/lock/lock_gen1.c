/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "gen1": a spin lock in the lowest bit of the generation.
 *
 *	 31                                        1   0
 *	+-------------------------------------------+---+
 *	|                generation                 | L |
 *	+-------------------------------------------+---+
 *
 *	lock		*,0 -> *,1		or, any thread
 *	unlock		g,1 -> g',0		store, holder
 *
 * Invariant.  While L is set only the holder changes the word: others try to set
 * what is set already.  Hence a release needs no atomic read-modify-write, which
 * is what this lock has over gen2, whose waiters have a bit to set.
 *
 * Waiters back off exponentially while they read, not write, the word.  In user
 * space the holder can lose its CPU, so a waiter whose budget is used up yields
 * its own, as often as it takes; it never blocks, and nobody is woken.
 *
 * Not provided.  Fairness, priorities, an owner (plo_owned as in gen2).
 *
 * Limits.  The generation wraps after 2^31 changes, which is counted as in gen2.
 */

#include <inttypes.h>
#include <stdatomic.h>

#include "kern/kassert.h"
#include "lock/lock.h"
#include "lock/lock_delay.h"
#include "lock/pv_backends.h"

#define GEN1_BITS   1
#define GEN1_LOCKED UINT32_C(1)
#define GEN1_ONE    (UINT32_C(1) << GEN1_BITS)

static bool
gen1_trylock(void *arg)
{
	_Atomic uint32_t *word = arg;

	KASSERT(curthread() != NULL, ("gen1 %p: not attached", arg));
	/* Acquire: pairs with the release in gen1_unlock(). */
	return (
	    (atomic_fetch_or_explicit(word, GEN1_LOCKED, memory_order_acquire) &
		GEN1_LOCKED) == 0);
}

__slowpath static void
gen1_lock_hard(_Atomic uint32_t *word)
{
	struct thread *td = curthread();
	struct lock_delay ld;
	uint32_t v;

	KASSERT(td->td_pv_held != word,
	    ("gen1 %#" PRIxPTR ": thread %u already holds it", (uintptr_t)word,
		td->td_id));
	lock_delay_init(&ld, td->td_sim);
	do {
		/* Relaxed: a hint; gen1_trylock() decides. */
		while (((v = atomic_load_explicit(word, memory_order_relaxed)) &
			   GEN1_LOCKED) != 0) {
			if (lock_delay_seen(&ld, v))
				continue;
			td->td_sim->sim_ops->so_yield(td->td_sim);
			lock_delay_init(&ld, td->td_sim);
		}
	} while (!gen1_trylock(word));
}

static void
gen1_lock(void *word)
{
	if (__predict_false(!gen1_trylock(word)))
		gen1_lock_hard(word);
}

/* Of the last generation before the wrap. */
__slowpath static void
gen1_unlock_last(_Atomic uint32_t *word, bool modified)
{
	if (modified)
		lock_gen_wrapped(curthread()->td_sim);
	/* Release: as in gen1_unlock(). */
	atomic_store_explicit(word,
	    UINT32_MAX - GEN1_LOCKED + (modified ? GEN1_ONE : 0),
	    memory_order_release);
}

static void
gen1_unlock(void *arg, bool modified)
{
	_Atomic uint32_t *word = arg;
	/* Relaxed: only the holder, us, changes the word. */
	uint32_t v = atomic_load_explicit(word, memory_order_relaxed);

	KASSERT(
	    (v & GEN1_LOCKED) != 0, ("gen1 %p: unlock of a free lock", arg));
	if (__predict_false(v == UINT32_MAX)) {
		gen1_unlock_last(word, modified);
		return;
	}
	/* Release: hands the list to the next gen1_trylock(). */
	atomic_store_explicit(word, v - GEN1_LOCKED + (modified ? GEN1_ONE : 0),
	    memory_order_release);
}

static bool
gen1_owned(const void *arg)
{
	const _Atomic uint32_t *word = arg;

	/* Relaxed: if we hold it, nobody else clears L. */
	return ((atomic_load_explicit(word, memory_order_relaxed) &
		    GEN1_LOCKED) != 0 &&
	    curthread()->td_pv_held == arg);
}

const struct pv_lock_ops pv_lock_gen1 = {
	.plo_name = "gen1",
	.plo_descr = "1 bit of the generation; spins and yields, never blocks",
	.plo_gen_bits = GEN1_BITS,
	.plo_flags = PLO_ZEROINIT | PLO_SPIN,
	.plo_lock = gen1_lock,
	.plo_trylock = gen1_trylock,
	.plo_unlock = gen1_unlock,
	.plo_owned = gen1_owned,
};
