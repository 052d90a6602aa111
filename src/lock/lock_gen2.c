/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "gen2": a sleep mutex in the low two bits of the generation.
 *
 * Why.  A pv header already carries a 32-bit generation that is bumped whenever
 * its list changes, so that a thread which dropped the list lock to take a pmap
 * lock can tell, on return, whether its iterator is still good.  A lock word
 * beside it costs 8 to 40 bytes for every 2 MB of physical memory.  The two are
 * written by the same thread at the same time, so they can share one word: the
 * lock then costs no space, and unlock and bump are one store.
 *
 *	 31                                    2   1   0
 *	+---------------------------------------+---+---+
 *	|              generation               | W | L |
 *	+---------------------------------------+---+---+
 *
 * L is set while the lock is held.  W is set while threads may be asleep on the
 * word's turnstile.  There is no room for the owner: each thread publishes the
 * words that it holds, or is trying for, in a line of its own (held.h), and whoever
 * has to know the owner of a word reads the lines.  Transitions, as (generation,
 * W, L); * is "unchanged", CL the chain lock:
 *
 *	lock		*,*,0 -> *,*,1		or, any thread
 *	lock, woken	*,*,0 -> *,* or 1,1	CAS, a woken thread: see 5
 *	block		*,0,1 -> *,1,1		CAS, under CL; then the barrier
 *	unlock		g,0,1 -> g',0,0		restartable section, owner
 *	  portable	g,*,1 -> g',*,0		add, owner that has just read W = 0
 *	unlock, wake	g,1,1 -> g',0,0		store, owner, under CL
 *	  hand over	g,1,1 -> g',m,1		the same; m: more wait
 *	  leave		g,1,1 -> g',1,0		the same: see 4
 *	wake, late	*,1,* -> *,0,*		and, under CL, after the add
 *			*,0,* unchanged		another has taken W: see 6
 *
 * Invariants.
 *   1. A thread publishes the word from before the operation that may set L for
 *	it until after it has released it; in a release by way of CL until then.
 *	The slot of a thread that is handed the word is written by the one that
 *	hands it over.
 *   2. W changes only under CL; but a thread that was woken may set it in the
 *	operation with which it acquires.  The generation changes only with the
 *	release.  So whoever holds the lock and CL is the only writer.
 *   3. Under CL, a word with L and W set is owned by a thread that will come to
 *	CL before it lets go; in the portable form it may have let go, and come
 *	for that.  Only such a word is blocked on, and only its owner lent to.
 *   4. A release takes the first sleeper off the queue and clears W; or hands
 *	the word to it.  It takes nobody if the first lends to a thread that has
 *	let go before, and is on its way to CL for it: W then stays.
 *   5. If threads are on the queue, then W is set and either L is set too or a
 *	thread is on its way to CL that will look at the queue (3, 4); or a
 *	thread that was woken, and told that others stayed behind, has yet to
 *	come back to the word.
 *   6. Who was lent to as the owner returns that under CL, whether or not it still
 *	finds W: the lender sleeps until it does.
 *
 * Races.
 *   Acquire against scan.  Publishing precedes the operation that sets L, which
 *	releases; the scanner acquired L from it.  So it sees the owner's slot.
 *	Publishing afterwards would hide a thread that loses its CPU in between:
 *	the very one that has to be lent to.
 *   Wrong suspects.  A thread that failed to set L, or that has let go, and has
 *	not cleared its slot yet, is found too.  The owner is always found (1, 3),
 *	so one alone is the owner; with several, see turnstile.c.  The scan is
 *	one pass: the owner must not be counted in one and another found in the
 *	next.
 *   Release against block, section.  asym.h: once the barrier is over and L and
 *	W are read together, every release sees W.  W that a woken thread sets
 *	with L needs no barrier: the releaser is that thread.  W that is set
 *	already had its barrier, since CL was held until then.
 *   Release against block, portable.  The add returns what it changed.  If it saw
 *	W the owner comes to CL.  If not, L was gone before W could be set, and
 *	the CAS failed or is another owner's.
 *   No wake-up is lost.  A sleeper's value of the word had L and W set (3).  The
 *	release of that L comes to CL after the sleeper is on the queue, finds W
 *	set and takes the first; or finds W clear, and then another release has
 *	taken one since.  The one that was taken off acquires, setting W if others
 *	stayed behind; or finds L set, and goes back, which sets W.  While it is
 *	on its way W is clear, so running threads stay on the fast path.
 *   Barging.  L may be set by any thread the moment it is clear; the woken one
 *	may come late, as often as it happens.  Once it has waited for longer than
 *	the turnstile's measure it is handed the word.  The release had W before
 *	it, so L never clears in between and nobody barges.  In the portable form
 *	W may be set between the look and the add; then it takes one more round.
 *   Wrap.  A release that would carry out of the generation goes by way of CL,
 *	which counts it before the word changes.  A thread that saves a
 *	generation with that count, lock_gen_wraps(), and compares both, cannot
 *	take a new generation for an old one.
 *
 * One, not all, is woken: see mtx.c.
 *
 * The portable form looks at W before it adds, which costs more than the add
 * alone would (not measured by itself).  What it buys is a
 * word that stays held until CL is taken: hand-over, and an owner that is known.
 *
 * Lock order.  pmap lock -> this lock -> turnstile chain lock.
 *
 * Detected, in every build: recursion, on the way to sleep; release by a thread
 * that does not hold the word.  With PMAPSIM_INVARIANTS: a word destroyed while it
 * is held.
 *
 * Limits.  6 words held by a thread at a time (held.h).  The generation wraps
 * after 2^30 changes; see above.
 */

