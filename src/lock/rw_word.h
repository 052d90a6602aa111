/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_RW_WORD_H
#define LOCK_RW_WORD_H

/*
 * The 8-byte word of a lock that many may share or one may own, without name,
 * profile or witness: rwlock.c and sx.c are this and a lock_object.  See
 * rw_word.c.
 *
 * Differs: the word is stored exclusive-or RW_UNLOCKED, so that zeroed memory is
 * an unlocked lock; RW_READ reads inverted.
 * Source: FreeBSD releng/12.1, sys/sys/rwlock.h, sys/sys/sx.h.
 */

#include <inttypes.h>
#include <stdatomic.h>

#include "kern/kassert.h"
#include "lock/turnstile.h"

#define RW_LOCK_WRITE           UINT64_C(0x01) /* FreeBSD's READ, inverted */
#define RW_LOCK_READ_WAITERS    UINT64_C(0x02)
#define RW_LOCK_WRITE_WAITERS   UINT64_C(0x04)
#define RW_LOCK_WRITE_SPINNER   UINT64_C(0x08)
#define RW_LOCK_WRITER_RECURSED UINT64_C(0x10)
#define RW_LOCK_WAITERS         (RW_LOCK_READ_WAITERS | RW_LOCK_WRITE_WAITERS)
#define RW_LOCK_FLAGMASK        UINT64_C(0x1f)
#define RW_ONE_READER           UINT64_C(0x20)
/* A writer that is nobody, with waiters: no lock looks so. */
#define RW_DESTROYED (RW_LOCK_WRITE | RW_LOCK_WAITERS)

/* In what an rwlock and an sx differ. */
struct rw_kind {
	const char *rk_name;
	/* Who is lent the priority of those that wait; may say nobody. */
	turnstile_owner_fn *rk_owner;
	bool rk_lends;
	bool rk_sx; /* holds are counted in td_sx_slocks */
};

extern const struct rw_kind rw_kind_rw; /* rwlock.c */
extern const struct rw_kind rw_kind_sx; /* sx.c */

/* How many locks of the kind td holds shared. */
static inline uint16_t *
rw_holds(struct thread *td, const struct rw_kind *rk)
{
	return (rk->rk_sx ? &td->td_sx_slocks : &td->td_rw_rlocks);
}

static inline uint64_t
rw_writer(const struct thread *td)
{
	return ((uint64_t)(uintptr_t)td | RW_LOCK_WRITE);
}

static inline uint64_t
rw_readers(uint64_t v)
{
	return ((v & RW_LOCK_WRITE) != 0 ? 0 : v / RW_ONE_READER);
}

/* NULL: readers, or nobody. */
static inline struct thread *
rw_word_owner(uint64_t v)
{
	if ((v & RW_LOCK_WRITE) == 0)
		return (NULL);
	return ((struct thread *)(uintptr_t)(v & ~RW_LOCK_FLAGMASK));
}

/* May a thread without privilege read? */
static inline bool
rw_may_read(uint64_t v)
{
	return ((v &
		    (RW_LOCK_WRITE | RW_LOCK_WRITE_WAITERS |
			RW_LOCK_WRITE_SPINNER)) == 0);
}

static inline void
rw_word_attached(
    const _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	KASSERT(td != NULL,
	    ("%s %#" PRIxPTR ": not attached", rk->rk_name, (uintptr_t)word));
	(void)word;
	(void)td;
	(void)rk;
}

/* td is curthread() in all of these. */
void rw_word_wlock_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk);
void rw_word_wunlock_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk);
void rw_word_rlock_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk);
void rw_word_runlock_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk);

bool rw_word_try_wlock(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk);
/* The only reader becomes the writer.  False, and still a reader, otherwise. */
bool rw_word_try_upgrade(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk);
/* The writer becomes a reader. */
void rw_word_downgrade(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk);

static inline void
rw_word_wlock(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	uint64_t v = 0;

	rw_word_attached(word, td, rk);
	/* Acquire: every release before it; release: *td, as in mtx.c. */
	if (__predict_false(!atomic_compare_exchange_strong_explicit(word, &v,
		rw_writer(td), memory_order_acq_rel, memory_order_relaxed)))
		rw_word_wlock_hard(word, td, rk);
}

static inline void
rw_word_wunlock(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	uint64_t v = rw_writer(td);

	rw_word_attached(word, td, rk);
	/* Release: hands what the lock guards to the next holder. */
	if (__predict_false(!atomic_compare_exchange_strong_explicit(
		word, &v, 0, memory_order_release, memory_order_relaxed)))
		rw_word_wunlock_hard(word, td, rk);
}

/* Never spins, never blocks; grants no privilege to who reads already. */
static inline bool
rw_word_try_rlock(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	uint64_t v;

	rw_word_attached(word, td, rk);
	/* Relaxed: the CAS below decides. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	while (rw_may_read(v)) {
		/* Acquire: pairs with the last writer's release. */
		if (atomic_compare_exchange_weak_explicit(word, &v,
			v + RW_ONE_READER, memory_order_acquire,
			memory_order_relaxed)) {
			(*rw_holds(td, rk))++;
			return (true);
		}
	}
	return (false);
}

static inline void
rw_word_rlock(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	if (__predict_false(!rw_word_try_rlock(word, td, rk)))
		rw_word_rlock_hard(word, td, rk);
}

static inline void
rw_word_runlock(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	/* Relaxed: the CAS below decides. */
	uint64_t v = atomic_load_explicit(word, memory_order_relaxed);

	KASSERT(rw_readers(v) > 0 && *rw_holds(td, rk) > 0,
	    ("%s %#" PRIxPTR ": shared unlock by thread %u, which holds %u, "
	     "state %#" PRIx64,
		rk->rk_name, (uintptr_t)word, td->td_id,
		(unsigned)*rw_holds(td, rk), v));
	(*rw_holds(td, rk))--;
	/* The last one out looks after those that wait: rw_word.c, 4. */
	while (v >= 2 * RW_ONE_READER || (v & RW_LOCK_WAITERS) == 0 ||
	    (v & RW_LOCK_WRITE_SPINNER) != 0) {
		/* Release: what was read is read; to the writer that follows. */
		if (atomic_compare_exchange_weak_explicit(word, &v,
			v - RW_ONE_READER, memory_order_release,
			memory_order_relaxed))
			return;
	}
	rw_word_runlock_hard(word, td, rk);
}

/* Does the calling thread own it for writing? */
static inline bool
rw_word_wowned(const _Atomic uint64_t *word)
{
	/* Relaxed: only the owner itself can read its own pointer here. */
	uint64_t v = atomic_load_explicit(word, memory_order_relaxed);

	return ((v & RW_LOCK_WRITE) != 0 && rw_word_owner(v) == curthread());
}

/*
 * What the word, and the witness if there is one, say of the calling thread's
 * hold.  Holds: a RWA_* that is true.  Without a witness a shared hold of
 * somebody counts as the thread's own.
 */
#define RWA_UNLOCKED 0x1u
#define RWA_SHARED   0x2u
#define RWA_OWNED    0x4u
unsigned rw_word_state(const _Atomic uint64_t *word, const void *key);

#endif /* LOCK_RW_WORD_H */
