/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The 8-byte reader/writer word, and struct rwlock around it.
 *
 *	 63                           5   4   3    2    1   0
 *	+------------------------------+---+---+----+----+---+
 *	| readers, or struct thread *  | - | - | WW | RW | W |
 *	+------------------------------+---+---+----+----+---+
 *
 * W is set while a writer owns the word, whose address is then above the flags;
 * else the number of readers is.  RW and WW say that readers, that writers are
 * asleep on the word's turnstile.  Zero is an unlocked word.  (FreeBSD's word is
 * ours exclusive-or 1; its bits 3 and 4, the spinning writer and recursion, are
 * kept free.)  Transitions, as (holder, waiter bits); b is any set of them:
 *
 *	wlock		free,b -> W,b		CAS, any thread
 *	rlock		n,b -> n+1,b		CAS, while WW is not in b
 *	block		held,b -> held,b+RW/WW	CAS, under the chain lock; readers
 *						also where free,b has WW
 *	wunlock		W,0 -> free,0		CAS, owner
 *	wunlock, wake	W,b -> free,b'		store, owner, under the chain lock
 *	runlock		n,b -> n-1,b		CAS, n > 1 or b = 0
 *	runlock, wake	1,b -> free,b'		CAS, under the chain lock
 *
 * A release with waiters prefers writers: it wakes the first of them, and b' is
 * what stays on the queues.  When only readers wait it wakes them all, and b' is
 * 0.  While WW is set new readers stay out, so writers do not starve.
 *
 * Invariants.
 *   1. RW and WW change only under the chain lock, and a CAS of anybody else
 *	carries them over.  A queue with threads has its bit set; a set bit with
 *	an empty queue costs the next release a look, and no more.
 *   2. If the word is free and threads are on a queue, then a woken writer has
 *	yet to come back to it.
 *   3. A thread goes on a queue only under the chain lock, after it has seen
 *	there that it may not enter, and with its bit set.
 *
 * No wake-up is lost.  Threads on a queue have their bit in the word (1).  While
 * it is held, the last to release sees the bit and comes to the chain lock.
 * While it is free, a woken writer comes (2): it acquires, and its own release
 * sees the bits; or it finds the word held and blocks again.  A reader that
 * blocks at a free word because of WW relies on the same writer.
 *
 * Lock order.  The word, then its turnstile chain.
 *
 * Not provided.  Fairness: running writers may barge, and a stream of writers
 * keeps readers out.  Readers have no identity: nothing tells who holds a read
 * lock.  Upgrade, downgrade and recursion.
 *
 * Source: FreeBSD releng/12.1, sys/kern/kern_rwlock.c.
 * Differs: one writer is woken, not all (argued in mtx.c); no spinning writer; a
 * reader that holds another read lock has no privilege.
 */

#include "lock/rwlock.h"

#include <inttypes.h>

#include "kern/kassert.h"
#include "lock/lock_delay.h"
#include "lock/lock_hooks.h"
#include "lock/turnstile.h"

#define RW_LOCK_WRITE         UINT64_C(0x01) /* FreeBSD's READ, inverted */
#define RW_LOCK_READ_WAITERS  UINT64_C(0x02)
#define RW_LOCK_WRITE_WAITERS UINT64_C(0x04)
#define RW_LOCK_WAITERS       (RW_LOCK_READ_WAITERS | RW_LOCK_WRITE_WAITERS)
#define RW_LOCK_FLAGMASK      UINT64_C(0x1f)
#define RW_ONE_READER         UINT64_C(0x20)

_Static_assert(_Alignof(struct thread) > RW_LOCK_FLAGMASK,
    "the flags fit below an owner's address");

static uint64_t
writer(const struct thread *td)
{
	return ((uint64_t)(uintptr_t)td | RW_LOCK_WRITE);
}

/* Neither a writer nor readers hold it; threads may wait. */
static bool
is_free(uint64_t v)
{
	return ((v & ~RW_LOCK_WAITERS) == 0);
}

static bool
may_read(uint64_t v)
{
	return ((v & (RW_LOCK_WRITE | RW_LOCK_WRITE_WAITERS)) == 0);
}

/* Is there hope that whoever keeps us out will soon leave? */
static bool
holder_runs(uint64_t v)
{
	const struct thread *td;

	if ((v & RW_LOCK_WRITE) == 0)
		return (true); /* readers are anonymous */
	td = (const struct thread *)(uintptr_t)(v & ~RW_LOCK_FLAGMASK);
	/* Relaxed: a hint.  The owner may be gone, its struct thread is not. */
	return (atomic_load_explicit(
		    &td->td_blocked_on, memory_order_relaxed) == NULL);
}