#include <inttypes.h>
#include <stdatomic.h>

#include "kern/kassert.h"
#include "lock/held.h"
#include "lock/lock.h"
#include "lock/lock_delay.h"
#include "lock/lock_env.h"
#include "lock/pv_backends.h"
#include "lock/turnstile.h"
#include "sim/asym.h"

#define GEN2_BITS    2
#define GEN2_LOCKED  UINT32_C(1)
#define GEN2_WAITERS UINT32_C(2)
#define GEN2_ONE     (UINT32_C(1) << GEN2_BITS)

/* Above: the last generation before the wrap. */
#define GEN2_MAX (UINT32_MAX - GEN2_ONE)

_Static_assert(TS_BLOCKED == HELD_BLOCKED, "gen2_owner() passes it on");

static struct thread *
gen2_owner(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	struct lock_env *le = td->td_sim->sim_locks;
	const _Atomic uint32_t *word = key;
	struct thread *owner;

	*np = 0;
	/* Acquire: the owner's RMW, and so what it publishes. */
	if ((atomic_load_explicit(word, memory_order_acquire) &
		(GEN2_LOCKED | GEN2_WAITERS)) != (GEN2_LOCKED | GEN2_WAITERS))
		return (NULL);
	*np = held_scan(&le->le_held, td, key, nth, &owner);
	return (owner);
}

/*
 * Set W in a word that is held.  False: it was free, or is about to be, or is
 * another's by now.  The chain lock is held.
 */
static bool
gen2_mark(struct thread *td, _Atomic uint32_t *word)
{
	const uint32_t both = GEN2_LOCKED | GEN2_WAITERS;
	uint32_t v;

	/* Acquire: the owner's RMW, and so what it publishes. */
	v = atomic_load_explicit(word, memory_order_acquire);
	if ((v & both) != GEN2_LOCKED)
		return ((v & both) == both);
	/* Acquire: as above. */
	if (!atomic_compare_exchange_strong_explicit(word, &v, v | GEN2_WAITERS,
		memory_order_acquire, memory_order_relaxed))
		return (false);
	if (!td->td_sim->sim_asym)
		return (true);
	td->td_sim->sim_ops->so_asym_barrier();
	/* Acquire: as above, should the owner be another one now. */
	v = atomic_load_explicit(word, memory_order_acquire);
	return ((v & both) == both);
}

