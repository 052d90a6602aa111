/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "gen2": a 2-bit lock in the low bits of the generation.
 *
 * Why.  A pv header already carries a 32-bit generation that is bumped whenever
 * its list changes, so that a thread which dropped the list lock to take a pmap
 * lock can tell, on return, whether its iterator is still good.  A lock word
 * beside it costs 8 to 40 bytes for every 2 MB of physical memory.  The two are
 * written by the same thread at the same time, so they can share one word: the
 * lock then costs no space, and unlock and bump are one atomic operation.
 *
 *	 31                                    2   1   0
 *	+---------------------------------------+---+---+
 *	|              generation               | W | L |
 *	+---------------------------------------+---+---+
 *
 * L is set while the lock is held.  W is set while threads may be asleep on the
 * word's turnstile.  The flags lie low, so that a bump never carries into them
 * and the generation wraps for free.  Transitions, as (generation, W, L); * is
 * "unchanged":
 *
 *	lock		*,*,0 -> *,*,1		or, any thread
 *	lock, woken	*,*,0 -> *,* or 1,1	CAS, a woken thread: see 4
 *	block		*,0,1 -> *,1,1		CAS, under the chain lock
 *	unlock		g,*,1 -> g',*,0		add, holder
 *	wake		*,1,* -> *,0,*		and, under the chain lock
 *
 * Invariants.
 *   1. Only the holder changes the generation, in the operation that releases
 *	L, by 0 or 1: the add is 4 * bump - 1.
 *   2. W is cleared only under the chain lock, and only by a thread that takes
 *	the first sleeper off the queue there.
 *   3. A thread goes on the queue only while it has the chain lock and has read
 *	L and W set in one value of the word under it.
 *   4. If threads are on the queue, then W is set and either L is set too or a
 *	thread that released L and saw W is on its way to the chain lock; or a
 *	thread that was woken, and told that others stayed behind, has yet to
 *	come back to the word.
 *
 * No wake-up is lost.  A sleeper's value of the word had L and W set (3).  The
 * release of that L read W set, since W cannot be cleared while the sleeper has
 * the chain lock (2); it goes to the chain lock and gets it after the sleeper is
 * on the queue.  There it finds W set and wakes the first; or W clear, and then
 * another release has done so since.  The woken thread acquires, setting W if
 * others stayed behind; or it finds L set and goes back, which takes W set (3).
 * Between a release and its coming to the chain lock, others may take and leave
 * L; each sees W and comes too, and all but one find it clear.  While the woken
 * thread is on its way W is clear, so running threads stay on the fast path.
 *
 * Why a release is an add, and not a CAS that fails when W is set.  A CAS needs
 * the word's old value, so it is a load and a CAS that waits for it, twice the
 * time of an add.  What the CAS would give, a word that stays held until the
 * chain lock is taken, is of use only to hand the lock over.
 *
 * One, not all, is woken: see mtx.c.
 *
 * Lock order.  pmap lock -> this lock -> turnstile chain lock.
 *
 * Not provided.  Fairness: a running thread may barge past one being woken.
 * Ownership: there is no room for a thread.  plo_owned says that the word is
 * locked and that td_pv_held of the calling thread, which the pmap layer sets
 * once it has the lock and clears when it lets it go, is this word.  Recursion is
 * told in the same way, with PMAPSIM_INVARIANTS; without, it is a deadlock.
 *
 * Limits.  The generation wraps after 2^30 changes.  A stale iterator goes
 * unnoticed only if its thread stays off the lock for an exact multiple of that
 * many; at 10 million changes a second on one header, that is 107 s.
 */

#include <inttypes.h>
#include <stdatomic.h>

#include "kern/kassert.h"
#include "lock/lock_delay.h"
#include "lock/pv_backends.h"
#include "lock/turnstile.h"

#define GEN2_BITS    2
#define GEN2_LOCKED  UINT32_C(1)
#define GEN2_WAITERS UINT32_C(2)
#define GEN2_ONE     (UINT32_C(1) << GEN2_BITS)

static struct thread *
gen2_owner(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	(void)td;
	(void)key;
	(void)nth;
	*np = 1;
	return (NULL);
}

