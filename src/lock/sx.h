/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_SX_H
#define LOCK_SX_H

/*
 * struct sx: FreeBSD's shared/exclusive lock, whose holders may sleep.
 *
 * It is taken before every mutex and rwlock, and for long: under it a thread
 * waits for memory or for a page.  So nobody is lent a priority, for a holder that
 * sleeps could make no use of one.  Otherwise the states and the preferences are
 * those of an rwlock; see rw_word.c.
 *
 * Source: FreeBSD releng/12.1, sys/sys/sx.h, sys/kern/kern_sx.c.
 * Differs: FreeBSD's waits on sleep queues, which have signals and time limits
 * that are not needed here, and no owners; ours on turnstiles without one.
 */

#include "lock/lock.h"
#include "lock/rw_word.h"

struct sx {
	struct lock_object lock_object;
	_Atomic uint64_t sx_lock;
};
_Static_assert(sizeof(struct sx) == 32, "as in FreeBSD");

#define SX_RECURSE LO_RECURSABLE /* the owner may lock it again exclusively */

/* name: a constant string.  flags: LO_DUPOK, SX_RECURSE. */
void sx_init(struct sx *sx, const char *name, uint32_t flags);
/* Unlocked and without waiters. */
void sx_destroy(struct sx *sx);

void sx_xlock_at(struct sx *sx, const char *file, int line);
bool sx_try_xlock_at(struct sx *sx, const char *file, int line);
void sx_xunlock(struct sx *sx);
void sx_slock_at(struct sx *sx, const char *file, int line);
bool sx_try_slock_at(struct sx *sx, const char *file, int line);
void sx_sunlock(struct sx *sx);
/* However the thread holds it. */
void sx_unlock(struct sx *sx);

/*
 * From shared to exclusive without letting go: only as the sole holder, and ahead
 * of threads that wait.  False, and still shared, otherwise.
 */
bool sx_try_upgrade(struct sx *sx);
/*
 * From exclusive, not recursed, to shared.  Shared waiters come in, unless an
 * exclusive one waits.
 */
void sx_downgrade(struct sx *sx);

#define sx_xlock(sx)     sx_xlock_at((sx), __FILE__, __LINE__)
#define sx_try_xlock(sx) sx_try_xlock_at((sx), __FILE__, __LINE__)
#define sx_slock(sx)     sx_slock_at((sx), __FILE__, __LINE__)
#define sx_try_slock(sx) sx_try_slock_at((sx), __FILE__, __LINE__)

/* Does the calling thread own it exclusively? */
bool sx_xlocked(const struct sx *sx);

/*
 * Panic unless the calling thread holds it so.  Of sharing without a witness it
 * is known only that somebody does.
 */
#define SA_UNLOCKED RWA_UNLOCKED
#define SA_SLOCKED  RWA_SHARED
#define SA_XLOCKED  RWA_OWNED
#define SA_LOCKED   (RWA_SHARED | RWA_OWNED)
#define sx_assert(sx, what)                                                    \
	KASSERT((rw_word_state(&(sx)->sx_lock, (sx)) & (what)) != 0,           \
	    ("sx %s is not held as it should be: " #what,                      \
		(sx)->lock_object.lo_name))

#endif /* LOCK_SX_H */