__slowpath static void
gen2_lock_hard(struct thread *td, _Atomic uint32_t *word)
{
	struct turnstile_chain *tc;
	const void *_Atomic *slot;
	struct lock_delay ld;
	uint32_t bits = GEN2_LOCKED, v;
	bool again = false;
	unsigned how;

	if (held_find(td, word) != NULL)
		panic("gen2 %#" PRIxPTR ": thread %u already holds it",
		    (uintptr_t)word, td->td_id);
	slot = held_slot(td);
	lock_delay_init(&ld, td->td_sim);
	for (;;) {
		/* Relaxed: the CAS below decides. */
		v = atomic_load_explicit(word, memory_order_relaxed);
		if ((v & GEN2_LOCKED) == 0) {
			held_publish(slot, word);
			/* Acquire: the release before; release: the slot. */
			if (atomic_compare_exchange_strong_explicit(word, &v,
				v | bits, memory_order_acq_rel,
				memory_order_relaxed))
				break;
			held_clear(slot);
			continue;
		}
		if (lock_delay_seen(&ld, v))
			continue;

		tc = turnstile_chain_lock(td, word);
		if (!gen2_mark(td, word)) {
			turnstile_chain_unlock(tc);
			continue;
		}
		how = turnstile_wait(
		    tc, td, word, gen2_owner, TS_EXCLUSIVE_QUEUE, again);
		if ((how & TSW_HANDED) != 0) {
			/* Acquire: pairs with the store of who handed it. */
			(void)atomic_load_explicit(word, memory_order_acquire);
			bits = how & TSW_MORE ? GEN2_WAITERS : 0;
			break;
		}
		bits = GEN2_LOCKED;
		if ((how & TSW_MORE) != 0)
			bits |= GEN2_WAITERS; /* invariant 5 */
		again = true;
		lock_delay_init(&ld, td->td_sim);
	}
	if ((bits & GEN2_WAITERS) != 0)
		turnstile_claim(td, word, gen2_owner);
}

/* Make td, which was taken off the queue to be handed the word, its owner. */
static void
gen2_give(struct thread *td, _Atomic uint32_t *word)
{
	/* It sleeps: nobody else writes its slots. */
	held_publish(held_slot(td), word);
}

/* Release a word that we hold, under the chain lock. */
__slowpath static void
gen2_unlock_held(struct thread *td, _Atomic uint32_t *word, uint32_t add)
{
	struct turnstile_chain *tc;
	struct thread *woken;
	bool more;
	uint32_t v;

	tc = turnstile_chain_lock(td, word);
	/* Relaxed: only the holder of both locks, us, changes it. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	if (v > GEN2_MAX && add != 0)
		lock_gen_wrapped(td->td_sim);
	woken = turnstile_signal(tc, word, TS_EXCLUSIVE_QUEUE);
	more = !turnstile_empty(tc, word, TS_EXCLUSIVE_QUEUE);
	v = (v & ~(GEN2_LOCKED | GEN2_WAITERS)) + add;
	if (woken != NULL && turnstile_handoff(tc, woken)) {
		gen2_give(woken, word);
		v |= GEN2_LOCKED | (more ? GEN2_WAITERS : 0);
	} else if (woken == NULL && more) {
		v |= GEN2_WAITERS;
	}
	/* Release: to the next holder.  A plain store is enough by 2. */
	atomic_store_explicit(word, v, memory_order_release);
	held_clear(held_find(td, word));
	turnstile_unlock_wake(tc, woken);
}

/* W was set between our look at it and the release. */
__slowpath static void
gen2_unlock_freed(struct thread *td, _Atomic uint32_t *word)
{
	struct turnstile_chain *tc;
	struct thread *woken = NULL;

	tc = turnstile_chain_lock(td, word);
	/* Relaxed: W is cleared only under the chain lock, which we have. */
	if ((atomic_load_explicit(word, memory_order_relaxed) & GEN2_WAITERS) !=
	    0) {
		woken = turnstile_signal(tc, word, TS_EXCLUSIVE_QUEUE);
		if (woken != NULL ||
		    turnstile_empty(tc, word, TS_EXCLUSIVE_QUEUE)) {
			/* Relaxed: nobody relies on anything before it. */
			(void)atomic_fetch_and_explicit(
			    word, ~GEN2_WAITERS, memory_order_relaxed);
		}
	} else {
		/* Another's release took W along, but not what was lent to us. */
		turnstile_disown(tc, word);
	}
	held_clear(held_find(td, word));
	turnstile_unlock_wake(tc, woken);
}

/*
 * The fast paths.  gen2_lock() and gen2_unlock() call others last or not at all, so
 * they have no stack frame.
 *
 * True: acquired.  gcc 12 makes of this fetch_or one instruction, "lock bts", but
 * not with a __predict in the expression.
 */