__slowpath static void
gen2_lock_hard(_Atomic uint32_t *word)
{
	struct thread *td = curthread();
	struct turnstile_chain *tc;
	struct lock_delay ld;
	uint32_t bits = GEN2_LOCKED, v;
	bool again = false;

	KASSERT(
	    td != NULL, ("gen2 %#" PRIxPTR ": not attached", (uintptr_t)word));
	KASSERT(td->td_pv_held != word,
	    ("gen2 %#" PRIxPTR ": thread %u already holds it", (uintptr_t)word,
		td->td_id));
	lock_delay_init(&ld, td->td_sim);
	for (;;) {
		/* Relaxed: the CAS below decides. */
		v = atomic_load_explicit(word, memory_order_relaxed);
		if ((v & GEN2_LOCKED) == 0) {
			/* Acquire: pairs with the release in gen2_unlock(). */
			if (atomic_compare_exchange_strong_explicit(word, &v,
				v | bits, memory_order_acquire,
				memory_order_relaxed))
				return;
			continue;
		}
		if (lock_delay(&ld))
			continue;

		tc = turnstile_chain_lock(td, word);
		/* Relaxed: the chain lock orders it after the last waker. */
		v = atomic_load_explicit(word, memory_order_relaxed);
		/* Relaxed: it only asks the holder to come to the chain lock. */
		if ((v & GEN2_LOCKED) == 0 ||
		    ((v & GEN2_WAITERS) == 0 &&
			!atomic_compare_exchange_strong_explicit(word, &v,
			    v | GEN2_WAITERS, memory_order_relaxed,
			    memory_order_relaxed))) {
			turnstile_chain_unlock(tc);
			continue;
		}
		bits = GEN2_LOCKED;
		if (turnstile_wait(
			tc, td, word, gen2_owner, TS_EXCLUSIVE_QUEUE, again))
			bits |= GEN2_WAITERS; /* invariant 4 */
		again = true;
		lock_delay_init(&ld, td->td_sim);
	}
}

__slowpath static void
gen2_wake(_Atomic uint32_t *word)
{
	struct thread *td = curthread(), *woken = NULL;
	struct turnstile_chain *tc;

	tc = turnstile_chain_lock(td, word);
	/* Relaxed: W is cleared only under the chain lock, which we have. */
	if ((atomic_load_explicit(word, memory_order_relaxed) & GEN2_WAITERS) !=
	    0) {
		woken = turnstile_signal(tc, word, TS_EXCLUSIVE_QUEUE);
		/* Relaxed: changes nothing that anybody else relies on. */
		(void)atomic_fetch_and_explicit(
		    word, ~GEN2_WAITERS, memory_order_relaxed);
	}
	turnstile_unlock_wake(tc, woken);
}

static bool
gen2_trylock(void *arg)
{
	_Atomic uint32_t *word = arg;

	KASSERT(curthread() != NULL, ("gen2 %p: not attached", arg));
	/* Acquire: pairs with the release in gen2_unlock(). */
	return (
	    (atomic_fetch_or_explicit(word, GEN2_LOCKED, memory_order_acquire) &
		GEN2_LOCKED) == 0);
}

static void
gen2_lock(void *word)
{
	if (__predict_false(!gen2_trylock(word)))
		gen2_lock_hard(word);
}

static void
gen2_unlock(void *arg, bool modified)
{
	_Atomic uint32_t *word = arg;
	uint32_t v;

	/* Relaxed: only the holder, us, clears L. */
	KASSERT((atomic_load_explicit(word, memory_order_relaxed) &
		    GEN2_LOCKED) != 0,
	    ("gen2 %p: unlock of a free lock", arg));
	/* Release: hands the list to the next holder. */
	v = atomic_fetch_add_explicit(word,
	    (modified ? GEN2_ONE : 0) - GEN2_LOCKED, memory_order_release);
	if (__predict_false((v & GEN2_WAITERS) != 0))
		gen2_wake(word);
}

static bool
gen2_owned(const void *arg)
{
	const _Atomic uint32_t *word = arg;

	/* Relaxed: if we hold it, nobody else clears L. */
	return ((atomic_load_explicit(word, memory_order_relaxed) &
		    GEN2_LOCKED) != 0 &&
	    curthread()->td_pv_held == arg);
}

const struct pv_lock_ops pv_lock_gen2 = {
	.plo_name = "gen2",
	.plo_descr = "2 bits of the generation; blocks on a turnstile",
	.plo_gen_bits = GEN2_BITS,
	.plo_flags = PLO_ZEROINIT,
	.plo_lock = gen2_lock,
	.plo_trylock = gen2_trylock,
	.plo_unlock = gen2_unlock,
	.plo_owned = gen2_owned,
};
