/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_HOOKS_H
#define LOCK_LOCK_HOOKS_H

/*
 * Who is told of a thread's locks: the lock profile, the witness, and a host that
 * accounts for waiting, through struct sim_ops.
 *
 * A lock asks once, lock_hooked(td), and its fast path is the branch not taken.
 * Otherwise, in the acquire path:
 *
 *	t0 = 0;
 *	lock_hook_want(td, lo, key, how, file, line);
 *	if (!try) { t0 = lock_hook_contested(td, lo); wait until acquired; }
 *	lock_hook_acquired(td, lo, key, t0, how, file, line);
 *
 * before the release lock_hook_release(td, key), and after a successful trylock
 * lock_hook_acquired(..., 0, how | LOP_TRY, ...) alone.  A recursive acquisition
 * and its release are told to nobody.  lo gives name, class and flags; key is
 * the address of the lock instance.
 */

#include "kern/kassert.h"
#include "lock/lock.h"

/* Bits of td_lock_hooks, set when a thread is attached. */
#define LOCK_HOOK_PROFILE 0x1u
#define LOCK_HOOK_WITNESS 0x2u

/* How a lock is taken. */
#define LOP_EXCLUSIVE 0x1u
#define LOP_TRY       0x2u /* does not wait */

static inline bool
lock_hooked(const struct thread *td)
{
	return (__predict_false(td->td_lock_hooks != 0));
}

void lock_hook_want(struct thread *td, const struct lock_object *lo,
    const void *key, unsigned how, const char *file, int line);
/* The time, or 0 where nobody wants to know. */
uint64_t lock_hook_contested(struct thread *td, const struct lock_object *lo);
void lock_hook_acquired(struct thread *td, const struct lock_object *lo,
    const void *key, uint64_t t0, unsigned how, const char *file, int line);
/* A lock that stays held: exclusive from now on, or shared. */
void lock_hook_converted(struct thread *td, const void *key, unsigned how);
void lock_hook_release(struct thread *td, const void *key);

#endif /* LOCK_LOCK_HOOKS_H */
