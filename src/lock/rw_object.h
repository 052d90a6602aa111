/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_RW_OBJECT_H
#define LOCK_RW_OBJECT_H

/*
 * A reader/writer word with a lock_object: recursion, profile and witness.  For
 * rwlock.c and sx.c, each of which makes its own functions of these with a
 * constant struct rw_kind.
 *
 * A writer's recursion is counted in lo_data, which only the writer touches, and
 * shown in the word; it is told to nobody.  An upgrade and a downgrade change how
 * a lock is held, and do not end the hold of the profile.
 */

#include "lock/lock_hooks.h"
#include "lock/rw_word.h"

struct rw_object {
	struct lock_object *ro_lo; /* its address is the instance's */
	_Atomic uint64_t *ro_word;
	const struct rw_kind *ro_kind;
};

static inline void
rw_object_init(struct rw_object ro, const char *name, uint32_t flags)
{
	ro.ro_lo->lo_name = name;
	ro.ro_lo->lo_flags = flags | LO_INITED;
	ro.ro_lo->lo_data = 0;
	ro.ro_lo->lo_witness = NULL;
	/* Relaxed: no other thread knows the lock yet. */
	atomic_store_explicit(ro.ro_word, 0, memory_order_relaxed);
}

static inline void
rw_object_destroy(struct rw_object ro)
{
	/* Relaxed: no other thread uses the lock any more. */
	uint64_t v = atomic_load_explicit(ro.ro_word, memory_order_relaxed);

	KASSERT(v == 0,
	    ("%s %s destroyed in state %#" PRIx64, ro.ro_kind->rk_name,
		ro.ro_lo->lo_name, v));
	(void)v;
	/* Relaxed: as above. */
	atomic_store_explicit(ro.ro_word, RW_DESTROYED, memory_order_relaxed);
	ro.ro_lo->lo_flags &= ~LO_INITED;
}

/* The writer again?  True: done. */
static inline bool
rw_object_recurse(struct rw_object ro)
{
	if (__predict_true((ro.ro_lo->lo_flags & LO_RECURSABLE) == 0) ||
	    !rw_word_wowned(ro.ro_word))
		return (false);
	ro.ro_lo->lo_data++;
	/* Relaxed: for those who look at the word; we own it. */
	atomic_fetch_or_explicit(
	    ro.ro_word, RW_LOCK_WRITER_RECURSED, memory_order_relaxed);
	return (true);
}

static inline void
rw_object_wlock(struct rw_object ro, const char *file, int line)
{
	struct thread *td = curthread();
	uint64_t t0 = 0;

	if (rw_object_recurse(ro))
		return;
	rw_word_attached(ro.ro_word, td, ro.ro_kind);
	if (!lock_hooked(td)) {
		rw_word_wlock(ro.ro_word, td, ro.ro_kind);
		return;
	}
	lock_hook_want(td, ro.ro_lo, ro.ro_lo, LOP_EXCLUSIVE, file, line);
	if (!rw_word_try_wlock(ro.ro_word, td, ro.ro_kind)) {
		t0 = lock_hook_contested(td, ro.ro_lo);
		rw_word_wlock_hard(ro.ro_word, td, ro.ro_kind);
	}
	lock_hook_acquired(
	    td, ro.ro_lo, ro.ro_lo, t0, LOP_EXCLUSIVE, file, line);
}

static inline bool
rw_object_try_wlock(struct rw_object ro, const char *file, int line)
{
	struct thread *td = curthread();

	if (rw_object_recurse(ro))
		return (true);
	if (!rw_word_try_wlock(ro.ro_word, td, ro.ro_kind))
		return (false);
	if (lock_hooked(td))
		lock_hook_acquired(td, ro.ro_lo, ro.ro_lo, 0,
		    LOP_EXCLUSIVE | LOP_TRY, file, line);
	return (true);
}

static inline void
rw_object_wunlock(struct rw_object ro)
{
	struct thread *td = curthread();

	rw_word_attached(ro.ro_word, td, ro.ro_kind);
	KASSERT(rw_word_wowned(ro.ro_word),
	    ("%s %s: write-unlocked by thread %u, which does not own it",
		ro.ro_kind->rk_name, ro.ro_lo->lo_name, td->td_id));
	if (__predict_false(ro.ro_lo->lo_data > 0)) {
		/* Relaxed: as in rw_object_recurse(). */
		if (--ro.ro_lo->lo_data == 0)
			atomic_fetch_and_explicit(ro.ro_word,
			    ~RW_LOCK_WRITER_RECURSED, memory_order_relaxed);
		return;
	}
	if (lock_hooked(td))
		lock_hook_release(td, ro.ro_lo);
	rw_word_wunlock(ro.ro_word, td, ro.ro_kind);
}

static inline void
rw_object_rlock(struct rw_object ro, const char *file, int line)
{
	struct thread *td = curthread();
	uint64_t t0 = 0;

	rw_word_attached(ro.ro_word, td, ro.ro_kind);
	if (!lock_hooked(td)) {
		rw_word_rlock(ro.ro_word, td, ro.ro_kind);
		return;
	}
	lock_hook_want(td, ro.ro_lo, ro.ro_lo, 0, file, line);
	if (!rw_word_try_rlock(ro.ro_word, td, ro.ro_kind)) {
		t0 = lock_hook_contested(td, ro.ro_lo);
		rw_word_rlock_hard(ro.ro_word, td, ro.ro_kind);
	}
	lock_hook_acquired(td, ro.ro_lo, ro.ro_lo, t0, 0, file, line);
}

static inline bool
rw_object_try_rlock(struct rw_object ro, const char *file, int line)
{
	struct thread *td = curthread();

	if (!rw_word_try_rlock(ro.ro_word, td, ro.ro_kind))
		return (false);
	if (lock_hooked(td))
		lock_hook_acquired(
		    td, ro.ro_lo, ro.ro_lo, 0, LOP_TRY, file, line);
	return (true);
}

static inline void
rw_object_runlock(struct rw_object ro)
{
	struct thread *td = curthread();

	rw_word_attached(ro.ro_word, td, ro.ro_kind);
	if (lock_hooked(td))
		lock_hook_release(td, ro.ro_lo);
	rw_word_runlock(ro.ro_word, td, ro.ro_kind);
}

static inline bool
rw_object_try_upgrade(struct rw_object ro)
{
	struct thread *td = curthread();

	if (!rw_word_try_upgrade(ro.ro_word, td, ro.ro_kind))
		return (false);
	if (lock_hooked(td))
		lock_hook_converted(td, ro.ro_lo, LOP_EXCLUSIVE);
	return (true);
}

static inline void
rw_object_downgrade(struct rw_object ro)
{
	struct thread *td = curthread();

	rw_word_downgrade(ro.ro_word, td, ro.ro_kind);
	if (lock_hooked(td))
		lock_hook_converted(td, ro.ro_lo, 0);
}

#endif /* LOCK_RW_OBJECT_H */
