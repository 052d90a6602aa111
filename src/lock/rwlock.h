/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_RWLOCK_H
#define LOCK_RWLOCK_H

/*
 * struct rwlock: FreeBSD's reader/writer lock that blocks on a turnstile.
 *
 * The lock proper is its word; rw_word_*() work on a bare one.  See rwlock.c.
 *
 * Differs: the word is stored exclusive-or RW_UNLOCKED, so that zeroed memory is
 * an unlocked lock; RW_READ reads inverted.
 * Differs: a thread takes no second read lock of the same rwlock: with a writer
 * waiting in between it would wait for itself.
 * Source: FreeBSD releng/12.1, sys/sys/rwlock.h, sys/kern/kern_rwlock.c.
 */

#include <stdatomic.h>

#include "lock/lock.h"

struct rwlock {
	struct lock_object lock_object;
	_Atomic uint64_t rw_lock;
};
_Static_assert(sizeof(struct rwlock) == 32, "as in FreeBSD");

void rw_init(struct rwlock *rw, const char *name, uint32_t flags);
void rw_destroy(struct rwlock *rw);

void rw_wlock_at(struct rwlock *rw, const char *file, int line);
bool rw_try_wlock_at(struct rwlock *rw, const char *file, int line);
void rw_wunlock(struct rwlock *rw);
void rw_rlock_at(struct rwlock *rw, const char *file, int line);
bool rw_try_rlock_at(struct rwlock *rw, const char *file, int line);
void rw_runlock(struct rwlock *rw);

#define rw_wlock(rw)     rw_wlock_at((rw), __FILE__, __LINE__)
#define rw_try_wlock(rw) rw_try_wlock_at((rw), __FILE__, __LINE__)
#define rw_rlock(rw)     rw_rlock_at((rw), __FILE__, __LINE__)
#define rw_try_rlock(rw) rw_try_rlock_at((rw), __FILE__, __LINE__)

/* Does the calling thread own it for writing? */
bool rw_wowned(const struct rwlock *rw);

/* The same on a bare word, not profiled.  td is curthread(). */
void rw_word_wlock(_Atomic uint64_t *word, struct thread *td);
bool rw_word_try_wlock(_Atomic uint64_t *word, struct thread *td);
void rw_word_wunlock(_Atomic uint64_t *word, struct thread *td);
void rw_word_rlock(_Atomic uint64_t *word, struct thread *td);
bool rw_word_try_rlock(_Atomic uint64_t *word, struct thread *td);
void rw_word_runlock(_Atomic uint64_t *word, struct thread *td);
bool rw_word_wowned(const _Atomic uint64_t *word);

#endif /* LOCK_RWLOCK_H */