static struct thread *
rw_owner(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	const _Atomic uint64_t *word = key;
	uint64_t v;

	(void)td;
	(void)nth;
	*np = 1;
	/* Relaxed: the chain lock keeps a writer from leaving. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	if ((v & RW_LOCK_WRITE) == 0)
		return (NULL);
	return ((struct thread *)(uintptr_t)(v & ~RW_LOCK_FLAGMASK));
}

static void
wlock_hard(_Atomic uint64_t *word, struct thread *td)
{
	struct lock_delay ld;
	struct turnstile_chain *tc;
	uint64_t v;
	bool again = false;

	lock_delay_init(&ld, td->td_sim);
	for (;;) {
		/* Acquire: pairs with the owner's CAS; for holder_runs(). */
		v = atomic_load_explicit(word, memory_order_acquire);
		if (is_free(v)) {
			/* Acquire: every release before; release: *td. */
			if (atomic_compare_exchange_strong_explicit(word, &v,
				writer(td) | v, memory_order_acq_rel,
				memory_order_relaxed))
				return;
			continue;
		}
		KASSERT((v & ~RW_LOCK_WAITERS) != writer(td),
		    ("rwlock %#" PRIxPTR ": thread %u already owns it",
			(uintptr_t)word, td->td_id));
		if (holder_runs(v) && lock_delay(&ld))
			continue;

		tc = turnstile_chain_lock(td, word);
		/* Relaxed: the chain lock orders it after the last waker. */
		v = atomic_load_explicit(word, memory_order_relaxed);
		/* Relaxed: it only asks the holder to come to the chain lock. */
		if (is_free(v) ||
		    ((v & RW_LOCK_WRITE_WAITERS) == 0 &&
			!atomic_compare_exchange_strong_explicit(word, &v,
			    v | RW_LOCK_WRITE_WAITERS, memory_order_relaxed,
			    memory_order_relaxed))) {
			turnstile_chain_unlock(tc);
			continue;
		}
		(void)turnstile_wait(
		    tc, td, word, rw_owner, TS_EXCLUSIVE_QUEUE, again);
		again = true;
		lock_delay_init(&ld, td->td_sim);
	}
}

static void
rlock_hard(_Atomic uint64_t *word, struct thread *td)
{
	struct lock_delay ld;
	struct turnstile_chain *tc;
	uint64_t v;
	bool again = false;

	lock_delay_init(&ld, td->td_sim);
	for (;;) {
		if (rw_word_try_rlock(word, td))
			return;
		/* Acquire: pairs with the owner's CAS; for holder_runs(). */
		v = atomic_load_explicit(word, memory_order_acquire);
		KASSERT((v & ~RW_LOCK_WAITERS) != writer(td),
		    ("rwlock %#" PRIxPTR ": thread %u owns it for writing",
			(uintptr_t)word, td->td_id));
		if (may_read(v) || (holder_runs(v) && lock_delay(&ld)))
			continue;

		tc = turnstile_chain_lock(td, word);
		/* Relaxed: the chain lock orders it after the last waker. */
		v = atomic_load_explicit(word, memory_order_relaxed);
		/* Relaxed: it only asks the holder to come to the chain lock. */
		if (may_read(v) ||
		    ((v & RW_LOCK_READ_WAITERS) == 0 &&
			!atomic_compare_exchange_strong_explicit(word, &v,
			    v | RW_LOCK_READ_WAITERS, memory_order_relaxed,
			    memory_order_relaxed))) {
			turnstile_chain_unlock(tc);
			continue;
		}
		(void)turnstile_wait(
		    tc, td, word, rw_owner, TS_SHARED_QUEUE, again);
		again = true;
		lock_delay_init(&ld, td->td_sim);
	}
}

/*
 * Choose who is woken by a release under the chain lock.  Returns the threads
 * taken off, with *bitsp set to what stays.
 */
static struct thread *
choose_waiters(
    struct turnstile_chain *tc, _Atomic uint64_t *word, uint64_t *bitsp)
{
	struct thread *woken;

	*bitsp = 0;
	woken = turnstile_signal(tc, word, TS_EXCLUSIVE_QUEUE);
	if (woken == NULL)
		return (turnstile_broadcast(tc, word, TS_SHARED_QUEUE));
	if (!turnstile_empty(tc, word, TS_EXCLUSIVE_QUEUE))
		*bitsp |= RW_LOCK_WRITE_WAITERS;
	if (!turnstile_empty(tc, word, TS_SHARED_QUEUE))
		*bitsp |= RW_LOCK_READ_WAITERS;
	return (woken);
}

