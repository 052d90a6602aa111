/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The 8-byte mutex word, and struct mtx around it.
 *
 *	 63                                          3   2   1   0
 *	+--------------------------------------------+---+---+---+
 *	|              struct thread *               | D | C | R |
 *	+--------------------------------------------+---+---+---+
 *
 * C, contested, is set while threads may be asleep on the word's turnstile, D
 * once the mutex is destroyed, R while its owner has locked a struct mtx again
 * that allows it (mtx.h).  Transitions, as (owner, C):
 *
 *	lock		0,0 -> td,0		CAS, any thread
 *	lock, woken	0,0 -> td,0 or td,1	CAS, a woken thread: see 3
 *	block		td,0 -> td,1		CAS, under the chain lock; then
 *						the barrier
 *	unlock		td,0 -> 0,0		restartable section, owner
 *	  portable				CAS, owner
 *	unlock, wake	td,1 -> 0,0		store, owner, under the chain lock
 *	  hand over	td,1 -> td',m		the same; m: more wait
 *
 * Invariants.
 *   1. Only its owner frees the word, and a contested word only under the chain
 *	lock.  So whoever has the chain lock and reads a contested word knows
 *	the owner, who cannot leave: that is what lending a priority needs.
 *	With restartable sections it holds once the blocker has called the
 *	barrier and read the word again (asym.h), which it does before it drops
 *	the chain lock.  An uncontested owner is none that one may lend to: it
 *	would not come by.
 *   2. A thread goes on the queue only while it has the chain lock and has read
 *	the word contested under it.
 *   3. If threads are on the queue, then the word is contested, or a thread that
 *	was woken and told that others stayed behind has yet to come back to it.
 *
 * No wake-up is lost.  Let T be on the queue.  If the word is contested, its
 * owner's release has to take the chain lock, after T went on the queue (2),
 * and takes the first thread off.  That thread is told whether others stayed
 * behind.  If so, it acquires with C set; or it finds the word held, and goes
 * back to the queue, which takes C set as well (2).  Either way the word is
 * contested again, and 3 holds at each step.  Without C, threads that never slept
 * may take and leave the word meanwhile, at the price of an uncontested lock.
 *
 * One, not all.  FreeBSD wakes all that wait, so that the most urgent one wins
 * and the rest go to sleep again.  The queue is sorted, so the first is the most
 * urgent already; waking the rest costs two system calls and a switch each, for
 * nothing.  What all would get, the most urgent of those that arrived since, is
 * given up: such a thread need not be woken, it barges.
 *
 * A woken thread that comes too late goes back to the head of its equals.
 *
 * A waiter looks into the owner's struct thread.  It is never freed, but it has
 * been made, perhaps by another CPU and a moment ago: so the operation that
 * stores the pointer releases, and the load that gets it acquires.
 *
 * Lock order.  The word, then its turnstile chain.
 *
 * Fairness.  A running thread may barge past one being woken, until that one has
 * waited for the turnstile's measure; then it is handed the word, which changes
 * owner in one store.
 *
 * Detected, in every build: recursion, on the way to sleep; release by a thread
 * that is not the owner.  The word itself does not recurse.
 *
 * Source: FreeBSD releng/12.1, sys/kern/kern_mutex.c.
 * Differs: as above; and an owner is taken to run unless it is blocked itself.
 */

#include "lock/mtx.h"

#include <inttypes.h>

#include "lock/lock_delay.h"
#include "lock/turnstile.h"

_Static_assert(_Alignof(struct thread) > MTX_FLAGMASK,
    "the flags fit below an owner's address");

void
mtx_init(struct mtx *m, const char *name, uint32_t flags)
{
	m->lock_object.lo_name = name;
	m->lock_object.lo_flags = flags | LC_MTX | LO_INITED;
	m->lock_object.lo_data = 0;
	m->lock_object.lo_witness = NULL;
	/* Relaxed: no other thread knows the mutex yet. */
	atomic_store_explicit(&m->mtx_lock, MTX_UNOWNED, memory_order_relaxed);
}

void
mtx_destroy(struct mtx *m)
{
	/* Relaxed: no other thread uses the mutex any more. */
	uint64_t v = atomic_load_explicit(&m->mtx_lock, memory_order_relaxed);

	KASSERT(v == MTX_UNOWNED,
	    ("mutex %s destroyed in state %#" PRIx64, m->lock_object.lo_name,
		v));
	(void)v;
	/* Relaxed: as above. */
	atomic_store_explicit(
	    &m->mtx_lock, MTX_DESTROYED, memory_order_relaxed);
	m->lock_object.lo_flags &= ~LO_INITED;
}

static struct thread *
word_owner(uint64_t v)
{
	return ((struct thread *)(uintptr_t)(v & ~MTX_FLAGMASK));
}

static struct thread *
mtx_owner(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	const _Atomic uint64_t *word = key;
	uint64_t v;

	(void)td;
	(void)nth;
	/* Acquire: the owner's CAS; for its priority. */
	v = atomic_load_explicit(word, memory_order_acquire);
	*np = (v & MTX_CONTESTED) != 0;
	/* An owner that is not told need not come by, invariant 1. */
	return ((v & MTX_CONTESTED) != 0 ? word_owner(v) : NULL);
}

