/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Turnstiles: queues of threads that wait for locks.
 *
 * Why.  A lock of 8 bytes or of 2 bits has no room for a queue.  Few of the many
 * locks of a machine are waited for at any moment, and a thread waits for one
 * at a time, so the queues belong to the threads: each thread owns one
 * turnstile, and lends it to the lock it blocks on.  As many turnstiles as
 * threads are always enough, and blocking allocates nothing.
 *
 *	chain = hash of the lock's address
 *	  |
 *	  v
 *	turnstile (key) --> turnstile (key) --> ...
 *	  | ts_blocked[exclusive]: td, td, ...	sorted by priority
 *	  | ts_blocked[shared]:    td, ...
 *	  ` ts_free: turnstiles lent by all blocked threads but one
 *
 * The first thread to block on a lock hangs its turnstile into the chain, later
 * ones leave theirs on ts_free.  A thread that is taken off takes one of ts_free
 * along, or, being the last, the turnstile itself.
 *
 * Invariants.
 *   1. A turnstile is in a chain if and only if threads are blocked on it, and
 *	it has one fewer spare turnstile on ts_free than blocked threads.
 *   2. td_turnstile is NULL if and only if the thread is on a queue.
 *   3. td_blocked_on is the key from before the thread is visible on a queue
 *	until it is made runnable.  A thread that sleeps goes on sleeping while
 *	it is set, so a token left over from an earlier wake-up does no harm.
 *	The other way round, the token is the thread's and not ours: whoever else
 *	is to be woken by it must not wait for a lock between the moment the
 *	wake-up may be sent and the so_block() that takes it.
 *   4. Whoever took a thread off a queue makes it runnable, after it has dropped
 *	the chain lock.  Nothing else reads or writes td_ts_next in between.
 *
 * What a lock has to do, so that no wake-up is lost: LOCK/BLOCK: set its
 * "waiters" bit under the chain lock while the word is held, and not go on the
 * queue otherwise.  UNLOCK: look at that bit in the very operation that frees the
 * word, or free the word under the chain lock.  Then a release either precedes
 * the setting of the bit, and the thread finds the word free; or it sees the
 * bit, and has to wait for the chain lock until the thread is on the queue.
 *
 * Lock order.  Chain locks are leaves: nothing is locked under one, two are never
 * held, and none is held over the system call that wakes a thread (a holder
 * that lost its CPU there would stop all locks of the chain).
 *
 * Not provided.  Priority propagation: td_pri orders the queues and is never
 * lent.
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_turnstile.c.
 * Differs: no owner, no ts_lock beside the chain lock, no pending queue in the
 * turnstile (the caller has it), and a hash that tells neighbours of 32 bytes
 * apart, since our headers are that small.
 */

#include "lock/turnstile.h"

#include "kern/kassert.h"
#include "lock/lock_env.h"

#define TD_TS_MORE 0x1u /* others stayed on the queue it was taken from */

struct ts_head {
	struct thread *th_first;
	struct thread *th_last;
};

/* All fields: the chain lock of ts_key; of a spare one: its thread. */
struct turnstile {
	const void *ts_key;
	struct turnstile *ts_next; /* in the chain or on a free list */
	struct turnstile *ts_free; /* lent by the later blockers */
	struct ts_head ts_blocked[NTS_QUEUES];
};

struct turnstile *
turnstile_alloc(struct sim *sim)
{
	return (kmem_alloc(sim->sim_kmem, sizeof(struct turnstile),
	    CACHE_LINE_SIZE, M_LOCK, KMEM_ANYDOMAIN));
}

void
turnstile_free(struct sim *sim, struct turnstile *ts)
{
	kmem_free(sim->sim_kmem, ts, sizeof(*ts), M_LOCK, KMEM_ANYDOMAIN);
}

/* Bits 5 to 18 of the address: see Differs above. */
static unsigned
tc_index(const void *key)
{
	uintptr_t a = (uintptr_t)key;

	return ((unsigned)((a >> 5) ^ (a >> 12)) % TC_TABLESIZE);
}

struct turnstile_chain *
turnstile_chain_lock(struct thread *td, const void *key)
{
	struct lock_env *le = td->td_sim->sim_locks;
	struct turnstile_chain *tc = &le->le_chains[tc_index(key)];

	leaf_lock(&tc->tc_lock, tc->tc_sim);
	return (tc);
}

void
turnstile_chain_unlock(struct turnstile_chain *tc)
{
	leaf_unlock(&tc->tc_lock);
}

/* The link that points at the turnstile of key, or at the chain's end. */
static struct turnstile **
ts_find(struct turnstile_chain *tc, const void *key)
{
	struct turnstile **tsp;

	for (tsp = &tc->tc_turnstiles; *tsp != NULL; tsp = &(*tsp)->ts_next) {
		if ((*tsp)->ts_key == key)
			break;
	}
	return (tsp);
}

static void
ts_insert(struct ts_head *th, struct thread *td, bool again)
{
	struct thread *prev;

	/* From the end: equal priorities, the common case, cost one look. */
	for (prev = th->th_last; prev != NULL; prev = prev->td_ts_prev) {
		if (prev->td_pri < td->td_pri ||
		    (prev->td_pri == td->td_pri && !again))
			break;
	}
	td->td_ts_prev = prev;
	td->td_ts_next = prev == NULL ? th->th_first : prev->td_ts_next;
	if (td->td_ts_next != NULL)
		td->td_ts_next->td_ts_prev = td;
	else
		th->th_last = td;
	if (prev != NULL)
		prev->td_ts_next = td;
	else
		th->th_first = td;
}

bool
turnstile_wait(struct turnstile_chain *tc, struct thread *td, const void *key,
    turnstile_owner_fn *owner, enum ts_queue queue, bool again)
{
	struct turnstile **tsp = ts_find(tc, key);
	struct turnstile *ts = *tsp, *own = td->td_turnstile;

	KASSERT(td == curthread(), ("thread %u blocks another", td->td_id));
	(void)owner;
	KASSERT(own != NULL,
	    ("thread %u has no turnstile to lend to %p", td->td_id, key));
	td->td_turnstile = NULL;
	if (ts == NULL) {
		KASSERT(own->ts_free == NULL, ("spare turnstile has spares"));
		own->ts_key = key;
		own->ts_next = NULL;
		*tsp = ts = own;
	} else {
		own->ts_next = ts->ts_free;
		ts->ts_free = own;
	}
	ts_insert(&ts->ts_blocked[queue], td, again);
	td->td_ts_flags &= ~TD_TS_MORE;
	td->td_ts_blocked = ts;
	/* Relaxed: the chain lock orders it for whoever takes us off. */
	atomic_store_explicit(&td->td_blocked_on, key, memory_order_relaxed);
	turnstile_chain_unlock(tc);

	counter_add(&td->td_counters, CTR_LOCK_SLEEPS, 1);
	do {
		td->td_sim->sim_ops->so_block(td);
		/* Acquire: pairs with the release in turnstile_unlock_wake(). */
	} while (atomic_load_explicit(
		     &td->td_blocked_on, memory_order_acquire) != NULL);
	return ((td->td_ts_flags & TD_TS_MORE) != 0);
}

void
turnstile_claim(struct thread *td, const void *key, turnstile_owner_fn *owner)
{
	(void)td;
	(void)key;
	(void)owner;
}

/* Take up to max threads off a queue. */
static struct thread *
ts_take(struct turnstile_chain *tc, const void *key, enum ts_queue queue,
    unsigned max)
{
	struct turnstile **tsp = ts_find(tc, key);
	struct turnstile *ts = *tsp, *own;
	struct thread *first, *last, *td;
	struct ts_head *th;

	if (ts == NULL)
		return (NULL);
	th = &ts->ts_blocked[queue];
	first = last = NULL;
	while (max-- > 0 && th->th_first != NULL) {
		td = th->th_first;
		th->th_first = td->td_ts_next;
		if (th->th_first != NULL)
			th->th_first->td_ts_prev = NULL;
		else
			th->th_last = NULL;

		own = ts->ts_free;
		if (own != NULL) {
			ts->ts_free = own->ts_next;
		} else {
			own = ts;
			*tsp = ts->ts_next;
		}
		own->ts_key = NULL;
		own->ts_next = NULL;
		td->td_turnstile = own;
		td->td_ts_blocked = NULL;
		td->td_ts_next = NULL;
		td->td_ts_prev = NULL;
		if (th->th_first != NULL)
			td->td_ts_flags |= TD_TS_MORE;
		if (last == NULL)
			first = td;
		else
			last->td_ts_next = td;
		last = td;
	}
	return (first);
}

struct thread *
turnstile_signal(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue)
{
	return (ts_take(tc, key, queue, 1));
}

struct thread *
turnstile_broadcast(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue)
{
	return (ts_take(tc, key, queue, UINT32_MAX));
}

bool
turnstile_empty(
    struct turnstile_chain *tc, const void *key, enum ts_queue queue)
{
	struct turnstile *ts = *ts_find(tc, key);

	return (ts == NULL || ts->ts_blocked[queue].th_first == NULL);
}

void
turnstile_unlock_wake(struct turnstile_chain *tc, struct thread *woken)
{
	struct sim *sim = tc->tc_sim;
	struct thread *next, *td;

	turnstile_chain_unlock(tc);
	for (td = woken; td != NULL; td = next) {
		counter_add(&curthread()->td_counters, CTR_LOCK_WAKES, 1);
		/*
		 * Once td_blocked_on is NULL a left-over token is enough for
		 * the thread to go on, and even to leave: touch nothing of it
		 * but the token, which so_wake() may set for nobody.
		 */
		next = td->td_ts_next;
		td->td_ts_next = NULL;
		/* Release: gives td_turnstile and the flags to the thread. */
		atomic_store_explicit(
		    &td->td_blocked_on, NULL, memory_order_release);
		sim->sim_ops->so_wake(td);
	}
}