static void
wunlock_hard(_Atomic uint64_t *word, struct thread *td)
{
	struct turnstile_chain *tc;
	struct thread *woken;
	uint64_t bits;

	KASSERT(rw_word_wowned(word),
	    ("rwlock %#" PRIxPTR
	     ": write-unlocked by thread %u, state %#" PRIx64,
		(uintptr_t)word, td->td_id,
		/* Relaxed: for the message. */
		atomic_load_explicit(word, memory_order_relaxed)));
	tc = turnstile_chain_lock(td, word);
	woken = choose_waiters(tc, word, &bits);
	/* Release: to the next holder.  By 1 nobody else can write now. */
	atomic_store_explicit(word, bits, memory_order_release);
	turnstile_unlock_wake(tc, woken);
}

/* The last reader, as it seemed, found threads waiting. */
static void
runlock_hard(_Atomic uint64_t *word, struct thread *td)
{
	struct turnstile_chain *tc;
	struct thread *woken = NULL;
	uint64_t bits = 0, v;

	tc = turnstile_chain_lock(td, word);
	/* Relaxed: the CAS below decides. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	for (;;) {
		/*
		 * Readers may have come, as far as WW let them, and may leave
		 * before the CAS; the queues cannot change.
		 */
		if (v >= 2 * RW_ONE_READER) {
			/* Release: to the writer that follows the last. */
			if (atomic_compare_exchange_strong_explicit(word, &v,
				v - RW_ONE_READER, memory_order_release,
				memory_order_relaxed))
				break;
			continue;
		}
		/*
		 * A writer can only enter a free word, so freeing it comes
		 * last: first it is known which bits remain.
		 */
		if (woken == NULL)
			woken = choose_waiters(tc, word, &bits);
		/* Release: as above. */
		if (atomic_compare_exchange_strong_explicit(word, &v, bits,
			memory_order_release, memory_order_relaxed))
			break;
	}
	turnstile_unlock_wake(tc, woken);
}

void
rw_word_wlock(_Atomic uint64_t *word, struct thread *td)
{
	uint64_t v = 0;

	KASSERT(td != NULL,
	    ("rwlock %#" PRIxPTR ": not attached", (uintptr_t)word));
	/* Acquire: every release before it; release: *td, as in mtx.c. */
	if (__predict_false(!atomic_compare_exchange_strong_explicit(word, &v,
		writer(td), memory_order_acq_rel, memory_order_relaxed)))
		wlock_hard(word, td);
}

bool
rw_word_try_wlock(_Atomic uint64_t *word, struct thread *td)
{
	uint64_t v = 0;

	KASSERT(td != NULL,
	    ("rwlock %#" PRIxPTR ": not attached", (uintptr_t)word));
	do {
		/* Acquire: every release before it; release: *td. */
		if (atomic_compare_exchange_strong_explicit(word, &v,
			writer(td) | v, memory_order_acq_rel,
			memory_order_relaxed))
			return (true);
	} while (is_free(v));
	return (false);
}

void
rw_word_wunlock(_Atomic uint64_t *word, struct thread *td)
{
	uint64_t v = writer(td);

	KASSERT(td != NULL,
	    ("rwlock %#" PRIxPTR ": not attached", (uintptr_t)word));
	/* Release: hands what the lock guards to the next holder. */
	if (__predict_false(!atomic_compare_exchange_strong_explicit(
		word, &v, 0, memory_order_release, memory_order_relaxed)))
		wunlock_hard(word, td);
}

bool
rw_word_try_rlock(_Atomic uint64_t *word, struct thread *td)
{
	uint64_t v;

	KASSERT(td != NULL,
	    ("rwlock %#" PRIxPTR ": not attached", (uintptr_t)word));
	(void)td;
	/* Relaxed: the CAS below decides. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	while (may_read(v)) {
		/* Acquire: pairs with the last writer's release. */
		if (atomic_compare_exchange_weak_explicit(word, &v,
			v + RW_ONE_READER, memory_order_acquire,
			memory_order_relaxed))
			return (true);
	}
	return (false);
}

void
rw_word_rlock(_Atomic uint64_t *word, struct thread *td)
{
	if (__predict_false(!rw_word_try_rlock(word, td)))
		rlock_hard(word, td);
}

