/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "rwlock": FreeBSD's own, 32 bytes with a lock_object that
 * stays zero here (a pv list lock has its name from the pmap layer).  The only
 * one of ours with a shared mode.  The algorithm is in rw_word.c.
 */

#include "lock/pv_backends.h"
#include "lock/rwlock.h"

static void
rwlock_lock(void *word)
{
	struct rwlock *rw = word;

	rw_word_wlock(&rw->rw_lock, curthread(), &rw_kind_rw);
}

static bool
rwlock_trylock(void *word)
{
	struct rwlock *rw = word;

	return (rw_word_try_wlock(&rw->rw_lock, curthread(), &rw_kind_rw));
}

static void
rwlock_unlock(void *word, bool modified)
{
	struct rwlock *rw = word;

	(void)modified;
	rw_word_wunlock(&rw->rw_lock, curthread(), &rw_kind_rw);
}

static bool
rwlock_owned(const void *word)
{
	const struct rwlock *rw = word;

	return (rw_word_wowned(&rw->rw_lock));
}

static void
rwlock_rlock(void *word)
{
	struct rwlock *rw = word;

	rw_word_rlock(&rw->rw_lock, curthread(), &rw_kind_rw);
}

static bool
rwlock_tryrlock(void *word)
{
	struct rwlock *rw = word;

	return (rw_word_try_rlock(&rw->rw_lock, curthread(), &rw_kind_rw));
}

static void
rwlock_runlock(void *word)
{
	struct rwlock *rw = word;

	rw_word_runlock(&rw->rw_lock, curthread(), &rw_kind_rw);
}

const struct pv_lock_ops pv_lock_rwlock = {
	.plo_name = "rwlock",
	.plo_descr = "FreeBSD's reader/writer lock; blocks on a turnstile",
	.plo_size = sizeof(struct rwlock),
	.plo_align = _Alignof(struct rwlock),
	.plo_flags = PLO_ZEROINIT,
	.plo_lock = rwlock_lock,
	.plo_trylock = rwlock_trylock,
	.plo_unlock = rwlock_unlock,
	.plo_owned = rwlock_owned,
	.plo_rlock = rwlock_rlock,
	.plo_tryrlock = rwlock_tryrlock,
	.plo_runlock = rwlock_runlock,
};
