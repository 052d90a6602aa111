/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LEAF_LOCK_H
#define LOCK_LEAF_LOCK_H

/*
 * struct leaf_lock: what the blocking locks are built on, FreeBSD's spin mutex.
 *
 * Four bytes, zeroed is unlocked.  A holder takes no other lock, makes no system
 * call and leaves soon.  It may still lose its CPU, so waiters spin only a few
 * rounds and then yield: with more threads than CPUs the holder gets to run
 * however many wait.
 */

#include <stdatomic.h>

#include "sim/sim.h"

/* Assumed: a few times the length of a section; more only delays the yield. */
#define LEAF_LOCK_SPINS 64

struct leaf_lock {
	_Atomic uint32_t ll_word; /* 1: held */
};

void leaf_lock_hard(struct leaf_lock *ll, struct sim *sim);

static inline void
leaf_lock(struct leaf_lock *ll, struct sim *sim)
{
	/* Acquire: pairs with the release in leaf_unlock(). */
	if (atomic_exchange_explicit(&ll->ll_word, 1, memory_order_acquire) !=
	    0)
		leaf_lock_hard(ll, sim);
}

static inline void
leaf_unlock(struct leaf_lock *ll)
{
	/* Release: hands what it guards to the next leaf_lock(). */
	atomic_store_explicit(&ll->ll_word, 0, memory_order_release);
}

#endif /* LOCK_LEAF_LOCK_H */
