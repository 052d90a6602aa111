/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_XS_UTIL_H
#define WORKLOAD_XS_UTIL_H

/*
 * What the scenarios share: flags to wait for, and locks to hold.  See also
 * xs_space.h.
 */

#include <stdatomic.h>

#include "kern/cpu.h"
#include "pmapsim/pv_lock.h"
#include "workload/xs.h"

/*
 * Something that a thread has done and others wait for.  Waiting orders nothing
 * but what the flag itself tells.
 */
typedef _Atomic unsigned xs_flag;

static inline unsigned
xs_flag_get(const xs_flag *flag)
{
	/* Acquire: pairs with xs_flag_set(). */
	return (atomic_load_explicit(flag, memory_order_acquire));
}

static inline void
xs_flag_set(xs_flag *flag, unsigned v)
{
	/* Release: pairs with xs_flag_get(). */
	atomic_store_explicit(flag, v, memory_order_release);
}

/* Yield until it is set. */
void xs_flag_await(struct xs_run *run, const xs_flag *flag);

/* A lock of the design, by itself, and what it guards. */
struct xs_lock {
	_Alignas(CACHE_PAIR_SIZE) unsigned char xl_word[PV_LOCK_WORD_MAX];
	/* Equal while nobody holds the lock: plain, so that races show. */
	_Alignas(CACHE_LINE_SIZE) uint64_t xl_a;
	uint64_t xl_b;
};

struct xs_lock *xs_lock_alloc(struct xs_run *run);
void xs_lock(struct xs_run *run, struct xs_lock *xl);
bool xs_trylock(struct xs_run *run, struct xs_lock *xl);
/* Counts, and looks whether anybody else is in. */
void xs_hold(struct xs_run *run, struct xs_lock *xl);
void xs_unlock(struct xs_run *run, struct xs_lock *xl);
/* Lock, hold and unlock. */
void xs_lock_use(struct xs_run *run, struct xs_lock *xl);
/* It was held so often, as the generation says, too, and is free. */
void
xs_lock_check(struct xs_run *run, const struct xs_lock *xl, uint64_t holds);

/* More than one lock, and what threads tell each other. */
#define XS_NLOCKS 3
struct xs_locks {
	struct xs_lock *ls_lock[XS_NLOCKS];
	xs_flag ls_flag[XS_NLOCKS];
};

/* An xk_setup(): they are the scenario's state. */
void xs_locks_setup(struct xs_run *run);

/* Yield until thread i waits for a lock. */
void xs_await_blocked(struct xs_run *run, unsigned i);

#endif /* WORKLOAD_XS_UTIL_H */
