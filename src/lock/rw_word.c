/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The reader/writer word.
 *
 *	 63                           5   4   3    2    1   0
 *	+------------------------------+---+---+----+----+---+
 *	| readers, or struct thread *  | R | S | WW | RW | W |
 *	+------------------------------+---+---+----+----+---+
 *
 * W is set while a writer owns the word, whose address is then above the flags;
 * else the number of readers is.  R says that the writer has recursed.  RW and WW
 * say that readers, that writers are asleep on the word's turnstile; S that a
 * writer spins until the readers have left.  Zero is an unlocked word.  (FreeBSD's
 * word is ours exclusive-or 1.)  Transitions, as (holder, flags); b is any set of
 * RW and WW, s is S or nothing:
 *
 *	wlock		free,b,s -> W,b		CAS, any thread
 *	rlock		n,b,s -> n+1,b,s	CAS, while neither WW nor S is set,
 *						or by who reads already
 *	spin		n,b -> n,b,S		CAS, a writer, n > 0
 *	block		held,b,s -> held,b+WW	CAS, under the chain lock, a writer;
 *						clears S if it had set it
 *			b,s -> b+RW,s		CAS, under the chain lock, a reader,
 *						wherever it may not enter
 *	wunlock		W -> free		CAS, owner
 *	wunlock, wake	W,b -> free,b'		store, owner, under the chain lock
 *	runlock		n,b,s -> n-1,b,s	CAS, n > 1 or b = 0 or S is set
 *	runlock, wake	1,b -> free,b'		CAS, under the chain lock
 *	upgrade		1,b,s -> W,b		CAS, the reader
 *	downgrade	W,b -> 1,b		CAS, owner; b = 0, or under the chain
 *						lock
 *	downgrade, wake	W,RW -> 1		store, owner, under the chain lock
 *
 * A release with waiters prefers writers: it wakes the first of them, and b' is
 * what stays on the queues.  When only readers wait it wakes them all, and b' is
 * 0.  While WW or S is set new readers stay out, so writers do not starve.  Who
 * holds another lock of the kind for reading is let in all the same: a writer may
 * be waiting for that very lock, and this one then for us.
 *
 * Invariants.
 *   1. RW and WW change only under the chain lock, and a CAS of anybody else
 *	carries them over.  A queue with threads has its bit set; a set bit with
 *	an empty queue costs the next release a look, and no more.
 *   2. S is set only while readers hold the word, and every writer that acquires
 *	clears it; so W and S exclude each other.
 *   3. While S is set, a thread that set it has not yet acquired, nor blocked.
 *	For a thread that leaves wlock_hard(), in either way, clears S, its own
 *	or another's; so what is left was set later, by one that is still there.
 *	A spinner that lost its S to another's departure sets it again, or does
 *	without: S keeps readers out, and no more hangs on it but 4.
 *   4. If the word is free and threads are on a queue, then a woken writer or a
 *	spinner has yet to come to it.
 *   5. A thread goes on a queue only under the chain lock, after it has seen
 *	there that it may not enter, and with its bit set.
 *
 * No wake-up is lost.  Threads on a queue have their bit in the word (1).  While
 * it is held, the last to release sees the bit and comes to the chain lock; or a
 * last reader sees S as well, and leaves the rest to the spinner (3).  While it is
 * free, a woken writer or the spinner comes (4): it acquires, and its own release
 * sees the bits; or it finds the word held and blocks again, or goes on to spin.
 * A reader that blocks at a free word because of WW or S relies on the same.  A
 * spinner never leaves the word free: it gives up only where, under the chain
 * lock, it finds it held, and clears S in the CAS that says so.
 *
 * Lending.  A writer with a waiter bit in its word cannot leave, or become a
 * reader, but by the chain lock, and gives back there what was lent to it.  Without
 * one it is nobody's owner (rwlock.c).  Who acquires a word that has bits says so
 * to those on the queues: turnstile_claim().
 *
 * Lock order.  The word, then its turnstile chain.
 *
 * Not provided.  Fairness: running writers may barge, and a stream of writers
 * keeps readers out.  Readers have no identity: nothing tells who holds a read
 * lock, and nobody can be lent a priority while they do.
 *
 * Source: FreeBSD releng/12.1, sys/kern/kern_rwlock.c, sys/kern/kern_sx.c.
 * Differs: one writer is woken, not all (argued in mtx.c).  A spinner may lose
 * its CPU, where FreeBSD's is in a critical section; readers then wait as long as
 * for a writer that has lost it.  How long a round of spinning lasts: lock_delay.h.
 */