void
rw_word_runlock(_Atomic uint64_t *word, struct thread *td)
{
	/* Relaxed: the CAS below decides. */
	uint64_t v = atomic_load_explicit(word, memory_order_relaxed);

	KASSERT((v & RW_LOCK_WRITE) == 0 && v >= RW_ONE_READER,
	    ("rwlock %#" PRIxPTR
	     ": read-unlocked by thread %u, state %#" PRIx64,
		(uintptr_t)word, td->td_id, v));
	while (v >= 2 * RW_ONE_READER || (v & RW_LOCK_WAITERS) == 0) {
		/* Release: what was read is read; to the writer that follows. */
		if (atomic_compare_exchange_weak_explicit(word, &v,
			v - RW_ONE_READER, memory_order_release,
			memory_order_relaxed))
			return;
	}
	runlock_hard(word, td);
}

bool
rw_word_wowned(const _Atomic uint64_t *word)
{
	/* Relaxed: only the owner itself can read its own pointer here. */
	uint64_t v = atomic_load_explicit(word, memory_order_relaxed);

	return ((v & ~RW_LOCK_WAITERS) == writer(curthread()));
}

void
rw_init(struct rwlock *rw, const char *name, uint32_t flags)
{
	rw->lock_object.lo_name = name;
	rw->lock_object.lo_flags = flags | LC_RW | LO_INITED;
	rw->lock_object.lo_data = 0;
	rw->lock_object.lo_witness = NULL;
	/* Relaxed: no other thread knows the lock yet. */
	atomic_store_explicit(&rw->rw_lock, 0, memory_order_relaxed);
}

void
rw_destroy(struct rwlock *rw)
{
	/* Relaxed: no other thread uses the lock any more. */
	uint64_t v = atomic_load_explicit(&rw->rw_lock, memory_order_relaxed);

	KASSERT(v == 0,
	    ("rwlock %s destroyed in state %#" PRIx64, rw->lock_object.lo_name,
		v));
	(void)v;
	rw->lock_object.lo_flags &= ~LO_INITED;
}

void
rw_wlock_at(struct rwlock *rw, const char *file, int line)
{
	struct thread *td = curthread();
	uint64_t t0 = 0;

	KASSERT(td != NULL, ("rwlock %p: not attached", (void *)rw));
	if (!lock_hooked(td)) {
		rw_word_wlock(&rw->rw_lock, td);
		return;
	}
	lock_hook_want(td, &rw->lock_object, rw, LOP_EXCLUSIVE, file, line);
	if (!rw_word_try_wlock(&rw->rw_lock, td)) {
		t0 = lock_hook_contested(td);
		rw_word_wlock(&rw->rw_lock, td);
	}
	lock_hook_acquired(
	    td, &rw->lock_object, rw, t0, LOP_EXCLUSIVE, file, line);
}

bool
rw_try_wlock_at(struct rwlock *rw, const char *file, int line)
{
	struct thread *td = curthread();

	if (!rw_word_try_wlock(&rw->rw_lock, td))
		return (false);
	if (lock_hooked(td))
		lock_hook_acquired(td, &rw->lock_object, rw, 0,
		    LOP_EXCLUSIVE | LOP_TRY, file, line);
	return (true);
}

void
rw_wunlock(struct rwlock *rw)
{
	struct thread *td = curthread();

	KASSERT(td != NULL, ("rwlock %p: not attached", (void *)rw));
	if (lock_hooked(td))
		lock_hook_release(td, rw);
	rw_word_wunlock(&rw->rw_lock, td);
}

void
rw_rlock_at(struct rwlock *rw, const char *file, int line)
{
	struct thread *td = curthread();
	uint64_t t0 = 0;

	KASSERT(td != NULL, ("rwlock %p: not attached", (void *)rw));
	if (!lock_hooked(td)) {
		rw_word_rlock(&rw->rw_lock, td);
		return;
	}
	lock_hook_want(td, &rw->lock_object, rw, 0, file, line);
	if (!rw_word_try_rlock(&rw->rw_lock, td)) {
		t0 = lock_hook_contested(td);
		rw_word_rlock(&rw->rw_lock, td);
	}
	lock_hook_acquired(td, &rw->lock_object, rw, t0, 0, file, line);
}

bool
rw_try_rlock_at(struct rwlock *rw, const char *file, int line)
{
	struct thread *td = curthread();

	if (!rw_word_try_rlock(&rw->rw_lock, td))
		return (false);
	if (lock_hooked(td))
		lock_hook_acquired(
		    td, &rw->lock_object, rw, 0, LOP_TRY, file, line);
	return (true);
}

void
rw_runlock(struct rwlock *rw)
{
	struct thread *td = curthread();

	KASSERT(td != NULL, ("rwlock %p: not attached", (void *)rw));
	if (lock_hooked(td))
		lock_hook_release(td, rw);
	rw_word_runlock(&rw->rw_lock, td);
}

bool
rw_wowned(const struct rwlock *rw)
{
	return (rw_word_wowned(&rw->rw_lock));
}