static inline bool
gen2_try(const void *_Atomic *slot, _Atomic uint32_t *word)
{
	held_publish(slot, word);
	/* Acquire: the release before; release: the slot. */
	if ((atomic_fetch_or_explicit(word, GEN2_LOCKED, memory_order_acq_rel) &
		GEN2_LOCKED) == 0)
		return (true);
	held_clear(slot);
	return (false);
}

static bool
gen2_trylock(void *arg)
{
	struct thread *td = curthread();

	KASSERT(td != NULL, ("gen2 %p: not attached", arg));
	return (gen2_try(held_slot(td), arg));
}

/* Another word is in the first slot. */
__slowpath static void
gen2_lock_other(struct thread *td, _Atomic uint32_t *word)
{
	if (!gen2_try(held_slot(td), word))
		gen2_lock_hard(td, word);
}

static void
gen2_lock(void *arg)
{
	struct thread *td = curthread();
	const void *_Atomic *slot;

	KASSERT(td != NULL, ("gen2 %p: not attached", arg));
	slot = &td->td_held->hl_word[0];
	/* Relaxed: our own. */
	if (__predict_false(
		atomic_load_explicit(slot, memory_order_relaxed) != NULL)) {
		gen2_lock_other(td, arg);
		return;
	}
	if (!gen2_try(slot, arg))
		gen2_lock_hard(td, arg);
}

static inline void
gen2_unlock_slot(struct thread *td, _Atomic uint32_t *word, uint32_t add,
    const void *_Atomic *slot)
{
	uint32_t v;

	if (__predict_true(td->td_rseq_cs != NULL)) {
		if (__predict_false(!asym_add32(td->td_rseq_cs, word,
			add - GEN2_LOCKED, GEN2_WAITERS, GEN2_MAX))) {
			gen2_unlock_held(td, word, add);
			return;
		}
	} else {
		/* Relaxed: only the holder, us, clears L or changes the rest. */
		v = atomic_load_explicit(word, memory_order_relaxed);
		if (__predict_false((v & GEN2_WAITERS) != 0 || v > GEN2_MAX)) {
			gen2_unlock_held(td, word, add);
			return;
		}
		/* Release: hands the list to the next holder. */
		v = atomic_fetch_add_explicit(
		    word, add - GEN2_LOCKED, memory_order_release);
		if (__predict_false((v & GEN2_WAITERS) != 0)) {
			gen2_unlock_freed(td, word);
			return;
		}
	}
	held_clear(slot);
}

/* The word is not in the first slot. */
__slowpath static void
gen2_unlock_other(struct thread *td, _Atomic uint32_t *word, uint32_t add)
{
	const void *_Atomic *slot = held_find(td, word);

	if (slot == NULL)
		panic("gen2 %#" PRIxPTR ": released by thread %u, which does "
		      "not hold it",
		    (uintptr_t)word, td->td_id);
	gen2_unlock_slot(td, word, add, slot);
}

static void
gen2_unlock(void *arg, bool modified)
{
	struct thread *td = curthread();
	const void *_Atomic *slot = &td->td_held->hl_word[0];
	uint32_t add = modified ? GEN2_ONE : 0;

	/* Relaxed: our own. */
	if (__predict_false(
		atomic_load_explicit(slot, memory_order_relaxed) != arg)) {
		gen2_unlock_other(td, arg, add);
		return;
	}
	gen2_unlock_slot(td, arg, add, slot);
}

static bool
gen2_owned(const void *arg)
{
	return (held_find(curthread(), arg) != NULL);
}

/* Nobody may hold it, and nobody may wait for it. */
static void
gen2_destroy(void *arg)
{
	const _Atomic uint32_t *word = arg;
	/* Relaxed: no other thread should know the word. */
	uint32_t v = atomic_load_explicit(word, memory_order_relaxed);

	if ((v & GEN2_LOCKED) != 0)
		panic("gen2 %p: destroyed while it is held", arg);
}

const struct pv_lock_ops pv_lock_gen2 = {
	.plo_name = "gen2",
	.plo_descr = "2 bits of the generation; blocks on a turnstile",
	.plo_gen_bits = GEN2_BITS,
	.plo_flags = PLO_ZEROINIT,
	/* Headers that nobody touched stay so without invariants. */
	.plo_destroy = INVARIANTS_ENABLED ? gen2_destroy : NULL,
	.plo_lock = gen2_lock,
	.plo_trylock = gen2_trylock,
	.plo_unlock = gen2_unlock,
	.plo_owned = gen2_owned,
};