#include "lock/rw_word.h"

#include "lock/lock_delay.h"
#include "lock/witness.h"

_Static_assert(_Alignof(struct thread) > RW_LOCK_FLAGMASK,
    "the flags fit below an owner's address");

/*
 * Rounds of spinning at a word that readers hold; each is a lock_delay().
 * Source: FreeBSD releng/12.1, sys/kern/kern_rwlock.c, rowner_retries.
 */
#define RW_READER_ROUNDS 10

/* Neither a writer nor readers hold it; threads may wait or spin. */
static bool
is_free(uint64_t v)
{
	return ((v & ~(RW_LOCK_WAITERS | RW_LOCK_WRITE_SPINNER)) == 0);
}

/* Is there hope that the writer will soon leave?  v has one. */
static bool
owner_runs(uint64_t v)
{
	/* Relaxed: a hint.  The owner may be gone, its struct thread is not. */
	return (atomic_load_explicit(&rw_word_owner(v)->td_blocked_on,
		    memory_order_relaxed) == NULL);
}

static void
check_word(uint64_t v, const _Atomic uint64_t *word, const struct thread *td,
    const struct rw_kind *rk)
{
	KASSERT(v != RW_DESTROYED,
	    ("%s %#" PRIxPTR ": lock after destroy", rk->rk_name,
		(uintptr_t)word));
	KASSERT(rw_word_owner(v) != td,
	    ("%s %#" PRIxPTR ": thread %u already owns it", rk->rk_name,
		(uintptr_t)word, td->td_id));
	(void)v;
	(void)word;
	(void)td;
	(void)rk;
}

/*
 * We own the word now.  If threads wait that others had come before us, they
 * lend us their priority from here on.
 */
static void
acquired(_Atomic uint64_t *word, uint64_t v, struct thread *td,
    const struct rw_kind *rk)
{
	if (rk->rk_lends && __predict_false((v & RW_LOCK_WAITERS) != 0))
		turnstile_claim(td, word, rk->rk_owner);
}

/* From *vp, which is free, to ours.  False: *vp is news. */
static bool
take_free(_Atomic uint64_t *word, uint64_t *vp, struct thread *td,
    const struct rw_kind *rk)
{
	uint64_t next = rw_writer(td) | (*vp & RW_LOCK_WAITERS);

	/* Acquire: every release before it; release: *td. */
	if (!atomic_compare_exchange_strong_explicit(
		word, vp, next, memory_order_acq_rel, memory_order_relaxed))
		return (false);
	acquired(word, next, td, rk);
	return (true);
}

/*
 * One round of waiting for readers to leave, with S set so that no more come.
 * False: the thread had better block.
 */
static bool
spin_for_readers(_Atomic uint64_t *word, uint64_t v, struct lock_delay *ld,
    unsigned *rounds, bool *spinner)
{
	uint64_t n = rw_readers(v);

	if (++*rounds > RW_READER_ROUNDS || !lock_delay_round(ld, v))
		return (false);
	if ((v & RW_LOCK_WRITE_SPINNER) == 0) {
		/* Relaxed: it only keeps readers out. */
		if (atomic_compare_exchange_strong_explicit(word, &v,
			v | RW_LOCK_WRITE_SPINNER, memory_order_relaxed,
			memory_order_relaxed))
			*spinner = true;
	} else {
		/* The more there are, the longer the last of them takes. */
		ld->ld_sim->sim_ops->so_spin(ld->ld_sim,
		    n < LOCK_DELAY_MAX ? (unsigned)n : LOCK_DELAY_MAX);
	}
	return (true);
}

