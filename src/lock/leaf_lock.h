/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LEAF_LOCK_H
#define LOCK_LEAF_LOCK_H

/*
 * struct leaf_lock: what the blocking locks are built on, FreeBSD's spin mutex.
 *
 * Four bytes: zero is unlocked, else the number of the host thread that holds it
 * (so_tid), and bits above that belong to so_pi_lock().  A holder takes no other
 * leaf lock but in the order chain lock, td_pri_lock, and leaves soon.  It may
 * still lose its CPU.  A waiter then spins a few rounds and blocks, and the
 * holder runs with the waiter's priority: an urgent thread must not wait for a
 * chain lock until the idle have had their turn.
 */

#include <stdatomic.h>

#include "kern/kassert.h"
#include "sim/sim.h"

static inline uint32_t
leaf_self(const struct sim *sim)
{
	const struct thread *td = curthread();

	/* Another sim's may number its threads otherwise. */
	return (td != NULL && td->td_sim == sim ? td->td_tid
						: sim->sim_ops->so_tid());
}

static inline void
leaf_lock(struct leaf_lock *ll, const struct sim *sim)
{
	uint32_t tid = leaf_self(sim), v = 0;

	/* Acquire: pairs with the release in leaf_unlock(). */
	if (__predict_false(
		!atomic_compare_exchange_strong_explicit(&ll->ll_word.pw_owner,
		    &v, tid, memory_order_acquire, memory_order_relaxed)))
		sim->sim_ops->so_pi_lock(&ll->ll_word, tid);
}

void leaf_unlock_hard(struct leaf_lock *ll);

static inline void
leaf_unlock(struct leaf_lock *ll)
{
	uint32_t v;

	/* Relaxed: ours, and perhaps a bit, with which the CAS fails. */
	v = atomic_load_explicit(&ll->ll_word.pw_owner, memory_order_relaxed) &
	    PI_TID_MAX;
	/* Release: hands what it guards to the next leaf_lock(). */
	if (__predict_false(
		!atomic_compare_exchange_strong_explicit(&ll->ll_word.pw_owner,
		    &v, 0, memory_order_release, memory_order_relaxed)))
		leaf_unlock_hard(ll);
}

#endif /* LOCK_LEAF_LOCK_H */
