/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CODE_WALK_HOOKS_H
#define TESTS_CODE_WALK_HOOKS_H

/*
 * Stands in front of those of src/lock's sources that are compiled to be walked,
 * see code_walk.h.  An access to a lock word, or a store to td_blocked_on, begins
 * a step; so does taking a chain lock.  The rest goes with the step before it:
 *
 *   - td_pri_lock.  No step begins while it is held.
 *   - Loads of td_blocked_on.  Each follows the return of a call that waited, or
 *	is a hint, or is repeated under the chain lock.
 *   - Fields under the chain lock, counters, and what no walk changes.
 *
 * The headers come first: what they define is not for a walk.
 */

#include "code_walk_lock.h"
#include "kern/kassert.h"
#include "kern/kmem.h"
#include "lock/leaf_lock.h"
#include "lock/lock.h"
#include "lock/lock_delay.h"
#include "lock/lock_env.h"
#include "lock/lock_hooks.h"
#include "lock/turnstile.h"
#include "lock/witness.h"
#include "sim/asym.h"
#include "sim/sim.h"

#define leaf_lock(ll, sim)                        ((void)(sim), cwl_leaf_lock(ll))
#define leaf_unlock(ll)                           cwl_leaf_unlock(ll)
#define lock_delay_seen(ld, v)                    cwl_delay_seen(ld, v)
#define lock_delay_owner(ld, owner, v)            cwl_delay_seen(ld, v)
#define lock_delay_round(ld, v)                   cwl_delay_seen(ld, v)
#define asym_clear64(cs, word, v)                 cwl_asym_clear64(word, v)
#define kmem_alloc(km, size, align, type, domain) ((void)(km), cwl_alloc(size))

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit

#define atomic_load_explicit(p, order)                                         \
	(_Generic((p), const _Atomic uint64_t *                                \
		  : cwl_load, _Atomic uint64_t *                               \
		  : cwl_load, const void *_Atomic *                            \
		  : cwl_load_ptr, _Atomic bool *                               \
		  : cwl_load_bool)(p))
#define atomic_store_explicit(p, v, order)                                     \
	(_Generic((p), _Atomic uint64_t *                                      \
		  : cwl_store, const void *_Atomic *                           \
		  : cwl_store_ptr, _Atomic bool *                              \
		  : cwl_store_bool)((p), (v)))
#define atomic_compare_exchange_strong_explicit(p, e, v, order, failure)       \
	cwl_cas((p), (e), (v))
#define atomic_compare_exchange_weak_explicit(p, e, v, order, failure)         \
	cwl_cas((p), (e), (v))
#define atomic_fetch_or_explicit(p, v, order)  cwl_fetch_or((p), (v))
#define atomic_fetch_and_explicit(p, v, order) cwl_fetch_and((p), (v))

#endif /* TESTS_CODE_WALK_HOOKS_H */