__slowpath void
rw_word_wlock_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	bool again = false, spinner = false;
	struct turnstile_chain *tc;
	struct lock_delay ld;
	unsigned rounds = 0;
	uint64_t next, v;

	lock_delay_init(&ld, td->td_sim);
	for (;;) {
		/* Acquire: pairs with the owner's CAS; for owner_runs(). */
		v = atomic_load_explicit(word, memory_order_acquire);
		if (is_free(v)) {
			if (take_free(word, &v, td, rk))
				return;
			continue;
		}
		check_word(v, word, td, rk);
		if ((v & RW_LOCK_WRITE) != 0) {
			if (owner_runs(v) &&
			    lock_delay_owner(&ld, rw_word_owner(v), v))
				continue;
		} else if (spin_for_readers(word, v, &ld, &rounds, &spinner)) {
			continue;
		}

		tc = turnstile_chain_lock(td, word);
		/* Relaxed: the chain lock orders it after the last waker. */
		v = atomic_load_explicit(word, memory_order_relaxed);
		next = v | RW_LOCK_WRITE_WAITERS;
		if (spinner)
			next &= ~RW_LOCK_WRITE_SPINNER;
		/* Relaxed: it only asks the holder to come to the chain lock. */
		if (is_free(v) ||
		    (next != v &&
			!atomic_compare_exchange_strong_explicit(word, &v, next,
			    memory_order_relaxed, memory_order_relaxed))) {
			turnstile_chain_unlock(tc);
			continue;
		}
		(void)turnstile_wait(
		    tc, td, word, rk->rk_owner, TS_EXCLUSIVE_QUEUE, again);
		again = true;
		spinner = false;
		rounds = 0;
		lock_delay_init(&ld, td->td_sim);
	}
}

__slowpath void
rw_word_rlock_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	bool again = false, reads = *rw_holds(td, rk) > 0;
	struct turnstile_chain *tc;
	struct lock_delay ld;
	unsigned rounds = 0;
	uint64_t v;

	lock_delay_init(&ld, td->td_sim);
	for (;;) {
		/* Acquire: pairs with the owner's CAS; for owner_runs(). */
		v = atomic_load_explicit(word, memory_order_acquire);
		if (rw_may_read(v) || (reads && (v & RW_LOCK_WRITE) == 0)) {
			/* Acquire: pairs with the last writer's release. */
			if (atomic_compare_exchange_strong_explicit(word, &v,
				v + RW_ONE_READER, memory_order_acquire,
				memory_order_relaxed))
				break;
			continue;
		}
		check_word(v, word, td, rk);
		if ((v & RW_LOCK_WRITE) != 0) {
			if (owner_runs(v) &&
			    lock_delay_owner(&ld, rw_word_owner(v), v))
				continue;
		} else if (++rounds <= RW_READER_ROUNDS &&
		    lock_delay_round(&ld, v)) {
			continue;
		}

		tc = turnstile_chain_lock(td, word);
		/* Relaxed: the chain lock orders it after the last waker. */
		v = atomic_load_explicit(word, memory_order_relaxed);
		/* Relaxed: it only asks the holder to come to the chain lock. */
		if (rw_may_read(v) || (reads && (v & RW_LOCK_WRITE) == 0) ||
		    ((v & RW_LOCK_READ_WAITERS) == 0 &&
			!atomic_compare_exchange_strong_explicit(word, &v,
			    v | RW_LOCK_READ_WAITERS, memory_order_relaxed,
			    memory_order_relaxed))) {
			turnstile_chain_unlock(tc);
			continue;
		}
		(void)turnstile_wait(
		    tc, td, word, rk->rk_owner, TS_SHARED_QUEUE, again);
		again = true;
		rounds = 0;
		lock_delay_init(&ld, td->td_sim);
	}
	(*rw_holds(td, rk))++;
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
	if (turnstile_empty(tc, word, TS_EXCLUSIVE_QUEUE) && woken == NULL)
		return (turnstile_broadcast(tc, word, TS_SHARED_QUEUE));
	if (!turnstile_empty(tc, word, TS_EXCLUSIVE_QUEUE))
		*bitsp |= RW_LOCK_WRITE_WAITERS;
	if (!turnstile_empty(tc, word, TS_SHARED_QUEUE))
		*bitsp |= RW_LOCK_READ_WAITERS;
	return (woken);
}

__slowpath void
rw_word_wunlock_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	struct turnstile_chain *tc;
	struct thread *woken;
	uint64_t bits;

	KASSERT(rw_word_wowned(word),
	    ("%s %#" PRIxPTR ": write-unlocked by thread %u, state %#" PRIx64,
		rk->rk_name, (uintptr_t)word, td->td_id,
		/* Relaxed: for the message. */
		atomic_load_explicit(word, memory_order_relaxed)));
	(void)rk;
	tc = turnstile_chain_lock(td, word);
	woken = choose_waiters(tc, word, &bits);
	/* Release: to the next holder.  By 1 and 2 nobody else can write now. */
	atomic_store_explicit(word, bits, memory_order_release);
	turnstile_unlock_wake(tc, woken);
}

