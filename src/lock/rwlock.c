/* SPDX-License-Identifier: BSD-2-Clause */

/* struct rwlock: the reader/writer word with a lock_object.  See rw_word.c. */

#include "lock/rwlock.h"

#include "lock/rw_object.h"

static struct thread *
rw_owner(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	const _Atomic uint64_t *word = key;
	uint64_t v;

	(void)td;
	(void)nth;
	/*
	 * With a bit set the chain lock keeps a writer from leaving.
	 *
	 * Acquire: its CAS; for what is in *td.
	 */
	v = atomic_load_explicit(word, memory_order_acquire);
	/* Held, and marked: by readers too, who cannot be lent to. */
	*np = (v & RW_LOCK_WAITERS) != 0 &&
	    (v & ~(RW_LOCK_WAITERS | RW_LOCK_WRITE_SPINNER)) != 0;
	return ((v & RW_LOCK_WAITERS) != 0 ? rw_word_owner(v) : NULL);
}

const struct rw_kind rw_kind_rw = {
	.rk_name = "rwlock",
	.rk_owner = rw_owner,
	.rk_lends = true,
};

static struct rw_object
object(struct rwlock *rw)
{
	return ((struct rw_object){
	    .ro_lo = &rw->lock_object,
	    .ro_word = &rw->rw_lock,
	    .ro_kind = &rw_kind_rw,
	});
}

void
rw_init(struct rwlock *rw, const char *name, uint32_t flags)
{
	rw_object_init(object(rw), name, flags | LC_RW);
}

void
rw_destroy(struct rwlock *rw)
{
	rw_object_destroy(object(rw));
}

void
rw_wlock_at(struct rwlock *rw, const char *file, int line)
{
	rw_object_wlock(object(rw), file, line);
}

bool
rw_try_wlock_at(struct rwlock *rw, const char *file, int line)
{
	return (rw_object_try_wlock(object(rw), file, line));
}

void
rw_wunlock(struct rwlock *rw)
{
	rw_object_wunlock(object(rw));
}

void
rw_rlock_at(struct rwlock *rw, const char *file, int line)
{
	rw_object_rlock(object(rw), file, line);
}

bool
rw_try_rlock_at(struct rwlock *rw, const char *file, int line)
{
	return (rw_object_try_rlock(object(rw), file, line));
}

void
rw_runlock(struct rwlock *rw)
{
	rw_object_runlock(object(rw));
}

bool
rw_try_upgrade(struct rwlock *rw)
{
	return (rw_object_try_upgrade(object(rw)));
}

void
rw_downgrade(struct rwlock *rw)
{
	rw_object_downgrade(object(rw));
}

bool
rw_wowned(const struct rwlock *rw)
{
	return (rw_word_wowned(&rw->rw_lock));
}
