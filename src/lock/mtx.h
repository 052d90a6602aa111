/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_MTX_H
#define LOCK_MTX_H

/*
 * struct mtx: FreeBSD's default mutex, an exclusive lock that spins for a while
 * and then blocks on a turnstile.  The calling thread must be attached.
 *
 * The mutex proper is its word, owner | MTX_*; mtx_word_*() work on a bare one,
 * which is all that the pv list lock mtx8 has.  See mtx.c.
 *
 * Source: FreeBSD releng/12.1, sys/sys/mutex.h, sys/kern/kern_mutex.c.
 */

#include <inttypes.h>
#include <stdatomic.h>

#include "kern/kassert.h"
#include "lock/lock.h"
#include "lock/lock_hooks.h"
#include "sim/asym.h"

#define MTX_UNOWNED   UINT64_C(0)
#define MTX_RECURSED  UINT64_C(1)
#define MTX_CONTESTED UINT64_C(2)
#define MTX_DESTROYED UINT64_C(4)
#define MTX_FLAGMASK  UINT64_C(7)

struct mtx {
	struct lock_object lock_object;
	_Atomic uint64_t mtx_lock; /* owner | MTX_* */
};
_Static_assert(sizeof(struct mtx) == 32, "as in FreeBSD");

/* Alone on its cache line. */
struct mtx_padalign {
	_Alignas(CACHE_LINE_SIZE) struct mtx mtx;
};

#define MTX_RECURSE LO_RECURSABLE /* its owner may lock it again */

/* name: a constant string.  flags: LO_DUPOK, MTX_RECURSE. */
void mtx_init(struct mtx *m, const char *name, uint32_t flags);
/* Unowned and without waiters. */
void mtx_destroy(struct mtx *m);

/* What is left when the one atomic operation of the fast path has failed. */
void mtx_word_lock_hard(_Atomic uint64_t *word, struct thread *td);
void mtx_word_unlock_hard(_Atomic uint64_t *word, struct thread *td);
void
mtx_lock_hooked(struct mtx *m, struct thread *td, const char *file, int line);

static inline bool
mtx_word_trylock(_Atomic uint64_t *word, struct thread *td)
{
	uint64_t v = MTX_UNOWNED;

	KASSERT(
	    td != NULL, ("mutex %#" PRIxPTR ": not attached", (uintptr_t)word));
	/* Acquire: the release that freed it; release: *td, see mtx.c. */
	return (atomic_compare_exchange_strong_explicit(word, &v,
	    (uint64_t)(uintptr_t)td, memory_order_acq_rel,
	    memory_order_relaxed));
}

static inline void
mtx_word_lock(_Atomic uint64_t *word, struct thread *td)
{
	if (__predict_false(!mtx_word_trylock(word, td)))
		mtx_word_lock_hard(word, td);
}

static inline void
mtx_word_unlock(_Atomic uint64_t *word, struct thread *td)
{
	uint64_t v = (uint64_t)(uintptr_t)td;

	if (__predict_true(td->td_rseq_cs != NULL)) {
		if (__predict_false(!asym_clear64(td->td_rseq_cs, word, v)))
			mtx_word_unlock_hard(word, td);
		return;
	}
	/* Release: hands what the lock guards to the next holder. */
	if (__predict_false(!atomic_compare_exchange_strong_explicit(word, &v,
		MTX_UNOWNED, memory_order_release, memory_order_relaxed)))
		mtx_word_unlock_hard(word, td);
}

/* Does the calling thread own it? */
static inline bool
mtx_word_owned(const _Atomic uint64_t *word)
{
	/* Relaxed: only the owner itself can read its own pointer here. */
	uint64_t v = atomic_load_explicit(word, memory_order_relaxed);

	return ((v & ~MTX_FLAGMASK) == (uint64_t)(uintptr_t)curthread() &&
	    v != MTX_UNOWNED);
}

/*
 * The owner again?  True: done.  The owner alone counts, in lo_data; the word
 * shows it; the profile and the witness are not told.
 */
static inline bool
mtx_recurse(struct mtx *m)
{
	if (__predict_true((m->lock_object.lo_flags & MTX_RECURSE) == 0) ||
	    !mtx_word_owned(&m->mtx_lock))
		return (false);
	m->lock_object.lo_data++;
	/* Relaxed: for those who look at the word; we own it. */
	atomic_fetch_or_explicit(
	    &m->mtx_lock, MTX_RECURSED, memory_order_relaxed);
	return (true);
}

static inline void
mtx_lock_at(struct mtx *m, const char *file, int line)
{
	struct thread *td = curthread();

	if (mtx_recurse(m))
		return;
	KASSERT(td != NULL, ("mutex %p: not attached", (void *)m));
	if (lock_hooked(td))
		mtx_lock_hooked(m, td, file, line);
	else
		mtx_word_lock(&m->mtx_lock, td);
}

/* Never spins, never blocks. */
static inline bool
mtx_trylock_at(struct mtx *m, const char *file, int line)
{
	struct thread *td = curthread();

	if (mtx_recurse(m))
		return (true);
	if (!mtx_word_trylock(&m->mtx_lock, td))
		return (false);
	if (lock_hooked(td))
		lock_hook_acquired(td, &m->lock_object, m, 0,
		    LOP_EXCLUSIVE | LOP_TRY, file, line);
	return (true);
}

static inline void
mtx_unlock(struct mtx *m)
{
	struct thread *td = curthread();

	KASSERT(td != NULL, ("mutex %p: not attached", (void *)m));
	if (__predict_false(m->lock_object.lo_data > 0)) {
		KASSERT(mtx_word_owned(&m->mtx_lock),
		    ("mutex %s: unlocked by thread %u, which does not own it",
			m->lock_object.lo_name, td->td_id));
		/* Relaxed: as in mtx_recurse(). */
		if (--m->lock_object.lo_data == 0)
			atomic_fetch_and_explicit(
			    &m->mtx_lock, ~MTX_RECURSED, memory_order_relaxed);
		return;
	}
	if (lock_hooked(td))
		lock_hook_release(td, m);
	mtx_word_unlock(&m->mtx_lock, td);
}

#define mtx_lock(m)    mtx_lock_at((m), __FILE__, __LINE__)
#define mtx_trylock(m) mtx_trylock_at((m), __FILE__, __LINE__)

/* Does the calling thread own it? */
static inline bool
mtx_owned(const struct mtx *m)
{
	return (mtx_word_owned(&m->mtx_lock));
}

#endif /* LOCK_MTX_H */