/* Is there hope that the owner will soon leave?  v has an owner. */
static bool
owner_runs(uint64_t v)
{
	/* Relaxed: a hint.  The owner may be gone, its struct thread is not. */
	return (atomic_load_explicit(&word_owner(v)->td_blocked_on,
		    memory_order_relaxed) == NULL);
}

/*
 * Set C in a word that has an owner.  False: look again.  The chain lock is held.
 */
static bool
word_mark(struct thread *td, _Atomic uint64_t *word)
{
	uint64_t v;

	/* Acquire: the owner's CAS; for its priority. */
	v = atomic_load_explicit(word, memory_order_acquire);
	if (v == MTX_UNOWNED)
		return (false);
	if ((v & MTX_CONTESTED) != 0)
		return (true);
	/* Acquire: as above. */
	if (!atomic_compare_exchange_strong_explicit(word, &v,
		v | MTX_CONTESTED, memory_order_acquire, memory_order_relaxed))
		return (false);
	if (!td->td_sim->sim_asym)
		return (true);
	td->td_sim->sim_ops->so_asym_barrier();
	/* Acquire: as above, should the owner be another one now. */
	v = atomic_load_explicit(word, memory_order_acquire);
	return (v != MTX_UNOWNED && (v & MTX_CONTESTED) != 0);
}

void
mtx_word_lock_hard(_Atomic uint64_t *word, struct thread *td)
{
	struct lock_delay ld;
	struct turnstile_chain *tc;
	uint64_t self = (uint64_t)(uintptr_t)td, v;
	bool again = false;
	unsigned how;

	lock_delay_init(&ld, td->td_sim);
	for (;;) {
		/* Acquire: pairs with the owner's CAS; for owner_runs(). */
		v = atomic_load_explicit(word, memory_order_acquire);
		if (v == MTX_UNOWNED) {
			/* Acquire: the release that freed it; release: *td. */
			if (atomic_compare_exchange_strong_explicit(word, &v,
				self, memory_order_acq_rel,
				memory_order_relaxed))
				break;
			continue;
		}
		KASSERT((v & MTX_DESTROYED) == 0,
		    ("mutex %#" PRIxPTR ": lock after destroy",
			(uintptr_t)word));
		if (word_owner(v) == td)
			panic("mutex %#" PRIxPTR ": thread %u already owns it",
			    (uintptr_t)word, td->td_id);
		if (owner_runs(v) && lock_delay_owner(&ld, word_owner(v), v))
			continue;

		tc = turnstile_chain_lock(td, word);
		if (!word_mark(td, word)) {
			turnstile_chain_unlock(tc);
			continue;
		}
		how = turnstile_wait(
		    tc, td, word, mtx_owner, TS_EXCLUSIVE_QUEUE, again);
		self = (uint64_t)(uintptr_t)td;
		if ((how & TSW_MORE) != 0)
			self |= MTX_CONTESTED; /* invariant 3 */
		if ((how & TSW_HANDED) != 0) {
			/* Acquire: pairs with the store of who handed it. */
			(void)atomic_load_explicit(word, memory_order_acquire);
			break;
		}
		again = true;
		lock_delay_init(&ld, td->td_sim);
	}
	if ((self & MTX_CONTESTED) != 0)
		turnstile_claim(td, word, mtx_owner);
}

void
mtx_word_unlock_hard(_Atomic uint64_t *word, struct thread *td)
{
	struct turnstile_chain *tc;
	struct thread *woken;
	uint64_t v = MTX_UNOWNED;

	if (!mtx_word_owned(word))
		panic("mutex %#" PRIxPTR
		      ": unlocked by thread %u, state %#" PRIx64,
		    (uintptr_t)word, td->td_id,
		    /* Relaxed: for the message. */
		    atomic_load_explicit(word, memory_order_relaxed));
	tc = turnstile_chain_lock(td, word);
	woken = turnstile_signal(tc, word, TS_EXCLUSIVE_QUEUE);
	if (woken != NULL && turnstile_handoff(tc, woken)) {
		v = (uint64_t)(uintptr_t)woken;
		if (!turnstile_empty(tc, word, TS_EXCLUSIVE_QUEUE))
			v |= MTX_CONTESTED;
	}
	/* Release: to the next holder.  A plain store is enough by 1. */
	atomic_store_explicit(word, v, memory_order_release);
	turnstile_unlock_wake(tc, woken);
}

void
mtx_lock_hooked(struct mtx *m, struct thread *td, const char *file, int line)
{
	uint64_t t0 = 0;

	lock_hook_want(td, &m->lock_object, m, LOP_EXCLUSIVE, file, line);
	if (!mtx_word_trylock(&m->mtx_lock, td)) {
		t0 = lock_hook_contested(td, &m->lock_object);
		mtx_word_lock_hard(&m->mtx_lock, td);
	}
	lock_hook_acquired(
	    td, &m->lock_object, m, t0, LOP_EXCLUSIVE, file, line);
}