/* The last reader, as it seemed, found threads waiting. */
__slowpath void
rw_word_runlock_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	struct turnstile_chain *tc;
	struct thread *woken = NULL;
	uint64_t bits = 0, v;

	(void)rk;
	tc = turnstile_chain_lock(td, word);
	/* Relaxed: the CAS below decides. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	for (;;) {
		/*
		 * Readers may have come, as far as WW and S let them, and may
		 * leave before the CAS; a spinner too.  The queues cannot
		 * change.
		 */
		if (v >= 2 * RW_ONE_READER ||
		    (v & RW_LOCK_WRITE_SPINNER) != 0) {
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

bool
rw_word_try_wlock(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	uint64_t v = 0;

	rw_word_attached(word, td, rk);
	do {
		if (take_free(word, &v, td, rk))
			return (true);
	} while (is_free(v));
	return (false);
}

bool
rw_word_try_upgrade(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	/* Relaxed: the CAS below decides. */
	uint64_t next, v = atomic_load_explicit(word, memory_order_relaxed);

	KASSERT(rw_readers(v) > 0 && *rw_holds(td, rk) > 0,
	    ("%s %#" PRIxPTR ": upgraded by thread %u, which holds %u, "
	     "state %#" PRIx64,
		rk->rk_name, (uintptr_t)word, td->td_id,
		(unsigned)*rw_holds(td, rk), v));
	while (rw_readers(v) == 1) {
		next = rw_writer(td) | (v & RW_LOCK_WAITERS);
		/* Acquire: every reader's release before; release: *td. */
		if (atomic_compare_exchange_strong_explicit(word, &v, next,
			memory_order_acq_rel, memory_order_relaxed)) {
			(*rw_holds(td, rk))--;
			acquired(word, next, td, rk);
			return (true);
		}
	}
	return (false);
}

/* Threads wait: let the readers in, unless a writer is among them. */
__slowpath static void
downgrade_hard(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	struct thread *woken = NULL;
	struct turnstile_chain *tc;
	uint64_t v;

	/* Relaxed: what is checked of it is the thread's own. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	KASSERT(rw_word_owner(v) == td && (v & RW_LOCK_WRITER_RECURSED) == 0,
	    ("%s %#" PRIxPTR ": downgraded by thread %u, state %#" PRIx64,
		rk->rk_name, (uintptr_t)word, td->td_id, v));
	(void)rk;
	tc = turnstile_chain_lock(td, word);
	/* Relaxed: the waiter bits change under the chain lock only. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	if (turnstile_empty(tc, word, TS_EXCLUSIVE_QUEUE)) {
		woken = turnstile_broadcast(tc, word, TS_SHARED_QUEUE);
		v = 0;
	} else {
		turnstile_disown(tc, word);
	}
	/* Release: readers see what we wrote.  Nobody else can write now. */
	atomic_store_explicit(
	    word, RW_ONE_READER | (v & RW_LOCK_WAITERS), memory_order_release);
	turnstile_unlock_wake(tc, woken);
}

void
rw_word_downgrade(
    _Atomic uint64_t *word, struct thread *td, const struct rw_kind *rk)
{
	uint64_t v = rw_writer(td);

	rw_word_attached(word, td, rk);
	/* Release: readers see what we wrote. */
	if (!atomic_compare_exchange_strong_explicit(word, &v, RW_ONE_READER,
		memory_order_release, memory_order_relaxed))
		downgrade_hard(word, td, rk);
	(*rw_holds(td, rk))++;
}

unsigned
rw_word_state(const _Atomic uint64_t *word, const void *key)
{
	/* Relaxed: what is the thread's own cannot change meanwhile. */
	uint64_t v = atomic_load_explicit(word, memory_order_relaxed);

	if (rw_word_wowned(word))
		return (RWA_OWNED);
	switch (witness_held(curthread(), key)) {
	case WITNESS_NOT_HELD:
		return (RWA_UNLOCKED);
	case WITNESS_SHARED:
		return (rw_readers(v) > 0 ? RWA_SHARED : RWA_UNLOCKED);
	default:
		/* Readers are anonymous: it may be ours. */
		return (rw_readers(v) > 0 ? RWA_SHARED | RWA_UNLOCKED
					  : RWA_UNLOCKED);
	}
}
