/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_RWLOCK_H
#define LOCK_RWLOCK_H

/*
 * struct rwlock: FreeBSD's reader/writer lock that blocks on a turnstile.
 *
 * Those who wait lend a writer their priority; readers are anonymous and cannot
 * be lent any.  A holder must not sleep.  A thread that reads may read again, this
 * lock or another, even while a writer waits.  See rw_word.c.
 *
 * Source: FreeBSD releng/12.1, sys/sys/rwlock.h, sys/kern/kern_rwlock.c.
 */

#include "lock/lock.h"
#include "lock/rw_word.h"

struct rwlock {
	struct lock_object lock_object;
	_Atomic uint64_t rw_lock;
};
_Static_assert(sizeof(struct rwlock) == 32, "as in FreeBSD");

#define RW_RECURSE LO_RECURSABLE /* a writer may lock it again for writing */

/* name: a constant string.  flags: LO_DUPOK, RW_RECURSE. */
void rw_init(struct rwlock *rw, const char *name, uint32_t flags);
/* Unlocked and without waiters. */
void rw_destroy(struct rwlock *rw);

void rw_wlock_at(struct rwlock *rw, const char *file, int line);
bool rw_try_wlock_at(struct rwlock *rw, const char *file, int line);
void rw_wunlock(struct rwlock *rw);
void rw_rlock_at(struct rwlock *rw, const char *file, int line);
bool rw_try_rlock_at(struct rwlock *rw, const char *file, int line);
void rw_runlock(struct rwlock *rw);

/*
 * From reading to writing without letting go: only as the sole reader, and ahead
 * of writers that wait.  False, and still reading, otherwise.
 */
bool rw_try_upgrade(struct rwlock *rw);
/*
 * From writing, not recursed, to reading.  Readers that wait come in, unless a
 * writer waits.
 */
void rw_downgrade(struct rwlock *rw);

#define rw_wlock(rw)     rw_wlock_at((rw), __FILE__, __LINE__)
#define rw_try_wlock(rw) rw_try_wlock_at((rw), __FILE__, __LINE__)
#define rw_rlock(rw)     rw_rlock_at((rw), __FILE__, __LINE__)
#define rw_try_rlock(rw) rw_try_rlock_at((rw), __FILE__, __LINE__)

/* Does the calling thread own it for writing? */
bool rw_wowned(const struct rwlock *rw);

/*
 * Panic unless the calling thread holds it so.  Of reading without a witness it
 * is known only that somebody does.
 */
#define RA_UNLOCKED RWA_UNLOCKED
#define RA_RLOCKED  RWA_SHARED
#define RA_WLOCKED  RWA_OWNED
#define RA_LOCKED   (RWA_SHARED | RWA_OWNED)
#define rw_assert(rw, what)                                                    \
	KASSERT((rw_word_state(&(rw)->rw_lock, (rw)) & (what)) != 0,           \
	    ("rwlock %s is not held as it should be: " #what,                  \
		(rw)->lock_object.lo_name))

#endif /* LOCK_RWLOCK_H */
